//! The report for people: the verdict, what is wrong and how to repeat and mend it, what was covered.

mod coverage;
mod defects;

#[cfg(feature = "reports")]
pub(super) use coverage::reasons as why_held;

use super::Renderer;
use super::page::{Ink, Page};
use super::summary::summary;
use crate::model::{Report, RunVerdict};

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
    let verdict = report.verdict();
    let ink = match verdict {
        RunVerdict::Held => Ink::Good,
        RunVerdict::Leaked | RunVerdict::Failed => Ink::Bad,
        RunVerdict::Inconclusive => Ink::Doubtful,
    };
    page.write(ink, &verdict.word().to_uppercase())
        .write(Ink::Plain, ": ")
        .write(Ink::Plain, &summary(report))
        .end();
}
