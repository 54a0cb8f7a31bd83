//! Applies a [`MigrationSet`].

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::timeout;

use super::dump::{self, Step};
use super::history::{self, History};
use super::set::MigrationSet;
use super::{failure, hint, stub};
use crate::error::{Doing as _, Error, Result};
use crate::model::Statement;

/// The server ends a statement that takes too long; one that it doesn't end is given up after so long.
const GRACE: Duration = Duration::from_secs(2);

/// Data is sent in pieces of so many bytes.
const PIECE: usize = 1024 * 1024;

/// What [`apply`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Migrations that were applied now.
    pub applied: usize,
    /// Migrations that this database had already.
    pub skipped: usize,
}

/// Applies what the database has not had yet, in order, and remembers it in `watertight.migrations`. Each
/// migration is applied whole or not at all where it runs in a transaction. A second run applies nothing.
///
/// # Errors
/// A statement that the server refuses ([`Error::Migration`], with file and line); a file that was applied and
/// has changed since or is gone; a lost connection.
pub async fn apply(set: &MigrationSet, connection: &mut PgConnection) -> Result<Applied> {
    let history = history::open(connection).await?;
    refuse_changes(set, &history)?;
    let mut done = Applied::default();
    limit_statements(connection, set.limit).await?;
    prepare(set, connection).await?;
    for migration in &set.migrations {
        if history.get(&migration.name) == Some(&migration.checksum) {
            done.skipped += 1;
            continue;
        }
        let script = Script {
            file: &migration.file,
            statements: &migration.script,
            transaction: migration.transaction,
            name: &migration.name,
            checksum: Some(&migration.checksum),
            limit: set.limit,
            dump: migration.dump,
        };
        run_with_stubs(&script, set, connection).await?;
        if set.resets_session {
            reset(connection, set.limit).await?;
        }
        done.applied += 1;
    }
    Ok(done)
}

/// Runs a migration; where it is to be so, a role that it lacks is made and it is run again, whole or from where it failed.
async fn run_with_stubs(
    script: &Script<'_>,
    set: &MigrationSet,
    connection: &mut PgConnection,
) -> Result<()> {
    let mut made = BTreeSet::new();
    let mut rest = *script;
    loop {
        let (done, result) = rest.run_from(connection).await;
        let role = match &result {
            Err(Error::Migration(error)) if set.stubs_roles => hint::missing(error),
            _ => None,
        };
        let Some(role) = role.filter(|role| made.insert(role.clone())) else {
            return result;
        };
        for statement in stub::roles([role.as_str()]) {
            run_own(&statement.text, connection).await?;
        }
        rest.statements = &rest.statements[done..];
    }
}

/// Runs what has to be there before the first migration.
///
/// # Errors
/// [`Error::Database`] for a statement that the server refuses.
pub async fn prepare(set: &MigrationSet, connection: &mut PgConnection) -> Result<()> {
    for statement in set.stubs.iter().chain(&set.prelude) {
        run_own(&statement.text, connection).await?;
    }
    Ok(())
}

async fn run_own(sql: &str, connection: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(drop)
        .doing(format!("make ready for the migrations: `{sql}`"))
}

