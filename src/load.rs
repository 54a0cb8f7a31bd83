//! Rows → database, by COPY; and which rows the server refuses.

mod bulk;
mod circle;
mod context;
mod trial;

use std::collections::BTreeMap;

use sqlx::postgres::PgDatabaseError;
use sqlx::{AssertSqlSafe, Executor, PgConnection};

pub use bulk::{Answer, Copying, settle};
pub use trial::{ask, judge};

use crate::error::{Doing, Result};
use crate::model::{
    Catalog, Cell, Dataset, RelationName, Rows, Table, Tenancy, Worlds, insert, late_columns,
    late_update, quoted_list, without,
};

/// COPY data is handed to the driver in pieces of about this size: it flushes at every one.
const PIECE: usize = 64 * 1024;

/// What the loader needs to know of a schema.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// The schema.
    pub catalog: &'a Catalog,
    /// Whose rows are whose, and how one acts as their tenant.
    pub tenancy: &'a Tenancy,
    /// Parents first.
    pub order: &'a [RelationName],
    /// Keys whose columns are set in a second pass.
    pub late: &'a BTreeMap<RelationName, Vec<String>>,
    /// Tables whose rows one statement must load.
    pub circles: &'a [Vec<RelationName>],
    /// The server is reached by a Unix socket. Over TCP a COPY waits 44 ms for each table (sqlx 0.9.0 lacks
    /// `TCP_NODELAY`, its issue 4335): small tables are then loaded by INSERTs in one message.
    pub socket: bool,
}

impl<'a> Layout<'a> {
    /// What there is to know of the rows of some worlds; `socket` where the server is reached by a Unix socket.
    #[must_use]
    pub fn of(
        catalog: &'a Catalog,
        tenancy: &'a Tenancy,
        worlds: &'a Worlds,
        socket: bool,
    ) -> Self {
        Self {
            catalog,
            tenancy,
            order: &worlds.order,
            late: &worlds.late,
            circles: &worlds.circles,
            socket,
        }
    }
}

/// Over TCP, tables of more rows than this are copied all the same.
const SMALL: usize = 500;

/// Rows that the server refused.
#[derive(Clone, Debug)]
pub struct Refused {
    /// Which of the data sets.
    pub dataset: usize,
    /// The table.
    pub table: RelationName,
    /// The rows' positions in the data set.
    pub rows: Vec<usize>,
    /// What the server said of the first of them.
    pub message: String,
}

impl Refused {
    /// How the message begins where the server did not refuse a row but came to no end with it: no other row would do
    /// better.
    pub const TOO_LONG: &'static str = "it takes too long: ";
}

/// Loads data sets one after the other, in the transaction that the caller has opened.
///
/// Returns the rows that the server refused; the others are loaded. Rows that were refused only for want of a refused
/// row that they refer to are not among them.
///
/// # Errors
/// [`crate::Error::Database`] for what is not about a row.
pub async fn load(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    datasets: &[&Dataset],
) -> Result<Vec<Refused>> {
    let mut found: Vec<Refused> = Vec::new();
    run(connection, "SET CONSTRAINTS ALL DEFERRED").await?;
    // All at once first; data set by data set, each as its tenant, and table by table, and row by row, only where that
    // is refused.
    if taken(connection, layout, datasets).await? {
        return Ok(found);
    }
    for (number, dataset) in datasets.iter().enumerate() {
        context::enter(connection, layout, dataset).await?;
        if !taken(connection, layout, &[dataset]).await? {
            found.extend(refused(connection, layout, number, dataset, !found.is_empty()).await?);
        }
    }
    context::leave(connection, layout).await?;
    if found.is_empty() {
        found.extend(settle_constraints(connection, datasets).await?);
    }
    Ok(found)
}

