//! Values of others' rows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Binder, column_values};
use crate::model::{Class, Dataset, RelationName};
use crate::query::infer::Source;

impl<'a> Binder<'a> {
    /// The tables whose rows the parameters name.
    pub(in crate::query) fn groups(&self) -> Vec<&'a RelationName> {
        let mut tables: Vec<&RelationName> = self
            .inferred
            .sources
            .iter()
            .filter(|(number, _)| Some(**number) != self.tenant)
            .flat_map(|(_, sources)| sources)
            .filter_map(|source| match source {
                Source::Column { table, by: '=', .. } => Some(table),
                _ => None,
            })
            .collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// The parameters that look for rows of a table by their id.
    pub(in crate::query) fn of_group(&self, group: &RelationName) -> Vec<usize> {
        let looks = |source: &Source| matches!(source, Source::Column { table, by: '=', .. } if table == group);
        let sources = self.inferred.sources.iter();
        let of = sources
            .filter(|(number, sources)| Some(**number) != self.tenant && sources.iter().any(looks));
        of.map(|(number, _)| *number).collect()
    }

    /// The tables to which a parameter writes a part of a unique key, or whose the row is.
    pub(in crate::query) fn seized(&self) -> Vec<&'a RelationName> {
        let written = self.inferred.sources.values().flatten();
        let mut tables: Vec<&RelationName> = written
            .filter_map(|source| match source {
                Source::Column {
                    table,
                    column,
                    by: ':',
                    ..
                } if self.is_key(table, column) => Some(table),
                _ => None,
            })
            .collect();
        tables.sort();
        tables.dedup();
        tables
    }

    /// Part of a unique key, and not the tenant; or of the key that says whose a derived row is.
    pub(super) fn is_key(&self, table: &RelationName, column: &str) -> bool {
        let Some(known) = self.catalog.tables.get(table) else {
            return false;
        };
        if let Some(Class::Derived { foreign_key }) = self.tenancy.classes.get(table) {
            let mut defining = known.foreign_keys.iter();
            let defining = defining.find(|key| key.name == *foreign_key);
            if defining.is_some_and(|key| key.columns.iter().any(|name| name == column)) {
                return true;
            }
        }
        let mut unique = known.indexes.iter().filter(|index| index.unique);
        self.tenancy.tenant_column(table) != Some(column)
            && unique.any(|index| index.plain_columns().contains(&column))
    }

    /// The row of somebody else's that shows most, or of that rank: the acting tenant lacks what the query looks for in
    /// it, and has the rows, by their ids, that it refers to.
    pub(super) fn stranger(&self, theirs: &Dataset, table: &RelationName, rank: usize) -> usize {
        let sources = self.inferred.sources.values().flatten();
        let looked_for: BTreeSet<&str> = sources
            .filter_map(|source| match source {
                Source::Column {
                    table: of,
                    column,
                    by: '=' | ':',
                    ..
                } if of == table => Some(column.as_str()),
                _ => None,
            })
            .collect();
        let keys = self.catalog.tables.get(table).into_iter();
        let referring: BTreeSet<&str> = keys
            .flat_map(|table| table.foreign_keys.iter())
            .flat_map(|key| key.columns.iter().map(String::as_str))
            .filter(|column| self.tenancy.tenant_column(table) != Some(column))
            .collect();
        let own = |column: &&str| {
            let values = column_values(self.dataset(table), table, column);
            values.into_iter().collect::<BTreeSet<String>>()
        };
        let owned: BTreeMap<&str, BTreeSet<String>> = looked_for
            .union(&referring)
            .map(|column| (*column, own(column)))
            .collect();
        let Some(rows) = theirs.get(table) else {
            return 0;
        };
        let has = |row: usize, column: &str| -> Option<bool> {
            let value = rows.cell(row, column)?.as_ref()?;
            Some(owned.get(column)?.contains(value))
        };
        let count = |row: usize, columns: &BTreeSet<&str>, wanted: bool| {
            let all = columns.iter();
            all.filter(|column| has(row, column) == Some(wanted))
                .count()
        };
        let mut order: Vec<usize> = (0..rows.rows.len()).rev().collect();
        order.sort_by_key(|row| {
            std::cmp::Reverse((
                count(*row, &looked_for, false),
                count(*row, &referring, true),
            ))
        });
        order.get(rank % order.len().max(1)).copied().unwrap_or(0)
    }

    /// The acting tenant's row that somebody else's row refers to by its ids: what is bound together could meet.
    pub(super) fn referred(
        &self,
        theirs: &Dataset,
        group: &RelationName,
        rank: usize,
        table: &RelationName,
    ) -> Option<usize> {
        let row = self.stranger(theirs, group, rank);
        let rows = theirs.get(group)?;
        let own = self.dataset(table).get(table)?;
        let tenant = self.tenancy.tenant_column(table);
        let mut keys = self.catalog.tables.get(group)?.foreign_keys.iter();
        keys.find_map(|key| {
            let pairs = || key.pairs().filter(|(_, target)| Some(*target) != tenant);
            if key.target != *table || pairs().next().is_none() {
                return None;
            }
            let meets = |number: &usize| {
                pairs().all(|(column, target)| {
                    let theirs = rows.cell(row, column).and_then(Option::as_ref);
                    theirs.is_some() && own.cell(*number, target).and_then(Option::as_ref) == theirs
                })
            };
            (0..own.rows.len()).find(meets)
        })
    }
}
