//! `mutate`: what a run would miss.

use super::progress::Progress;
use super::{output, usage};
use crate::config::{self, CommandLine};
use crate::error::{Error, Result};
use crate::harness::Harness;
use crate::mutate::OPERATORS;
use crate::report::{MUTATION_FORMATS, render_mutation};

/// Some mutant was not noticed.
const SURVIVED: u8 = 1;

pub(super) async fn run(command_line: CommandLine) -> Result<u8> {
    let settings = config::load(command_line)?;
    let run = &settings.run;
    let asked = run.reports.iter().map(|file| file.format.as_str());
    for format in asked.chain([run.format.as_str()]) {
        if !MUTATION_FORMATS.contains(&format) {
            return Err(usage(format!(
                "there is no report format `{format}` of mutants; there are {}",
                MUTATION_FORMATS.join(", ")
            )));
        }
    }
    if run.list {
        for (word, meaning) in OPERATORS {
            output::print(&format!("{word}: {meaning}\n"))?;
        }
        return Ok(0);
    }
    let progress = Progress::on_terminal();
    let harness = Harness::new(settings.clone());
    let mutation = Box::pin(harness.mutate(&|stage| progress.show(stage))).await;
    progress.clear();
    let mutation = mutation?;
    for file in &run.reports {
        if let Some(text) = render_mutation(&mutation, &file.format) {
            output::write_file(&file.path, &text)?;
        }
    }
    output::print(&render_mutation(&mutation, &run.format).unwrap_or_default())?;
    match &mutation.mistake {
        Some(mistake) => Err(Error::Configuration {
            place: mistake.place.clone(),
            message: mistake.message.clone(),
        }),
        None if mutation.holds() => Ok(0),
        None => Ok(SURVIVED),
    }
}
