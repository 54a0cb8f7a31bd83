//! Values that are written, and rows that go.

use super::{Binder, Foreign, column_values, picked};
use crate::model::{Cell, RelationName};
use crate::query::infer::Source;

impl Binder<'_> {
    /// A spare row's value: one that is valid and not there yet.
    pub(super) fn written(&self, table: &RelationName, column: &str, row: usize) -> Option<String> {
        let spares = self.worlds.spares.first()?;
        if self.is_new(table, column) {
            // Of two rows that are written at once each has its own.
            return picked(spares, table, column, row % 2);
        }
        // Every other time a value that is there: an upsert has two ways to go.
        if row % 2 == 1 {
            None
        } else {
            column_values(spares, table, column).first().cloned()
        }
    }

    /// A part of a unique key of rows that are inserted, and that ON CONFLICT lets through nowhere; or what a foreign key
    /// holds together with one.
    fn is_new(&self, table: &RelationName, column: &str) -> bool {
        let Some(known) = self.catalog.tables.get(table) else {
            return false;
        };
        // Which value an exclusion constraint leaves free is no matter of what is there.
        let unique = |column: &str| {
            let mut indexes = known.indexes.iter();
            self.tenancy.tenant_column(table) != Some(column)
                && indexes.any(|index| {
                    index.unique && !index.exclusion && index.plain_columns().contains(&column)
                })
        };
        let together = || {
            let keys = known.foreign_keys.iter().map(|key| &key.columns);
            let mut beside = keys.filter(|key| key.iter().any(|name| name == column));
            beside.any(|key| key.iter().any(|name| unique(name)))
        };
        self.inferred.inserted.contains(table)
            && self.tenancy.tenant_column(table) != Some(column)
            && (unique(column) || together())
    }

    /// The acting tenant's first row that no other row keeps from being deleted, where the query deletes.
    pub(in crate::query) fn loose(&self) -> Option<usize> {
        let table = self.inferred.deleted.first()?;
        let rows = self.worlds.acting.get(table)?;
        let holding = self.catalog.holding(table);
        let keys = || {
            let children = holding
                .iter()
                .filter_map(|name| self.catalog.tables.get(name));
            let keys =
                children.flat_map(|child| child.foreign_keys.iter().map(move |key| (child, key)));
            keys.filter(|(_, key)| key.target == *table)
        };
        let is_held = |row: usize| {
            keys().any(|(child, key)| {
                let Some(children) = self.worlds.acting.get(&child.name) else {
                    return false;
                };
                (0..children.rows.len()).any(|number| {
                    let other = child.name != *table || number != row;
                    other
                        && key.pairs().all(|(column, target)| {
                            let cell = children.cell(number, column).and_then(Option::as_ref);
                            cell.is_some()
                                && cell == rows.cell(row, target).and_then(Option::as_ref)
                        })
                })
            })
        };
        (0..rows.rows.len()).find(|row| !is_held(*row))
    }

    /// A JSON parameter's records, or plain values, of what its fields are compared with.
    pub(super) fn record(
        &self,
        number: usize,
        row: usize,
        wide: bool,
        foreign: Option<Foreign<'_>>,
    ) -> Option<String> {
        let sources = self.inferred.sources.get(&number)?;
        let fields: Vec<_> = sources
            .iter()
            .filter_map(|source| match source {
                Source::Column {
                    table,
                    column,
                    by,
                    field: Some(field),
                } => Some((field, table, column, *by)),
                _ => None,
            })
            .collect();
        let list = fields.first()?.0.list;
        let cell = |row: usize, table: &RelationName, column: &str, by: char| {
            let theirs = foreign.filter(|of| {
                of.table == table
                    && (by == '=' || self.is_key(table, column))
                    && (by == ':' || !of.written)
            });
            if let Some(of) = theirs {
                let row = self.stranger(of.rows, table, row);
                return of.rows.get(table)?.cell(row, column)?.clone();
            }
            let own = || picked(self.dataset(table), table, column, row);
            let written = (by == ':').then(|| self.written(table, column, row));
            written.flatten().or_else(own)
        };
        let text = |cell: Cell| cell.map_or(serde_json::Value::Null, serde_json::Value::String);
        let item = |row: usize| {
            let plain = fields.iter().find(|(field, ..)| field.name.is_none());
            if let Some((_, table, column, by)) = plain {
                return text(cell(row, table, column, *by));
            }
            let mut object = serde_json::Map::new();
            for (field, table, column, by) in &fields {
                if let Some(name) = &field.name {
                    // What looks for a row says which; what is written beside it is written there.
                    if *by == '=' || !object.contains_key(name) {
                        object.insert(name.clone(), text(cell(row, table, column, *by)));
                    }
                }
            }
            serde_json::Value::Object(object)
        };
        Some(if list {
            let rows = row..=row + usize::from(wide);
            serde_json::Value::Array(rows.map(item).collect()).to_string()
        } else {
            item(row).to_string()
        })
    }
}
