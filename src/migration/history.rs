//! `watertight.migrations`: which migrations a database has had.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, PgConnection};

use crate::error::{Doing as _, Error, Result};
use crate::model::literal;

/// Name and checksum of each migration that was applied.
pub(super) type History = BTreeMap<String, String>;

/// The history of this database; the table is made where it is missing.
pub(super) async fn open(connection: &mut PgConnection) -> Result<History> {
    let doing = "read the history of migrations";
    let exists: bool =
        sqlx::query_scalar("SELECT pg_catalog.to_regclass('watertight.migrations') IS NOT NULL")
            .fetch_one(&mut *connection)
            .await
            .doing(doing)?;
    if !exists {
        const CREATE: &str = "CREATE SCHEMA IF NOT EXISTS watertight; \
            CREATE TABLE IF NOT EXISTS watertight.migrations (name text PRIMARY KEY, checksum text NOT NULL, \
            applied_at timestamptz NOT NULL DEFAULT now())";
        sqlx::raw_sql(CREATE)
            .execute(&mut *connection)
            .await
            .doing("create the table watertight.migrations, the history of migrations")?;
    }
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT name, checksum FROM watertight.migrations")
            .fetch_all(connection)
            .await
            .doing(doing)?;
    Ok(rows.into_iter().collect())
}

/// Remembers a migration. Whatever role the migration left behind, this is written as the one that logged in.
pub(super) async fn remember(
    connection: &mut PgConnection,
    name: &str,
    checksum: &str,
) -> Result<()> {
    let sql = format!(
        "RESET SESSION AUTHORIZATION; RESET ROLE; INSERT INTO watertight.migrations (name, checksum) \
         VALUES ({name}, {checksum}) \
         ON CONFLICT (name) DO UPDATE SET checksum = excluded.checksum, applied_at = pg_catalog.now()",
        name = literal(name),
        checksum = literal(checksum),
    );
    write(connection, sql).await
}

/// Forgets a migration that was undone.
pub(super) async fn forget(connection: &mut PgConnection, name: &str) -> Result<()> {
    let sql = format!(
        "RESET SESSION AUTHORIZATION; RESET ROLE; DELETE FROM watertight.migrations WHERE name = {}",
        literal(name)
    );
    write(connection, sql).await
}

async fn write(connection: &mut PgConnection, sql: String) -> Result<()> {
    match sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await {
        Ok(_) => Ok(()),
        Err(source) => Err(Error::Database {
            doing: "write the history of migrations".into(),
            source,
        }),
    }
}