/// The rows of a data set that the server refuses; `orphans` where rows that they refer to may have been refused.
async fn refused(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    number: usize,
    dataset: &Dataset,
    orphans: bool,
) -> Result<Vec<Refused>> {
    let mut found = Vec::new();
    for (table, rows) in parts(layout, &[dataset]) {
        let orphans = orphans || !found.is_empty();
        if let Some(circle) = circle::of(layout, &table.name) {
            if circle::begins(circle, &table.name, dataset) {
                found.extend(
                    circle::refused(connection, layout, circle, (number, dataset), orphans).await?,
                );
            }
            continue;
        }
        let refused = load_table(connection, layout, table, rows[0], orphans).await?;
        found.extend(refused.map(|(rows, message)| Refused {
            dataset: number,
            table: table.name.clone(),
            rows,
            message,
        }));
    }
    if found.is_empty() {
        found.extend(late_refused(connection, layout, number, dataset).await?);
    }
    Ok(found)
}

/// The tables of data sets that have rows, parents first.
fn parts<'l>(
    layout: Layout<'l>,
    datasets: &'l [&'l Dataset],
) -> impl Iterator<Item = (&'l Table, Vec<&'l Rows>)> {
    layout.order.iter().filter_map(move |name| {
        let rows: Vec<&Rows> = datasets
            .iter()
            .filter_map(|dataset| dataset.get(name).filter(|rows| !rows.rows.is_empty()))
            .collect();
        let table = layout.catalog.tables.get(name)?;
        (!rows.is_empty()).then_some((table, rows))
    })
}

/// Each foreign key is checked by a query that the server would plan anew for its first five rows.
const BEGIN: &str = "SAVEPOINT watertight_dataset; SET LOCAL plan_cache_mode = force_generic_plan";

/// Whatever is run in this world is planned as everywhere.
const END: &str = "SET LOCAL plan_cache_mode TO DEFAULT";

/// Deferred constraints speak now, and wait again.
const SETTLE: &str = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED";

/// Loads data sets that the server is expected to take, or nothing. Returns whether it took them.
async fn taken(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    datasets: &[&Dataset],
) -> Result<bool> {
    run(connection, BEGIN).await?;
    let copied = match copy_all(connection, layout, datasets).await {
        Ok(()) => try_run(connection, &format!("{SETTLE}; {END}")).await,
        refused => refused,
    };
    match copied {
        Ok(()) => Ok(true),
        Err(error) if about_a_row(&error) || took_too_long(&error) => {
            run(connection, "ROLLBACK TO SAVEPOINT watertight_dataset").await?;
            Ok(false)
        }
        Err(error) => Err(error).doing("load rows"),
    }
}

/// Loads all rows of a table at once, whosever they are: the order of the data sets is that of the rows.
async fn copy_all(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    datasets: &[&Dataset],
) -> Result<(), sqlx::Error> {
    let mut updates = Vec::new();
    for (table, rows) in parts(layout, datasets) {
        let late = late_columns(layout.late.get(&table.name), table);
        if let Some(circle) = circle::of(layout, &table.name) {
            if datasets
                .iter()
                .any(|dataset| circle::begins(circle, &table.name, dataset))
            {
                circle::fill(connection, circle, datasets, layout).await?;
            }
        } else {
            fill(connection, layout, table, &rows, &late).await?;
        }
        for rows in rows {
            updates.extend(
                (0..rows.rows.len()).filter_map(|number| late_update(table, rows, number, &late)),
            );
        }
    }
    if updates.is_empty() {
        return Ok(());
    }
    try_run(connection, &updates.join(";")).await
}

/// Sets the columns of keys that close a circle, row by row, or says which rows the server refuses.
async fn late_refused(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    number: usize,
    dataset: &Dataset,
) -> Result<Vec<Refused>> {
    let mut found = Vec::new();
    for (table, rows) in parts(layout, &[dataset]) {
        let rows = rows[0];
        let late = late_columns(layout.late.get(&table.name), table);
        for row in 0..rows.rows.len() {
            let Some(update) = late_update(table, rows, row, &late) else {
                continue;
            };
            run(connection, "SAVEPOINT watertight_row").await?;
            if let Err(error) = try_run(connection, &update).await {
                run(connection, "ROLLBACK TO SAVEPOINT watertight_row").await?;
                found.push(Refused {
                    dataset: number,
                    table: table.name.clone(),
                    rows: vec![row],
                    message: described(&error),
                });
            }
        }
    }
    Ok(found)
}

