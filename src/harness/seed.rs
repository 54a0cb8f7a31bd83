//! A database full of rows, for demos and load tests.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};

use super::fill::{Files, Filled, Progress, fill, usual_lanes};
use super::{Harness, prepare, trial};
use crate::database::{Databases, connect, execute};
use crate::error::{Doing as _, Result};
use crate::generate::{Amount, Bulk};
use crate::model::Catalog;
use crate::server::Server;

/// Values that are wanted for the CHECKs of a table that can't be read; its rows repeat them.
const TRIED: usize = 1_000;

/// What a seeded database holds.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// The seed, with which the same rows come again.
    pub seed: String,
    /// How the server was chosen.
    pub server: String,
    /// What came of each table, in the order in which they were filled.
    pub tables: Vec<Filled>,
    /// How to open the database; empty where it was only needed for the files.
    pub opened: Vec<String>,
    /// How long making and loading the rows took.
    pub took: Duration,
}

impl Harness {
    /// Starts or reaches the server, migrates a new database and fills it. The database stays; with `output`, the rows
    /// are written to that folder as well and the database is removed.
    ///
    /// # Errors
    /// Whatever keeps the harness from its work. Rows that the server refuses are no error: they are said per table.
    pub async fn seed_database(
        &self,
        output: Option<&Path>,
        stage: &dyn Fn(&str),
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<Seeded> {
        let files = output.map(Files::create).transpose()?;
        stage("reading migrations");
        let migrations = self.migrations()?;
        stage("starting a server");
        let server = crate::server::start(&self.request()?).await?;
        stage("applying migrations");
        let keeps = files.is_none();
        let result = async {
            let migrate_as = self.settings.run.migrate_as;
            let (mut databases, _) = Databases::migrate(&server, &migrations, migrate_as).await?;
            let filled = self
                .fill_new(&server, &mut databases, files, progress)
                .await;
            let kept = filled.as_ref().ok().map(|(_, name)| name.clone());
            databases
                .remove_but(kept.filter(|_| keeps).as_deref())
                .await?;
            filled.map(|(seeded, _)| seeded)
        }
        .await;
        if keeps && result.is_ok() {
            server.keep()?;
        } else {
            server.stop().await?;
        }
        result
    }

    /// Fills a new database; its name.
    pub(super) async fn fill_new(
        &self,
        server: &Server,
        databases: &mut Databases<'_>,
        mut files: Option<Files>,
        progress: &dyn Fn(Progress<'_>),
    ) -> Result<(Seeded, String)> {
        let mut template = connect(&databases.template()).await?;
        let mut schema = self.schema(&mut template).await?;
        template.close().await.doing("close a connection")?;
        let name = databases.clone_template(&schema.catalog).await?;
        let mut connection = connect(&databases.administrator(&name)).await?;
        execute(&mut connection, "SET statement_timeout = 0").await?;
        let seed = prepare::seed(&self.settings.run)?;
        schema.pools = trial::pools(&mut connection, schema.of_worlds(), seed, TRIED).await?;
        let catalog = &schema.catalog;
        let amount = Amount {
            seed,
            organisations: self.settings.run.organisations,
            rows: self.settings.run.rows as u64,
            as_text: files.is_some(),
        };
        let started = Instant::now();
        let bulk = Arc::new(Bulk::new(schema.of_worlds(), amount));
        let mut lanes = self
            .lanes(&databases.administrator(&name), connection)
            .await?;
        let tables = fill(&mut lanes, catalog, &bulk, files.as_mut(), progress).await?;
        let took = started.elapsed();
        force_again(&mut lanes[0], catalog).await?;
        // The planner knows nothing of rows that just came.
        execute(&mut lanes[0], "ANALYZE").await?;
        for lane in lanes {
            lane.close().await.doing("close a connection")?;
        }
        let seeded = Seeded {
            seed: seed.to_string(),
            server: server.chosen().to_owned(),
            tables,
            opened: match files {
                None => opened(server, databases, &name),
                Some(_) => Vec::new(),
            },
            took,
        };
        Ok((seeded, name))
    }

    /// The connections that load rows, `first` among them: as many as asked for, or as the server lets in.
    async fn lanes(
        &self,
        options: &PgConnectOptions,
        first: PgConnection,
    ) -> Result<Vec<PgConnection>> {
        let wanted = self.settings.run.jobs.unwrap_or_else(usual_lanes);
        let mut lanes = vec![first];
        while lanes.len() < wanted {
            // Roles and databases may have a limit of connections; the rows are the same by fewer.
            let Ok(mut lane) = connect(options).await else {
                break;
            };
            execute(&mut lane, "SET statement_timeout = 0").await?;
            lanes.push(lane);
        }
        Ok(lanes)
    }
}

/// In a clone whose administrator is no superuser, FORCE was lifted for the harness's own work; this database stays.
pub(crate) async fn force_again(
    connection: &mut sqlx::PgConnection,
    catalog: &Catalog,
) -> Result<()> {
    for table in catalog.tables.values().filter(|t| t.force_row_security) {
        let table = table.name.quoted();
        let sql = format!("ALTER TABLE {table} FORCE ROW LEVEL SECURITY");
        execute(connection, &sql).await?;
    }
    Ok(())
}

fn opened(server: &Server, databases: &Databases<'_>, name: &str) -> Vec<String> {
    let administrator = server.administrator();
    let mut lines = vec![format!("psql '{}'", server.url(administrator, name))];
    let owner = databases.owner();
    if owner.role != administrator.role {
        let url = server.url(owner, name);
        lines.push(format!("psql '{url}'  # as the owner"));
    }
    lines
}
