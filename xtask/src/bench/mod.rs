//! `cargo xtask bench`: this repository's own figures, each a ratio against a named peer in the same run.

mod backup;
mod checks;
mod cpu;
mod databases;
mod fixture;
mod folder;
mod peak;
mod queries;
mod run;
mod seed;
mod synthetic;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Map, Value, json};
use watertight::server::ServerChoice;

/// What is measured, and where it is written.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// What is measured
    #[arg(value_enum)]
    name: Name,
    /// Write the figures to a file: json=bench.json
    #[arg(long, value_name = "json=PATH")]
    report: Option<String>,
    /// How often each way is measured, in turn with the others
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// The server of `seed` and `run`; else binaries of this machine, and then a container where an image is there
    #[arg(long, value_enum)]
    server: Option<Kind>,
}

/// Servers that can be measured: each is this process's own.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Binaries of this machine
    Local,
    /// A container
    Docker,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Docker => "docker",
        }
    }
}

impl From<Kind> for ServerChoice {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Local => Self::Local,
            Kind::Docker => Self::Docker,
        }
    }
}

/// The benchmarks.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Name {
    /// Making and loading rows in bulk, against the server's own COPY of a file
    Seed,
    /// A database for a test: the pool's, against a clone, `#[sqlx::test]`, a container, and a bare connection
    Databases,
    /// Attacks on a thousand foreign keys, against the same assertions in pgTAP
    Checks,
    /// A backup of a hundred thousand rows and the way back, against `pg_dump` and `pg_restore` alone
    Backup,
    /// A thousand queries through their worlds, and whether time grows with their number alone
    Queries,
    /// The whole main job when it is warm, and each of its stages, on binaries of this machine and in a container
    Run,
}

/// What came of a benchmark.
#[derive(Default)]
pub(crate) struct Outcome {
    ratios: BTreeMap<&'static str, f64>,
    figures: Map<String, Value>,
}

/// Measures, prints a table, and writes the report that was asked for.
pub(crate) fn run(options: &Options) -> Result<(), String> {
    // Tests are not optimised, and neither is what is measured of them.
    if cfg!(debug_assertions) && !matches!(options.name, Name::Databases) {
        return again_in_release();
    }
    let path = match &options.report {
        None => None,
        Some(report) => match report.split_once('=') {
            Some(("json", path)) if !path.is_empty() => Some(PathBuf::from(path)),
            _ => return Err(format!("--report {report}: expected json=PATH")),
        },
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("could not start the runtime: {error}"))?;
    let (name, outcome) = match options.name {
        Name::Seed => (
            "seed",
            runtime.block_on(seed::run(
                options.rounds.max(1),
                options.server.map(ServerChoice::from),
            ))?,
        ),
        Name::Databases => (
            "databases",
            runtime.block_on(databases::run(options.rounds.max(1)))?,
        ),
        Name::Backup => (
            "backup",
            runtime.block_on(backup::run(options.rounds.max(1)))?,
        ),
        Name::Checks => (
            "checks",
            runtime.block_on(checks::run(options.rounds.max(1)))?,
        ),
        Name::Queries => (
            "queries",
            runtime.block_on(queries::run(options.rounds.max(1)))?,
        ),
        Name::Run => (
            "run",
            runtime.block_on(run::run(options.rounds.max(1), options.server))?,
        ),
    };
    print(&outcome);
    if let Some(path) = path {
        let report = json!({
            "bench": name,
            "machine": machine(),
            "ratios": outcome.ratios,
            "figures": outcome.figures,
        });
        std::fs::write(&path, format!("{report:#}\n"))
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(())
}

/// What is measured without optimisation says nothing.
fn again_in_release() -> Result<(), String> {
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "--release", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .map_err(|error| format!("cargo: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the benchmark ended with {status}"))
    }
}

fn print(outcome: &Outcome) {
    for (name, ratio) in &outcome.ratios {
        println!("{name:<44} {ratio:>10.2}");
    }
    for (name, figure) in &outcome.figures {
        match figure.as_f64() {
            Some(number) => println!("{name:<44} {number:>10.1}"),
            None => println!("{name:<44} {figure}"),
        }
    }
}

/// Where it was measured: figures travel badly, ratios better.
fn machine() -> Value {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "system": std::env::consts::OS,
        "architecture": std::env::consts::ARCH,
        "cores": cores,
        "load": load.split(' ').next().unwrap_or_default(),
    })
}

/// The one below which this part of them is.
fn quantile(figures: &[f64], part: f64) -> f64 {
    let mut figures = figures.to_vec();
    figures.sort_by(f64::total_cmp);
    let mut left = f64::from(u32::try_from(figures.len()).unwrap_or(u32::MAX)) * part;
    let above = figures.iter().find(|_| {
        left -= 1.0;
        left <= 0.0
    });
    above.copied().unwrap_or(f64::NAN)
}

/// The middle one.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    match figures.get(middle) {
        Some(one) if figures.len() % 2 == 1 => *one,
        Some(high) => f64::midpoint(figures[middle - 1], *high),
        None => f64::NAN,
    }
}
