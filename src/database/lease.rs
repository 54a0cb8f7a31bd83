//! Whose a database is: a mark in its comment, and a lock that lives as long as the run's session.

use sqlx::{AssertSqlSafe, PgConnection, Row};

use super::execute;
use crate::error::{Doing, Result};
use crate::model::quoted;

/// The first key of the advisory locks of runs: "watr".
const LOCK_SPACE: i32 = 0x7761_7472;

/// What a run holds while it lives; freed by the server whatever kills it.
pub(super) struct Lease {
    id: u32,
}

impl Lease {
    /// Takes a lease on the session; it ends with it.
    pub(super) async fn take(maintenance: &mut PgConnection) -> Result<Self> {
        let id = uuid::Uuid::new_v4().as_fields().0;
        let lease = Self { id };
        execute(
            maintenance,
            &format!("SELECT pg_advisory_lock({LOCK_SPACE}, {})", lease.key()),
        )
        .await?;
        Ok(lease)
    }

    /// Part of the names of the run's databases.
    pub(super) fn id(&self) -> String {
        format!("{:08x}", self.id)
    }

    /// The mark in a database's comment.
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
/// no database without a run's name.
pub(super) async fn remove_leftovers(maintenance: &mut PgConnection) -> Result<()> {
    // Databases first: a role stays for as long as one knows it.
    let marked = sqlx::query(
        "SELECT 'DATABASE', datname::text, substring(shobj_description(oid, 'pg_database') FROM '^watertight run ([0-9a-f]{8}) ')
         FROM pg_database WHERE datname ~ '^watertight_[0-9a-f]{8}_'
           AND shobj_description(oid, 'pg_database') LIKE 'watertight run %'
         UNION ALL
         SELECT 'ROLE', rolname::text, substring(shobj_description(oid, 'pg_authid') FROM '^watertight run ([0-9a-f]{8})$')
         FROM pg_roles WHERE oid >= 16384 AND shobj_description(oid, 'pg_authid') LIKE 'watertight run %'",
    )
    .fetch_all(&mut *maintenance)
    .await
    .doing("look for leftovers")?;
    for row in marked {
        let kind: String = row.try_get(0).doing("look for leftovers")?;
        let name: String = row.try_get(1).doing("look for leftovers")?;
        let id: Option<String> = row.try_get(2).doing("look for leftovers")?;
        let Some(id) = id.and_then(|id| u32::from_str_radix(&id, 16).ok()) else {
            continue;
        };
        let lock = format!("SELECT pg_try_advisory_lock({LOCK_SPACE}, {})", key(id));
        let free: bool = sqlx::query_scalar(AssertSqlSafe(lock))
            .fetch_one(&mut *maintenance)
            .await
            .doing("look for leftovers")?;
        if free {
            let force = if kind == "ROLE" { "" } else { " WITH (FORCE)" };
            let sql = format!("DROP {kind} IF EXISTS {}{force}", quoted(&name));
            let dropped = execute(maintenance, &sql).await;
            // A role may be known to databases of others, or be another administrator's.
            if kind != "ROLE" {
                dropped?;
            }
            execute(
                maintenance,
                &format!("SELECT pg_advisory_unlock({LOCK_SPACE}, {})", key(id)),
            )
            .await?;
        }
    }
    Ok(())
}
