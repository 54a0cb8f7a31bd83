//! Queries through their worlds: the reference application's, again and again under other names.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use watertight::Harness;
use watertight::config::{self, CommandLine};
use watertight::model::RunVerdict;

use super::fixture::{SEED, said};
use super::folder::Folder;
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
    let (mut whole, mut judging, mut growth) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds.min(ROUNDS) {
        let few = seconds(FEW).await?;
        let many = seconds(MANY).await?;
        whole.push(many.whole);
        judging.push(many.judging);
        growth.push(many.judging / few.judging * FEW / MANY);
    }
    let mut outcome = Outcome::default();
    outcome.ratios.insert("seconds_per_1000", median(whole));
    outcome.ratios.insert("time_growth", median(growth));
    let judging = median(judging);
    outcome
        .figures
        .insert("judging_seconds_per_1000".to_owned(), judging.into());
    Ok(outcome)
}

/// The seconds of a run.
struct Seconds {
    /// From nothing to the report: server, migrations, rows and all.
    whole: f64,
    /// What grows with the queries: planning them, running them in their worlds, judging.
    judging: f64,
}

/// How long a run with so many queries takes.
async fn seconds(count: f64) -> Result<Seconds, String> {
    let folder = Folder::new()?;
    write(&folder.0, count)?;
    let mut settings = config::load(CommandLine::default()).map_err(said)?;
    let run = &mut settings.run;
    run.server = "local".into();
    // The same rows every time: what is compared is the number of queries.
    run.seed = Some(SEED.to_string());
    run.queries = Some(folder.0.clone());
    run.only = vec!["query-interference".to_owned()];
    run.regressions = Some(PathBuf::new());
    run.shrink.all = Duration::ZERO;
    let started = Instant::now();
    let report = Harness::new(settings).run(&|_| {}).await.map_err(said)?;
    if report.verdict() != RunVerdict::Held {
        return Err(format!(
            "the queries of {QUERIES} were not held: {:?}",
            report.inconclusive
        ));
    }
    Ok(Seconds {
        whole: started.elapsed().as_secs_f64(),
        judging: Duration::from_millis(report.timings.check).as_secs_f64(),
    })
}

/// The query as another text: what the harness tries of equal ones is tried once.
fn other(block: &str, number: f64) -> String {
    let is_statement = |line: &&str| !line.trim_start().starts_with("--");
    let mut lines = block.lines().skip(1).filter(is_statement);
    let first = lines.next().unwrap_or_default();
    let word = first.split(' ').next().unwrap_or_default();
    block.replacen(
        first,
        &first.replacen(word, &format!("{word} /* {number} */"), 1),
        1,
    )
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
        let _ = writeln!(text, "-- name: q{number}_{}", other(block, number));
    }
    let path = folder.join("queries.sql");
    fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))
}
