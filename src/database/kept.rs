//! Databases of failed tests, which stay for people to look at: the last ones, and not for long.

use sqlx::{AssertSqlSafe, PgConnection};

use super::execute;
use crate::error::{Doing, Result};
use crate::model::{literal, quoted};

/// The mark in a kept database's comment, before when that was, in seconds since 1970.
const MARK: &str = "kept by watertight for a failed test at ";

/// So many are kept on a server; the oldest go first.
const MOST: u32 = 10;

/// Seconds after which one goes.
const AGE: u32 = 24 * 60 * 60;

/// Leaves a database of a run's to people, whatever becomes of the run.
///
/// # Errors
/// [`crate::Error::Database`] when the server refuses it.
pub async fn keep(maintenance: &mut PgConnection, name: &str) -> Result<()> {
    let mark = literal(MARK);
    let sql = format!(
        "DO $watertight$ BEGIN EXECUTE format('COMMENT ON DATABASE %I IS %L', {}, {mark} || extract(epoch FROM now())::int8); \
         END $watertight$",
        literal(name)
    );
    execute(maintenance, &sql).await?;
    let comment = "shobj_description(oid, 'pg_database')";
    let marked = format!("starts_with({comment}, {mark})");
    let since = format!("substr({comment}, {})::int8", MARK.len() + 1);
    let old = format!(
        "CASE WHEN {marked} THEN {since} < extract(epoch FROM now()) - {AGE} ELSE false END"
    );
    drop_idle(maintenance, &old).await?;
    let many = format!("{marked} ORDER BY oid DESC OFFSET {MOST}");
    drop_idle(maintenance, &many).await
}

/// Drops databases of ours, but for those that somebody is connected to.
pub(super) async fn drop_idle(maintenance: &mut PgConnection, condition: &str) -> Result<()> {
    let sql = format!("SELECT datname::text FROM pg_database WHERE {condition}");
    let names: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(&mut *maintenance)
        .await
        .doing("look for databases that are old")?;
    for name in names {
        let sql = format!("DROP DATABASE IF EXISTS {}", quoted(&name));
        let _ = execute(maintenance, &sql).await;
    }
    Ok(())
}
