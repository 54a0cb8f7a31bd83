//! Changes that keep the constraints, as far as they can be told without the server.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::links::Links;
use super::rows::{Row, State};
use super::steps::Change;
use super::{Applied, WorldsTree};
use crate::generate::mend::View;
use crate::generate::rows::compared;
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
        self.viewed(row, |view| view.broken().is_none())
            .unwrap_or(true)
    }

    /// What is found out of a row; `None` where its table is not planned.
    pub(super) fn viewed<T>(&self, row: &Row, ask: impl FnOnce(&View<'_, '_>) -> T) -> Option<T> {
        let get = |column: &str| row.position(column).map(|at| &row.cells[at]);
        Some(ask(&View {
            catalog: self.generator.ground.catalog,
            table: self.generator.plan.tables.get(row.table.as_ref())?,
            instant: self.instant,
            get: &get,
        }))
    }

    /// Whether the row differs where it must from all that are there with it.
    fn differs(&self, state: &State, id: usize, row: &Row) -> bool {
        let Some(plan) = self.generator.plan.tables.get(row.table.as_ref()) else {
            return true;
        };
        plan.uniques.iter().all(|unique| {
            let of = |row: &Row| self.viewed(row, |view| compared(view, unique)).flatten();
            let Some((values, others)) = of(row) else {
                return true;
            };
            let conflicts = |other: &Row| {
                of(other).is_some_and(|(its_values, its_others)| {
                    let mut pairs = others.iter().zip(&its_others);
                    values == its_values && pairs.all(|(own, other)| own.conflicts(other))
                })
            };
            !state.iter().any(|(other_id, other)| {
                *other_id != id
                    && other.table == row.table
                    && other.owner.meets(row.owner)
                    && conflicts(other)
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
