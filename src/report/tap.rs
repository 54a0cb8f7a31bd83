//! The Test Anything Protocol, version 14: a test for each check and for each thing that is wrong.

use std::fmt::Write as _;

use super::Renderer;
use super::page::{count, one_line};
use crate::model::{Report, Severity};

/// TAP.
pub(super) struct Tap;

impl Renderer for Tap {
    fn name(&self) -> &'static str {
        "tap"
    }

    fn render(&self, report: &Report, _: bool) -> String {
        let mut tests = Tests::default();
        for (id, tally) in &report.checks {
            if tally.held > 0 || tally.cases == tally.not_applicable {
                let held = count(tally.held, "case", "cases");
                tests.line(true, &format!("{id}: {held} held"), "");
            }
        }
        for finding in &report.findings {
            let title = format!(
                "{}: {} on {}",
                finding.severity, finding.check, finding.object
            );
            let failed = report.fails(finding);
            let directive = match (failed, finding.accepted, finding.severity) {
                (true, ..) => "",
                (_, true, _) => " # TODO accepted",
                (_, _, Severity::Weakness) => " # TODO a weakness fails under --deny weakness",
                _ => continue,
            };
            tests.line(false, &title, directive);
            let place = finding.place.as_ref();
            let place = place.map(|place| format!("{}:{}", place.file, place.line));
            tests.diagnostic(&[
                ("message", &finding.message),
                ("at", &place.unwrap_or_default()),
                ("sql", &finding.sql),
                ("fix", &finding.fix),
            ]);
        }
        for case in &report.inconclusive {
            let title = format!("inconclusive: {} on {}", case.check, case.object);
            let directive = if case.accepted {
                " # TODO accepted"
            } else {
                ""
            };
            tests.line(false, &title, directive);
            tests.diagnostic(&[("message", &case.reason)]);
        }
        for run in &report.runs {
            if let Some(failure) = &run.failure {
                tests.line(false, &super::difference::name(run), "");
                tests.diagnostic(&[("message", failure)]);
            }
        }
        format!("TAP version 14\n1..{}\n{}", tests.number, tests.text)
    }
}

/// The tests so far.
#[derive(Default)]
struct Tests {
    number: usize,
    text: String,
}

impl Tests {
    /// A test; what is a directive is none of the name's.
    fn line(&mut self, passed: bool, name: &str, directive: &str) {
        self.number += 1;
        let ok = if passed { "ok" } else { "not ok" };
        let name = one_line(name).replace('\\', "\\\\").replace('#', "\\#");
        let _ = writeln!(self.text, "{ok} {} - {name}{directive}", self.number);
    }

    /// What is known of it, as YAML: JSON's texts are YAML's, too.
    fn diagnostic(&mut self, facts: &[(&str, &str)]) {
        self.text.push_str("  ---\n");
        for (key, text) in facts.iter().filter(|(_, text)| !text.is_empty()) {
            let _ = writeln!(self.text, "  {key}: {}", serde_json::Value::from(*text));
        }
        self.text.push_str("  ...\n");
    }
}
