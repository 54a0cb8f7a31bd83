//! The main job over the reference application, warm: the whole of it and each stage, on binaries of this machine and in a
//! container, in turn.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use watertight::Harness;
use watertight::config::{self, CommandLine};
use watertight::model::RunVerdict;

use super::fixture::{SEED, said};
use super::{Kind, Outcome, median};

/// Milliseconds of every round, by stage.
type Times = BTreeMap<&'static str, Vec<f64>>;

pub(super) async fn run(rounds: usize, server: Option<Kind>) -> Result<Outcome, String> {
    let mut outcome = Outcome::default();
    let mut kinds = BTreeMap::new();
    for kind in ["local", "docker"] {
        if server.is_some_and(|only| only.name() != kind) {
            continue;
        }
        // Not counted: what it leaves is what a warm run finds.
        match measured(kind).await {
            Ok(_) => drop(kinds.insert(kind, Times::new())),
            Err(why) if server.is_none() && kind == "docker" => {
                let why = why.lines().next().unwrap_or_default();
                let says = format!("not measured: {why}");
                outcome.figures.insert(kind.to_owned(), says.into());
            }
            Err(why) => return Err(why),
        }
    }
    for _ in 0..rounds {
        for (kind, times) in &mut kinds {
            for (stage, time) in measured(kind).await? {
                times.entry(stage).or_default().push(time);
            }
        }
    }
    let whole = |kind: &str| Some(median(kinds.get(kind)?.get("whole")?.clone()));
    if let (Some(local), Some(docker)) = (whole("local"), whole("docker")) {
        outcome.ratios.insert("docker_over_local", docker / local);
    }
    for (kind, times) in &kinds {
        for (stage, times) in times {
            let name = format!("warm_ms_{kind}_{stage}");
            outcome.figures.insert(name, median(times.clone()).into());
        }
    }
    Ok(outcome)
}

/// The milliseconds of one run: of all of it, and of its stages.
async fn measured(kind: &str) -> Result<[(&'static str, f64); 5], String> {
    let mut settings = config::load(CommandLine::default()).map_err(said)?;
    let run = &mut settings.run;
    run.server = kind.into();
    // The same rows every time, and nothing of it is remembered.
    run.seed = Some(SEED.to_string());
    run.regressions = Some(PathBuf::new());
    let started = Instant::now();
    let report = Harness::new(settings).run(&|_| {}).await.map_err(said)?;
    let whole = started.elapsed();
    if report.verdict() != RunVerdict::Held {
        return Err(format!(
            "the reference application was not held on {kind}: {:?}",
            report.verdict()
        ));
    }
    let stage = |time: u64| Duration::from_millis(time).as_secs_f64() * 1e3;
    let timings = report.timings;
    Ok([
        ("whole", whole.as_secs_f64() * 1e3),
        ("server", stage(timings.server)),
        ("migrate", stage(timings.migrate)),
        ("seed", stage(timings.seed)),
        ("check", stage(timings.check)),
    ])
}
