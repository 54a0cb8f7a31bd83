//! Undoes a [`MigrationSet`].

use sqlx::PgConnection;

use super::apply::{Script, limit_statements, reset};
use super::history;
use super::set::MigrationSet;
use crate::error::Result;

/// Undoes the applied migrations, the last first, and forgets them; stops before one that has no down part,
/// since those below it can't be undone either. Returns how many were undone.
///
/// # Errors
/// A statement that the server refuses ([`crate::Error::Migration`], with file and line); a lost connection.
pub async fn revert(set: &MigrationSet, connection: &mut PgConnection) -> Result<usize> {
    let history = history::open(connection).await?;
    limit_statements(connection, set.limit).await?;
    let mut undone = 0;
    for migration in set.migrations.iter().rev() {
        if !history.contains_key(&migration.name) {
            continue;
        }
        let Some(down) = &migration.down else {
            break;
        };
        let script = Script {
            file: &down.file,
            statements: &down.script,
            transaction: down.transaction,
            name: &migration.name,
            checksum: None,
            limit: set.limit,
            dump: false,
        };
        script.run(connection).await?;
        if set.resets_session {
            reset(connection, set.limit).await?;
        }
        undone += 1;
    }
    Ok(undone)
}
