//! Rows that come in pieces, already in one of COPY's formats.

use sqlx::postgres::{PgCopyIn, PgDatabaseError};
use sqlx::{Executor as _, PgConnection};

use super::{about_a_row, described};
use crate::error::{Doing as _, Result};
use crate::model::{Datum, quoted_list};

/// What the server said to a COPY.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It took all rows.
    Taken,
    /// It refused a row, and so all of them; also where another session's lock stood in the way.
    Refused {
        /// The row's number in the COPY, from 1, where the server says it: it does for all but foreign keys.
        line: Option<u64>,
        /// What it said.
        message: String,
    },
}

/// A COPY that is under way, inside a savepoint: what is refused leaves nothing behind.
pub struct Copying<'c> {
    sink: PgCopyIn<&'c mut PgConnection>,
    binary: bool,
    doing: String,
}

/// What goes to the server at once. More than its processor keeps near, or than a socket holds, and one side waits for the
/// other instead of working beside it; less, and every flush costs.
const MESSAGE: usize = 64 * 1024;

const SAVEPOINT: &str = "SAVEPOINT watertight_piece";
const KEEP: &str = "RELEASE SAVEPOINT watertight_piece";
const UNDO: &str = "ROLLBACK TO SAVEPOINT watertight_piece; RELEASE SAVEPOINT watertight_piece";

impl<'c> Copying<'c> {
    /// Begins a COPY in the transaction that the caller has opened; `table` as SQL has it, and `binary` says in which
    /// format the pieces are.
    ///
    /// # Errors
    /// [`crate::Error::Database`] where the server refuses to begin.
    pub async fn begin(
        connection: &'c mut PgConnection,
        table: &str,
        columns: &[String],
        binary: bool,
    ) -> Result<Copying<'c>> {
        let doing = format!("load rows into {table}");
        let savepoint = connection.execute(sqlx::raw_sql(SAVEPOINT)).await;
        savepoint.doing(&doing)?;
        let sql = format!(
            "COPY {table} ({}) FROM STDIN{}",
            quoted_list(columns.iter().map(String::as_str)),
            if binary { " (FORMAT binary)" } else { "" }
        );
        let mut sink = connection.copy_in_raw(&sql).await.doing(&doing)?;
        if binary {
            sink.send(&Datum::HEADER[..]).await.doing(&doing)?;
        }
        Ok(Self {
            sink,
            binary,
            doing,
        })
    }

    /// Sends a piece; its end is flushed, so that pieces of less than 64 KiB are slow.
    ///
    /// # Errors
    /// [`crate::Error::Database`] where the connection is lost.
    pub async fn send(&mut self, piece: &[u8]) -> Result<()> {
        for message in piece.chunks(MESSAGE) {
            self.sink.send(message).await.doing(&self.doing)?;
        }
        Ok(())
    }

    /// Ends the COPY: what the server says of its rows. [`settle`] comes next.
    ///
    /// # Errors
    /// [`crate::Error::Database`] for what is not about a row.
    pub async fn finish(mut self) -> Result<Answer> {
        if self.binary {
            let sent = self.sink.send(&Datum::TRAILER[..]).await;
            sent.doing(&self.doing)?;
        }
        match self.sink.finish().await {
            Ok(_) => Ok(Answer::Taken),
            Err(error) if about_a_row(&error) || waited(&error) => Ok(Answer::Refused {
                line: line(&error),
                message: described(&error),
            }),
            Err(error) => Err(error).doing(&self.doing),
        }
    }
}

/// Keeps the rows of a COPY that has ended, or undoes it.
///
/// # Errors
/// [`crate::Error::Database`] where the connection is lost.
pub async fn settle(connection: &mut PgConnection, answer: &Answer) -> Result<()> {
    let sql = match answer {
        Answer::Taken => KEEP,
        Answer::Refused { .. } => UNDO,
    };
    let settled = connection.execute(sqlx::raw_sql(sql)).await;
    settled.map(drop).doing("load rows")
}

/// It stood in the way of another session's row for too long, or both stood in each other's.
fn waited(error: &sqlx::Error) -> bool {
    super::code(error).is_some_and(|code| ["40001", "40P01", "55P03"].contains(&&*code))
}

/// The line that the server names: "COPY people, line 3, column id".
fn line(error: &sqlx::Error) -> Option<u64> {
    let database = error.as_database_error()?;
    let place = database.try_downcast_ref::<PgDatabaseError>()?.r#where()?;
    let (_, rest) = place.rsplit_once(", line ")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
