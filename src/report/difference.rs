//! What one version of Postgres shows and another doesn't.

use std::collections::BTreeSet;

use super::cause::causes;
use crate::model::{Report, Severity};

/// The run as it is called beside others: `Postgres 18.6, docker, part 1/3`.
pub(super) fn name(run: &Report) -> String {
    let mut parts = vec![match run.server.version.as_str() {
        "" => "Postgres".to_owned(),
        version => format!("Postgres {version}"),
    }];
    if !run.server.kind.is_empty() {
        parts.push(run.server.kind.clone());
    }
    if let Some(shard) = run.shard {
        parts.push(format!("part {}/{}", shard.index, shard.count));
    }
    parts.join(", ")
}

/// The major versions that did their work.
fn majors(report: &Report) -> Vec<&str> {
    let mut majors: Vec<&str> = Vec::new();
    for run in report.runs.iter().filter(|run| run.failure.is_none()) {
        if !majors.contains(&run.major()) {
            majors.push(run.major());
        }
    }
    majors
}

/// A sentence for each finding and inconclusive that only some versions show, of those that did their work.
pub(super) fn differences(report: &Report) -> Vec<String> {
    let mut told = Vec::new();
    let all = majors(report);
    let elsewhere = |versions: &[String]| {
        let there = |major: &&str| versions.iter().any(|version| version == major);
        let others: Vec<&str> = all.iter().copied().filter(|major| !there(major)).collect();
        (!others.is_empty() && others.len() < all.len()).then(|| others.join(", "))
    };
    for cause in causes(report, Severity::Weakness) {
        let Some(first) = cause.findings.first() else {
            continue;
        };
        let all: BTreeSet<&String> = cause.findings.iter().flat_map(|f| &f.versions).collect();
        let versions: Vec<String> = all.into_iter().cloned().collect();
        if let Some(others) = elsewhere(&versions) {
            let unsure = report
                .inconclusive
                .iter()
                .find(|case| (case.check, &case.object) == (first.check, &first.object));
            let instead = unsure.map_or_else(String::new, |case| format!(" ({})", case.reason));
            told.push(format!(
                "{}: {} on Postgres {}, not on {others}{instead}: {}",
                cause.severity(),
                cause.title(),
                versions.join(", "),
                first.message
            ));
        }
    }
    for case in report.inconclusive.iter().filter(|case| !case.accepted) {
        if let Some(others) = elsewhere(&case.versions) {
            let versions = case.versions.join(", ");
            told.push(format!(
                "inconclusive: {} on {} on Postgres {versions}, not on {others}: {}",
                case.check, case.object, case.reason
            ));
        }
    }
    told
}
