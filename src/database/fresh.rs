//! Databases in which migrations are tried rather than used.

use sqlx::postgres::PgConnectOptions;

use super::{Databases, application, drop_database, tool};
use crate::error::Result;
use crate::migration::MigrationSet;

impl Databases<'_> {
    /// How to connect to one of the databases as whoever migrates.
    #[must_use]
    pub fn as_owner(&self, name: &str) -> PgConnectOptions {
        self.server.options(&self.owner, name)
    }

    /// Runs the command of migrations on one of the databases.
    ///
    /// # Errors
    /// [`crate::Error::MigrationCommand`] where it fails.
    pub async fn run_tool(&self, migrations: &MigrationSet, name: &str) -> Result<()> {
        match &migrations.tool {
            None => Ok(()),
            Some(tool) => {
                let run = tool::run(tool, self.server, &self.owner, name, migrations.limit);
                Box::pin(run).await
            }
        }
    }

    /// Removes all of these databases, and on a server of our own the roles that migrations made; a new, empty one.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server refuses it.
    pub async fn emptied(&mut self) -> Result<String> {
        for name in std::mem::take(&mut self.made) {
            drop_database(&mut self.maintenance, &name).await?;
        }
        if self.server.is_disposable() {
            application::forget_roles(&mut self.maintenance).await?;
        }
        self.clone_of("template0").await
    }
}
