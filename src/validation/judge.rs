//! What the suites answered, as a report.

use std::collections::BTreeMap;

use super::{SUITES, Suite};
use crate::model::{Explained, Finding, Inconclusive, Report, Severity};

/// What a suite says of one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The object, as Postgres prints it.
    pub object: String,
    /// `held`, `wrong`, `inconclusive` or `n/a`.
    pub state: String,
    /// `leak`, `weakness` or `note`.
    pub severity: String,
    /// What is so.
    pub message: String,
    /// The way out.
    pub fix: String,
    /// A query that shows it.
    pub shown: String,
    /// By `[[allow]]`.
    pub accepted: bool,
    /// Whether it fails the run where it is not accepted.
    pub fails: bool,
}

/// What reports say of the suites.
#[must_use]
pub fn explained() -> BTreeMap<&'static str, Explained> {
    let suites = SUITES.iter();
    suites
        .map(|suite| {
            let explained = Explained {
                title: suite.title.to_owned(),
                why: suite.why.to_owned(),
            };
            (suite.id, explained)
        })
        .collect()
}

/// Enters a suite's answers into the report, or why there are none.
pub fn fill(report: &mut Report, suite: &Suite, answers: Result<Vec<Answer>, String>) {
    let versions = vec![report.major().to_owned()];
    let tally = report.checks.entry(suite.id).or_default();
    let answers = match answers {
        Ok(answers) => answers,
        Err(reason) => {
            tally.cases += 1;
            tally.inconclusive += 1;
            report.inconclusive.push(Inconclusive {
                check: suite.id,
                object: "(all)".to_owned(),
                reason,
                accepted: false,
                versions,
            });
            return;
        }
    };
    for answer in answers {
        tally.cases += 1;
        match answer.state.as_str() {
            "held" => {
                tally.held += 1;
                *tally.reasons.entry(answer.message).or_default() += 1;
            }
            "n/a" => tally.not_applicable += 1,
            "inconclusive" => {
                tally.inconclusive += 1;
                report.inconclusive.push(Inconclusive {
                    check: suite.id,
                    object: answer.object,
                    reason: answer.message,
                    accepted: answer.accepted,
                    versions: versions.clone(),
                });
            }
            _ => {
                let severity = severity(&answer);
                tally.leaked += 1;
                report.findings.push(Finding {
                    check: suite.id,
                    severity,
                    object: answer.object,
                    message: answer.message,
                    sql: answer.shown,
                    sqlstate: None,
                    place: None,
                    fix: answer.fix,
                    accepted: answer.accepted,
                    acquitted: Vec::new(),
                    versions: versions.clone(),
                    difference: String::new(),
                    counterexample: None,
                });
            }
        }
    }
}

/// A note that fails, as under `--strict`, counts as a weakness.
fn severity(answer: &Answer) -> Severity {
    match answer.severity.as_str() {
        "leak" => Severity::Leak,
        "note" if !answer.fails => Severity::Note,
        _ => Severity::Weakness,
    }
}
