//! Changes that keep the constraints, as far as they can be told without the server.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::links::Links;
use super::rows::{Row, State};
use super::steps::Change;
use super::{Applied, WorldsTree};
use crate::generate::mend;
use crate::model::{ForeignKey, Generated, RelationName, Table};

impl WorldsTree<'_> {
    /// The best worlds with these changes.
    pub(super) fn apply(&self, changes: &[Change]) -> Applied {
        let mut state = self.best.clone();
        let mut touched = BTreeSet::new();
        let mut gone = BTreeSet::new();
        for change in changes {
            match change {
                Change::Drop(rows) => gone.extend(rows.iter().copied()),
                Change::Merge { from, into } => {
                    if self.merge(&mut state, *from, *into, &mut touched) {
                        gone.insert(*from);
                    }
                }
                Change::Null(id, column) => {
                    set(&mut state, *id, &[(column.as_str(), None)], &mut touched);
                }
                Change::Rename(rename) => rename.apply(&mut state, &mut touched),
            }
        }
        gone.retain(|id| state.contains_key(id));
        if gone.is_empty() && touched.is_empty() {
            return Applied::Nothing;
        }
        self.remove(&mut state, gone);
        if self.holds(&state, &touched) {
            Applied::Smaller(state)
        } else {
            Applied::Unlawful
        }
    }

    fn table(&self, name: &RelationName) -> Option<&Table> {
        self.generator.ground.catalog.tables.get(name)
    }

    /// Removes rows; what refers to them does so no more where it may, and goes with them where it must.
    fn remove(&self, state: &mut State, gone: BTreeSet<usize>) {
        let mut open: Vec<usize> = gone.into_iter().collect();
        while let Some(id) = open.pop() {
            if state.remove(&id).is_none() {
                continue;
            }
            for (key, child) in self.links.children(id) {
                let Some(row) = state.get(child) else {
                    continue;
                };
                let key = self
                    .table(&row.table)
                    .and_then(|table| Some((table, table.foreign_keys.get(*key)?)));
                let Some((table, key)) = key else { continue };
                // It may have been brought to another row meanwhile.
                if row.tuple(&key.columns) != self.best[child].tuple(&key.columns) {
                    continue;
                }
                let mut freed = Row::clone(row);
                if self.unrefer(table, key, &mut freed) {
                    state.insert(*child, Arc::new(freed));
                } else {
                    open.push(*child);
                }
            }
        }
    }

    /// Sets a reference to NULL, where the columns and the CHECKs let it be.
    fn unrefer(&self, table: &Table, key: &ForeignKey, row: &mut Row) -> bool {
        let open: Vec<&String> = key
            .columns
            .iter()
            .filter(|column| self.may_be_null(table, column))
            .collect();
        if open.is_empty() || (key.match_full && open.len() < key.columns.len()) {
            return false;
        }
        for column in open {
            if let Some(position) = row.position(column) {
                row.cells[position] = None;
            }
        }
        self.holds_checks(row)
    }

    /// A column that takes NULL and does not say whose the row is.
    pub(super) fn may_be_null(&self, table: &Table, column: &str) -> bool {
        let tenant = self.generator.ground.tenancy.tenant_column(&table.name);
        tenant != Some(column)
            && table
                .column(column)
                .is_some_and(|column| !column.not_null && column.generated == Generated::No)
    }

    /// Has everything that refers to one row refer to another. Returns whether anything does.
    fn merge(
        &self,
        state: &mut State,
        from: usize,
        into: usize,
        touched: &mut BTreeSet<usize>,
    ) -> bool {
        let Some(target) = state.get(&into).cloned() else {
            return false;
        };
        let mut any = false;
        for (key, child) in self.links.children(from) {
            let key = state.get(child).and_then(|row| {
                let table = self.table(&row.table)?;
                table.foreign_keys.get(*key)
            });
            let Some(key) = key else { continue };
            let cells: Vec<(&str, Option<String>)> = key
                .pairs()
                .map(|(column, of)| (column, target.value(of).map(str::to_owned)))
                .collect();
            set(state, *child, &cells, touched);
            any = true;
        }
        any
    }

    /// Whether the touched rows hold their constraints: CHECKs, references, unique keys.
    fn holds(&self, state: &State, touched: &BTreeSet<usize>) -> bool {
        let here = || touched.iter().filter_map(|id| Some((id, state.get(id)?)));
        if !here().all(|(_, row)| self.holds_checks(row)) {
            return false;
        }
        if touched.is_empty() {
            return true;
        }
        let links = Links::read(self.generator.ground.catalog, state);
        here().all(|(id, row)| {
            // What had a parent and still names one must find it.
            let found: BTreeSet<usize> = links.parents(*id).iter().map(|(key, _)| *key).collect();
            let refers = self.links.parents(*id).iter().all(|(number, _)| {
                let key = self
                    .table(&row.table)
                    .and_then(|table| table.foreign_keys.get(*number));
                found.contains(number) || key.is_none_or(|key| row.tuple(&key.columns).is_none())
            });
            refers && self.differs(state, *id, row)
        })
    }

    fn holds_checks(&self, row: &Row) -> bool {
        let Some(plan) = self.generator.plan.tables.get(row.table.as_ref()) else {
            return true;
        };
        let get = |column: &str| row.position(column).map(|at| &row.cells[at]);
        mend::broken(self.generator.ground.catalog, plan, self.instant, &get).is_none()
    }

    /// Whether the row differs where it must from all that are there with it.
    fn differs(&self, state: &State, id: usize, row: &Row) -> bool {
        let Some(plan) = self.generator.plan.tables.get(row.table.as_ref()) else {
            return true;
        };
        plan.uniques
            .iter()
            .filter(|unique| !unique.partial)
            .all(|unique| {
                let tuple = |row: &Row| -> Option<Vec<Option<String>>> {
                    let values: Vec<Option<String>> = unique
                        .columns
                        .iter()
                        .map(|column| {
                            let text = row.value(column)?;
                            Some(if unique.folded {
                                text.to_lowercase()
                            } else {
                                text.to_owned()
                            })
                        })
                        .collect();
                    (unique.nulls_equal || values.iter().all(Option::is_some)).then_some(values)
                };
                let Some(own) = tuple(row) else { return true };
                state.iter().all(|(other_id, other)| {
                    *other_id == id
                        || other.table != row.table
                        || !other.owner.meets(row.owner)
                        || tuple(other).as_ref() != Some(&own)
                })
            })
    }
}

/// Sets cells of a row.
pub(super) fn set(
    state: &mut State,
    id: usize,
    cells: &[(&str, Option<String>)],
    touched: &mut BTreeSet<usize>,
) {
    let Some(row) = state.get_mut(&id) else {
        return;
    };
    for (column, cell) in cells {
        if let Some(position) = row.position(column)
            && row.cells[position] != *cell
        {
            Arc::make_mut(row).cells[position].clone_from(cell);
            touched.insert(id);
        }
    }
}
