//! Values for what is compared with no column.

use super::{Binder, category, column_values, picked};
use crate::model::RelationName;

impl Binder<'_> {
    /// A word of one of the query's texts: of the first text column first, then of the next.
    pub(super) fn word(&self, row: usize) -> Option<String> {
        let tables = self.inferred.tables.iter();
        let texts: Vec<(&RelationName, &str)> = tables
            .filter_map(|name| self.catalog.tables.get(name))
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| category(&column.type_name) == Some("text"))
            .map(|(table, column)| (&table.name, column.name.as_str()))
            .filter(|(table, column)| self.tenancy.tenant_column(table) != Some(column))
            .collect();
        let (table, column) = texts.get(row % texts.len().max(1))?;
        let values = column_values(self.dataset(table), table, column);
        // The longest says most.
        let words = values
            .get(row / texts.len())?
            .split(|c: char| !c.is_alphabetic());
        let longest = words.max_by_key(|word| word.chars().count());
        longest.filter(|word| !word.is_empty()).map(str::to_owned)
    }

    /// A time that is compared with nothing, as in `generate_series($1, $2)`: from the earliest that the query's
    /// tables know to the latest.
    pub(super) fn by_time(&self, number: usize, kind: &str) -> Option<String> {
        if category(kind) != Some("time") {
            return None;
        }
        let values: Vec<String> = self
            .inferred
            .tables
            .iter()
            .filter_map(|name| self.catalog.tables.get(name))
            .flat_map(|table| table.columns.iter().map(move |column| (table, column)))
            .filter(|(_, column)| category(&column.type_name) == Some("time"))
            .flat_map(|(table, column)| {
                column_values(self.dataset(&table.name), &table.name, &column.name)
            })
            .collect();
        let open = |other: &usize| {
            let known = self.inferred.sources.get(other);
            known.is_none_or(Vec::is_empty)
                && self.query.types.get(other - 1).is_some_and(|k| k == kind)
        };
        let before = (1..number).filter(open).count();
        let after = (number + 1..=self.query.types.len()).any(|other| open(&other));
        if before % 2 == 0 && after {
            values.into_iter().min()
        } else {
            values.into_iter().max()
        }
    }

    /// A value that a recorded program gave.
    pub(super) fn sample(&self, number: usize, row: usize) -> Option<String> {
        let samples = self.query.samples.get(number - 1)?;
        samples.get(row % samples.len().max(1)).cloned()
    }

    /// A column of the query's tables that is called like the parameter.
    pub(super) fn by_name(&self, number: usize, kind: &str, row: usize) -> Option<String> {
        let name = self.query.parameters.get(number - 1)?.as_ref()?;
        self.inferred.tables.iter().find_map(|table| {
            self.catalog.tables.get(table)?.column(name)?;
            let value = picked(self.dataset(table), table, name, row)?;
            self.shaped(kind, table, name, value, None)
        })
    }
}