fn refuse_changes(set: &MigrationSet, history: &History) -> Result<()> {
    let find = |name: &str| set.migrations.iter().find(|m| m.name == name);
    for (name, checksum) in history {
        match find(name) {
            None => {
                return Err(Error::Usage(format!(
                    "migrations: `{name}` was applied to this database and is no longer in `{}`; restore the \
                     file, or start from a new database",
                    set.path.display()
                )));
            }
            Some(migration) if migration.checksum != *checksum && !migration.repeatable => {
                return Err(Error::Usage(format!(
                    "migrations: `{}` was applied to this database and has changed since; restore the file and \
                     put the change into a new migration, or start from a new database",
                    migration.file.display()
                )));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Takes back the settings that a migration left, for conventions where each has a session of its own.
pub(super) async fn reset(connection: &mut PgConnection, limit: Duration) -> Result<()> {
    sqlx::raw_sql("RESET ALL")
        .execute(&mut *connection)
        .await
        .doing("reset the session after a migration")?;
    limit_statements(connection, limit).await
}

/// Has the server end a statement that takes too long. A migration may set that otherwise, as dumps do.
pub(super) async fn limit_statements(connection: &mut PgConnection, limit: Duration) -> Result<()> {
    let sql = format!("SET statement_timeout = {}", limit.as_millis());
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(connection)
        .await
        .doing("limit the time of migrations")?;
    Ok(())
}

/// The statements of one direction of a migration.
#[derive(Clone, Copy)]
pub(super) struct Script<'a> {
    pub(super) file: &'a Path,
    pub(super) statements: &'a [Statement],
    pub(super) transaction: bool,
    pub(super) name: &'a str,
    /// What to remember; nothing to forget the migration.
    pub(super) checksum: Option<&'a str>,
    /// How long a statement may take.
    pub(super) limit: Duration,
    /// Whether `pg_dump` wrote it.
    pub(super) dump: bool,
}

impl Script<'_> {
    /// Runs the statements and writes the history, in one transaction where that is wanted.
    pub(super) async fn run(&self, connection: &mut PgConnection) -> Result<()> {
        self.run_from(connection).await.1
    }

    /// That, and how many of the statements are done for good where one failed.
    async fn run_from(&self, connection: &mut PgConnection) -> (usize, Result<()>) {
        if let Err(error) = self
            .refuse_copy()
            .and_then(|()| self.refuse_open_transaction())
        {
            return (0, Err(error));
        }
        let controls = self.statements.iter().any(controls_transaction);
        let mut done = 0;
        let result = if self.transaction && !controls {
            self.run_wrapped(connection).await
        } else {
            match self.send(connection, &mut done).await {
                Ok(()) => self.record(connection).await,
                Err(error) => Err(error),
            }
        };
        if result.is_err() {
            // Outside a transaction this warns and does nothing; a lost connection is told of already, and one whose
            // statement goes on has no ear for it.
            let rollback = sqlx::raw_sql("ROLLBACK").execute(connection);
            let _ = timeout(GRACE, rollback).await;
        }
        // What a file commits by itself can't be told here: it is run again whole.
        (if controls { 0 } else { done }, result)
    }

    async fn run_wrapped(&self, connection: &mut PgConnection) -> Result<()> {
        let doing = || format!("run {}", self.file.display());
        sqlx::raw_sql("BEGIN")
            .execute(&mut *connection)
            .await
            .doing(doing())?;
        self.send(connection, &mut 0).await?;
        self.record(connection).await?;
        // What was deferred is judged here: the nearest statement to blame is the last.
        match (
            sqlx::raw_sql("COMMIT").execute(connection).await,
            self.statements.last(),
        ) {
            (Ok(_), _) => Ok(()),
            (Err(error), Some(last)) => Err(failure::refused(self.file, last, error)),
            (error, None) => error.map(|_| ()).doing(doing()),
        }
    }

    async fn send(&self, connection: &mut PgConnection, done: &mut usize) -> Result<()> {
        for statement in self.statements {
            let mut text = statement.text.clone();
            if self.dump {
                match dump::step(statement, connection).await? {
                    Step::Run => {}
                    Step::PassOver => {
                        *done += 1;
                        continue;
                    }
                    Step::RunInstead(other) => text = other,
                }
            }
            let sent = send(&text, statement.data.as_deref(), connection);
            match timeout(self.limit + GRACE, sent).await {
                Ok(Ok(())) => *done += 1,
                Ok(Err(error)) => return Err(failure::refused(self.file, statement, error)),
                Err(_) => return Err(failure::endless(self.file, statement, self.limit)),
            }
        }
        Ok(())
    }

    async fn record(&self, connection: &mut PgConnection) -> Result<()> {
        match self.checksum {
            Some(checksum) => history::remember(connection, self.name, checksum).await,
            None => history::forget(connection, self.name).await,
        }
    }

    /// What COPY sends or wants goes to or comes from psql's standard streams.
    fn refuse_copy(&self) -> Result<()> {
        let streams = |statement: &&Statement| {
            statement.data.is_none()
                && statement.begins_with(&["COPY"])
                && statement
                    .tokens()
                    .any(|token| token.is("stdout") || token.is("stdin"))
        };
        match self.statements.iter().find(streams) {
            None => Ok(()),
            Some(statement) => Err(failure::wrong(
                self.file,
                statement,
                "COPY to or from the standard streams is something that only psql does; take it out",
            )),
        }
    }

    /// A file that opens a transaction and leaves it open would lose its work, or keep the next file's.
    fn refuse_open_transaction(&self) -> Result<()> {
        let mut open = None;
        for statement in self.statements {
            if opens_transaction(statement) {
                open = Some(statement);
            } else if ends_transaction(statement) {
                open = None;
            }
        }
        match open {
            None => Ok(()),
            Some(statement) => Err(failure::wrong(
                self.file,
                statement,
                "this transaction is never committed; add COMMIT at the end of the file",
            )),
        }
    }
}

/// Sends a statement, and the data that it reads.
async fn send(
    text: &str,
    data: Option<&str>,
    connection: &mut PgConnection,
) -> std::result::Result<(), sqlx::Error> {
    let Some(data) = data else {
        let sql = AssertSqlSafe(text.to_owned());
        return sqlx::raw_sql(sql).execute(connection).await.map(|_| ());
    };
    let mut copy = connection.copy_in_raw(text).await?;
    for piece in data.as_bytes().chunks(PIECE) {
        copy.send(piece).await?;
    }
    copy.finish().await.map(|_| ())
}

fn controls_transaction(statement: &Statement) -> bool {
    opens_transaction(statement) || ends_transaction(statement)
}

fn opens_transaction(statement: &Statement) -> bool {
    statement.begins_with(&["BEGIN"]) || statement.begins_with(&["START", "TRANSACTION"])
}

/// COMMIT and its like; ROLLBACK TO goes back to a savepoint and ends nothing.
fn ends_transaction(statement: &Statement) -> bool {
    let begins = |words: &[&str]| statement.begins_with(words);
    ["COMMIT", "END", "ABORT"]
        .iter()
        .any(|word| begins(&[word]))
        || begins(&["PREPARE", "TRANSACTION"])
        || (begins(&["ROLLBACK"])
            && !["", "WORK", "TRANSACTION"].iter().any(|between| {
                let words: Vec<&str> = ["ROLLBACK", between, "TO"]
                    .into_iter()
                    .filter(|word| !word.is_empty())
                    .collect();
                begins(&words)
            }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transaction_statements_are_known() {
        let one = |text: &str| crate::model::split(text).unwrap().remove(0);
        for text in [
            "begin",
            "BEGIN ISOLATION LEVEL SERIALIZABLE",
            "start transaction",
        ] {
            assert!(opens_transaction(&one(text)), "{text}");
        }
        for text in [
            "commit work",
            "END",
            "rollback",
            "ROLLBACK AND CHAIN",
            "abort",
        ] {
            assert!(ends_transaction(&one(text)), "{text}");
        }
        for text in [
            "ROLLBACK TO a",
            "rollback work to savepoint a",
            "SAVEPOINT a",
            "DO $$BEGIN COMMIT; END$$",
            "PREPARE p AS SELECT 1",
        ] {
            assert!(!controls_transaction(&one(text)), "{text}");
        }
    }
}
