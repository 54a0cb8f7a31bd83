//! Backups that are tried: what the operations do, with the tenancy and the checks.

use std::path::PathBuf;

use sqlx::Connection as _;

use super::Harness;
use crate::database::connect;
use crate::error::{Doing as _, Result};
use crate::model::{MigrateAs, MigrateSettings, Report, ServerText};
use crate::operations::{self, Backup, Counted, Order, Restored, Swap};
use crate::server::{Server, ServerChoice, ServerRequest};

/// A backup that was taken, and what came of it.
#[derive(Clone, Debug)]
pub struct BackedUp {
    /// The backup.
    pub backup: Backup,
    /// What came back otherwise when it was tried, or why it could not be; none where it was not to be tried.
    pub tried: Option<std::result::Result<Vec<String>, String>>,
    /// Old backups that were removed.
    pub pruned: Vec<PathBuf>,
    /// Why rows were counted by table alone.
    pub uncounted: Option<String>,
}

impl Harness {
    /// Saves the database of `--server`, tries the backup unless `keep_days` is none, and only then removes those of the
    /// same database and kind that are so many days older.
    ///
    /// # Errors
    /// Whatever keeps it from being taken; nothing of it stays then. One that was taken and then failed its trial stays,
    /// and is told in the result.
    pub async fn back_up(
        &self,
        order: &Order,
        keep_days: Option<u32>,
        stage: &dyn Fn(&str),
    ) -> Result<BackedUp> {
        stage("connecting");
        let (server, database) = crate::server::reach(&self.settings.run.server).await?;
        let (counted, uncounted) = self.counted(&server, &database).await?;
        stage("backing up");
        let taken = operations::back_up(&server, &database, order, counted).await?;
        let (mut tried, mut pruned) = (None, Vec::new());
        if let Some(days) = keep_days {
            let differences = self
                .verify(&taken.backup, &ServerChoice::Local, stage)
                .await;
            if differences.as_ref().is_ok_and(Vec::is_empty) {
                pruned = taken.prune(days)?;
            }
            tried = Some(differences.map_err(|error| error.to_string()));
        }
        Ok(BackedUp {
            backup: taken.backup.clone(),
            tried,
            pruned,
            uncounted,
        })
    }

    /// Restores a backup on a disposable server and compares everything; what differs, in sentences.
    ///
    /// # Errors
    /// Whatever keeps it from being restored.
    pub async fn verify(
        &self,
        backup: &Backup,
        choice: &ServerChoice,
        stage: &dyn Fn(&str),
    ) -> Result<Vec<String>> {
        stage("starting a disposable server");
        let pg_bin = self.settings.run.pg_bin.as_deref();
        // Whether they are there is known before a server is.
        crate::server::programs(backup.manifest.major, pg_bin)?;
        let server = crate::server::start(&ServerRequest {
            choice: choice.clone(),
            version: Some(backup.manifest.major),
            ..ServerRequest::default()
        })
        .await?;
        stage("restoring");
        let differences = operations::verify(&server, backup, pg_bin).await;
        server.stop().await?;
        differences
    }

    /// Runs the checks over what a backup's dump makes instead of the migrations, with rows of their own. Queries are no
    /// part of a backup.
    ///
    /// # Errors
    /// As [`Harness::run`].
    pub async fn check_restored(
        &self,
        backup: &Backup,
        choice: &ServerChoice,
        stage: &dyn Fn(&str),
    ) -> Result<Report> {
        let major = backup.manifest.major;
        let programs = crate::server::programs(major, self.settings.run.pg_bin.as_deref())?;
        let mut settings = self.settings.clone();
        settings.migrate = MigrateSettings {
            command: Some(operations::schema_command(backup, &programs)),
            session: settings.migrate.session,
            ..MigrateSettings::default()
        };
        let run = &mut settings.run;
        run.server = ServerText::from(choice.to_string().as_str());
        run.postgres = vec![major];
        run.pg_bin = None;
        run.migrate_as = MigrateAs::Superuser;
        run.regressions = Some(PathBuf::new());
        (run.queries, run.sqlx, run.sqlx_found) = (None, None, None);
        run.baseline = None;
        // A full run complains of what is accepted and not met, which may be a query's.
        run.skip.push("query-*".to_owned());
        Harness::new(settings).run(stage).await
    }

    /// Replaces the database of `--server` by what a backup holds.
    ///
    /// # Errors
    /// Whatever keeps it from that; the old database serves then as it did.
    pub async fn restore(
        &self,
        backup: &Backup,
        swap: &Swap,
        stage: &dyn Fn(&str),
    ) -> Result<Restored> {
        stage("connecting");
        let (server, database) = crate::server::reach(&self.settings.run.server).await?;
        let exists = server.maintenance_database() == database;
        let counted = if exists {
            Some(self.counted(&server, &database).await?.0)
        } else {
            None
        };
        stage("restoring");
        operations::restore(&server, &database, backup, swap, counted).await
    }

    /// What is counted, and how each row says whose it is; and why that is not known.
    async fn counted(
        &self,
        server: &Server,
        database: &str,
    ) -> Result<(Vec<Counted>, Option<String>)> {
        let mut connection = connect(&server.options(server.administrator(), database)).await?;
        let catalog = crate::introspect::introspect(&mut connection).await?;
        connection.close().await.doing("close a connection")?;
        let classified = crate::tenancy::classify(&catalog, &self.settings.tenant, None);
        let (tenancy, why) = match classified {
            Ok(tenancy) => (tenancy, None),
            // A backup is wanted most when something is not as it should be.
            Err(message) => (crate::model::Tenancy::default(), Some(message)),
        };
        let tables = catalog.roots().map(|table| Counted {
            table: table.name.quoted(),
            tenant: tenancy.tenant_expression(&catalog, &table.name, Counted::ROW),
        });
        Ok((tables.collect(), why))
    }
}
