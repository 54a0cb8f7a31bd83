//! What databases of ours a server has.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};

use super::lease::{MARK, leftovers};
use crate::error::{Doing as _, Result};

/// How many databases of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Templates that processes share.
    pub templates: i64,
    /// Clones that nobody uses yet.
    pub ready: i64,
    /// Databases of runs and tests.
    pub used: i64,
    /// Those that failed tests left to people.
    pub kept: i64,
    /// Those whose owner is dead, or that nobody will claim: whoever comes next removes them.
    pub left: i64,
}

/// Counts them. Changes nothing.
///
/// # Errors
/// [`crate::Error::Database`] when the server can't be asked.
pub async fn census(session: &mut PgConnection) -> Result<Census> {
    let left = leftovers(session).await?;
    let sql = format!(
        "SELECT count(*) FILTER (WHERE datname ~ '^watertight_template_'),
                count(*) FILTER (WHERE datname ~ '^watertight_ready_' AND datconnlimit = {MARK}),
                count(*) FILTER (WHERE datname ~ '^watertight_[0-9a-f]{{8}}_' AND NOT kept),
                count(*) FILTER (WHERE kept)
         FROM (SELECT datname, datconnlimit,
                      coalesce(shobj_description(oid, 'pg_database'), '') LIKE 'kept by watertight%' AS kept
               FROM pg_database) d"
    );
    let counting = "count databases";
    let row = sqlx::query(AssertSqlSafe(sql))
        .fetch_one(session)
        .await
        .doing(counting)?;
    let count = |column: usize| row.try_get(column).doing(counting);
    Ok(Census {
        templates: count(0)?,
        ready: count(1)?,
        used: count(2)?,
        kept: count(3)?,
        left,
    })
}
