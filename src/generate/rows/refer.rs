//! Which row a key refers to.

use super::draft::model_cell;
use super::{Draft, Maker};
use crate::generate::Part;
use crate::generate::plan::KeyPlan;
use crate::model::{Cell, Class};

impl<'a> Maker<'a> {
    /// Chooses a parent for a key, or none where that is allowed.
    pub(super) fn refer(
        &self,
        draft: &mut Draft<'a>,
        number: usize,
        key: &KeyPlan<'a>,
    ) -> Result<(), String> {
        let known_null = key
            .key
            .columns
            .iter()
            .any(|column| draft.get(column) == Some(&None));
        let must = key.nullable.iter().any(|column| {
            draft
                .table
                .columns
                .iter()
                .any(|(c, profile)| c.name == *column && profile.hints.not_null)
        });
        let mut dice = draft.dice(self.genes.seed.number, &key.key.name);
        let nothing = |draft: &mut Draft<'a>| {
            for column in &key.nullable {
                if draft.get(column).is_none() {
                    draft.set(column, None);
                }
            }
        };
        let skip = if draft.loose {
            // Of columns that exclude each other every one has its turn.
            let turn = draft.place.row + usize::try_from(draft.attempt / 16).unwrap_or(0);
            let optional = || {
                draft
                    .table
                    .keys
                    .iter()
                    .enumerate()
                    .filter(|(_, key)| !key.nullable.is_empty())
            };
            let kept = optional().nth(turn % optional().count().max(1));
            kept.is_none_or(|(kept, _)| kept != number) && (draft.attempt == 1 || dice.one_in(2))
        } else {
            draft.place.row > 0 && draft.place.part != Part::Spare && dice.one_in(4)
        };
        if !key.nullable.is_empty() && (known_null || (skip && !must)) {
            nothing(draft);
            return Ok(());
        }
        let parents = self.parents(draft, key);
        // The last row of a table is referred to by none, as long as there are others: it can be deleted.
        let open =
            if parents.len() > 1 && usize::try_from(draft.attempt).unwrap_or(0) < parents.len() {
                parents.len() - 1
            } else {
                parents.len()
            };
        let start = dice.below(open) + usize::try_from(draft.attempt).unwrap_or(0);
        for step in 0..open {
            let (parent, values) = &parents[(start + step) % open];
            let fits = key
                .key
                .columns
                .iter()
                .zip(values)
                .all(|(column, value)| draft.get(column).is_none_or(|cell| cell == value));
            if fits && values.iter().all(Option::is_some) {
                for (column, value) in key.key.columns.iter().zip(values) {
                    draft.set(column, value.clone());
                }
                draft.parents[number] = *parent;
                return Ok(());
            }
        }
        if !key.nullable.is_empty() {
            nothing(draft);
            return Ok(());
        }
        if key.key.target == draft.place.table {
            // The first row of a table that must refer to itself: see `refer_to_itself`.
            return Ok(());
        }
        Err(format!(
            "no row of {} could be referred to by {}",
            key.key.target, key.key.name
        ))
    }

    /// Refers to the parent of this number among the same tenant's rows. Returns whether it is there and fits.
    pub(super) fn refer_to(
        &self,
        draft: &mut Draft<'a>,
        number: usize,
        key: &KeyPlan<'a>,
        parent: usize,
    ) -> bool {
        let parents = self.parents(draft, key);
        let Some((_, values)) = parents.iter().find(|(index, _)| *index == Some(parent)) else {
            return false;
        };
        let fits = key
            .key
            .columns
            .iter()
            .zip(values)
            .all(|(column, value)| draft.get(column).is_none_or(|cell| cell == value));
        if fits {
            for (column, value) in key.key.columns.iter().zip(values) {
                draft.set(column, value.clone());
            }
            draft.parents[number] = Some(parent);
        }
        fits
    }

    /// The rows that a key may refer to: the same tenant's, or shared ones. With their number, where it has one.
    fn parents(&self, draft: &Draft<'a>, key: &KeyPlan<'a>) -> Vec<(Option<usize>, Vec<Cell>)> {
        let target = &key.key.target;
        let Some(table) = self.plan.tables.get(target) else {
            return Vec::new();
        };
        let mut found: Vec<(Option<usize>, Vec<Cell>)> = Vec::new();
        let shared = matches!(table.class, Class::Shared | Class::Unclassified { .. });
        let (part, tenant) = match draft.place.part {
            _ if shared => (Part::Shared, 0),
            Part::Spare if draft.place.tenant == 0 => (Part::Acting, 0),
            Part::Spare => (Part::Different, draft.place.tenant),
            part => (part, draft.place.tenant),
        };
        if let Some((_, name)) = self
            .plan
            .tables
            .get_key_value(target)
            .map(|(name, t)| (t, *name))
            && let Some(rows) = self.made.get(&(part, tenant, name))
        {
            for (index, made) in rows.iter().enumerate() {
                if let Some(made) = made {
                    let values = key
                        .key
                        .target_columns
                        .iter()
                        .map(|column| model_cell(table, made, column).cloned().flatten())
                        .collect();
                    found.push(((!shared).then_some(index), values));
                }
            }
        }
        if shared {
            for row in self.ground.existing.get(target).into_iter().flatten() {
                let values = key
                    .key
                    .target_columns
                    .iter()
                    .map(|column| row.get(column).cloned().flatten())
                    .collect();
                found.push((None, values));
            }
        }
        found
    }
}

/// A column of a reference to the own table that must be there and found no row: it will name the row itself.
pub(super) fn waits_for_itself(draft: &Draft<'_>, column: &str) -> bool {
    draft
        .table
        .keys
        .iter()
        .zip(&draft.parents)
        .any(|(key, parent)| {
            key.key.target == draft.place.table
                && key.nullable.is_empty()
                && parent.is_none()
                && key
                    .key
                    .pairs()
                    .any(|(own, target)| own == column && target != column)
                && !key.key.target_columns.iter().any(|name| name == column)
        })
}

/// A reference to the own table that found no row before this one refers to the row itself.
pub(super) fn refer_to_itself(draft: &mut Draft<'_>) {
    let table = draft.table;
    for key in &table.keys {
        if key.key.target == draft.place.table {
            for (column, target) in key.key.pairs() {
                if draft.get(column).is_none_or(Option::is_none)
                    && key.nullable.is_empty()
                    && let Some(own) = draft.get(target).cloned()
                {
                    draft.set(column, own);
                }
            }
        }
    }
}
