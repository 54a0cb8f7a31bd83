//! The report for people: the verdict, what is wrong and how to repeat and mend it, what was covered.

mod coverage;
mod defects;

use super::Renderer;
use super::page::{Ink, Page, count};
use crate::model::{Report, RunVerdict, Severity};

/// For the terminal.
pub(super) struct Text;

impl Renderer for Text {
    fn name(&self) -> &'static str {
        "text"
    }

    fn render(&self, report: &Report, colours: bool) -> String {
        let mut page = Page::new(colours);
        verdict(&mut page, report);
        let told = defects::write(&mut page, report);
        coverage::write(&mut page, report);
        if told {
            // Who looks at the end of a long report must not search for its beginning.
            page.end();
            verdict(&mut page, report);
        }
        page.finish()
    }
}

fn verdict(page: &mut Page, report: &Report) {
    let (ink, word) = match report.verdict() {
        RunVerdict::Held => (Ink::Good, "HELD"),
        RunVerdict::Leaked => (Ink::Bad, "LEAKED"),
        RunVerdict::Inconclusive => (Ink::Doubtful, "INCONCLUSIVE"),
    };
    page.write(ink, word)
        .write(Ink::Plain, ": ")
        .write(Ink::Plain, &summary(report))
        .end();
}

/// How many of what, worst first.
fn summary(report: &Report) -> String {
    let of = |severity| {
        let open = report.findings.iter().filter(|f| !f.accepted);
        open.filter(|f| f.severity == severity).count()
    };
    let unsure = report.inconclusive.iter().filter(|c| !c.accepted).count();
    let accepted = report.findings.iter().filter(|f| f.accepted).count()
        + report.inconclusive.iter().filter(|c| c.accepted).count();
    let cases: usize = report.checks.values().map(|tally| tally.cases).sum();
    let parts: Vec<String> = [
        (of(Severity::Leak), "leak", "leaks"),
        (of(Severity::Weakness), "weakness", "weaknesses"),
        (unsure, "inconclusive", "inconclusive"),
        (of(Severity::Note), "note", "notes"),
        (accepted, "accepted", "accepted"),
    ]
    .into_iter()
    .filter(|(number, ..)| *number > 0)
    .map(|(number, one, many)| count(number, one, many))
    .collect();
    let cases = count(cases, "case", "cases");
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
