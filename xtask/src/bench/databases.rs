//! A database for a test: the pool's, against a clone, `#[sqlx::test]`, a container, and a bare connection as the limit.
//!
//! Not optimised, as tests are not; and what takes its time is the server.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::task::JoinSet;
use watertight::database::{Databases, connect};
use watertight::fixtures::{Builder, TestDatabase};
use watertight::migration::MigrationSet;
use watertight::model::MigrateAs;
use watertight::server::ServerRequest;

use super::fixture::{execute, said};
use super::{Outcome, median, quantile};

/// Those who ask at once.
const ASKERS: usize = 8;

/// So many are ready when the pool is full, but for one.
const FULL: i64 = 15;

/// Databases that one asker has in a round, while the pool lasts.
const EACH: usize = 8;

/// Databases of `#[sqlx::test]`, which take long, and containers, which take longer.
const FEW: usize = 3;

/// Databases that are asked for on end, to see whether the pool keeps up.
const ON_END: usize = 48;

/// The crate with the same tests both ways.
const SUITE: &str = "fixtures/suite";

/// What is read first.
const QUERY: &str = "SELECT count(*) FROM crm.people";

pub(super) async fn run(rounds: usize) -> Result<Outcome, String> {
    let suite = Suite::build()?;
    // Held all the while, so that the server stays and the session in which databases are claimed is open.
    let held = asked().build().await.map_err(said)?;
    let url = by_socket(&held.pool().connect_options());
    let mut times = Times::default();
    let mut speedups = Vec::new();
    for _ in 0..rounds {
        for askers in [1, ASKERS] {
            times.round(&held, &suite, &url, askers).await?;
        }
        for _ in 0..FEW {
            full(&held).await?;
            times.add("acquire_in_new_process", 1, suite.print(&["pool"], &url)?);
        }
    }
    for askers in [1, FEW] {
        times.add("container", askers, containers(askers).await?);
    }
    let kept_up = sustained(&held).await?;
    for _ in 0..rounds.min(2) {
        let (pool, sqlx) = (suite.seconds("pool", &url)?, suite.seconds("sqlx", &url)?);
        speedups.push((sqlx / pool, pool, sqlx));
    }
    let mut outcome = Outcome::default();
    let over = |one: &str, other: &str| times.middle(one, 1) / times.middle(other, 1);
    for (name, ratio) in [
        ("acquire_over_connect_p50", over("acquire", "connect")),
        (
            "acquire_in_new_process_over_connect_p50",
            over("acquire_in_new_process", "connect"),
        ),
        ("clone_over_acquire_p50", over("clone", "acquire")),
        ("sqlx_test_over_acquire_p50", over("sqlx_test", "acquire")),
        ("container_over_acquire_p50", over("container", "acquire")),
        ("sustained_over_create_rate", kept_up),
        (
            "suite_speedup_over_sqlx_test",
            median(speedups.iter().map(|times| times.0).collect()),
        ),
    ] {
        outcome.ratios.insert(name, ratio);
    }
    times.write(&mut outcome);
    for (name, seconds) in [
        ("suite_s", speedups.iter().map(|times| times.1).collect()),
        (
            "suite_sqlx_test_s",
            speedups.iter().map(|times| times.2).collect(),
        ),
    ] {
        outcome
            .figures
            .insert(name.to_owned(), median(seconds).into());
    }
    Ok(outcome)
}

fn asked() -> Builder {
    TestDatabase::builder().server("local")
}

/// Milliseconds, by what was measured and how many asked at once.
#[derive(Default)]
struct Times(std::collections::BTreeMap<(String, usize), Vec<f64>>);

impl Times {
    fn add(&mut self, name: &str, askers: usize, times: Vec<f64>) {
        self.0
            .entry((name.to_owned(), askers))
            .or_default()
            .extend(times);
    }

    fn middle(&self, name: &str, askers: usize) -> f64 {
        let times = self.0.get(&(name.to_owned(), askers));
        median(times.cloned().unwrap_or_default())
    }

    fn write(&self, outcome: &mut Outcome) {
        for ((name, askers), times) in &self.0 {
            for (part, figure) in [
                ("p50", quantile(times, 0.5)),
                ("p95", quantile(times, 0.95)),
            ] {
                let name = format!("{name}_{askers}_{part}_ms");
                outcome.figures.insert(name, figure.into());
            }
        }
    }

