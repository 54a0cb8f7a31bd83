//! `test-db`: settings, the run, the report, the status.

use super::call::{self, Outcome};
use super::progress::Progress;
use super::{output, show, signal, usage};
use crate::check;
use crate::config::{self, CommandLine};
use crate::error::Result;
use crate::harness::RunningCommand;
use crate::model::Settings;

/// A signal that comes while the user's command runs is that command's.
pub(super) async fn run(command_line: CommandLine) -> Result<u8> {
    let running = RunningCommand::default();
    let work = Box::pin(work(command_line, &running));
    signal::or_passed_on(work, |name| running.pass_on(name)).await
}

async fn work(command_line: CommandLine, running: &RunningCommand) -> Result<u8> {
    let settings = config::load(command_line)?;
    refuse_mistakes(&settings)?;
    if settings.run.list {
        return list(&settings);
    }
    let progress = Progress::on_terminal();
    let outcome = call::run(&settings, running, &|stage| progress.show(stage)).await;
    progress.clear();
    match outcome? {
        Outcome::Command(status) => Ok(status),
        Outcome::Report(report) => show::show(&settings, &report),
    }
}

/// Refuses what would only be found wrong after minutes of work.
fn refuse_mistakes(settings: &Settings) -> Result<()> {
    show::refuse_formats(settings)?;
    let run = &settings.run;
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
