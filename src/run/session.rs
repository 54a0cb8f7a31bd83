//! Attempts in one session.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sqlx::postgres::{PgConnectOptions, PgDatabaseError, PgRow};
use sqlx::{AssertSqlSafe, Column as _, Either, PgConnection, Row as _, ValueRef as _};
use tokio_stream::StreamExt as _;

use super::{Arena, batch};
use crate::database::{connect, execute};
use crate::error::{Doing as _, Result};
use crate::model::{Observation, Output, Refusal};

/// Refusals that say nothing of the attempt: tried again.
const TRANSIENT: [&str; 3] = ["40001", "40P01", "55P03"];

/// So often.
const RETRIES: usize = 3;

/// Scripts in one message, at most.
const TOGETHER: usize = 24;

/// After a refusal. The server reads a message whole before it runs any of it, so that what is skipped costs, too, and
/// refusals come in flocks.
const AFTER_REFUSAL: usize = 4;

/// Opens a session of which every statement is bounded.
pub(super) async fn bounded(options: &PgConnectOptions, timeout: u32) -> Result<PgConnection> {
    let mut connection = connect(options).await?;
    // A role may not be allowed `lc_messages`: only a superuser is. The server of our own speaks English anyway.
    for sql in [
        format!("SET statement_timeout = '{timeout}s'"),
        format!("SET lock_timeout = '{timeout}s'"),
        "SET max_parallel_workers_per_gather = 0".to_owned(),
        "SET jit = off".to_owned(),
    ] {
        execute(&mut connection, &sql).await?;
    }
    Ok(connection)
}

/// What is tried in one subtransaction.
pub(super) struct Script<'a> {
    /// The statements in order.
    pub(super) statements: Vec<String>,
    /// What must be the same after them as before.
    pub(super) witness: Option<&'a str>,
    /// The object of its case.
    pub(super) about: &'a str,
}

impl Script<'_> {
    /// The query that it prepares, where it does.
    fn prepares(&self) -> Option<&str> {
        let mut statements = self.statements.iter();
        statements
            .find(|sql| sql.starts_with("PREPARE "))
            .map(String::as_str)
    }
}

/// A session with its one transaction, in which scripts are tried one after the other.
pub(super) struct Session {
    pub(super) connection: PgConnection,
    /// By the text of a witness, what it says of the rows as they are.
    witnesses: BTreeMap<String, Witness>,
    late: Late,
    /// Scripts may go to the server in batches.
    pub(super) batches: bool,
}

/// What takes longer than a statement may, in whichever session: each further try would take as long.
#[derive(Clone, Debug, Default)]
pub struct Late(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    /// By its `PREPARE`, each query that once took so long or returned too many rows, with the code of that.
    queries: BTreeMap<String, String>,
    /// How many attempts on an object took so long: a policy, a trigger or a view of it may never end.
    objects: BTreeMap<String, usize>,
}

impl Known {
    /// The code that a script would end with.
    fn code(&self, script: &Script<'_>) -> Option<String> {
        if let Some(sql) = script.prepares() {
            return self.queries.get(sql).cloned();
        }
        let times = self.objects.get(script.about)?;
        (*times >= PATIENCE).then(|| Refusal::TIMED_OUT.to_owned())
    }
}

/// So many attempts on an object take too long before no other is made.
const PATIENCE: usize = 2;

impl Late {
    /// Learns from what a script came to.
    fn learn(&self, script: &Script<'_>, observation: &Observation) {
        let Some(refusal) = &observation.refusal else {
            return;
        };
        let sqlstate = refusal.sqlstate.as_str();
        if ![Refusal::TIMED_OUT, Refusal::TOO_MANY_ROWS].contains(&sqlstate) {
            return;
        }
        let mut known = self.known();
        if let Some(sql) = script.prepares() {
            known.queries.insert(sql.to_owned(), sqlstate.to_owned());
        } else if sqlstate == Refusal::TIMED_OUT {
            *known.objects.entry(script.about.to_owned()).or_default() += 1;
        }
    }

