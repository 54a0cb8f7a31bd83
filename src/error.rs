//! [`Error`]: the harness could not do its work. What is wrong with the user's schema is a
//! [`Finding`](crate::model::Finding), never an error.

use std::fmt::{self, Write as _};
use std::path::PathBuf;

/// The harness could not do its work; each message says what to do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option or a setting that can't be used.
    #[error("{0}")]
    Usage(String),
    /// `watertight.toml` or an environment variable holds something that can't be used.
    #[error("{place}: {message}")]
    Configuration {
        /// The file and line, or the variable.
        place: String,
        /// What is wrong and what would be right.
        message: String,
    },
    /// No server could be had; the text lists what was tried, why each failed, and how to get one.
    #[error("{0}")]
    NoServer(String),
    /// A server was there and did not do as it should.
    #[error("server: {0}")]
    Server(String),
    /// A migration that the server refused.
    #[error(transparent)]
    Migration(#[from] Box<MigrationError>),
    /// The command that should have migrated the database failed.
    #[error("the migrations' command `{command}` {ended}{output}")]
    MigrationCommand {
        /// The command.
        command: String,
        /// How it ended, fit for "the command …".
        ended: String,
        /// The last lines that it printed, each on a line of its own; no password is in them.
        output: String,
    },
    /// A backup or a restore that could not be done; what was there before is as it was.
    #[error("{0}")]
    Operation(String),
    /// A statement of the harness itself failed.
    #[error("could not {doing}: {}", describe(source))]
    Database {
        /// What was being done, fit for "could not …".
        doing: String,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// An assertion of the [`fixtures`](crate::fixtures) failed: this alone is no failure of the harness's, but what the
    /// test is there to find.
    #[error("{0}")]
    NotIsolated(Interference),
    /// An assertion of the [`fixtures`](crate::fixtures) proved nothing; why, and what would help.
    #[error("nothing was proved: {0}")]
    Inconclusive(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// Where and how a migration failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}:{line}: migration failed{}: {message}\n\n{statement}",
    file.display(),
    sqlstate.as_ref().map(|state| format!(" (SQLSTATE {state})")).unwrap_or_default()
)]
pub struct MigrationError {
    /// The migration's file.
    pub file: PathBuf,
    /// The line, from 1, that the server's error points at, else the first of the statement.
    pub line: usize,
    /// The lines of the statement around the place, with their numbers and a mark below it.
    pub statement: String,
    /// The server's message, with its detail and hint where it gave any.
    pub message: String,
    /// The server's code of the error.
    pub sqlstate: Option<String>,
}

/// What a function showed or changed of another organisation's. A test that returns it as its error has it printed, over
/// several lines.
#[derive(Clone, PartialEq, Eq)]
pub struct Interference(pub(crate) String);

impl fmt::Display for Interference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Interference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.0)
    }
}

/// The result of everything here that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Turns a driver's error into [`Error::Database`] with what was being done.
pub(crate) trait Doing<T> {
    /// Names what was being done, fit for "could not …".
    fn doing(self, what: impl Into<String>) -> Result<T>;
}

impl<T> Doing<T> for std::result::Result<T, sqlx::Error> {
    fn doing(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Database {
            doing: what.into(),
            source,
        })
    }
}

/// The server's message with its code, detail and hint; never a password, as drivers' errors hold none.
fn describe(error: &sqlx::Error) -> String {
    let Some(database) = error.as_database_error() else {
        return error.to_string();
    };
    let mut text = database.message().to_owned();
    if let Some(code) = database.code() {
        let _ = write!(text, " (SQLSTATE {code})");
    }
    if let Some(postgres) = database.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        for (label, part) in [("detail", postgres.detail()), ("hint", postgres.hint())] {
            if let Some(part) = part {
                let _ = write!(text, "; {label}: {part}");
            }
        }
    }
    text
}

impl Error {
    /// A file that could not be read or written.
    pub(crate) fn io(path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io {
            path: path.into(),
            source,
        }
    }
}
