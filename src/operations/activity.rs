//! Who is connected to a server, and what each waits for.

use sqlx::{Connection as _, Row as _};

use crate::database::{connect, execute};
use crate::error::{Doing as _, Result};
use crate::server::Server;

/// The sessions of clients. What they send is not read: it may hold a tenant's values.
///
/// Postgres shows nobody the settings of another session. What says the tenant is a word of the `application_name`, where
/// the application puts it there: `organisation=<id>` or `tenant=<id>`.
const SESSIONS: &str = "SELECT a.pid, coalesce(a.usename, '')::text, coalesce(a.datname, '')::text,
        substring(a.application_name FROM '(?:^|[ ,;])(?:organisation|tenant)=([^ ,;]+)'),
        coalesce(a.state, ''), CASE WHEN a.wait_event_type <> 'Client' THEN a.wait_event_type || ': ' || a.wait_event END,
        extract(epoch FROM clock_timestamp() - a.state_change)::float8,
        extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
        pg_blocking_pids(a.pid), a.query = '<insufficient privilege>'
     FROM pg_stat_activity a WHERE (a.backend_type = 'client backend' OR a.backend_type IS NULL AND a.usesysid IS NOT NULL) AND a.pid <> pg_backend_pid()
     ORDER BY 2, 4 NULLS LAST, a.pid";

/// One session.
#[derive(Clone, Debug, PartialEq)]
pub struct Session {
    /// The number of its process.
    pub pid: i32,
    /// Who logged in.
    pub role: String,
    /// The database.
    pub database: String,
    /// The tenant that its `application_name` names.
    pub tenant: Option<String>,
    /// `active`, `idle`, `idle in transaction`, …; empty where the role that asks may not see it.
    pub state: String,
    /// What it waits for, but for its client: kind and event.
    pub wait: Option<String>,
    /// Seconds since it came into this state.
    pub since: Option<f64>,
    /// The age of its transaction in seconds.
    pub transaction: Option<f64>,
    /// The sessions that hold what it waits for.
    pub blocked_by: Vec<i32>,
}

/// The sessions of a server's clients.
#[derive(Clone, Debug, PartialEq)]
pub struct Activity {
    /// By role and tenant, without the one that asked.
    pub sessions: Vec<Session>,
    /// How many of them the role that asks may not look into.
    pub hidden: usize,
    /// `max_connections`.
    pub most: i64,
}

/// Looks at them, without writing anything.
///
/// # Errors
/// [`crate::Error::Database`] where the server can't be asked.
pub async fn activity(server: &Server, database: &str) -> Result<Activity> {
    let mut connection = connect(&server.options(server.administrator(), database)).await?;
    execute(&mut connection, "BEGIN TRANSACTION READ ONLY").await?;
    let rows = sqlx::query(SESSIONS)
        .persistent(false)
        .fetch_all(&mut connection)
        .await
        .doing("look at the sessions")?;
    let most: i64 = sqlx::query_scalar("SELECT current_setting('max_connections')::int8")
        .persistent(false)
        .fetch_one(&mut connection)
        .await
        .doing("ask for max_connections")?;
    execute(&mut connection, "ROLLBACK").await?;
    connection.close().await.doing("close a connection")?;
    let mut hidden = 0;
    let sessions = rows.iter().map(|row| {
        hidden += usize::from(row.try_get::<Option<bool>, _>(9)?.unwrap_or(false));
        Ok(Session {
            pid: row.try_get(0)?,
            role: row.try_get(1)?,
            database: row.try_get(2)?,
            tenant: row.try_get(3)?,
            state: row.try_get(4)?,
            wait: row.try_get(5)?,
            since: row.try_get(6)?,
            transaction: row.try_get(7)?,
            blocked_by: row.try_get::<Option<Vec<i32>>, _>(8)?.unwrap_or_default(),
        })
    });
    let sessions: std::result::Result<Vec<Session>, sqlx::Error> = sessions.collect();
    Ok(Activity {
        sessions: sessions.doing("read the sessions")?,
        hidden,
        most,
    })
}
