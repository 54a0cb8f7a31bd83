//! Whose a database is: its name says the run, its limit of connections that it is one of ours, and a lock lives as long as
//! the run's session.

use sqlx::{AssertSqlSafe, PgConnection};

use super::pool::orphaned;
use super::{execute, scalar};
use crate::error::{Doing, Result};
use crate::model::{literal, quoted};

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

const LOOKING: &str = "look for leftovers";

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
/// no database without a run's name. Not for a session that has a lease: it would take its own for a free one.
pub(super) async fn remove_leftovers(maintenance: &mut PgConnection) -> Result<()> {
    // Databases first: a role stays for as long as one knows it.
    let sql = format!("SELECT datname::text FROM pg_database WHERE {}", of_runs());
    let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(&mut *maintenance)
        .await
        .doing(LOOKING)?;
    for name in names {
        remove_database(maintenance, &name).await?;
    }
    let marked: Vec<(String, Option<String>)> = sqlx::query_as(
        "SELECT rolname::text, substring(shobj_description(oid, 'pg_authid') FROM '^watertight run ([0-9a-f]{8})$')
         FROM pg_roles WHERE oid >= 16384 AND shobj_description(oid, 'pg_authid') LIKE 'watertight run %'",
    )
    .fetch_all(&mut *maintenance)
    .await
    .doing(LOOKING)?;
    for (name, id) in marked {
        if let Some(id) = id {
            let what = format!("ROLE IF EXISTS {}", quoted(&name));
            remove(maintenance, &id, "true", &what).await?;
        }
    }
    Ok(())
}

/// Drops databases of a list whose session is gone, up to so many. None of the session's own lease.
pub(super) async fn remove_some(
    session: &mut PgConnection,
    own: &Lease,
    names: &[String],
    most: usize,
) -> Result<()> {
    let own = own.id();
    let mut removed = 0;
    for name in names.iter().filter(|name| id_of(name) != Some(&own)) {
        if removed < most && remove_database(session, name).await? {
            removed += 1;
        }
    }
    Ok(())
}

/// Drops a run's database, where the run is dead and left it to nobody; whether it is gone.
async fn remove_database(session: &mut PgConnection, name: &str) -> Result<bool> {
    let Some(id) = id_of(name) else {
        return Ok(false);
    };
    let is_left = format!(
        "EXISTS (SELECT FROM pg_database WHERE datname = {} AND {})",
        literal(name),
        of_runs()
    );
    let what = format!("DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
    remove(session, id, &is_left, &what).await
}

/// Drops what is a run's, where the run is dead and a condition holds; whether it is gone.
async fn remove(session: &mut PgConnection, id: &str, condition: &str, what: &str) -> Result<bool> {
    let Ok(id) = u32::from_str_radix(id, 16) else {
        return Ok(false);
    };
    let key = key(id);
    let lock = format!("SELECT pg_try_advisory_lock({LOCK_SPACE}, {key})");
    if scalar(session, lock, LOOKING).await? != Some(true) {
        return Ok(false);
    }
    let holds = scalar(session, format!("SELECT {condition}"), LOOKING).await? == Some(true);
    // It may be another administrator's, or a role that others' databases know.
    let dropped = holds && execute(session, &format!("DROP {what}")).await.is_ok();
    let unlock = format!("SELECT pg_advisory_unlock({LOCK_SPACE}, {key})");
    execute(session, &unlock).await?;
    Ok(dropped)
}

/// Whether a name is one of a run's databases.
pub(super) fn is_of_run(name: &str) -> bool {
    id_of(name).is_some_and(|id| u32::from_str_radix(id, 16).is_ok())
}

/// The run's part of a database's name.
fn id_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("watertight_")?;
    rest.as_bytes().get(8).filter(|byte| **byte == b'_')?;
    rest.get(..8)
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
    scalar(session, sql, LOOKING)
        .await
        .map(Option::unwrap_or_default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_of_a_run_or_it_is_not() {
        for name in ["watertight_0a1b2c3d_1", "watertight_ffffffff_template"] {
            assert!(is_of_run(name), "{name}");
        }
        for name in [
            "postgres",
            "watertight_0a1b2c3d",
            "watertight_template_0123456789abcdef",
            "watertight_ready_0123456789abcdef_01234567",
            "watertight_0a1b2cé_1",
            "other_0a1b2c3d_1",
        ] {
            assert!(!is_of_run(name), "{name}");
        }
    }
}
