//! The acting tenant's rows in other hands.

use std::collections::BTreeSet;

use super::draft::{Made, model_cell, order_pairs};
use super::refer::{refer_to_itself, waits_for_itself};
use super::{Draft, EXTRA_TWINS, Maker, stretch};
use crate::generate::plan::{KeyPlan, TablePlan};
use crate::generate::value::{Absence, Profile};
use crate::generate::{Part, reach};
use crate::model::{Catalog, Cell, Class, Column, TypeKind};

impl<'a> Maker<'a> {
    /// The acting tenant's row of the same number in another tenant's hands; beyond these, the same under new keys.
    pub(super) fn twin(&mut self, mut draft: Draft<'a>) -> Result<Draft<'a>, String> {
        let table = draft.table;
        let models = self.rows(Part::Acting, 0, table.number);
        let (row, count) = (draft.place.row, models.len());
        let extra = row >= count;
        let index = row % count.max(1);
        let Some(model) = models.get(index).cloned().flatten() else {
            return self.fresh(draft);
        };
        // What a parent lacks is most often looked for in the first of its states: active, open, due. What has waited
        // longest, too.
        let first = (row + 1 >= count + EXTRA_TWINS)
            .then(|| models[0].clone())
            .flatten();
        if let Some(column) = table.tenant_column() {
            draft.set(column, Some(self.tenants[draft.place.tenant].clone()));
        }
        if draft.salt + draft.attempt == 0 {
            let (first, all) = &self.lacking[&table.number];
            if let Some(lacked) = row.checked_sub(*first).and_then(|number| all.get(number)) {
                self.lack(&mut draft, lacked);
            }
        }
        for (number, key) in table.keys.iter().enumerate() {
            if key.late || draft.parents[number].is_some() {
                continue;
            }
            match model.parents[number] {
                // What refers to the row before it, or to itself, does so here too.
                Some(parent)
                    if !extra
                        && draft.salt < 3
                        && self.refer_to(&mut draft, number, key, parent) => {}
                _ if extra
                    && draft.salt + draft.attempt == 0
                    && self
                        .gathered(table, number, row - count, index)
                        .is_some_and(|parent| self.refer_to(&mut draft, number, key, parent)) => {}
                _ if key.key.columns.iter().any(|column| {
                    model_cell(table, &model, column).is_none_or(Option::is_none)
                }) && !key.nullable.is_empty() =>
                {
                    for column in &key.nullable {
                        if draft.get(column).is_none() {
                            draft.set(column, None);
                        }
                    }
                }
                // Shared rows are everybody's: the same one, or what is grouped by it never meets.
                _ if draft.salt + draft.attempt == 0
                    && self.is_shared(&key.key.target)
                    && refer_alike(&mut draft, key, &model) => {}
                _ => self.refer(&mut draft, number, key)?,
            }
        }
        let pool = self.ground.pools.of(&table.table.name);
        let mut pooled = table
            .columns
            .iter()
            .filter(|(column, _)| pool.is_some_and(|pool| pool.has(&column.name)));
        // Values that hold together are the model's, or new ones, together.
        let apart = |column: &Column| !extra && self.is_apart(draft.place.tenant, column);
        if pooled.any(|(column, _)| renews(&draft, column, extra) || apart(column)) {
            self.draw(&mut draft)?;
        }
        for (position, (column, profile)) in table.columns.iter().enumerate() {
            if draft.cells[position].is_some()
                || table.is_late(&column.name)
                || waits_for_itself(&draft, &column.name)
            {
                continue;
            }
            let own = &model.cells[position];
            // One that hangs together with others is left to them.
            let is_state = draft.salt + draft.attempt == 0
                && is_state(self.ground.catalog, profile)
                && !pool.is_some_and(|pool| pool.has(&column.name));
            let fresh = renews(&draft, column, extra)
                || (!extra && !is_state && self.is_apart(draft.place.tenant, column));
            let reached = if extra && draft.salt == 0 && draft.attempt == 0 {
                self.reached(table, position, row - count, fresh)
            } else {
                None
            };
            let cell = if reached.is_some() {
                reached
            } else if fresh {
                self.cell(&draft, column, profile)?
            } else if is_state && !extra && draft.place.tenant > 1 {
                // A state that is the same shows nothing, either.
                self.next_state(table, position, index)
                    .unwrap_or(own)
                    .clone()
            } else if let (true, Some(first)) = (is_state, &first) {
                first.cells[position].clone()
            } else {
                own.clone()
            };
            draft.cells[position] = Some(cell);
        }
        refer_to_itself(&mut draft);
        order_pairs(&mut draft);
        if extra || draft.attempt > 0 {
            stretch::lay_out(self.ground.catalog, &mut draft);
        }
        self.mend(&mut draft)?;
        Ok(draft)
    }

    /// A column's cell in the next row that is in another state, so that states which hang together come from one row.
    fn next_state(&self, table: &TablePlan<'a>, position: usize, index: usize) -> Option<&Cell> {
        let (_, profile) = &table.columns[position];
        let event = Absence::of(self.ground.catalog, profile) == Absence::Event;
        let models = self.rows(Part::Acting, 0, table.number);
        let own = &models.get(index)?.as_ref()?.cells[position];
        let (before, after) = models.split_at((index + 1).min(models.len()));
        let next = after.iter().chain(before).flatten();
        let mut states = next.map(|made| &made.cells[position]);
        states.find(|state| {
            if event {
                state.is_some() != own.is_some()
            } else {
                *state != own
            }
        })
    }

    /// One tenant's twins are the acting tenant's in all, the next one's in ids, references and times alone: a name that is
    /// the same shows nothing.
    fn is_apart(&self, tenant: usize, column: &Column) -> bool {
        tenant > 1 && reach::lends(self.ground.catalog, column)
    }

    /// What a twin without a model refers to. The first ones bring together what is apart in the models; those after
    /// them are the children of what has none: what must not be there is met in other hands.
    fn gathered(
        &self,
        table: &TablePlan<'a>,
        key: usize,
        number: usize,
        index: usize,
    ) -> Option<usize> {
        if let Some(number) = number.checked_sub(EXTRA_TWINS) {
            return self.childless.get(&table.number)?[key].get(number).copied();
        }
        let models = self.rows(Part::Acting, 0, table.number);
        let before = table.keys[..key].iter();
        let before = before.filter(|key| !self.is_root(&key.key.target)).count();
        models[(index + 1 + before) % models.len()]
            .as_ref()?
            .parents[key]
    }

    /// Finds the acting tenant's rows that no row of this table refers to, by key. Returns how many rows it takes that
    /// each of them is referred to.
    pub(super) fn childless(&mut self, table: &TablePlan<'a>) -> usize {
        let models = self.rows(Part::Acting, 0, table.number);
        if models.is_empty() {
            return 0;
        }
        let mut found = vec![Vec::new(); table.keys.len()];
        for (number, key) in table.keys.iter().enumerate() {
            let Some(target) = self.plan.tables.get(&key.key.target) else {
                continue;
            };
            let parents = self.rows(Part::Acting, 0, target.number);
            if key.late || matches!(target.class, Class::Root { .. }) {
                continue;
            }
            let met: BTreeSet<usize> = models
                .iter()
                .flatten()
                .filter_map(|made| made.parents[number])
                .collect();
            found[number] = (0..parents.len())
                .filter(|parent| parents[*parent].is_some() && !met.contains(parent))
                .collect();
        }
        let most = found.iter().map(Vec::len).max().unwrap_or(0);
        self.childless.insert(table.number, found);
        most
    }

    /// What a twin without a model has instead: the first, where a unique key wants a new value, one that the acting
    /// tenant has in another table's column of the same name; the second, a time after all of the acting tenant's; the third, a
    /// time before them.
    fn reached(&self, table: &TablePlan<'a>, position: usize, number: usize, fresh: bool) -> Cell {
        let catalog = self.ground.catalog;
        let (column, _) = table.columns[position];
        let acting = |number| self.rows(Part::Acting, 0, number).iter().flatten();
        if number > 0 {
            let cells = acting(table.number).map(|made| &made.cells[position]);
            return reach::far(catalog, column, number > 1, cells);
        }
        if !fresh || !reach::lends(catalog, column) {
            return None;
        }
        let lenders = self.plan.tables.values().filter(|other| {
            other.table.name != table.table.name
                && other
                    .table
                    .column(&column.name)
                    .is_some_and(|other| reach::lends(catalog, other))
        });
        lenders
            .flat_map(|other| {
                acting(other.number).filter_map(|made| model_cell(other, made, &column.name))
            })
            .find_map(Clone::clone)
    }
}

/// Whether a column gets another value than the model's, as it must.
fn renews(draft: &Draft<'_>, column: &Column, extra: bool) -> bool {
    // What the server goes on refusing may be any of the model's values.
    draft.salt > 1
        || draft.table.uniques.iter().any(|unique| {
            unique.columns.contains(&column.name.as_str())
                && (unique.global || extra || draft.salt > 0)
                // A state that only one row may be in: another state will do.
                || (draft.attempt > 0 && unique.deciding().contains(&column.name.as_str()))
        })
}

/// What a row's life goes through: a flag, one of a few words, the time of an event, the mark that it is gone.
fn is_state(catalog: &Catalog, profile: &Profile) -> bool {
    let of = catalog.types.get(&profile.type_oid);
    let by_type = of.is_some_and(|of| of.name == "bool" || matches!(of.kind, TypeKind::Enum(_)));
    let absence = Absence::of(catalog, profile);
    by_type || profile.hints.choices.is_some() || matches!(absence, Absence::Gone | Absence::Event)
}

/// Refers to what the model refers to. Returns whether that fits what was decided before.
fn refer_alike(draft: &mut Draft<'_>, key: &KeyPlan<'_>, model: &Made) -> bool {
    let table = draft.table;
    let cells = || {
        let columns = key.key.columns.iter();
        columns.map(|column| (column, model_cell(table, model, column)))
    };
    let fits = cells().all(|(column, cell)| {
        cell.is_some_and(Option::is_some) && draft.get(column).is_none_or(|own| Some(own) == cell)
    });
    if fits {
        for (column, cell) in cells() {
            draft.set(column, cell.cloned().flatten());
        }
    }
    fits
}
