//! Applies a [`MigrationSet`].

use std::path::Path;
use std::time::Duration;

use sqlx::{AssertSqlSafe, PgConnection};
use tokio::time::timeout;

use super::failure;
use super::history::{self, History};
use super::set::MigrationSet;
use crate::error::{Doing as _, Error, Result};
use crate::model::Statement;

/// The server ends a statement that takes too long; one that it doesn't end is given up after so long.
const GRACE: Duration = Duration::from_secs(2);

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
        };
        script.run(connection).await?;
        if set.resets_session {
            reset(connection, set.limit).await?;
        }
        done.applied += 1;
    }
    Ok(done)
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
pub(super) struct Script<'a> {
    pub(super) file: &'a Path,
    pub(super) statements: &'a [Statement],
    pub(super) transaction: bool,
    pub(super) name: &'a str,
    /// What to remember; nothing to forget the migration.
    pub(super) checksum: Option<&'a str>,
    /// How long a statement may take.
    pub(super) limit: Duration,
}

impl Script<'_> {
    /// Runs the statements and writes the history, in one transaction where that is wanted.
    pub(super) async fn run(&self, connection: &mut PgConnection) -> Result<()> {
        self.refuse_copy()?;
        self.refuse_open_transaction()?;
        let wrapped = self.transaction && !self.statements.iter().any(controls_transaction);
        let result = if wrapped {
            self.run_wrapped(connection).await
        } else {
            match self.send(connection).await {
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
        result
    }

    async fn run_wrapped(&self, connection: &mut PgConnection) -> Result<()> {
        let doing = || format!("run {}", self.file.display());
        sqlx::raw_sql("BEGIN")
            .execute(&mut *connection)
            .await
            .doing(doing())?;
        self.send(connection).await?;
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

    async fn send(&self, connection: &mut PgConnection) -> Result<()> {
        for statement in self.statements {
            let sent =
                sqlx::raw_sql(AssertSqlSafe(statement.text.clone())).execute(&mut *connection);
            match timeout(self.limit + GRACE, sent).await {
                Ok(Ok(_)) => {}
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
            statement.begins_with(&["COPY"])
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
