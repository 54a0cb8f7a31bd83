//! Rows that must differ, and columns that can't have twins.

use super::{Draft, Maker};
use crate::generate::Part;
use crate::generate::plan::Plan;
use crate::model::{Cell, Class};

impl<'a> Maker<'a> {
    /// Whether the row differs from all others where it must; if so, it is remembered.
    pub(super) fn differs(&mut self, draft: &Draft<'a>) -> bool {
        let mut marks = Vec::new();
        for (number, unique) in draft.table.uniques.iter().enumerate() {
            if unique.partial {
                continue;
            }
            let values: Vec<Cell> = unique
                .columns
                .iter()
                .map(|column| draft.get(column).cloned().flatten())
                .collect();
            if !unique.nulls_equal && values.iter().any(Option::is_none) {
                continue;
            }
            let values = if unique.folded {
                values
                    .into_iter()
                    .map(|cell| cell.map(|text| text.to_lowercase()))
                    .collect()
            } else {
                values
            };
            // Keys with the tenant in them can't collide between tenants, and a tenant's rows in one world never
            // meet its rows in another.
            let scope = if unique.global && !matches!(draft.table.class, Class::Root { .. }) {
                0
            } else {
                match (draft.place.part, draft.place.tenant) {
                    (Part::Shared | Part::Acting, _) | (Part::Spare, 0) => 1,
                    (Part::Different | Part::Spare, _) => 2,
                    (Part::Twins, _) => 3,
                }
            };
            marks.push((draft.place.table.clone(), number, scope, values));
        }
        if marks.iter().any(|mark| self.seen.contains(mark)) {
            return false;
        }
        self.seen.extend(marks);
        true
    }
}

/// Columns that are unique over all tenants and that no key fills.
pub(super) fn untwinned(plan: &Plan<'_>) -> Vec<String> {
    let mut found = Vec::new();
    for (name, table) in &plan.tables {
        if !matches!(table.class, Class::Scoped { .. } | Class::Derived { .. }) {
            continue;
        }
        for unique in table.uniques.iter().filter(|unique| unique.global) {
            for column in &unique.columns {
                let filled = table
                    .keys
                    .iter()
                    .any(|key| key.key.columns.iter().any(|c| c == column));
                if !filled {
                    found.push(name.object(column));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    found
}
