//! Reports to files and to the terminal, and the status that the process ends with.

use std::io::IsTerminal as _;

use super::{output, usage};
use crate::config;
use crate::error::{Error, Result};
use crate::model::{Report, Settings};
use crate::report;

/// Refuses formats that there are not.
pub(super) fn refuse_formats(settings: &Settings) -> Result<()> {
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
    Ok(())
}

/// Writes the reports that were asked for, then prints one; the status by the verdict.
pub(super) fn show(settings: &Settings, report: &Report) -> Result<u8> {
    for file in &settings.run.reports {
        if let Some(text) = report::render(report, &file.format, false) {
            output::write_file(&file.path, &text)?;
        }
    }
    let colours = std::io::stdout().is_terminal() && !config::no_color();
    let text = report::render(report, &settings.run.format, colours).unwrap_or_default();
    output::print(&text)?;
    // Only now: who mends an [[allow]] wants to see what is left of the findings.
    match &report.mistake {
        None => Ok(report.verdict().exit_status()),
        Some(mistake) => Err(Error::Configuration {
            place: mistake.place.clone(),
            message: mistake.message.clone(),
        }),
    }
}
