//! The only composer. It reads as the pipeline:
//!
//! migrations → server → template → catalog → tenancy → worlds ← the server judges rows → clones ← rows → cases →
//! observations → verdicts → report.

mod accepted;
pub(crate) mod application;
mod arena;
mod asked;
mod assemble;
mod attacked;
mod command;
mod computed;
pub(crate) mod covered;
mod facts;
mod fill;
mod further;
mod jobs;
mod matrix;
mod migrate;
mod mutate;
mod operations;
mod place;
pub(crate) mod prepare;
mod queries;
mod record;
mod regressions;
mod remarks;
pub(crate) mod seed;
mod settle;
mod shrink;
mod survey;
mod trial;
mod up;
mod validate;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) use facts::explained;

pub use command::RunningCommand;
pub use fill::{Files, Filled, Progress, STRIDE, Source, fill, usual_lanes};
pub use migrate::MigrationsChecked;
pub use operations::BackedUp;
pub use seed::Seeded;
pub use survey::Survey;
pub use up::Up;
pub use validate::Validated;

use sqlx::{Connection as _, PgConnection};

use self::arena::Arenas;
use self::assemble::Judged;
use crate::check::{self, Scene};
use crate::database::{Databases, Lasting, complete_partitions, connect, execute};
use crate::error::{Doing as _, Error, Result};
use crate::generate::{Generator, Genes, Pools, Seed};
use crate::load::Layout;
use crate::migration::MigrationSet;
use crate::model::{
    Catalog, Cell, Focus, Query, Regression, RelationName, Report, Settings, Tenancy, Timings,
    WorldKind, Worlds,
};
use crate::run::{Arena, load_all};
use crate::server::{Login, Server};
use queries::Sources;

/// Values that are wanted for the CHECKs of a table that can't be read: its rows in all worlds are fewer.
const TRIED: usize = 250;

/// A statement that loads rows takes no longer, whatever `--timeout` says.
const LOADING: Duration = Duration::from_secs(30);

/// The same run as `cargo xtask test-db`.
#[derive(Clone, Debug)]
pub struct Harness {
    settings: Settings,
    values: Option<Values>,
}

/// From a column's name to its values.
type ValuesOf = dyn Fn(&str) -> Vec<String> + Send + Sync;

/// What the caller makes values by.
#[derive(Clone)]
struct Values(Arc<ValuesOf>);

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}

/// What is read of a migrated database before rows are made.
#[derive(Clone)]
pub(crate) struct Schema {
    pub(crate) catalog: Catalog,
    pub(crate) tenancy: Tenancy,
    /// Rows that migrations left in tables which nobody's rows are in.
    pub(crate) existing: BTreeMap<RelationName, Vec<BTreeMap<String, Cell>>>,
    /// Values that hold the CHECKs which can't be read, once they were tried.
    pub(crate) pools: Pools,
}

impl Schema {
    /// What worlds are made from.
    pub(crate) fn of_worlds(&self) -> crate::generate::Ground<'_> {
        crate::generate::Ground {
            catalog: &self.catalog,
            tenancy: &self.tenancy,
            existing: &self.existing,
            pools: &self.pools,
        }
    }

    /// Tries values for the CHECKs that can't be read, on a database of this schema: worlds that are made without them
    /// are others.
    pub(crate) async fn try_values(
        &mut self,
        connection: &mut PgConnection,
        seed: Seed,
    ) -> Result<()> {
        self.pools = trial::pools(connection, self.of_worlds(), seed, TRIED).await?;
        Ok(())
    }
}

/// What a run reads before it does anything.
struct Input {
    migrations: MigrationSet,
    /// Leaks that earlier runs found.
    stored: Vec<Regression>,
    sources: Sources,
}

/// What a run stands on once the seeded database is there.
struct Ground {
    migrations: MigrationSet,
    schema: Schema,
    worlds: Worlds,
    seed: Seed,
    seeded: String,
    application: Option<Login>,
    timings: Timings,
}

