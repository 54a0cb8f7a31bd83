//! What was made, as worlds.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::unique::untwinned;
use super::{Made, Maker};
use crate::generate::Part;
use crate::generate::plan::TablePlan;
use crate::model::{Class, Dataset, RelationName, Rows, Worlds};

impl Maker<'_> {
    pub(super) fn into_worlds(self) -> Worlds {
        let plan = self.plan;
        let dataset = |part: Part, tenant: usize| -> Dataset {
            plan.order
                .iter()
                .filter_map(|name| {
                    let table = &plan.tables[name];
                    let rows = self.made.get(&(part, tenant, table.number))?;
                    Some(((*name).clone(), into_rows(table, rows)))
                })
                .collect()
        };
        let others = |part| {
            (1..self.genes.organisations)
                .map(|tenant| dataset(part, tenant))
                .collect()
        };
        let kinds = self.genes.kinds.iter();
        let acting = dataset(Part::Acting, 0);
        let gaps = acting
            .iter()
            .chain(&dataset(Part::Shared, 0))
            .filter(|(name, rows)| {
                // What nobody can classify is inconclusive already, with what would settle it.
                let unclassified =
                    |plan: &TablePlan<'_>| matches!(plan.class, Class::Unclassified { .. });
                rows.rows.is_empty() && !plan.tables.get(name).is_some_and(unclassified)
            })
            .map(|(name, _)| {
                let why = self.refused.get(name).cloned();
                (
                    name.clone(),
                    why.unwrap_or_else(|| "the server refused every row".to_owned()),
                )
            })
            .collect();
        let short = self.short();
        Worlds {
            satisfied: Vec::new(),
            short,
            order: plan.order.iter().map(|name| (*name).clone()).collect(),
            shared: dataset(Part::Shared, 0),
            acting,
            others: kinds
                .filter_map(|kind| Some((*kind, others(Part::of(*kind)?))))
                .collect(),
            spares: vec![dataset(Part::Spare, 0), dataset(Part::Spare, 1)],
            late: plan.late.clone(),
            circles: plan.circles.clone(),
            untwinned: untwinned(plan),
            gaps,
            canaries: self.canaries,
            tenants: self.tenants,
        }
    }

    /// Tables of which the acting tenant has fewer rows than asked for or than it takes to meet every state, and why.
    fn short(&self) -> BTreeMap<RelationName, String> {
        let mut found = BTreeMap::new();
        for (name, table) in &self.plan.tables {
            let rows = self.rows(Part::Acting, 0, table.number);
            let there = rows.iter().flatten().count();
            let is_root = matches!(table.class, Class::Root { .. });
            if is_root || there == 0 || there >= self.genes.rows.max(table.states) {
                continue;
            }
            let parents: Vec<String> = table.bounding_parents().map(ToString::to_string).collect();
            let why = if table.one_a_tenant() {
                "an organisation has one row of it".to_owned()
            } else if let Some(why) = self.refused.get(name) {
                why.clone()
            } else if there == rows.len() && !parents.is_empty() {
                format!(
                    "each row has a row of {} for itself",
                    parents.join(" and of ")
                )
            } else {
                "the server refused the others".to_owned()
            };
            found.insert((*name).clone(), why);
        }
        found
    }
}

fn into_rows(table: &TablePlan<'_>, rows: &[Option<Rc<Made>>]) -> Rows {
    Rows {
        columns: table
            .columns
            .iter()
            .map(|(column, _)| column.name.clone())
            .collect(),
        rows: rows
            .iter()
            .flatten()
            .map(|made| made.cells.clone())
            .collect(),
        numbers: (0..rows.len())
            .filter(|number| rows[*number].is_some())
            .collect(),
    }
}
