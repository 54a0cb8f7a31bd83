//! `report merge`: several JSON reports become one, in whatever formats.

use std::fs;
use std::path::PathBuf;

use super::{show, usage};
use crate::config::{self, CommandLine};
use crate::error::{Error, Result};
use crate::harness;
use crate::{check, report, validation};

/// Joins the reports of a matrix's jobs, or of the parts of a run.
pub(super) fn merge(files: &[PathBuf], command_line: CommandLine) -> Result<u8> {
    let settings = config::load(command_line)?;
    show::refuse_formats(&settings)?;
    let known = |id: &str| {
        let suite = || validation::find(id).map(|suite| suite.id);
        check::find(id).map(|check| check.page().id).or_else(suite)
    };
    let mut reports = Vec::new();
    for path in files {
        let text = fs::read_to_string(path).map_err(|error| Error::io(path, error))?;
        let report = report::read(&text, &known);
        reports.push(report.map_err(|message| usage(format!("{}: {message}", path.display())))?);
    }
    let mut merged = report::merge(reports);
    merged.explained = harness::explained();
    merged.explained.extend(validation::explained());
    show::show(&settings, &merged)
}
