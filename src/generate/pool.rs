//! Values that hold the CHECKs which can't be read: the server said so, before a row was made of them.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Cell, RelationName};

/// The pools of a schema's tables; tables whose CHECKs can be read have none.
#[derive(Clone, Debug, Default)]
pub struct Pools(pub(super) BTreeMap<RelationName, Pool>);

/// Values for columns of one table that hold together.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    pub(super) columns: Vec<String>,
    /// Each as long as `columns`. Those that a key or the tenant fills only say whether the column is NULL.
    pub(super) tuples: Vec<Vec<Cell>>,
    /// What was tried: constraints' names, and columns whose domains have CHECKs.
    pub(super) tried: BTreeSet<String>,
    /// The constraint that no values were found for.
    pub(super) unmet: Option<String>,
}

impl Pools {
    /// A table's pool, where it has values.
    pub(super) fn of(&self, table: &RelationName) -> Option<&Pool> {
        self.0.get(table).filter(|pool| !pool.tuples.is_empty())
    }

    /// The constraint of a table that nothing was found for, and the way out.
    #[must_use]
    pub fn unmet(&self, table: &RelationName) -> Option<String> {
        let unmet = self.0.get(table)?.unmet.as_ref()?;
        Some(format!(
            "no values were found that hold {unmet}: give some under [generate.columns] in watertight.toml"
        ))
    }
}

impl Pool {
    pub(super) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }

    /// The first tuple from this one on that fits: where `fixed` says of a column whether it is NULL, it is so.
    pub(super) fn from(
        &self,
        start: usize,
        fixed: &dyn Fn(&str) -> Option<bool>,
    ) -> Option<&Vec<Cell>> {
        let fixed: Vec<Option<bool>> = self.columns.iter().map(|name| fixed(name)).collect();
        let fits = |tuple: &&Vec<Cell>| {
            let mut pairs = tuple.iter().zip(&fixed);
            pairs.all(|(cell, null)| null.is_none_or(|null| null == cell.is_none()))
        };
        let count = self.tuples.len();
        let (behind, ahead) = self.tuples.split_at(start % count.max(1));
        ahead.iter().chain(behind).find(fits)
    }
}
