//! The XML of `JUnit`, as Jenkins' schema has it (`junit-10.xsd`): a suite for each check.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Renderer;
use super::markup::escaped;
use super::page::{count, one_line};
use super::text::why_held;
use crate::model::{Finding, Inconclusive, Report, Tally};

/// `JUnit`.
pub(super) struct JUnit;

impl Renderer for JUnit {
    fn name(&self) -> &'static str {
        "junit"
    }

    fn render(&self, report: &Report, _: bool) -> String {
        let mut suites: BTreeMap<&str, Suite> = BTreeMap::new();
        for (id, tally) in &report.checks {
            suites.entry(id).or_default().held(id, tally);
        }
        for finding in &report.findings {
            let suite = suites.entry(finding.check).or_default();
            suite.finding(report, finding);
        }
        for case in &report.inconclusive {
            suites.entry(case.check).or_default().inconclusive(case);
        }
        for run in &report.runs {
            if let Some(failure) = &run.failure {
                let name = super::difference::name(run);
                suites
                    .entry("run")
                    .or_default()
                    .error("run", &name, failure);
            }
        }
        let sum = |of: fn(&Suite) -> usize| suites.values().map(of).sum::<usize>();
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuites name=\"watertight\" tests=\"{}\" failures=\"{}\" errors=\"{}\">\n",
            sum(|suite| suite.tests),
            sum(|suite| suite.failures),
            sum(|suite| suite.errors)
        );
        for (id, suite) in &suites {
            let _ = write!(
                text,
                "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\">\n{}  </testsuite>\n",
                escaped(id),
                suite.tests,
                suite.failures,
                suite.errors,
                suite.skipped,
                suite.cases
            );
        }
        text.push_str("</testsuites>\n");
        text
    }
}

/// A suite so far.
#[derive(Default)]
struct Suite {
    tests: usize,
    failures: usize,
    errors: usize,
    skipped: usize,
    cases: String,
}

impl Suite {
    /// The cases that held, as one: they have no names of their own.
    fn held(&mut self, id: &str, tally: &Tally) {
        let held = count(tally.held, "case", "cases");
        if tally.held > 0 {
            let reasons = element("system-out", "", why_held(tally).trim());
            self.case(id, &format!("{held} held"), &reasons);
        }
        if tally.not_applicable > 0 {
            self.skipped += 1;
            let cases = count(tally.not_applicable, "case", "cases");
            let skipped = element("skipped", &attribute("message", "no control can exist"), "");
            self.case(id, &format!("{cases} not applicable"), &skipped);
        }
    }

    fn finding(&mut self, report: &Report, finding: &Finding) {
        let place = finding.place.as_ref();
        let place = place.map(|place| format!("{}:{}\n", place.file, place.line));
        let mut told = format!("{}{}", place.unwrap_or_default(), finding.message);
        for (title, sql) in [
            ("To repeat it in psql:", &finding.sql),
            ("To mend it:", &finding.fix),
        ] {
            if !sql.is_empty() {
                let _ = write!(told, "\n\n{title}\n{sql}");
            }
        }
        if report.runs.len() > 1 {
            let _ = write!(
                told,
                "\n\nSeen on Postgres {}.",
                finding.versions.join(", ")
            );
        }
        let message = attribute("message", &one_line(&finding.message));
        let inner = if report.fails(finding) {
            self.failures += 1;
            let kind = attribute("type", finding.severity.word());
            element("failure", &format!("{kind}{message}"), &told)
        } else if finding.accepted {
            self.skipped += 1;
            let message = match finding.acquitted.as_slice() {
                [] => "accepted".to_owned(),
                tests => format!(
                    "the application guards it, as shown by {}",
                    tests.join(", ")
                ),
            };
            element("skipped", &attribute("message", &message), "")
                + &element("system-out", "", &told)
        } else {
            element("system-out", "", &format!("{}: {told}", finding.severity))
        };
        self.case(finding.check, &finding.object, &inner);
    }

    fn inconclusive(&mut self, case: &Inconclusive) {
        if case.accepted {
            self.skipped += 1;
            let message = attribute(
                "message",
                &format!("inconclusive, accepted: {}", case.reason),
            );
            self.case(case.check, &case.object, &element("skipped", &message, ""));
        } else {
            self.error(case.check, &case.object, &case.reason);
        }
    }

    fn error(&mut self, class: &str, name: &str, message: &str) {
        self.errors += 1;
        let attributes =
            attribute("type", "inconclusive") + &attribute("message", &one_line(message));
        self.case(class, name, &element("error", &attributes, message));
    }

    fn case(&mut self, class: &str, name: &str, inner: &str) {
        self.tests += 1;
        let attributes =
            attribute("name", name) + &attribute("classname", &format!("watertight.{class}"));
        let _ = writeln!(self.cases, "    <testcase{attributes}>{inner}</testcase>");
    }
}

fn attribute(name: &str, value: &str) -> String {
    format!(" {name}=\"{}\"", escaped(value))
}

fn element(name: &str, attributes: &str, text: &str) -> String {
    format!("<{name}{attributes}>{}</{name}>", escaped(text))
}
