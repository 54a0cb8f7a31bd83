//! Values that are inside of JSON columns, and text that is cast.

use super::{Binder, Foreign, by_type, category, column_values, farther};
use crate::model::{Dataset, RelationName, json_at, json_key};
use crate::query::infer::Source;

impl Binder<'_> {
    /// A value, or a key, that the rows have at the place that a parameter is compared with.
    pub(super) fn inside(
        &self,
        sources: &[Source],
        row: usize,
        wide: bool,
        foreign: Option<Foreign<'_>>,
    ) -> Option<String> {
        sources.iter().find_map(|source| {
            let Source::Json {
                table,
                column,
                path,
                by,
            } = source
            else {
                return None;
            };
            let theirs = foreign.filter(|of| of.table == table && !of.written);
            let dataset = theirs.map_or_else(|| self.dataset(table), |of| of.rows);
            let at = |document: &String| match by {
                '?' => json_key(document, path),
                _ => json_at(document, path),
            };
            match by {
                '~' => Some(if wide { String::new() } else { "e".to_owned() }),
                '%' => Some("%".to_owned()),
                '<' | '>' if wide => {
                    let all = column_values(dataset, table, column);
                    let values: Vec<String> = all.iter().filter_map(at).collect();
                    farther(&values, *by == '<')
                }
                _ => from(dataset, table, column, row).find_map(|document| at(&document)),
            }
        })
    }
}

/// Text that is one of the type that it is cast to.
pub(super) fn as_cast(sources: &[Source], kind: &str) -> Option<String> {
    let cast = sources.iter().find_map(|source| match source {
        Source::Cast(kind) => Some(kind.as_str()),
        _ => None,
    })?;
    match category(kind) {
        // `($1 || ' days')::interval`
        Some("text") if cast == "interval" => Some("3650".to_owned()),
        Some("text") => by_type(cast),
        _ => None,
    }
}

/// A column's values from a row's on, and again from the first.
fn from<'a>(
    dataset: &'a Dataset,
    table: &RelationName,
    column: &'a str,
    row: usize,
) -> impl Iterator<Item = String> + 'a {
    let rows = dataset.get(table);
    let count = rows.map_or(0, |rows| rows.rows.len());
    (row..row + count).filter_map(move |row| rows?.cell(row % count, column)?.clone())
}
