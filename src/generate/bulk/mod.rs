//! Rows in bulk, for demos and load tests: as many as wanted, without one of them being remembered.
//!
//! A row is a function of the seed, its table and its number alone. What it refers to is computed from the parent's
//! number, what must differ follows from its own number by a bijection. So a piece of a table can be made at any time,
//! by any thread, and memory does not grow with the rows.

mod check;
mod distinct;
mod encode;
mod prepare;
mod refer;
mod row;
mod sheet;

use std::collections::BTreeMap;
use std::ops::Range;

pub use encode::Written;
pub use sheet::Sheet;

use super::{Ground, Seed};
use crate::model::{Datum, RelationName};

/// What rows there shall be.
#[derive(Clone, Copy, Debug)]
pub struct Amount {
    /// The run's seed.
    pub seed: Seed,
    /// Tenants: at least one.
    pub organisations: usize,
    /// Rows per table and tenant.
    pub rows: u64,
    /// Rows go as text, also where COPY's binary format would do.
    pub as_text: bool,
}

/// All rows of a schema, none of them made yet.
pub struct Bulk {
    amount: Amount,
    tenants: Vec<Datum>,
    /// Parents first.
    sheets: Vec<Sheet>,
    index: BTreeMap<RelationName, usize>,
}

impl Bulk {
    /// Reads the catalog: what each column's values are made of, how many rows the unique keys leave.
    #[must_use]
    pub fn new(ground: Ground<'_>, amount: Amount) -> Self {
        prepare::bulk(ground, amount)
    }

    /// The tables in the order in which they are loaded.
    #[must_use]
    pub fn sheets(&self) -> &[Sheet] {
        &self.sheets
    }

    /// Constraints that are only held once all tables have their rows, as `schema.constraint` quoted for SQL.
    #[must_use]
    pub fn deferred(&self) -> Vec<String> {
        let of = |sheet: &Sheet| {
            let schema = crate::model::quoted(&sheet.name.schema);
            let deferred = sheet.keys.iter().filter(|key| key.deferred);
            deferred
                .map(|key| format!("{schema}.{}", crate::model::quoted(&key.name)))
                .collect::<Vec<_>>()
        };
        let mut names: Vec<String> = self.sheets.iter().flat_map(of).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The tables that one transaction must load, as positions in [`sheets`](Self::sheets): mostly each by itself, but
    /// together where a key is only held at the end of them all.
    #[must_use]
    pub fn stages(&self) -> Vec<Range<usize>> {
        let mut stages: Vec<Range<usize>> = Vec::new();
        for (number, sheet) in self.sheets.iter().enumerate() {
            let deferred = sheet.keys.iter().filter(|key| key.deferred);
            let targets = deferred.filter_map(|key| self.index.get(&key.target));
            let end = targets.copied().fold(number, usize::max) + 1;
            match stages.last_mut() {
                Some(open) if number < open.end => open.end = open.end.max(end),
                _ => stages.push(number..end),
            }
        }
        stages
    }

    fn sheet(&self, name: &RelationName) -> Option<&Sheet> {
        self.index.get(name).map(|number| &self.sheets[*number])
    }
}
