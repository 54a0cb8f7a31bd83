//! Tables whose rows need each other at once: one statement with an INSERT for each. Keys are checked at its end.

use sqlx::PgConnection;

use super::{Layout, Refused, about_a_row, code, described, error_table, run, try_run};
use crate::error::{Doing, Result};
use crate::model::{Cell, Dataset, RelationName, insert, late_columns, together, without};

/// The circle that a table is in.
pub(super) fn of<'l>(layout: Layout<'l>, table: &RelationName) -> Option<&'l [RelationName]> {
    let mut circles = layout.circles.iter();
    circles
        .find(|circle| circle.contains(table))
        .map(Vec::as_slice)
}

/// Whether this is the first of a circle's tables that a data set has rows of.
pub(super) fn begins(circle: &[RelationName], table: &RelationName, dataset: &Dataset) -> bool {
    let filled =
        |name: &&RelationName| dataset.get(*name).is_some_and(|rows| !rows.rows.is_empty());
    circle.iter().find(filled) == Some(table)
}

/// Loads the rows of a circle's tables.
pub(super) async fn fill(
    connection: &mut PgConnection,
    circle: &[RelationName],
    datasets: &[&Dataset],
    layout: Layout<'_>,
) -> Result<(), sqlx::Error> {
    let inserts: Vec<String> = circle
        .iter()
        .filter_map(|table| {
            let entry = layout.catalog.tables.get(table)?;
            let late = late_columns(layout.late.get(table), entry);
            let all = datasets.iter().filter_map(|dataset| dataset.get(table));
            let columns = &all.clone().find(|rows| !rows.rows.is_empty())?.columns;
            let rows: Vec<Vec<Cell>> = all
                .flat_map(|rows| rows.rows.iter().map(|row| without(row, columns, &late)))
                .collect();
            Some(insert(table, columns, &rows))
        })
        .collect();
    match together(&inserts) {
        Some(statement) => try_run(connection, &statement).await,
        None => Ok(()),
    }
}

/// Loads a circle's rows of one data set, or says of which table rows are refused: which of them can't be told.
pub(super) async fn refused(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    circle: &[RelationName],
    (number, dataset): (usize, &Dataset),
    orphans: bool,
) -> Result<Option<Refused>> {
    run(connection, "SAVEPOINT watertight_load").await?;
    let Err(error) = fill(connection, circle, &[dataset], layout).await else {
        run(connection, "RELEASE SAVEPOINT watertight_load").await?;
        return Ok(None);
    };
    if !about_a_row(&error) {
        return Err(error).doing(format!("load rows into {}", circle[0]));
    }
    run(connection, "ROLLBACK TO SAVEPOINT watertight_load").await?;
    if orphans && code(&error).is_some_and(|code| code == "23503") {
        return Ok(None);
    }
    let table = error_table(&error)
        .filter(|table| circle.contains(table) && dataset.contains_key(table))
        .or_else(|| {
            circle
                .iter()
                .find(|name| dataset.contains_key(name))
                .cloned()
        });
    Ok(table.map(|table| Refused {
        dataset: number,
        rows: (0..dataset[&table].rows.len()).collect(),
        table,
        message: described(&error),
    }))
}