/// Deferred constraints speak now; what they refuse can't be told by row, so every row of the table is meant.
async fn settle_constraints(
    connection: &mut PgConnection,
    datasets: &[&Dataset],
) -> Result<Option<Refused>> {
    run(connection, "SAVEPOINT watertight_settle").await?;
    let Err(error) = try_run(connection, "SET CONSTRAINTS ALL IMMEDIATE").await else {
        run(connection, "RELEASE SAVEPOINT watertight_settle").await?;
        return Ok(None);
    };
    // The caller goes on in the transaction.
    run(connection, "ROLLBACK TO SAVEPOINT watertight_settle").await?;
    let found = error_table(&error).and_then(|table| {
        let dataset = datasets
            .iter()
            .rposition(|dataset| dataset.contains_key(&table))?;
        Some((dataset, table))
    });
    match found {
        Some((dataset, table)) => Ok(Some(Refused {
            dataset,
            rows: (0..datasets[dataset][&table].rows.len()).collect(),
            table,
            message: error.to_string(),
        })),
        None => Err(error).doing("load rows that hold the deferred constraints"),
    }
}

/// The table that an error is about.
fn error_table(error: &sqlx::Error) -> Option<RelationName> {
    let error = error
        .as_database_error()?
        .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()?;
    Some(RelationName::new(error.schema()?, error.table()?))
}

/// What the deferred constraints have to say of a row; a reference whose parent may come later says nothing yet.
async fn deferred(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    try_run(connection, "SAVEPOINT watertight_deferred").await?;
    match try_run(connection, SETTLE).await {
        Err(error) if code(&error).is_some_and(|code| code == "23503") => {
            try_run(connection, "ROLLBACK TO SAVEPOINT watertight_deferred").await
        }
        said => said,
    }
}

/// Loads one table's rows, or says which of them the server refuses; `orphans` where rows that they refer to may have
/// been refused.
async fn load_table(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    table: &Table,
    rows: &Rows,
    orphans: bool,
) -> Result<Option<(Vec<usize>, String)>> {
    let late = late_columns(layout.late.get(&table.name), table);
    run(connection, "SAVEPOINT watertight_load").await?;
    let filled = match fill(connection, layout, table, &[rows], &late).await {
        Ok(()) => deferred(connection).await,
        refused => refused,
    };
    let Err(error) = filled else {
        run(connection, "RELEASE SAVEPOINT watertight_load").await?;
        return Ok(None);
    };
    if took_too_long(&error) {
        // Each row would take as long.
        run(connection, "ROLLBACK TO SAVEPOINT watertight_load").await?;
        let all = (0..rows.rows.len()).collect();
        return Ok(Some((
            all,
            format!("{}{}", Refused::TOO_LONG, described(&error)),
        )));
    }
    if !about_a_row(&error) {
        return Err(error).doing(format!("load rows into {}", table.name));
    }
    run(connection, "ROLLBACK TO SAVEPOINT watertight_load").await?;
    // Which rows it is only single ones tell: a COPY stops at the first.
    let mut refused = Vec::new();
    let mut message = String::new();
    let mut orphaned = false;
    for (number, row) in rows.rows.iter().enumerate() {
        run(connection, "SAVEPOINT watertight_row").await?;
        let row = without(row, &rows.columns, &late);
        let inserted = match try_run(connection, &insert(&table.name, &rows.columns, &[row])).await
        {
            Ok(()) => deferred(connection).await,
            refused => refused,
        };
        if let Err(error) = inserted {
            run(connection, "ROLLBACK TO SAVEPOINT watertight_row").await?;
            if orphans && code(&error).is_some_and(|code| code == "23503") {
                orphaned = true;
                continue;
            }
            if refused.is_empty() {
                message = described(&error);
            }
            refused.push(number);
        }
    }
    if refused.is_empty() && orphaned {
        return Ok(None);
    }
    if refused.is_empty() {
        // Refused together and not one by one: the last row is as good as any.
        message = described(&error);
        refused.push(rows.rows.len() - 1);
    }
    Ok(Some((refused, message)))
}

