//! A report in one sentence.

use super::page::count;
use crate::model::{Report, RunVerdict, Severity};

/// How many of what, worst first.
pub(super) fn summary(report: &Report) -> String {
    let of = |severity| {
        let open = report.findings.iter().filter(|f| !f.accepted);
        open.filter(|f| f.severity == severity).count()
    };
    let unsure = report.inconclusive.iter().filter(|c| !c.accepted).count();
    let passed = report.findings.iter().filter(|f| f.accepted);
    let (accepted, acquitted): (Vec<_>, Vec<_>) = passed.partition(|f| f.acquitted.is_empty());
    let accepted = accepted.len() + report.inconclusive.iter().filter(|c| c.accepted).count();
    let cases: usize = report.checks.values().map(|tally| tally.cases).sum();
    let parts: Vec<String> = [
        (of(Severity::Leak), "leak", "leaks"),
        (of(Severity::Weakness), "weakness", "weaknesses"),
        (unsure, "inconclusive", "inconclusive"),
        (of(Severity::Note), "note", "notes"),
        (accepted, "accepted", "accepted"),
        (acquitted.len(), "acquitted", "acquitted"),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, one, many)| count(number, one, many))
    .collect();
    let cases = count(cases, "case", "cases");
    let failed = report.runs.iter().filter(|run| run.failure.is_some());
    let failed = match failed.count() {
        0 => String::new(),
        failed => format!(
            "{} of {} could not be done; ",
            failed,
            count(report.runs.len(), "run", "runs")
        ),
    };
    if report.verdict() == RunVerdict::Failed {
        let parts = if parts.is_empty() {
            "nothing wrong".to_owned()
        } else {
            parts.join(", ")
        };
        return format!("{failed}the others: {parts} in {cases}");
    }
    if report.verdict() != RunVerdict::Held {
        return format!("{} in {cases}", parts.join(", "));
    }
    let what = if accepted > 0 {
        "no row crossed between organisations but where that is accepted,"
    } else if of(Severity::Weakness) > 0 {
        "weaknesses, but no row crossed between organisations"
    } else {
        "no row crossed between organisations"
    };
    let parts = match parts.as_slice() {
        [] => String::new(),
        parts => format!(" ({})", parts.join(", ")),
    };
    format!("{what} in {cases}{parts}")
}
