//! Whose a database is: its name says the run, its limit of connections that it is one of ours, and a lock lives as long as
//! the run's session.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::pool::orphaned;
use super::{execute, scalar};
use crate::error::{Doing, Result};
use crate::model::quoted;

/// The first key of the advisory locks of runs: "watr".
const LOCK_SPACE: i32 = 0x7761_7472;

/// The limit of connections that our databases have: no database reaches it and nobody else sets it, and CREATE DATABASE
/// itself leaves it. With a comment there would be a moment in which a database of a killed run has no mark.
pub(super) const MARK: i32 = 774_973;

/// The condition for databases of runs: not for those that are kept for people, but for those whose removal was broken
/// off (-2).
fn of_runs() -> String {
    format!(
        "datname ~ '^watertight_[0-9a-f]{{8}}_' AND datconnlimit IN ({MARK}, -2)
         AND coalesce(shobj_description(oid, 'pg_database'), '') NOT LIKE 'kept by watertight%'"
    )
}

/// What a run holds while it lives; freed by the server whatever kills it.
pub(super) struct Lease {
    id: u32,
}

impl Lease {
    /// A lease that [`Lease::lock`] is to be run for.
    pub(super) fn new() -> Self {
        let id = uuid::Uuid::new_v4().as_fields().0;
        Self { id }
    }

    /// Takes a lease on the session; it ends with it.
    pub(super) async fn take(maintenance: &mut PgConnection) -> Result<Self> {
        let lease = Self::new();
        execute(maintenance, &format!("SELECT {}", lease.lock())).await?;
        Ok(lease)
    }

    /// The expression that takes it; a session that has it may take it again.
    pub(super) fn lock(&self) -> String {
        format!("pg_advisory_lock({LOCK_SPACE}, {})", self.key())
    }

    /// Part of the names of the run's databases.
    pub(super) fn id(&self) -> String {
        format!("{:08x}", self.id)
    }

    /// The mark in the comment of a role.
    pub(super) fn mark(&self) -> String {
        format!("watertight run {}", self.id())
    }

    fn key(&self) -> i32 {
        key(self.id)
    }
}

fn key(id: u32) -> i32 {
    i32::from_ne_bytes(id.to_ne_bytes())
}

/// Drops the databases and the roles of runs whose session is gone. Touches none that does not bear a run's mark, and
/// no database without a run's name. Stops after so many. Not for a session that has a lease: it would take its own for a
/// free one.
pub(super) async fn remove_leftovers(maintenance: &mut PgConnection, most: usize) -> Result<()> {
    let mut removed = 0;
    // Databases first: a role stays for as long as one knows it.
    let marked = sqlx::raw_sql(AssertSqlSafe(format!(
        "SELECT 'DATABASE', datname::text, substr(datname, 12, 8) FROM pg_database WHERE {}
         UNION ALL
         SELECT 'ROLE', rolname::text, substring(shobj_description(oid, 'pg_authid') FROM '^watertight run ([0-9a-f]{{8}})$')
         FROM pg_roles WHERE oid >= 16384 AND shobj_description(oid, 'pg_authid') LIKE 'watertight run %'",
        of_runs()
    )))
    .fetch_all(&mut *maintenance)
    .await
    .doing("look for leftovers")?;
    for row in marked {
        if removed == most {
            break;
        }
        let kind: String = row.try_get(0).doing("look for leftovers")?;
        let name: String = row.try_get(1).doing("look for leftovers")?;
        let id: Option<String> = row.try_get(2).doing("look for leftovers")?;
        let Some(id) = id.and_then(|id| u32::from_str_radix(&id, 16).ok()) else {
            continue;
        };
        let lock = format!("SELECT pg_try_advisory_lock({LOCK_SPACE}, {})", key(id));
        let free: Option<bool> = scalar(maintenance, lock, "look for leftovers").await?;
        if free == Some(true) {
            removed += 1;
            let force = if kind == "ROLE" { "" } else { " WITH (FORCE)" };
            let sql = format!("DROP {kind} IF EXISTS {}{force}", quoted(&name));
            // It may be another administrator's, or a role that others' databases know.
            let _ = execute(maintenance, &sql).await;
            execute(
                maintenance,
                &format!("SELECT pg_advisory_unlock({LOCK_SPACE}, {})", key(id)),
            )
            .await?;
        }
    }
    Ok(())
}

/// How many databases there are whose run is dead, or that nobody will claim.
pub(super) async fn leftovers(session: &mut PgConnection) -> Result<i64> {
    let sql = format!(
        "SELECT count(*) FROM pg_database d WHERE {} OR {} AND NOT EXISTS (
             SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = {LOCK_SPACE} AND granted
               AND objid::int8 = ('x' || substr(datname, 12, 8))::bit(32)::int8)",
        orphaned(),
        of_runs()
    );
    scalar(session, sql, "look for leftovers")
        .await
        .map(Option::unwrap_or_default)
}
