//! Templates that outlive the run which made them: whoever wants the same finds them by name, whatever process it is.

use super::kept::drop_idle;
use super::{Databases, application, drop_database, execute};
use crate::error::{Doing, Result};
use crate::migration::MigrationSet;
use crate::model::{literal, quoted};

/// The key of advisory locks on what one process makes for all: "watt".
const LOCK_SPACE: i32 = 0x7761_7474;

/// The mark in a published template's comment, before its note.
const MARK: &str = "watertight template: ";

/// So many templates stay on a server; the oldest go first.
const TEMPLATES: u32 = 16;

impl Databases<'_> {
    /// The note of a published template, where it is there.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server can't be asked.
    pub async fn published(&mut self, name: &str) -> Result<Option<String>> {
        let comment: Option<Option<String>> = sqlx::query_scalar(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1",
        )
        .bind(name)
        .fetch_optional(&mut self.maintenance)
        .await
        .doing("look for a template")?;
        Ok(comment.flatten().and_then(|comment| note(&comment)))
    }

    /// Makes a template of one of these databases, to which nobody may be connected. It is no longer one of these.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server refuses it.
    pub async fn publish(&mut self, database: &str, name: &str, note: &str) -> Result<()> {
        drop_database(&mut self.maintenance, name).await?;
        let sql = format!(
            "ALTER DATABASE {} RENAME TO {2}; COMMENT ON DATABASE {2} IS {1}",
            quoted(database),
            literal(&format!("{MARK}{note}")),
            quoted(name)
        );
        execute(&mut self.maintenance, &sql).await?;
        self.made.retain(|made| made != database);
        let marked = literal(&format!("{MARK}%"));
        let old = format!(
            "shobj_description(oid, 'pg_database') LIKE {marked} ORDER BY oid DESC OFFSET {TEMPLATES}"
        );
        drop_idle(&mut self.maintenance, &old).await
    }

    /// Applies migrations to a database of these that is new; its name. Roles that migrations made in vain before are
    /// forgotten where `forgets`.
    ///
    /// # Errors
    /// As [`Databases::migrate`].
    pub async fn migrated(&mut self, migrations: &MigrationSet, forgets: bool) -> Result<String> {
        if forgets {
            application::forget_roles(&mut self.maintenance).await?;
        }
        self.apply(migrations).await?;
        Ok(self.template.clone())
    }

    /// Waits until nobody else makes what has this name; others wait until [`Databases::unlock`] or the end of this.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server can't be asked.
    pub async fn lock(&mut self, name: &str) -> Result<()> {
        let sql = format!(
            "SELECT pg_advisory_lock({LOCK_SPACE}, hashtext({}))",
            literal(name)
        );
        execute(&mut self.maintenance, &sql).await
    }

    /// Ends [`Databases::lock`].
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server can't be asked.
    pub async fn unlock(&mut self, name: &str) -> Result<()> {
        let sql = format!(
            "SELECT pg_advisory_unlock({LOCK_SPACE}, hashtext({}))",
            literal(name)
        );
        execute(&mut self.maintenance, &sql).await
    }

    /// Drops one of these databases.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when it can't be dropped; the next run tries again.
    pub async fn remove_one(&mut self, name: &str) -> Result<()> {
        drop_database(&mut self.maintenance, name).await?;
        self.made.retain(|made| made != name);
        Ok(())
    }

    /// The names of these databases.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.made
    }

    /// Leaves a database to itself: it is no longer one of these.
    pub fn release(&mut self, name: &str) {
        self.made.retain(|made| made != name);
    }
}

/// The note in a published template's comment.
pub(super) fn note(comment: &str) -> Option<String> {
    comment.strip_prefix(MARK).map(str::to_owned)
}