    /// Each way once, with so many who ask at once.
    async fn round(
        &mut self,
        held: &TestDatabase,
        suite: &Suite,
        url: &str,
        askers: usize,
    ) -> Result<(), String> {
        let options = held.pool().connect_options();
        self.add(
            "connect",
            askers,
            at_once(askers, EACH, async || connected(&options).await).await?,
        );
        full(held).await?;
        let each = EACH / askers.min(EACH);
        self.add(
            "acquire",
            askers,
            at_once(askers, each, async || acquired(asked()).await).await?,
        );
        self.add(
            "clone",
            askers,
            at_once(askers, each, async || acquired(asked().fresh()).await).await?,
        );
        let count = FEW.to_string();
        let arguments = [
            "sqlx",
            &askers.to_string(),
            if askers == 1 { &count } else { "1" },
        ];
        self.add("sqlx_test", askers, suite.print(&arguments, url)?);
        Ok(())
    }
}

/// The times of so many who ask at once, each so often one after the other. All on one thread, as tests of one runtime.
async fn at_once(
    askers: usize,
    each: usize,
    ask: impl AsyncFn() -> Result<f64, String>,
) -> Result<Vec<f64>, String> {
    let asker = async || {
        let mut times = Vec::new();
        for _ in 0..each {
            times.push(ask().await?);
        }
        Ok::<_, String>(times)
    };
    let mut asking: Vec<_> = (0..askers).map(|_| Box::pin(asker())).collect();
    let mut all = Vec::new();
    std::future::poll_fn(|context| {
        let mut failed = None;
        asking.retain_mut(|one| match one.as_mut().poll(context) {
            std::task::Poll::Ready(Ok(times)) => {
                all.extend(times);
                false
            }
            std::task::Poll::Ready(Err(error)) => {
                failed = Some(error);
                false
            }
            std::task::Poll::Pending => true,
        });
        match failed {
            Some(error) => std::task::Poll::Ready(Err(error)),
            None if asking.is_empty() => std::task::Poll::Ready(Ok(())),
            None => std::task::Poll::Pending,
        }
    })
    .await?;
    Ok(all)
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

async fn connected(options: &PgConnectOptions) -> Result<f64, String> {
    let asked = Instant::now();
    let mut connection = PgConnection::connect_with(options).await.map_err(said)?;
    let query = sqlx::query_scalar::<_, i64>(QUERY).fetch_one(&mut connection);
    query.await.map_err(said)?;
    let time = milliseconds(asked);
    connection.close().await.map_err(said)?;
    Ok(time)
}

async fn acquired(builder: Builder) -> Result<f64, String> {
    let asked = Instant::now();
    let database = builder.build().await.map_err(said)?;
    let query = sqlx::query_scalar::<_, i64>(QUERY).fetch_one(database.pool());
    query.await.map_err(said)?;
    Ok(milliseconds(asked))
}

/// Waits until as many clones are ready as a round takes without more being made meanwhile, and nothing is being removed any
/// more: this process uses one, and has one ahead.
async fn full(held: &TestDatabase) -> Result<(), String> {
    let sql = "SELECT count(*) FILTER (WHERE datname LIKE 'watertight\\_ready\\_%'), count(*) FILTER (WHERE datname ~ '^watertight_[0-9a-f]{8}_')
               FROM pg_database";
    let started = Instant::now();
    let mut before = (0, 0);
    loop {
        let now: (i64, i64) = sqlx::query_as(sql)
            .fetch_one(held.pool())
            .await
            .map_err(said)?;
        let (ready, used) = now;
        if ready >= FULL && used <= 2 {
            return Ok(());
        }
        if started.elapsed() > Duration::from_mins(2) {
            return Err(format!(
                "{ready} databases are ready and {used} in use after two minutes"
            ));
        }
        // Whoever claims one orders more, and has removed what others left.
        if now == before {
            acquired(asked()).await?;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// How many databases a second are asked for, used and left on end, over how many the server makes by itself.
async fn sustained(held: &TestDatabase) -> Result<f64, String> {
    full(held).await?;
    let started = Instant::now();
    let mut asking = JoinSet::new();
    for _ in 0..4 {
        asking.spawn(async {
            for _ in 0..ON_END / 4 {
                acquired(asked()).await?;
            }
            Ok::<_, String>(())
        });
    }
    while let Some(done) = asking.join_next().await {
        done.map_err(said)??;
    }
    let ours = started.elapsed().as_secs_f64();
    full(held).await?;
    let mut session = connect(
        &held
            .pool()
            .connect_options()
            .as_ref()
            .clone()
            .database("postgres"),
    )
    .await
    .map_err(said)?;
    let template: String = sqlx::query_scalar(
        "SELECT 'watertight_template_' || substr(datname, 18, 16) FROM pg_database WHERE datname LIKE 'watertight\\_ready\\_%' LIMIT 1",
    )
    .fetch_one(&mut session)
    .await
    .map_err(said)?;
    let started = Instant::now();
    for number in 0..ON_END / 2 {
        let sql = format!("CREATE DATABASE bench_{number} TEMPLATE {template} STRATEGY FILE_COPY");
        execute(&mut session, &sql).await?;
    }
    let server = started.elapsed().as_secs_f64() * 2.0;
    for number in 0..ON_END / 2 {
        execute(&mut session, &format!("DROP DATABASE bench_{number}")).await?;
    }
    Ok(server / ours)
}

/// A container for each test: the times of so many that are asked for at once.
async fn containers(askers: usize) -> Result<Vec<f64>, String> {
    let request = ServerRequest {
        choice: "docker".parse().map_err(said)?,
        ..ServerRequest::default()
    };
    let migrations = MigrationSet::read(Path::new("migrations")).map_err(said)?;
    at_once(askers, 1, async || {
        let asked = Instant::now();
        let server = watertight::server::start(&request).await.map_err(said)?;
        let made = Databases::migrate(&server, &migrations, MigrateAs::Superuser).await;
        let (databases, _) = made.map_err(said)?;
        let mut connection = connect(&databases.template()).await.map_err(said)?;
        let query = sqlx::query_scalar::<_, i64>(QUERY).fetch_one(&mut connection);
        query.await.map_err(said)?;
        let time = milliseconds(asked);
        connection.close().await.map_err(said)?;
        databases.abandon().await.map_err(said)?;
        server.stop().await.map_err(said)?;
        Ok(time)
    })
    .await
}

/// The same server for `DATABASE_URL`, by its socket.
fn by_socket(options: &PgConnectOptions) -> String {
    let socket = options
        .get_socket()
        .map(|folder| folder.display().to_string());
    let host = socket.unwrap_or_default().replace('/', "%2F");
    format!(
        "postgres://{}@{host}:{}/postgres",
        options.get_username(),
        options.get_port()
    )
}

/// The crate with the same tests both ways, built.
struct Suite {
    target: PathBuf,
}

impl Suite {
    fn build() -> Result<Self, String> {
        let suite = Self {
            target: std::path::absolute("target").map_err(said)?,
        };
        let built = suite.cargo(&["build", "--quiet"]).status().map_err(said)?;
        let tests = suite
            .cargo(&["nextest", "run", "--no-run"])
            .status()
            .map_err(said)?;
        if built.success() && tests.success() {
            return Ok(suite);
        }
        Err(format!(
            "{SUITE} could not be built (its tests run under cargo-nextest)"
        ))
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(arguments)
            .current_dir(SUITE)
            .env("CARGO_TARGET_DIR", &self.target);
        command
    }

    /// The times that the crate's program prints.
    fn print(&self, arguments: &[&str], url: &str) -> Result<Vec<f64>, String> {
        let program = self.target.join("debug/suite");
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("DATABASE_URL", url)
            .env("WATERTIGHT_SERVER", "local");
        let output = command
            .env("CARGO_MANIFEST_DIR", SUITE)
            .output()
            .map_err(said)?;
        let text = String::from_utf8_lossy(&output.stdout);
        let times: Vec<f64> = text.lines().filter_map(|line| line.parse().ok()).collect();
        if output.status.success() && !times.is_empty() {
            return Ok(times);
        }
        Err(format!(
            "suite {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }

    /// Seconds that all tests of one kind take.
    fn seconds(&self, kind: &str, url: &str) -> Result<f64, String> {
        let mut command = self.cargo(&["nextest", "run", "--test", kind]);
        command
            .env("DATABASE_URL", url)
            .env("WATERTIGHT_SERVER", "local");
        let started = Instant::now();
        let output = command.output().map_err(said)?;
        let seconds = started.elapsed().as_secs_f64();
        if output.status.success() {
            return Ok(seconds);
        }
        Err(format!(
            "the suite failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}