    /// What is said of an attempt that would take too long.
    fn said(&self, script: &Script<'_>) -> Option<Observation> {
        let known = self.known();
        // Mostly there is none, and this is asked before every message.
        if known.queries.is_empty() && known.objects.is_empty() {
            return None;
        }
        Some(not_taken(known.code(script)?))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A prepared query: planned once, since it goes over every table and is asked after every script.
struct Witness {
    name: String,
    before: Option<Output>,
}

pub(super) const BEGIN: &str = "SAVEPOINT watertight_attempt";
pub(super) const END: &str =
    "ROLLBACK TO SAVEPOINT watertight_attempt\n;RELEASE SAVEPOINT watertight_attempt";

impl Session {
    /// Opens a session and its one transaction.
    pub(super) async fn open(options: &PgConnectOptions, arena: &Arena<'_>) -> Result<Self> {
        let mut connection = bounded(options, arena.timeout).await?;
        execute(&mut connection, "BEGIN").await?;
        Ok(Self {
            connection,
            witnesses: BTreeMap::new(),
            late: arena.late.clone(),
            batches: true,
        })
    }

    /// Other rows are there now: what the witnesses said before is past.
    pub(super) fn forget_rows(&mut self) {
        for witness in self.witnesses.values_mut() {
            witness.before = None;
        }
    }

    /// Tries scripts, each in a subtransaction of its own that is rolled back, until the connection is lost: one
    /// observation for each that was tried. Also returns whether the connection lives.
    pub(super) async fn run(&mut self, scripts: &[Script<'_>]) -> (Vec<Observation>, bool) {
        let mut found: Vec<Observation> = Vec::with_capacity(scripts.len());
        let mut tries = 0;
        let mut together = TOGETHER;
        // Those before this one are sent in messages: the batch that they were in failed.
        let mut failed = 0;
        while found.len() < scripts.len() {
            let next = &scripts[found.len()..];
            let length = batch::length(next);
            if self.batches && length > 1 && found.len() >= failed {
                let Ok(seen) = self.batch(&next[..length]).await else {
                    return (found, false);
                };
                if seen.len() < length {
                    failed = found.len() + length;
                    // What took the time of all once would do so in each.
                    self.batches = !seen.is_empty();
                }
                found.extend(seen);
                continue;
            }
            if let Some(said) = self.late.said(&next[0]) {
                found.push(said);
                continue;
            }
            let next = &next[..together.min(next.len())];
            let ends = next
                .iter()
                .position(|script| self.late.said(script).is_some());
            let next = &next[..ends.unwrap_or(next.len())];
            let Ok(()) = self.prepare(next).await else {
                found.push(given_up());
                return (found, false);
            };
            let (mut seen, alive) = self.message(next).await;
            for (script, observation) in next.iter().zip(&seen) {
                self.late.learn(script, observation);
            }
            let stopped = seen.last().and_then(|last| last.refusal.as_ref());
            let refused = stopped.is_some();
            let transient = seen.last().is_some_and(is_transient);
            // A message that the server can't read at all fails at its first statement, whichever is at fault.
            let unread = stopped.is_some_and(|refusal| refusal.statement == 0);
            if alive && next.len() > 1 && seen.len() == 1 && unread {
                together = 1;
                continue;
            }
            if alive && transient && tries < RETRIES {
                tries += 1;
                seen.pop();
            } else {
                tries = 0;
            }
            together = if refused {
                AFTER_REFUSAL
            } else {
                (2 * together).min(TOGETHER)
            };
            found.extend(seen);
            if !alive {
                return (found, false);
            }
        }
        (found, true)
    }

    /// Prepares the witnesses of scripts and asks those that were not asked since the rows changed.
    async fn prepare(&mut self, scripts: &[Script<'_>]) -> Result<()> {
        for text in scripts.iter().filter_map(|script| script.witness) {
            let number = self.witnesses.len();
            if !self.witnesses.contains_key(text) {
                let name = format!("watertight_witness_{number}");
                execute(&mut self.connection, &format!("PREPARE {name} AS {text}")).await?;
                let witness = Witness { name, before: None };
                self.witnesses.insert(text.to_owned(), witness);
            }
            if let Some(witness) = self.witnesses.get_mut(text)
                && witness.before.is_none()
            {
                let mut outputs = Vec::new();
                let sql = format!("EXECUTE {}", witness.name);
                script(&mut self.connection, sql, &mut outputs)
                    .await
                    .doing("look at rows that must not change")?;
                witness.before = outputs.pop();
            }
        }
        Ok(())
    }

    /// Sends scripts in one message, for a round trip costs more than most of them. Where a statement fails the server
    /// skips the rest of the message: its script is the last that is observed.
    async fn message(&mut self, scripts: &[Script<'_>]) -> (Vec<Observation>, bool) {
        let mut message = String::new();
        for script in scripts {
            // A line break before each semicolon, for a statement may end in a comment.
            message.push_str(BEGIN);
            for sql in &script.statements {
                message.push_str("\n;");
                message.push_str(sql);
            }
            if let Some(witness) = self.witness(script) {
                message.push_str("\n;RESET ROLE;EXECUTE ");
                message.push_str(&witness.name);
            }
            message.push_str("\n;");
            message.push_str(END);
            message.push_str("\n;");
        }
        let mut outputs = Vec::new();
        let failed = self::script(&mut self.connection, message, &mut outputs)
            .await
            .err();
        let mut outputs = outputs.into_iter();
        let mut found = Vec::new();
        for script in scripts {
            // The first output is the savepoint's, the last two those of going back to it.
            let watched = if script.witness.is_some() { 2 } else { 0 };
            let length = script.statements.len();
            let mut own: Vec<Output> = outputs.by_ref().take(length + watched + 3).collect();
            own.drain(..own.len().min(1));
            let whole = own.len() == length + watched + 2;
            let after = own.drain(length.min(own.len())..).nth(1);
            let before = self.witness(script).and_then(|one| one.before.clone());
            found.push(if own.iter().any(Output::is_cut) {
                not_taken(Refusal::TOO_MANY_ROWS.to_owned())
            } else {
                Observation {
                    outputs: own,
                    refusal: None,
                    witnessed: before.zip(after).filter(|_| whole).map(Box::new),
                }
            });
            if !whole {
                break;
            }
        }
        let Some(error) = failed else {
            return (found, true);
        };
        let mut done: &[String] = &[];
        if let Some((last, script)) = found.iter_mut().zip(scripts).last() {
            last.refusal = Some(refusal(last.outputs.len(), &error));
            done = &script.statements[..last.outputs.len()];
        }
        (found, self.recover(done).await.is_ok())
    }

    fn witness(&self, script: &Script<'_>) -> Option<&Witness> {
        self.witnesses.get(script.witness?)
    }

    /// Goes back to before the script that failed. What it prepared is not undone by that, and would be in the way of the
    /// next one.
    async fn recover(&mut self, done: &[String]) -> Result<()> {
        let mut sql = END.to_owned();
        if let Some(name) = left_prepared(done) {
            sql.push_str(";DEALLOCATE ");
            sql.push_str(name);
        }
        execute(&mut self.connection, &sql).await
    }
}

/// Says nothing of the attempt.
pub(super) fn is_transient(observation: &Observation) -> bool {
    let refusal = observation.refusal.as_ref();
    refusal.is_some_and(|refusal| TRANSIENT.contains(&refusal.sqlstate.as_str()))
}

/// The statement that a script of ours prepared and did not deallocate.
fn left_prepared(done: &[String]) -> Option<&str> {
    done.iter().fold(None, |left, sql| {
        let mut words = sql.split_whitespace();
        match (words.next(), words.next()) {
            (Some("PREPARE"), name) => name,
            (Some("DEALLOCATE"), _) => None,
            _ => left,
        }
    })
}

/// Runs an attempt's statements, which begin and end transactions themselves.
pub(super) async fn once(
    connection: &mut PgConnection,
    statements: &[String],
) -> Result<Observation> {
    let mut outputs = Vec::new();
    let failed = script(connection, statements.join("\n;"), &mut outputs)
        .await
        .err();
    let refusal = failed.map(|error| refusal(outputs.len(), &error));
    if refusal.is_some() {
        execute(connection, "ROLLBACK").await?;
    }
    Ok(Observation {
        outputs,
        refusal,
        witnessed: None,
    })
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
                if output.rows.len() < Output::MOST_ROWS {
                    output.rows.push(cells(&row)?);
                }
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
        witnessed: None,
    }
}

/// What is said of attempts of a query that took too long, or returned too much.
fn not_taken(sqlstate: String) -> Observation {
    Observation {
        outputs: Vec::new(),
        refusal: Some(Refusal {
            sqlstate,
            message: "it took too long, or returned too many rows".to_owned(),
            ..Refusal::default()
        }),
        witnessed: None,
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
