//! The one place where the command line calls the harness.

use crate::error::Result;
use crate::harness::{Harness, RunningCommand};
use crate::model::{Report, Settings};

/// What came of a run.
pub(super) enum Outcome {
    /// The checks ran.
    Report(Box<Report>),
    /// `-- COMMAND`: the status that it ended with.
    Command(u8),
}

/// Does what the settings ask for, and tells the stages as it goes.
pub(super) async fn run(
    settings: &Settings,
    running: &RunningCommand,
    progress: &dyn Fn(&str),
) -> Result<Outcome> {
    let harness = Harness::new(settings.clone());
    let command = &settings.run.command;
    if command.is_empty() || settings.run.record {
        let report = harness.run(progress).await?;
        return Ok(Outcome::Report(Box::new(report)));
    }
    let status = harness.serve(running, progress).await?;
    Ok(Outcome::Command(
        u8::try_from(status).unwrap_or(super::FAILED),
    ))
}
