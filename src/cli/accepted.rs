//! `[[allow]]` and `--baseline`: from their files to the report.

use std::fs;
use std::io::ErrorKind;

use super::{output, usage};
use crate::error::{Error, Result};
use crate::model::{Report, Settings};
use crate::report::{Baseline, accept};

/// Reads the baseline, where one is asked for; before the run, which may take minutes.
pub(super) fn read_baseline(settings: &Settings) -> Result<Option<Baseline>> {
    let writes = settings.run.write_baseline;
    let Some(path) = &settings.run.baseline else {
        if writes {
            return Err(usage(
                "--write-baseline needs to know where: add --baseline FILE",
            ));
        }
        return Ok(None);
    };
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound && writes => return Ok(None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(usage(format!(
                "there is no baseline `{}`; --write-baseline makes one",
                path.display()
            )));
        }
        Err(error) => return Err(Error::io(path, error)),
    };
    // One that can't be read is an error also where it would be overwritten: it may be another file.
    Baseline::parse(&text)
        .map(Some)
        .map_err(|message| Error::Configuration {
            place: path.display().to_string(),
            message,
        })
}

/// Marks what is accepted and writes the baseline. Returns the error of an `[[allow]]` that matched nothing,
/// for the report to be shown before it.
pub(super) fn accept_and_write(
    settings: &Settings,
    baseline: Option<Baseline>,
    report: &mut Report,
) -> Result<Option<Error>> {
    let run = &settings.run;
    let baseline = match &run.baseline {
        Some(path) if run.write_baseline => {
            let found = Baseline::of(report);
            // A part of the run says nothing of the other parts.
            let found = match baseline {
                Some(known) if !run.is_full() => found.merged(known),
                _ => found,
            };
            output::write_file(path, &found.render())?;
            Some(found)
        }
        _ => baseline,
    };
    let unused = accept(report, &settings.allow, baseline.as_ref());
    if !run.is_full() {
        return Ok(None);
    }
    let gone = baseline.map_or(0, |baseline| baseline.gone(report));
    if gone > 0 {
        report.remarks.push(format!(
            "The baseline knows {gone} that are gone; --write-baseline takes them out."
        ));
    }
    Ok(unused.first().map(|allow| Error::Configuration {
        place: allow.place.clone(),
        message: format!(
            "this [[allow]] matched nothing in a full run (check `{}`, object `{}`): take it out, or mend its globs",
            allow.check, allow.object
        ),
    }))
}
