//! A migrated database, fast: migrations are applied once, into a template, and every database is a clone of it.

mod application;
mod census;
mod clerk;
mod desk;
mod errand;
mod fresh;
mod inherited;
mod kept;
mod lease;
mod partition;
mod pool;
mod published;
mod seats;
mod tenants;
mod tool;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row as _};

pub use application::{application_login, application_of, owner_of, refuse_vacuous};
pub use census::{Census, census};
pub use desk::{Claim, Desk, How, Order};
pub use kept::keep;
pub use partition::complete_partitions;
pub use tenants::Lasting;

use self::inherited::inherited;
use crate::error::{Doing, Error, Result};
use crate::migration::{Applied, MigrationSet, apply, prepare};
use crate::model::{Catalog, MigrateAs, quoted};
use crate::server::{Login, Server};

/// The databases of one run. Everything that it makes is registered and removed at the end, or by the next run.
pub struct Databases<'a> {
    server: &'a Server,
    maintenance: PgConnection,
    lease: lease::Lease,
    owner: Login,
    template: String,
    clones: u32,
    made: Vec<String>,
    /// The roles that end with the run.
    roles: Vec<String>,
}

impl<'a> Databases<'a> {
    /// Migrates a template.
    ///
    /// # Errors
    /// [`crate::Error::Migration`] with file and line for a migration that fails; [`crate::Error::Database`] for a
    /// server that refuses what is needed.
    pub async fn migrate(
        server: &'a Server,
        migrations: &MigrationSet,
        migrate_as: MigrateAs,
    ) -> Result<(Databases<'a>, Applied)> {
        let mut databases = Self::open(server, migrate_as).await?;
        match databases.apply(migrations).await {
            Ok(applied) => Ok((databases, applied)),
            Err(error) => {
                databases.remove().await?;
                Err(error)
            }
        }
    }

    /// None yet; what dead runs left is removed.
    ///
    /// # Errors
    /// [`crate::Error::Database`] for a server that refuses what is needed.
    pub async fn open(server: &'a Server, migrate_as: MigrateAs) -> Result<Databases<'a>> {
        let options = server.options(server.administrator(), server.maintenance_database());
        let mut maintenance = connect(&options).await?;
        let lease = lease::Lease::take(&mut maintenance).await?;
        lease::remove_leftovers(&mut maintenance).await?;
        if application::owns(server, migrate_as) {
            application::ensure_owner(server, &mut maintenance).await?;
        }
        let owner = application::owner_of(server, migrate_as);
        Ok(Self {
            server,
            maintenance,
            template: format!("watertight_{}_template", lease.id()),
            lease,
            owner,
            clones: 0,
            made: Vec::new(),
            roles: Vec::new(),
        })
    }

    /// Makes the template.
    async fn apply(&mut self, migrations: &MigrationSet) -> Result<Applied> {
        let template = self.template.clone();
        self.create(&template, "template0").await?;
        let stubs = migrations.stubs_roles || !migrations.stubs.is_empty();
        if stubs && !self.server.is_disposable() {
            return Err(Error::Usage(
                "roles belong to the whole server, so none are made as stubs on one that was given by URL: make them there, \
                 or use --server local or docker"
                    .to_owned(),
            ));
        }
        if let Some(tool) = &migrations.tool {
            if stubs {
                let mut connection = connect(&self.server.options(&self.owner, &template)).await?;
                prepare(migrations, &mut connection).await?;
                connection.close().await.doing("close a connection")?;
            }
            let run = tool::run(tool, self.server, &self.owner, &template, migrations.limit);
            Box::pin(run).await?;
            return Ok(Applied::default());
        }
        let mut connection = connect(&self.server.options(&self.owner, &template)).await?;
        let applied = Box::pin(apply(migrations, &mut connection)).await?;
        connection.close().await.doing("close a connection")?;
        Ok(applied)
    }

    /// How to connect to the template as its owner.
    #[must_use]
    pub fn template(&self) -> PgConnectOptions {
        self.server
            .options(self.server.administrator(), &self.template)
    }

    /// How to connect to one of the databases with row-level security out of the way.
    #[must_use]
    pub fn administrator(&self, name: &str) -> PgConnectOptions {
        self.server.options(self.server.administrator(), name)
    }

    /// Who owns the databases.
    #[must_use]
    pub fn owner(&self) -> &Login {
        &self.owner
    }

    /// A clone of the template; its name.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server refuses it.
    pub async fn clone_template(&mut self, catalog: &Catalog) -> Result<String> {
        let template = self.template.clone();
        let name = self.clone_of(&template).await?;
        self.lift(&name, catalog).await?;
        Ok(name)
    }

    /// A clone of one of the databases, to which nobody may be connected; its name.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server refuses it.
    pub async fn clone_of(&mut self, database: &str) -> Result<String> {
        self.clones += 1;
        let name = format!("watertight_{}_{}", self.lease.id(), self.clones);
        self.create(&name, database).await?;
        Ok(name)
    }

    /// Gets row-level security out of the administrator's way: one who is no superuser is subject to forced policies.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server refuses it.
    pub async fn lift(&self, name: &str, catalog: &Catalog) -> Result<()> {
        if self.server.is_superuser() {
            return Ok(());
        }
        let mut connection = connect(&self.server.options(&self.owner, name)).await?;
        let forced = catalog
            .tables
            .values()
            .filter(|table| table.force_row_security);
        for table in forced {
            execute(
                &mut connection,
                &format!(
                    "ALTER TABLE {} NO FORCE ROW LEVEL SECURITY",
                    table.name.quoted()
                ),
            )
            .await?;
        }
        connection.close().await.doing("close a connection")
    }

    /// Drops one of the clones, to which nobody may be connected.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when the server refuses it; it is tried again with the others.
    pub async fn drop_clone(&mut self, name: &str) -> Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {}", quoted(name));
        execute(&mut self.maintenance, &sql).await?;
        self.made.retain(|made| made != name);
        Ok(())
    }