impl Harness {
    /// A harness with these settings.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            values: None,
        }
    }

    /// Takes values from a function instead of making them: it is asked for each column by its name, as
    /// `schema.table.column`, and answers with values in Postgres' text form, or with none for a column that it leaves
    /// to the generator. They win over `[generate]`.
    ///
    /// ```
    /// use watertight::Harness;
    /// use watertight::model::Settings;
    ///
    /// let harness = Harness::new(Settings::default()).with_values(|column| match column {
    ///     "crm.people.nickname" => vec!["Jo".to_owned(), "Al".to_owned()],
    ///     _ => Vec::new(),
    /// });
    /// # let _ = harness;
    /// ```
    #[must_use]
    pub fn with_values(
        mut self,
        values: impl Fn(&str) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.values = Some(Values(Arc::new(values)));
        self
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Starts a server, migrates, seeds, runs every check and removes what it made. `progress` is told what is
    /// being done, and nothing where a command of the user's runs. Several major versions are run one after the other, and their reports merged.
    ///
    /// # Errors
    /// Whatever keeps the harness from its work; what is wrong with the schema is in the report.
    pub async fn run(&self, progress: &dyn Fn(&str)) -> Result<Report> {
        if self.settings.run.postgres.len() > 1 {
            return matrix::run(self, progress).await;
        }
        let baseline = accepted::read_baseline(&self.settings)?;
        let stored = regressions::read(&self.settings)?;
        let mut report = self.run_once(stored.clone(), progress).await?;
        accepted::accept_and_write(&self.settings, baseline, &mut report)?;
        regressions::write(&self.settings, stored, &mut report);
        Ok(report)
    }

    /// A run on one server; nothing of its report is accepted yet.
    async fn run_once(&self, stored: Vec<Regression>, progress: &dyn Fn(&str)) -> Result<Report> {
        let started = Instant::now();
        progress("reading migrations");
        if self.settings.run.record && self.settings.run.command.is_empty() {
            return Err(Error::Usage(
                "--record wants the command whose queries it records: test-db --record -- COMMAND"
                    .to_owned(),
            ));
        }
        let input = Input {
            migrations: self.migrations()?,
            stored,
            sources: Sources::read(&self.settings)?,
        };
        progress("starting a server");
        let server = crate::server::start(&self.request()?).await?;
        let timings = Timings {
            server: since(started),
            ..Timings::default()
        };
        let work = Box::pin(self.on(&server, input, timings, progress));
        let result = work.await;
        let kept = result.as_ref().is_ok_and(|report| !report.kept.is_empty());
        let ended = if kept {
            server.keep()
        } else {
            server.stop().await
        };
        let report = result?;
        ended?;
        Ok(report)
    }

    /// Migrates and seeds as [`Harness::run`] does, and runs the settings' command with the database in its environment
    /// instead of the checks. Returns the command's exit status. `running` is where signals can be passed on to it.
    ///
    /// # Errors
    /// As [`Harness::run`], and a command that can't be started.
    pub async fn serve(&self, running: &RunningCommand, progress: &dyn Fn(&str)) -> Result<i32> {
        let migrations = self.migrations()?;
        let server = crate::server::start(&self.request()?).await?;
        let result = self.serve_on(&server, migrations, running, progress).await;
        server.stop().await?;
        result
    }

    async fn serve_on(
        &self,
        server: &Server,
        migrations: MigrationSet,
        running: &RunningCommand,
        progress: &dyn Fn(&str),
    ) -> Result<i32> {
        let (mut databases, timings) = self
            .migrate(server, &migrations, Timings::default(), progress)
            .await?;
        let status = async {
            let ground = self
                .seed(
                    server,
                    &mut databases,
                    (migrations, None),
                    timings,
                    progress,
                )
                .await?;
            let database = &ground.seeded;
            let variables = command::environment(server, &ground, databases.owner(), database);
            let command = &self.settings.run.command;
            // The terminal is the command's now.
            progress("");
            let status = running.run(command, variables, None).await?;
            Ok::<i32, Error>(command::code(status))
        }
        .await;
        let removed = databases.remove().await;
        let status = status?;
        removed?;
        Ok(status)
    }

    /// A run on a server that is there.
    async fn on(
        &self,
        server: &Server,
        input: Input,
        timings: Timings,
        progress: &dyn Fn(&str),
    ) -> Result<Report> {
        let migrations = &input.migrations;
        let (mut databases, timings) = self.migrate(server, migrations, timings, progress).await?;
        let result = Box::pin(self.check(server, &mut databases, input, timings, progress)).await;
        let kept = match &result {
            Ok((report, seeded)) if !report.kept.is_empty() => Some(seeded.clone()),
            _ => None,
        };
        let removed = if server.is_disposable() && kept.is_none() {
            databases.abandon().await
        } else {
            databases.remove_but(kept.as_deref()).await
        };
        let (report, _) = result?;
        removed?;
        Ok(report)
    }

    async fn migrate<'s>(
        &self,
        server: &'s Server,
        migrations: &MigrationSet,
        mut timings: Timings,
        progress: &dyn Fn(&str),
    ) -> Result<(Databases<'s>, Timings)> {
        progress(&format!("applying {}", migrations.describe()));
        let started = Instant::now();
        let (databases, _) =
            Databases::migrate(server, migrations, self.settings.run.migrate_as).await?;
        timings.migrate = since(started);
        Ok((databases, timings))
    }

    /// Reads the catalog, makes worlds that the server accepts, and seeds a database with them. With `queries` there are
    /// rows that these would like to meet, and others' whose values break what is evaluated on them.
    async fn seed(
        &self,
        server: &Server,
        databases: &mut Databases<'_>,
        (migrations, queries): (MigrationSet, Option<&[Query]>),
        mut timings: Timings,
        progress: &dyn Fn(&str),
    ) -> Result<Ground> {
        let started = Instant::now();
        progress("reading the catalog");
        let mut template = connect(&databases.template()).await?;
        let mut schema = self.schema(&mut template).await?;
        template.close().await.doing("close a connection")?;
        progress("making rows");
        let seeded = databases.clone_template(&schema.catalog).await?;
        let mut connection = connect(&databases.administrator(&seeded)).await?;
        let seed = prepare::seed(&self.settings.run)?;
        schema.try_values(&mut connection, seed).await?;
        let socket = databases.administrator(&seeded).get_socket().is_some();
        let genes = self.genes_for(seed, &schema, queries);
        let (worlds, _) = self
            .populate(&mut connection, schema.of_worlds(), genes, socket)
            .await?;
        connection.close().await.doing("close a connection")?;
        let application = application::login(
            server,
            databases,
            &mut schema,
            &worlds.tenants,
            if server.is_disposable() {
                Lasting::Server
            } else {
                Lasting::Run
            },
        )
        .await?;
        timings.seed = since(started);
        Ok(Ground {
            migrations,
            schema,
            worlds,
            seed,
            seeded,
            application,
            timings,
        })
    }

    /// Reads a migrated database that holds no rows of ours yet.
    pub(crate) async fn schema(&self, connection: &mut PgConnection) -> Result<Schema> {
        complete_partitions(connection).await?;
        let catalog = self.catalog(connection).await?;
        let (tenant, access) = (&self.settings.tenant, self.settings.access.as_ref());
        let tenancy = crate::tenancy::classify(&catalog, tenant, access)
            .map_err(|message| self.misconfigured(message))?;
        let existing = prepare::existing(connection, &catalog, &tenancy).await?;
        Ok(Schema {
            catalog,
            tenancy,
            existing,
            pools: Pools::default(),
        })
    }

    /// What the rows follow from, before the server has refused any.
    pub(crate) fn genes(&self, seed: Seed) -> Genes {
        Genes::new(
            seed,
            self.settings.run.organisations,
            self.settings.run.rows,
        )
    }

    /// Likewise, for what these queries look for.
    fn genes_for(&self, seed: Seed, schema: &Schema, queries: Option<&[Query]>) -> Genes {
        let mut genes = self.genes(seed);
        if let Some(queries) = queries {
            genes.kinds.insert(WorldKind::Poisoned);
            genes.wishes = crate::query::wishes(&schema.catalog, &schema.tenancy, queries);
            genes.json = crate::query::json_paths(&schema.catalog, queries);
        }
        genes
    }

    /// Makes worlds that the server accepts, and loads the rows of the seeded database.
    pub(crate) async fn populate(
        &self,
        connection: &mut PgConnection,
        ground: crate::generate::Ground<'_>,
        genes: Genes,
        socket: bool,
    ) -> Result<(Worlds, Genes)> {
        let limit = self.settings.run.timeout.min(LOADING).as_millis();
        execute(connection, &format!("SET statement_timeout = {limit}")).await?;
        let (mut worlds, genes) = settle::settle(connection, ground, genes, socket).await?;
        execute(connection, "BEGIN").await?;
        load_seeded(
            connection,
            (ground.catalog, ground.tenancy),
            &worlds,
            socket,
        )
        .await?;
        settle::filled_by_triggers(connection, &mut worlds).await?;
        execute(connection, "COMMIT").await?;
        Ok((worlds, genes))
    }

    async fn check(
        &self,
        server: &Server,
        databases: &mut Databases<'_>,
        input: Input,
        timings: Timings,
        progress: &dyn Fn(&str),
    ) -> Result<(Report, String)> {
        let Input {
            migrations,
            stored,
            mut sources,
        } = input;
        let any = self.settings.run.record || !sources.queries.is_empty();
        let queries = any.then_some(sources.queries.as_slice());
        let ground = self
            .seed(server, databases, (migrations, queries), timings, progress)
            .await?;
        if self.settings.run.record {
            self.record(server, databases, &ground, &mut sources, progress)
                .await?;
        }
        let mut connection = connect(&databases.administrator(&ground.seeded)).await?;
        let search_path = self.search_path(&mut connection, &ground.schema).await?;
        sources
            .describe(&mut connection, search_path.as_deref())
            .await?;
        let known = (&ground.schema.catalog, &ground.schema.tenancy);
        computed::compute(&mut connection, known, &mut sources.queries).await?;
        connection.close().await.doing("close a connection")?;
        let started = Instant::now();
        let scene = Scene {
            catalog: &ground.schema.catalog,
            tenancy: &ground.schema.tenancy,
            worlds: &ground.worlds,
            queries: &sources.queries,
            focus: &Focus::All,
        };
        let run = &self.settings.run;
        let selected = assemble::selected(scene, run)?;
        let arenas = Arenas::open(self, server, databases, &ground, &selected).await?;
        let [arena, ..] = arenas.all.as_slice() else {
            return Err(Error::Usage("--jobs: there must be one".to_owned()));
        };
        let mut remarks = Vec::new();
        let replayed =
            regressions::replay(arena, scene, &stored, &self.settings, &mut remarks).await?;
        let (mut judged, coverage) =
            assemble::judge(&arenas.all, scene, run, selected, progress).await?;
        regressions::add(&mut judged, replayed);
        if let Some(case) = check::explain::case(scene) {
            let seen = crate::run::run(arena, std::slice::from_ref(&case), &|_| ()).await?;
            remarks.extend(check::explain::remark(scene, &case, &seen.concat()));
        }
        let found = self.conclude(arena, scene, (&ground, &sources), &mut judged, progress);
        let acquitted = found.await?;
        let further = self
            .judge_further(
                server,
                databases,
                (&ground, &sources),
                &mut judged,
                progress,
            )
            .await?;
        let mut report = self.facts(server, &ground);
        report.schema.queries = sources.queries.len();
        remarks.extend(assemble::unmet(&coverage));
        report.coverage = coverage;
        report.timings.check = since(started);
        assemble::fill(&mut report, judged, &ground.migrations, scene, server);
        report.remarks.extend(remarks);
        acquitted.tell(&mut report);
        for acquitted in further {
            acquitted.tell(&mut report);
        }
        sources.tell(&mut report);
        let major = report.major().to_owned();
        for case in &mut report.inconclusive {
            case.versions = vec![major.clone()];
        }
        report.shard = self.settings.run.shard;
        report.explained = explained();
        report.sources = place::sources(&report);
        if self.settings.run.keep {
            report.kept = facts::kept(server, &ground, databases.owner());
        }
        Ok((report, ground.seeded.clone()))
    }

    /// What assertions acquit of what was found, and the few rows that show each leak.
    async fn conclude(
        &self,
        arena: &Arena<'_>,
        scene: Scene<'_>,
        (ground, sources): (&Ground, &Sources),
        judged: &mut [Judged],
        progress: &dyn Fn(&str),
    ) -> Result<covered::Acquitted> {
        let texts = |object: &str| sources.texts_of(object);
        let acquitted = covered::acquit(&self.settings, &ground.migrations, &texts, scene, judged)?;
        let generator = Arc::new(Generator::new(ground.schema.of_worlds()));
        let (instant, limits) = (ground.seed.instant, self.settings.run.shrink);
        shrink::shrink(arena, &generator, instant, scene, limits, judged, progress).await?;
        Ok(acquitted)
    }
}

/// Loads the rows of the seeded database.
async fn load_seeded(
    connection: &mut PgConnection,
    (catalog, tenancy): (&Catalog, &Tenancy),
    worlds: &Worlds,
    socket: bool,
) -> Result<()> {
    let layout = Layout::of(catalog, tenancy, worlds, socket);
    load_all(connection, layout, &worlds.seeded()).await
}

/// Milliseconds since then.
fn since(then: Instant) -> u64 {
    u64::try_from(then.elapsed().as_millis()).unwrap_or(u64::MAX)
}
