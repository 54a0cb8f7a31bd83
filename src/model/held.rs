//! What keeps a row from being deleted.

use std::collections::BTreeSet;

use super::{Action, Catalog, ForeignKey, RelationName, Table};

impl Catalog {
    /// The tables whose rows may keep a row of this one from being deleted: their keys refuse that their parent goes, or go
    /// along and are kept themselves.
    #[must_use]
    pub fn holding(&self, table: &RelationName) -> BTreeSet<RelationName> {
        self.roots()
            .filter(|child| {
                let mut keys = child.foreign_keys.iter();
                keys.any(|key| key.target == *table && self.holds(child, key, &mut BTreeSet::new()))
            })
            .map(|child| child.name.clone())
            .collect()
    }

    fn holds(&self, child: &Table, key: &ForeignKey, seen: &mut BTreeSet<RelationName>) -> bool {
        let cleared = if key.on_delete_columns.is_empty() {
            &key.columns
        } else {
            &key.on_delete_columns
        };
        match key.on_delete {
            Action::NoAction | Action::Restrict => true,
            Action::SetNull => cleared
                .iter()
                .filter_map(|column| child.column(column))
                .any(|column| column.not_null),
            Action::SetDefault => false,
            Action::Cascade => {
                seen.insert(child.name.clone())
                    && self.roots().any(|other| {
                        let mut keys = other.foreign_keys.iter();
                        keys.any(|key| key.target == child.name && self.holds(other, key, seen))
                    })
            }
        }
    }
}