    /// The template's name.
    #[must_use]
    pub fn template_name(&self) -> &str {
        &self.template
    }

    async fn create(&mut self, name: &str, template: &str) -> Result<()> {
        let sql = creation(name, template, &self.owner.role);
        execute(&mut self.maintenance, &sql).await?;
        self.made.push(name.to_owned());
        if template == "template0" {
            return Ok(());
        }
        execute(&mut self.maintenance, &inherited(template, name)).await
    }

    /// Leaves the databases to a server that is about to be removed.
    ///
    /// # Errors
    /// A connection that was lost.
    pub async fn abandon(self) -> Result<()> {
        self.maintenance.close().await.doing("close a connection")
    }

    /// Removes every database of this run, but for one that is to be kept, and its roles, unless one is.
    ///
    /// # Errors
    /// [`crate::Error::Database`] when one can't be dropped; the next run tries again.
    pub async fn remove_but(mut self, kept: Option<&str>) -> Result<()> {
        for name in self.made.iter().rev() {
            if Some(name.as_str()) == kept {
                let sql = format!(
                    "COMMENT ON DATABASE {} IS 'kept by watertight'",
                    quoted(name)
                );
                execute(&mut self.maintenance, &sql).await?;
            } else {
                drop_database(&mut self.maintenance, name).await?;
            }
        }
        for role in &self.roles {
            let sql = if kept.is_some() {
                format!("COMMENT ON ROLE {} IS 'kept by watertight'", quoted(role))
            } else {
                format!("DROP ROLE IF EXISTS {}", quoted(role))
            };
            execute(&mut self.maintenance, &sql).await?;
        }
        self.maintenance.close().await.doing("close a connection")
    }

    /// Removes every database of this run.
    ///
    /// # Errors
    /// As [`Databases::remove_but`].
    pub async fn remove(self) -> Result<()> {
        self.remove_but(None).await
    }
}

/// The statement that makes a database of ours.
fn creation(name: &str, template: &str, owner: &str) -> String {
    // Copying files beats writing the clone through the log by three times; `template0` has no choice to make.
    format!(
        "CREATE DATABASE {} TEMPLATE {} OWNER {} STRATEGY FILE_COPY CONNECTION LIMIT {}",
        quoted(name),
        quoted(template),
        quoted(owner),
        lease::MARK
    )
}

/// Opens a session in which messages are in English.
///
/// # Errors
/// [`crate::Error::Database`] when the server can't be reached.
pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection> {
    PgConnection::connect_with(options)
        .await
        .doing("connect to the database")
}

/// Drops a database where it is there, whoever is connected to it.
///
/// # Errors
/// [`crate::Error::Database`] when the server refuses it.
pub(crate) async fn drop_database(maintenance: &mut PgConnection, name: &str) -> Result<()> {
    let sql = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", quoted(name));
    execute(maintenance, &sql).await
}

/// Runs one statement of the harness's own.
///
/// # Errors
/// [`crate::Error::Database`] when the server refuses it.
pub async fn execute(connection: &mut PgConnection, sql: &str) -> Result<()> {
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned())))
        .await
        .map(drop)
        .doing(format!(
            "run `{}`",
            sql.chars().take(120).collect::<String>()
        ))
}

/// The first column of a statement's first row, in one round trip: a prepared statement takes two.
async fn scalar<T>(connection: &mut PgConnection, sql: String, doing: &str) -> Result<Option<T>>
where
    T: for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let row = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_optional(connection);
    let row = row.await.doing(doing)?;
    row.map(|row| row.try_get(0)).transpose().doing(doing)
}
