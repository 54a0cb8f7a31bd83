//! One attempt in one session.

use sqlx::postgres::{PgDatabaseError, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Either, PgConnection, Row as _, ValueRef as _};
use tokio_stream::StreamExt as _;

use crate::database::execute;
use crate::error::Result;
use crate::model::{Observation, Output, Refusal};

/// Refusals that say nothing of the attempt: tried again.
const TRANSIENT: [&str; 3] = ["40001", "40P01", "55P03"];

/// Bounds every statement of a session, and has the server speak English.
pub(super) async fn bound(connection: &mut PgConnection, timeout: u32) -> Result<()> {
    // A role may not be allowed `lc_messages`: only a superuser is. The server of our own speaks English anyway.
    for sql in [
        format!("SET statement_timeout = '{timeout}s'"),
        format!("SET lock_timeout = '{timeout}s'"),
        "SET max_parallel_workers_per_gather = 0".to_owned(),
        "SET jit = off".to_owned(),
    ] {
        execute(connection, &sql).await?;
    }
    Ok(())
}

/// Runs statements in a subtransaction until one fails, and rolls them back. Also returns whether the connection
/// lives.
pub(super) async fn attempt(
    connection: &mut PgConnection,
    statements: &[String],
) -> (Observation, bool) {
    for _ in 0..3 {
        let (observation, alive) = once(connection, statements).await;
        let transient = observation
            .refusal
            .as_ref()
            .is_some_and(|refusal| TRANSIENT.contains(&refusal.sqlstate.as_str()));
        if !transient || !alive {
            return (observation, alive);
        }
    }
    once(connection, statements).await
}

async fn once(connection: &mut PgConnection, statements: &[String]) -> (Observation, bool) {
    let mut observation = Observation::default();
    // All in one message: a round trip an attempt. A line break before each semicolon, for a statement may end in a
    // comment. Where one fails the server skips the rest of the message.
    let mut message = String::from("SAVEPOINT watertight_attempt");
    for sql in statements {
        message.push_str("\n;");
        message.push_str(sql);
    }
    message.push_str(
        "\n;ROLLBACK TO SAVEPOINT watertight_attempt;RELEASE SAVEPOINT watertight_attempt",
    );
    let failed = script(connection, message, &mut observation.outputs)
        .await
        .err();
    // The first output is the savepoint's, the last ones those of going back to it.
    observation
        .outputs
        .drain(..observation.outputs.len().min(1));
    let Some(error) = failed else {
        observation.outputs.truncate(statements.len());
        return (observation, true);
    };
    observation.refusal = Some(refusal(observation.outputs.len(), &error));
    let alive = execute(
        connection,
        "ROLLBACK TO SAVEPOINT watertight_attempt; RELEASE SAVEPOINT watertight_attempt",
    )
    .await
    .is_ok();
    (observation, alive)
}

/// Runs statements by the simple protocol, so that every value comes as text; an output for each that worked.
async fn script(
    connection: &mut PgConnection,
    sql: String,
    outputs: &mut Vec<Output>,
) -> Result<(), sqlx::Error> {
    let query = sqlx::raw_sql(AssertSqlSafe(sql));
    let mut results = query.fetch_many(connection);
    let mut output = Output::default();
    while let Some(result) = results.next().await {
        match result? {
            Either::Left(done) => {
                output.affected = done.rows_affected();
                outputs.push(std::mem::take(&mut output));
            }
            Either::Right(row) => {
                if output.columns.is_empty() {
                    output.columns = row
                        .columns()
                        .iter()
                        .map(|column| column.name().to_owned())
                        .collect();
                }
                output.rows.push(cells(&row)?);
            }
        }
    }
    Ok(())
}

fn cells(row: &PgRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.columns().len())
        .map(|i| {
            let value = row.try_get_raw(i)?;
            if value.is_null() {
                return Ok(None);
            }
            value
                .as_str()
                .map(|text| Some(text.to_owned()))
                .map_err(sqlx::Error::Decode)
        })
        .collect()
}

fn refusal(statement: usize, error: &sqlx::Error) -> Refusal {
    let Some(database) = error.as_database_error() else {
        return Refusal {
            statement,
            sqlstate: "08006".to_owned(),
            message: error.to_string(),
            ..Refusal::default()
        };
    };
    let postgres = database.try_downcast_ref::<PgDatabaseError>();
    Refusal {
        statement,
        sqlstate: database.code().unwrap_or_default().into_owned(),
        message: database.message().to_owned(),
        detail: postgres
            .and_then(PgDatabaseError::detail)
            .map(str::to_owned),
        constraint: postgres
            .and_then(PgDatabaseError::constraint)
            .map(str::to_owned),
    }
}

/// What is said of attempts that never ran.
pub(super) fn given_up() -> Observation {
    Observation {
        outputs: Vec::new(),
        refusal: Some(Refusal {
            statement: 0,
            sqlstate: "08006".to_owned(),
            message: "the connection was lost again and again".to_owned(),
            ..Refusal::default()
        }),
    }
}

/// Takes the first statements (those that set the context) out of an observation.
pub(super) fn forget(observation: &mut Observation, first: usize) {
    let gone = first.min(observation.outputs.len());
    observation.outputs.drain(..gone);
    if let Some(refusal) = &mut observation.refusal {
        refusal.statement = refusal.statement.saturating_sub(first);
    }
}
