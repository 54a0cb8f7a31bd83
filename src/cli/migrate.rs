//! `migrate --check`: whether the migrations may be run again, and undone.

use std::fmt::Write as _;

use super::output;
use super::progress::Progress;
use crate::config::{self, CommandLine};
use crate::error::Result;
use crate::harness::{Harness, MigrationsChecked};

pub(super) async fn run(command_line: CommandLine) -> Result<u8> {
    let settings = config::load(command_line)?;
    let progress = Progress::on_terminal();
    let harness = Harness::new(settings);
    let checked = harness
        .check_migrations(&|stage| progress.show(stage))
        .await;
    progress.clear();
    let checked = checked?;
    output::print(&output::disarmed(&told(&checked)))?;
    // What was not tried at all is not green.
    Ok(match (checked.broken.is_empty(), checked.held.is_empty()) {
        (false, _) => 1,
        (true, true) => 4,
        (true, false) => 0,
    })
}

fn told(checked: &MigrationsChecked) -> String {
    let mut text = format!("migrated  {}\n", checked.migrations);
    for (label, lines) in [
        ("held", &checked.held),
        ("broken", &checked.broken),
        ("untried", &checked.untried),
    ] {
        for line in lines {
            let _ = writeln!(text, "{label:<9} {line}");
        }
    }
    text
}
