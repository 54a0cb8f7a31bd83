//! What the validation suites proved, in words that stay the same as long as it is so.

use std::fmt::Write as _;

use crate::model::{Report, Tally};
use crate::validation::SUITES;

/// A table of the suites with their counts, and what each held by. No times, dates, seeds or patch levels.
#[must_use]
pub fn record(report: &Report) -> String {
    let schema = &report.schema;
    let mut text = format!(
        "{} tables, {} of them scoped; {} foreign keys, {} policies.\n\n\
         | suite | objects | held | wrong | accepted | not applicable |\n| --- | ---: | ---: | ---: | ---: | ---: |\n",
        schema.tables, schema.scoped, schema.foreign_keys, schema.policies
    );
    let none = Tally::default();
    for suite in SUITES {
        let tally = report.checks.get(suite.id).unwrap_or(&none);
        let passed = report.findings.iter();
        let passed = passed.filter(|one| one.check == suite.id && one.accepted);
        let passed = passed.count();
        let _ = writeln!(
            text,
            "| [{0}](#{0}) | {1} | {2} | {3} | {passed} | {4} |",
            suite.id,
            tally.cases,
            tally.held,
            (tally.leaked + tally.inconclusive).saturating_sub(passed),
            tally.not_applicable
        );
    }
    for suite in SUITES {
        let tally = report.checks.get(suite.id).unwrap_or(&none);
        let _ = write!(
            text,
            "\n## {}\n\n{}. {}\n\n",
            suite.id,
            sentence(suite.title),
            suite.why
        );
        for (reason, number) in &tally.reasons {
            let _ = writeln!(text, "- {number} × {reason}");
        }
        for one in report.findings.iter().filter(|one| one.check == suite.id) {
            let word = if one.accepted { "accepted" } else { "wrong" };
            let _ = writeln!(
                text,
                "- {word}: `{}`: {}",
                one.object.replace('`', "'"),
                one.message
            );
        }
        for one in report
            .inconclusive
            .iter()
            .filter(|one| one.check == suite.id)
        {
            let _ = writeln!(
                text,
                "- not known: `{}`: {}",
                one.object.replace('`', "'"),
                one.reason
            );
        }
        if tally.cases == 0 {
            text.push_str("- nothing of the kind\n");
        }
    }
    text
}

fn sentence(title: &str) -> String {
    let mut letters = title.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(letters).collect()
}
