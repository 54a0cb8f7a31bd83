//! `init`: a first file of settings, from the schema itself, and what goes with it.

mod text;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::progress::Progress;
use super::{output, usage};
use crate::config::{self, CommandLine};
use crate::error::{Error, Result};
use crate::harness::{Harness, Survey};
use crate::model::{Report, RunVerdict};

const SETTINGS: &str = "watertight.toml";
const BASELINE: &str = "watertight-baseline.toml";
const WORKFLOW: &str = ".github/workflows/watertight.yml";
const CARGO: &str = ".cargo/config.toml";

/// Looks at the schema and writes what is not there yet, in the working directory; then runs once for the baseline.
pub(super) async fn run(command_line: CommandLine) -> Result<u8> {
    if Path::new(SETTINGS).exists() {
        return Err(usage(format!(
            "there is a {SETTINGS} already: change it by hand, or move it away for a new one"
        )));
    }
    let settings = config::load(command_line.clone())?;
    let progress = Progress::on_terminal();
    let migrate = settings.migrate.clone();
    let harness = Harness::new(settings);
    let survey = harness.survey(&|stage| progress.show(stage)).await;
    progress.clear();
    let survey = survey?;
    let written = text::settings(&survey, &migrate);
    fs::write(SETTINGS, written).map_err(|e| Error::io(SETTINGS, e))?;
    let mut told = format!("migrated  {}\nwritten   {SETTINGS}\n", survey.migrations);
    write_around(&mut told)?;
    // The settings as they are now read: what was guessed is tried at once.
    let mut again = command_line;
    again
        .options
        .push(("write_baseline", vec!["true".to_owned()]));
    let settings = config::load(again)?;
    let report = Harness::new(settings)
        .run(&|stage| progress.show(stage))
        .await;
    progress.clear();
    let report = report?;
    let _ = writeln!(told, "written   {BASELINE}: {}", accepted(&report));
    let _ = write!(told, "\n{}", unchecked(&survey, &report));
    output::print(&output::disarmed(&told))?;
    Ok(if report.verdict() == RunVerdict::Held {
        0
    } else {
        report.verdict().exit_status()
    })
}

/// The workflow of a repository on GitHub, and the alias of one of Cargo's; what is there is left as it is.
fn write_around(told: &mut String) -> Result<()> {
    let absent = |path: &str| !Path::new(path).exists();
    let on_github = Path::new(".git").exists() || Path::new(".github").exists();
    let has_xtask = Path::new("xtask/Cargo.toml").exists();
    if on_github && has_xtask && absent(WORKFLOW) {
        output::write_file(Path::new(WORKFLOW), text::WORKFLOW)?;
        let _ = writeln!(told, "written   {WORKFLOW}");
    }
    if has_xtask && absent(CARGO) {
        output::write_file(Path::new(CARGO), text::ALIAS)?;
        let _ = writeln!(told, "written   {CARGO}: cargo xtask");
    } else if Path::new("Cargo.toml").exists() && !has_xtask {
        let _ = writeln!(
            told,
            "by hand   for `cargo xtask test-db`, a crate `xtask` whose main is `watertight::cli::main()`"
        );
    }
    Ok(())
}

fn accepted(report: &Report) -> String {
    let findings = report.findings.iter().filter(|one| one.accepted).count();
    let unsure = report
        .inconclusive
        .iter()
        .filter(|one| one.accepted)
        .count();
    format!(
        "{findings} findings and {unsure} inconclusives of today; the next run fails for new ones alone"
    )
}

/// What a green run would say nothing of.
fn unchecked(survey: &Survey, report: &Report) -> String {
    let mut text = "This would not be checked:\n".to_owned();
    for (table, advice) in text::unclassified(survey) {
        let _ = writeln!(text, "  {table}: whose its rows are is not known; {advice}");
    }
    for remark in &report.remarks {
        let _ = writeln!(text, "  {remark}");
    }
    text
}