/// Not the server's or the connection's trouble: the row's. A missing privilege is ours, but for one that a trigger lacks.
fn about_a_row(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| {
        ["22", "23", "44", "P0", "42"]
            .iter()
            .any(|class| code.starts_with(class))
            && (code != "42501" || is_in_a_function(error))
    })
}

/// A trigger, a CHECK or a computed column that does not end.
fn took_too_long(error: &sqlx::Error) -> bool {
    code(error).is_some_and(|code| code == "57014")
}

fn is_in_a_function(error: &sqlx::Error) -> bool {
    let database = error.as_database_error();
    let place = database.and_then(|e| e.try_downcast_ref::<PgDatabaseError>()?.r#where());
    place.is_some_and(|place| place.contains(" function "))
}

fn code(error: &sqlx::Error) -> Option<std::borrow::Cow<'_, str>> {
    error.as_database_error()?.code()
}

/// Loads a table by the way that is fastest to this server.
async fn fill(
    connection: &mut PgConnection,
    layout: Layout<'_>,
    table: &Table,
    rows: &[&Rows],
    late: &[&str],
) -> Result<(), sqlx::Error> {
    let count: usize = rows.iter().map(|rows| rows.rows.len()).sum();
    if layout.socket || count > SMALL {
        return copy(connection, table, rows, late).await;
    }
    // One statement for all rows: they may refer to each other in any order.
    let all: Vec<Vec<Cell>> = rows
        .iter()
        .flat_map(|rows| {
            rows.rows
                .iter()
                .map(|row| without(row, &rows.columns, late))
        })
        .collect();
    try_run(connection, &insert(&table.name, &rows[0].columns, &all)).await
}

/// Copies rows of the same columns.
async fn copy(
    connection: &mut PgConnection,
    table: &Table,
    rows: &[&Rows],
    late: &[&str],
) -> Result<(), sqlx::Error> {
    let columns = &rows[0].columns;
    let sql = format!(
        "COPY {} ({}) FROM STDIN",
        table.name.quoted(),
        quoted_list(columns.iter().map(String::as_str))
    );
    let waits: Vec<bool> = columns
        .iter()
        .map(|column| late.contains(&column.as_str()))
        .collect();
    let mut sink = connection.copy_in_raw(&sql).await?;
    let mut buffer = String::new();
    for row in rows.iter().flat_map(|rows| &rows.rows) {
        for (position, cell) in row.iter().enumerate() {
            if position > 0 {
                buffer.push('\t');
            }
            if waits[position] {
                buffer.push_str("\\N");
            } else {
                escape(cell, &mut buffer);
            }
        }
        buffer.push('\n');
        if buffer.len() >= PIECE {
            sink.send(std::mem::take(&mut buffer).into_bytes()).await?;
        }
    }
    if !buffer.is_empty() {
        sink.send(buffer.into_bytes()).await?;
    }
    sink.finish().await?;
    Ok(())
}

/// COPY's text format.
fn escape(cell: &Cell, into: &mut String) {
    let Some(text) = cell else {
        into.push_str("\\N");
        return;
    };
    // Few values have anything to escape, and to see that a search for a character is far faster than a walk.
    if !['\\', '\t', '\n', '\r'].iter().any(|c| text.contains(*c)) {
        into.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '\\' => into.push_str("\\\\"),
            '\t' => into.push_str("\\t"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            c => into.push(c),
        }
    }
}

fn described(error: &sqlx::Error) -> String {
    error
        .as_database_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned())
}

async fn try_run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
}

async fn run(connection: &mut PgConnection, sql: &str) -> Result<()> {
    try_run(connection, sql).await.doing("load rows")
}
