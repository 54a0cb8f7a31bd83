//! Several major versions in one run: the same rows on each, one after the other, and one report of them all.

use super::{Harness, accepted, prepare, regressions};
use crate::error::{Error, Result};
use crate::model::{Report, Settings};
use crate::report::merge;

/// Runs on each version and merges what came of it. A version that can't be run fails the whole, and says so beside
/// what the others found; where none can, its error is the run's.
pub(super) async fn run(harness: &Harness, progress: &dyn Fn(&str)) -> Result<Report> {
    let settings = &harness.settings;
    let baseline = accepted::read_baseline(settings)?;
    let stored = regressions::read(settings)?;
    refuse_one_of_its_kind(settings)?;
    let seed = prepare::seed(&settings.run)?.to_string();
    let mut reports = Vec::new();
    let mut first = None;
    for major in &settings.run.postgres {
        let mut one = harness.clone();
        one.settings.run.postgres = vec![*major];
        one.settings.run.seed = Some(seed.clone());
        let tell = |stage: &str| match stage {
            "" => progress(""),
            stage => progress(&format!("Postgres {major}: {stage}")),
        };
        // What a run holds is much: it is not kept in the frame of this one.
        match Box::pin(one.run_once(stored.clone(), &tell)).await {
            Ok(report) => reports.push(report),
            Err(error) => {
                reports.push(failed(*major, settings.run.deny_weakness, &error));
                first.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first
        && reports.iter().all(|report| report.failure.is_some())
    {
        return Err(error);
    }
    let mut merged = merge(reports);
    accepted::accept_and_write(settings, baseline, &mut merged)?;
    regressions::write(settings, stored, &mut merged);
    Ok(merged)
}

/// An image and a folder of binaries are of one version.
fn refuse_one_of_its_kind(settings: &Settings) -> Result<()> {
    let run = &settings.run;
    let named = [
        ("--image", run.image.is_some()),
        ("--pg-bin", run.pg_bin.is_some()),
    ];
    match named.into_iter().find(|(_, named)| *named) {
        None => Ok(()),
        Some((option, _)) => Err(Error::Usage(format!(
            "{option} is of one version: leave it out, or run once with each --postgres and join the JSON reports by \
             `report merge`"
        ))),
    }
}

fn failed(major: u32, deny_weakness: bool, error: &Error) -> Report {
    let mut report = Report {
        failure: Some(error.to_string()),
        deny_weakness,
        ..Report::default()
    };
    report.server.version = major.to_string();
    report
}
