//! Which row refers to which, found by value.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::rows::{Owner, State};
use crate::model::{Catalog, ForeignKey, RelationName};

/// A reference: the number of the key in the child's table, and the other row.
pub(super) type Link = (usize, usize);

/// References between rows. One to a row that migrations left behind is not among them.
#[derive(Debug, Default)]
pub(super) struct Links {
    parents: BTreeMap<usize, Vec<Link>>,
    children: BTreeMap<usize, Vec<Link>>,
}

/// Rows of a table by whose they are and what a key refers to of them.
type Index<'s> = HashMap<(Owner, Vec<&'s str>), usize>;

impl Links {
    pub(super) fn read(catalog: &Catalog, state: &State) -> Self {
        let mut links = Self::default();
        let mut tables: BTreeMap<&RelationName, Vec<usize>> = BTreeMap::new();
        for (id, row) in state {
            tables.entry(&row.table).or_default().push(*id);
        }
        let mut indexes: BTreeMap<(&RelationName, &[String]), Index<'_>> = BTreeMap::new();
        for (name, ids) in &tables {
            let Some(table) = catalog.tables.get(name) else {
                continue;
            };
            for (number, key) in table.foreign_keys.iter().enumerate() {
                let index = indexes
                    .entry((&key.target, &key.target_columns))
                    .or_insert_with(|| index(key, tables.get(&key.target), state));
                for id in ids {
                    let row = &state[id];
                    let Some(tuple) = row.tuple(&key.columns) else {
                        continue;
                    };
                    let parent = row
                        .owner
                        .reaches()
                        .into_iter()
                        .find_map(|owner| index.get(&(owner, tuple.clone())));
                    if let Some(parent) = parent {
                        let entry = links.parents.entry(*id).or_default();
                        entry.push((number, *parent));
                        let entry = links.children.entry(*parent).or_default();
                        entry.push((number, *id));
                    }
                }
            }
        }
        links
    }

    /// What a row refers to.
    pub(super) fn parents(&self, id: usize) -> &[Link] {
        self.parents.get(&id).map_or(&[], Vec::as_slice)
    }

    /// What refers to a row.
    pub(super) fn children(&self, id: usize) -> &[Link] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }

    /// The tables that rows of these refer to, directly or through others, and these; by keys that `follows` lets by.
    pub(super) fn closure(
        &self,
        state: &State,
        tables: &BTreeSet<RelationName>,
        follows: impl Fn(&RelationName, usize) -> bool,
    ) -> BTreeSet<RelationName> {
        let mut found = tables.clone();
        // Parents come first, so one pass backwards meets every child before what it refers to.
        for (id, row) in state.iter().rev() {
            if found.contains(row.table.as_ref()) {
                let parents = self
                    .parents(*id)
                    .iter()
                    .filter(|(key, _)| follows(&row.table, *key))
                    .filter_map(|(_, id)| state.get(id));
                found.extend(parents.map(|parent| parent.table.as_ref().clone()));
            }
        }
        found
    }
}

fn index<'s>(key: &ForeignKey, ids: Option<&Vec<usize>>, state: &'s State) -> Index<'s> {
    ids.into_iter()
        .flatten()
        .filter_map(|id| {
            let row = &state[id];
            Some(((row.owner, row.tuple(&key.target_columns)?), *id))
        })
        .collect()
}
