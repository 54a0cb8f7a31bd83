//! `test-db`: settings, the run, the report, the status.

use std::io::IsTerminal as _;

use super::call::{self, Outcome};
use super::progress::Progress;
use super::{output, usage};
use crate::check;
use crate::config::{self, CommandLine};
use crate::error::{Error, Result};
use crate::model::{Report, Settings};
use crate::report;

pub(super) async fn run(command_line: CommandLine) -> Result<u8> {
    let settings = config::load(command_line)?;
    refuse_mistakes(&settings)?;
    if settings.run.list {
        return list(&settings);
    }
    let progress = Progress::on_terminal();
    let outcome = call::run(&settings, &|stage| progress.show(stage)).await;
    progress.clear();
    match outcome? {
        Outcome::Command(status) => Ok(status),
        Outcome::Report(report) => {
            show(&settings, &report)?;
            // Only now: who mends an [[allow]] wants to see what is left of the findings.
            match &report.mistake {
                None => Ok(report.verdict().exit_status()),
                Some(mistake) => Err(Error::Configuration {
                    place: mistake.place.clone(),
                    message: mistake.message.clone(),
                }),
            }
        }
    }
}

/// Refuses what would only be found wrong after minutes of work.
fn refuse_mistakes(settings: &Settings) -> Result<()> {
    let run = &settings.run;
    let asked = run.reports.iter().map(|file| file.format.as_str());
    for format in asked.chain([run.format.as_str()]) {
        if !report::formats().any(|known| known == format) {
            let formats: Vec<&str> = report::formats().collect();
            return Err(usage(format!(
                "there is no report format `{format}`; there are {}",
                formats.join(", ")
            )));
        }
    }
    let checks: Vec<&str> = check::ALL.iter().map(|check| check.page().id).collect();
    if let Some(pattern) = run.unknown_pattern(&checks) {
        return Err(usage(format!(
            "`{pattern}` selects no check; there are {}",
            checks.join(", ")
        )));
    }
    Ok(())
}

/// `--list`: the checks that would run, a line each. Which objects they find is for a run to say.
fn list(settings: &Settings) -> Result<u8> {
    for check in check::ALL {
        let page = check.page();
        if settings.run.selects_some(page.id) {
            output::print(&format!("{}: {}\n", page.id, page.title))?;
        }
    }
    Ok(0)
}

/// Writes the reports that were asked for, then prints one.
fn show(settings: &Settings, report: &Report) -> Result<()> {
    for file in &settings.run.reports {
        if let Some(text) = report::render(report, &file.format, false) {
            output::write_file(&file.path, &text)?;
        }
    }
    let colours = std::io::stdout().is_terminal() && !config::no_color();
    let text = report::render(report, &settings.run.format, colours).unwrap_or_default();
    output::print(&text)
}
