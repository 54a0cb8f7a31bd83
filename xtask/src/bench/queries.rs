//! Queries through their worlds: the reference application's, again and again under other names.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use watertight::Harness;
use watertight::config::{self, CommandLine};
use watertight::model::RunVerdict;

use super::fixture::said;
use super::seed::Folder;
use super::{Outcome, median};

/// The queries that `seconds_per_1000` speaks of.
const MANY: f64 = 1_000.0;

/// What their time per query is compared with.
const FEW: f64 = 100.0;

/// A run takes many times what loading rows does: so many rounds say enough.
const ROUNDS: usize = 3;

/// Where the reference application's queries are.
const QUERIES: &str = "fixtures/queries";

pub(super) async fn run(rounds: usize) -> Result<Outcome, String> {
    let (mut many, mut growth) = (Vec::new(), Vec::new());
    for _ in 0..rounds.min(ROUNDS) {
        let few = seconds(FEW).await?;
        let all = seconds(MANY).await?;
        many.push(all);
        growth.push(all / few * FEW / MANY);
    }
    let mut outcome = Outcome::default();
    outcome.ratios.insert("time_growth", median(growth));
    let seconds = median(many);
    outcome
        .figures
        .insert("seconds_per_1000".to_owned(), seconds.into());
    Ok(outcome)
}

/// The seconds that so many queries take to be planned, run in their worlds and judged, on a server that is there.
async fn seconds(count: f64) -> Result<f64, String> {
    let folder = Folder::new()?;
    write(&folder.0, count)?;
    let mut settings = config::load(CommandLine::default()).map_err(said)?;
    let run = &mut settings.run;
    run.server = "local".into();
    run.queries = Some(folder.0.clone());
    run.only = vec!["query-interference".to_owned()];
    run.regressions = Some(PathBuf::new());
    run.shrink.all = Duration::ZERO;
    let report = Harness::new(settings).run(&|_| {}).await.map_err(said)?;
    if report.verdict() != RunVerdict::Held {
        return Err(format!(
            "the queries of {QUERIES} were not held: {:?}",
            report.inconclusive
        ));
    }
    Ok(Duration::from_millis(report.timings.check).as_secs_f64())
}

/// So many queries in one file, each under a name of its own.
fn write(folder: &Path, count: f64) -> Result<(), String> {
    let mut blocks = Vec::new();
    for entry in fs::read_dir(QUERIES).map_err(|error| format!("{QUERIES}: {error}"))? {
        let path = entry.map_err(|error| format!("{QUERIES}: {error}"))?.path();
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        blocks.extend(text.split("-- name: ").skip(1).map(str::to_owned));
    }
    blocks.sort();
    let mut text = String::new();
    let mut number = 0.0;
    for block in blocks.iter().cycle() {
        if number >= count {
            break;
        }
        number += 1.0;
        let _ = writeln!(text, "-- name: q{number}_{block}");
    }
    let path = folder.join("queries.sql");
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}
