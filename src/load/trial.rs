//! Values on trial: the server evaluates CHECKs over them without a row being inserted.

use std::fmt::Write as _;

use sqlx::{AssertSqlSafe, Executor as _, PgConnection, Row as _};

use super::{run, try_run};
use crate::error::{Doing as _, Result};
use crate::model::{Candidate, Cell, Judgement, Question, literal, quoted};

/// The function that judges, in the session's own schema; gone with the transaction.
const NAME: &str = "pg_temp.watertight_judge";

/// Makes the function that answers a question, in the transaction that the caller has opened. Returns whether the server
/// can: it needs PL/pgSQL, in which what fails for one value fails for that value alone.
///
/// # Errors
/// [`crate::Error::Database`] where the connection is lost.
pub async fn ask(connection: &mut PgConnection, question: &Question) -> Result<bool> {
    run(connection, "SAVEPOINT watertight_trial").await?;
    // An expression that can't be compiled is to be told where it is evaluated, and not here.
    let prepared = format!(
        "SET LOCAL check_function_bodies = off; DROP FUNCTION IF EXISTS {NAME}; {}",
        function(question)
    );
    match try_run(connection, &prepared).await {
        Ok(()) => {
            run(connection, "RELEASE SAVEPOINT watertight_trial").await?;
            Ok(true)
        }
        Err(error) if error.as_database_error().is_some() => {
            run(connection, "ROLLBACK TO SAVEPOINT watertight_trial").await?;
            Ok(false)
        }
        Err(error) => Err(error).doing("try values for CHECKs"),
    }
}

/// What the server says of candidates for the question that was asked last; `None` where a value is none of its type.
///
/// Nothing where that takes too long: then the transaction is at its end.
///
/// # Errors
/// [`crate::Error::Database`] where the connection is lost.
pub async fn judge(
    connection: &mut PgConnection,
    question: &Question,
    candidates: &[Candidate],
) -> Result<Option<Vec<Option<Judgement>>>> {
    let width = question.columns.len();
    let given: Vec<String> = (1..=width + 1).map(|n| format!("c{n}")).collect();
    let mut lists: Vec<String> = (1..=width).map(|n| format!("${n}::text[]")).collect();
    lists.push(format!("${}::int[]", width + 1));
    let sql = format!(
        "SELECT {NAME}({0}) FROM unnest({1}) WITH ORDINALITY u({0}, number) ORDER BY number",
        given.join(", "),
        lists.join(", "),
    );
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    for column in 0..width {
        let cells: Vec<&Cell> = candidates.iter().map(|c| &c.cells[column]).collect();
        query = query.bind(cells.into_iter().cloned().collect::<Vec<Cell>>());
    }
    let settings = candidates.iter().map(|candidate| {
        let setting = candidate.setting.map(i32::try_from);
        setting.and_then(std::result::Result::ok)
    });
    let query = query.bind(settings.collect::<Vec<Option<i32>>>());
    let rows = match connection.fetch_all(query).await {
        Err(error) if super::took_too_long(&error) => return Ok(None),
        rows => rows.doing("try values for CHECKs")?,
    };
    let said = rows.iter().zip(candidates).map(|(row, candidate)| {
        let said: Option<Vec<Cell>> = row.try_get(0).doing("try values for CHECKs")?;
        Ok(said.map(|said| judgement(said, candidate)))
    });
    Ok(Some(said.collect::<Result<_>>()?))
}

fn judgement(mut said: Vec<Cell>, candidate: &Candidate) -> Judgement {
    let held = said.remove(0).unwrap_or_default();
    Judgement {
        held: held.bytes().map(|byte| byte == b'1').collect(),
        // Where nothing was set, the values stay as they were written.
        cells: if candidate.setting.is_some() {
            said
        } else {
            candidate.cells.clone()
        },
    }
}

/// The columns are variables of their names, so that a CHECK reads as it stands.
fn function(question: &Question) -> String {
    let columns = &question.columns;
    let mut body = String::from(
        "#variable_conflict use_variable\nDECLARE watertight_held text := '';\nBEGIN\nDECLARE\n",
    );
    let computed = question.computed.iter().map(|(name, of, _)| (name, of));
    for (name, of) in columns.iter().map(|(name, of)| (name, of)).chain(computed) {
        let _ = writeln!(body, "{} {of};", quoted(name));
    }
    body.push_str("BEGIN\nBEGIN\n");
    for (number, (name, of)) in columns.iter().enumerate() {
        // A cast would cut a text to its length.
        let cut = of.starts_with("character") || of.starts_with("bit");
        let cast = if cut { "" } else { of };
        let joint = if cut { "" } else { "::" };
        let _ = writeln!(body, "{} := ${}{joint}{cast};", quoted(name), number + 1);
    }
    body.push_str("EXCEPTION WHEN OTHERS THEN RETURN NULL; END;\n");
    let setting = columns.len() + 1;
    for (number, (column, expression)) in question.settings.iter().enumerate() {
        let _ = writeln!(
            body,
            "IF ${setting} = {number} THEN BEGIN {} := {expression}; EXCEPTION WHEN OTHERS THEN NULL; END; END IF;",
            quoted(&columns[*column].0)
        );
    }
    for (name, _, formula) in &question.computed {
        let _ = writeln!(
            body,
            "BEGIN {} := {formula}; EXCEPTION WHEN OTHERS THEN RETURN NULL; END;",
            quoted(name)
        );
    }
    for condition in &question.conditions {
        let of = condition
            .value
            .map(|column| {
                let (name, of) = &columns[column];
                format!("DECLARE value {of} := {}; ", quoted(name))
            })
            .unwrap_or_default();
        let _ = writeln!(
            body,
            "{of}BEGIN watertight_held := watertight_held || CASE WHEN ({}) IS NOT FALSE THEN '1' ELSE '0' END; \
             EXCEPTION WHEN OTHERS THEN watertight_held := watertight_held || '0'; END;",
            condition.expression
        );
    }
    let names = columns
        .iter()
        .map(|(name, _)| format!("{}::text", quoted(name)));
    let held = std::iter::once("watertight_held".to_owned());
    let names: Vec<String> = held.chain(names).collect();
    let _ = write!(body, "RETURN ARRAY[{}];\nEND;\nEND", names.join(", "));
    format!(
        "CREATE FUNCTION {NAME}({}int) RETURNS text[] LANGUAGE plpgsql AS {}",
        "text, ".repeat(columns.len()),
        literal(&body)
    )
}
