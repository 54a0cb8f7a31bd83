//! Writing down every statement that reaches a server of our own, and reading it again: through a session, so that it
//! works alike wherever the server is.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::Server;
use crate::error::{Doing, Error, Result};
use crate::model::quoted;

/// So much of the log is read at once, in bytes.
const CHUNK: i64 = 4 << 20;

/// The log's last line must be there by then: another process writes it.
const LIMIT: Duration = Duration::from_mins(1);

/// What is set, for sessions that begin from now on.
const SETTINGS: [&str; 2] = ["log_statement", "log_parameter_max_length"];

/// A server that writes statements down.
pub struct Recording<'a> {
    server: &'a Server,
    connection: PgConnection,
    /// Whose sessions are written down, as `ALTER` has it.
    whose: String,
    /// Where the log ended when it began.
    start: i64,
}

impl Server {
    /// Has the server write down every statement of sessions that begin from now on, values up to so many bytes long.
    /// It must have been [asked for](super::ServerRequest::records).
    ///
    /// # Errors
    /// Where the server refuses it.
    pub async fn record(&self, longest_value: usize) -> Result<Recording<'_>> {
        self.write_down("ROLE ALL".to_owned(), longest_value).await
    }

    /// The same for the sessions of one database. The log holds what is written down of other ones, too.
    ///
    /// # Errors
    /// Where the server refuses it.
    pub async fn record_in(&self, database: &str, longest_value: usize) -> Result<Recording<'_>> {
        let whose = format!("DATABASE {}", quoted(database));
        self.write_down(whose, longest_value).await
    }

    async fn write_down(&self, whose: String, longest_value: usize) -> Result<Recording<'_>> {
        let mut connection = self.connect().await?;
        let longest = longest_value.to_string();
        for (name, value) in SETTINGS.iter().zip(["all", longest.as_str()]) {
            execute(
                &mut connection,
                &format!("ALTER {whose} SET {name} = '{value}'"),
            )
            .await?;
        }
        let start = size(&mut connection).await?;
        Ok(Recording {
            server: self,
            connection,
            whose,
            start,
        })
    }

    async fn connect(&self) -> Result<PgConnection> {
        let options = self.options(self.administrator(), self.maintenance_database());
        PgConnection::connect_with(&options)
            .await
            .doing("connect to the server")
    }
}

impl Recording<'_> {
    /// Ends it, and hands over the log, in Postgres' JSON form, line by line.
    ///
    /// # Errors
    /// A log that can't be read.
    pub async fn finish(mut self, take: &mut dyn FnMut(&str)) -> Result<()> {
        let end = uuid::Uuid::new_v4().simple().to_string();
        let mut last = self.server.connect().await?;
        execute(&mut last, "SET log_statement = 'all'").await?;
        execute(&mut last, &format!("SELECT 'the log ends here: {end}'")).await?;
        last.close().await.doing("close a connection")?;
        for name in SETTINGS {
            execute(
                &mut self.connection,
                &format!("ALTER {} RESET {name}", self.whose),
            )
            .await?;
        }
        let (started, mut at, mut rest) = (Instant::now(), self.start, Vec::new());
        loop {
            let chunk: Vec<u8> = sqlx::query_scalar(
                "SELECT pg_catalog.pg_read_binary_file(pg_catalog.pg_current_logfile('jsonlog'), $1, $2)",
            )
            .bind(at)
            .bind(CHUNK)
            .fetch_one(&mut self.connection)
            .await
            .doing("read the server's log")?;
            at += i64::try_from(chunk.len()).unwrap_or(0);
            let waits = chunk.is_empty();
            rest.extend(chunk);
            let whole = rest
                .iter()
                .rposition(|byte| *byte == b'\n')
                .map_or(0, |end| end + 1);
            for line in rest[..whole].split(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(line);
                if line.contains(&end) {
                    return self.connection.close().await.doing("close a connection");
                }
                take(&line);
            }
            rest.drain(..whole);
            if waits {
                if started.elapsed() > LIMIT {
                    return Err(Error::Server("the end of its log did not come".to_owned()));
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

/// How long the log is.
async fn size(connection: &mut PgConnection) -> Result<i64> {
    sqlx::query_scalar(
        "SELECT (pg_catalog.pg_stat_file(pg_catalog.pg_current_logfile('jsonlog'))).size",
    )
    .fetch_one(connection)
    .await
    .doing("look for the server's log")
}

async fn execute(connection: &mut PgConnection, sql: &str) -> Result<()> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
        .execute(connection)
        .await
        .map(drop)
        .doing("set what the server writes down")
}
