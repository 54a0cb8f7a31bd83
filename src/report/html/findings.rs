//! What is wrong: causes with their SQL, what could not be judged, notes, and what is accepted.

use super::Markup;
use crate::model::{Finding, Report, Severity};
use crate::report::cause::{Cause, causes};
use crate::report::fold::{self, Folds};
use crate::report::page::count;

/// So many show their SQL at once; the others when they are opened.
const OPEN: usize = 5;

pub(super) fn write(page: &mut Markup, report: &Report) {
    if report.findings.is_empty() && report.inconclusive.is_empty() {
        return;
    }
    page.section("findings", "Findings");
    let causes = causes(report, Severity::Weakness);
    if causes.len() > OPEN {
        page.add("<p class=\"filter\" hidden><label>Filter <input type=\"search\" data-filter=\".finding\"></label></p>\n");
    }
    for (number, told) in Folds::of(report, &causes).told(&causes).iter().enumerate() {
        match told.as_slice() {
            [cause] => write_cause(page, report, cause, number < OPEN),
            several => write_folded(page, report, several),
        }
    }
    write_inconclusive(page, report);
    fold(page, "note", fold::notes(report));
    fold(
        page,
        "accepted",
        report
            .findings
            .iter()
            .filter(|finding| finding.accepted && finding.acquitted.is_empty()),
    );
    let acquitted = |finding: &&Finding| finding.accepted && !finding.acquitted.is_empty();
    fold(page, "acquitted", report.findings.iter().filter(acquitted));
    page.add("</section>\n");
}

/// The causes of a check that has too many to show each at once: they are there when this is opened.
fn write_folded(page: &mut Markup, report: &Report, causes: &[&Cause<'_>]) {
    let Some(first) = causes.first() else {
        return;
    };
    let severity = first.severity().word();
    page.add(&format!("<details class=\"causes {severity}\">\n<summary>"));
    page.element("span", "badge", &severity)
        .add(" ")
        .say(&fold::title(report, causes))
        .add("</summary>\n");
    for cause in causes {
        write_cause(page, report, cause, false);
    }
    page.add("</details>\n");
}

fn write_cause(page: &mut Markup, report: &Report, cause: &Cause<'_>, open: bool) {
    let Some(first) = cause.findings.first() else {
        return;
    };
    let severity = cause.severity().word();
    page.add(&format!("<article class=\"finding {severity}\">\n<h3>"));
    page.element("span", "badge", &severity)
        .add(" ")
        .say(&cause.title())
        .add("</h3>\n");
    if let [finding] = cause.findings.as_slice() {
        write_place(page, report, finding);
    } else {
        page.add("<ul class=\"objects\">\n");
        for finding in &cause.findings {
            page.add("<li>")
                .element("code", "", &cause.label(finding))
                .add(" ");
            write_place(page, report, finding);
            page.add("</li>\n");
        }
        page.add("</ul>\n")
            .element("p", "", &format!("For the first, {}:", first.object))
            .add("\n");
    }
    page.element("p", "message", &first.message).add("\n");
    if let Some(explained) = report.explained.get(first.check) {
        page.element("p", "why", &explained.why).add("\n");
    }
    if let Some(query) = report.texts.get(&first.object) {
        details(page, "The query", query, open);
    }
    if !first.difference.is_empty() {
        page.add("<div class=\"diff\">");
        details(page, "The rows that show it", &first.difference, true);
        page.add("</div>\n");
    }
    details(page, "To repeat it in psql", &first.sql, open);
    details(page, "To mend it", &cause.fix(), true);
    page.add("</article>\n");
}

fn write_place(page: &mut Markup, report: &Report, finding: &Finding) {
    page.add("<span class=\"place\">");
    if let Some(place) = &finding.place {
        page.say(&format!("{}:{}", place.file, place.line));
    }
    if report.runs.len() > 1 {
        page.say(&format!(" on Postgres {}", finding.versions.join(", ")));
    }
    page.add("</span>\n");
}

fn details(page: &mut Markup, title: &str, text: &str, open: bool) {
    if text.trim().is_empty() {
        return;
    }
    page.add(if open { "<details open>" } else { "<details>" });
    page.element("summary", "", &title)
        .block(text)
        .add("</details>\n");
}

/// Cases that could not be judged; those of one check for one reason together.
fn write_inconclusive(page: &mut Markup, report: &Report) {
    for ((check, _), cases) in fold::reasons(report) {
        page.add("<article class=\"finding inconclusive\">\n<h3>");
        page.element("span", "badge", &"inconclusive").add(" ");
        let title = match cases.as_slice() {
            [one] => format!("{check} on {}", one.object),
            several => format!("{check} on {}", count(several.len(), "object", "objects")),
        };
        page.say(&title)
            .add("</h3>\n")
            .element("p", "message", &cases[0].reason)
            .add("\n");
        if cases.len() > 1 {
            page.add("<details>")
                .element("summary", "", &"Which")
                .add("<ul class=\"objects\">\n");
            for case in cases {
                page.add("<li>")
                    .element("code", "", &case.object)
                    .add("</li>\n");
            }
            page.add("</ul></details>\n");
        }
        page.add("</article>\n");
    }
}

/// What fails nothing, folded.
fn fold<'a>(page: &mut Markup, word: &str, findings: impl Iterator<Item = &'a Finding>) {
    let findings: Vec<&Finding> = findings.collect();
    if findings.is_empty() {
        return;
    }
    let title = match word {
        "note" => count(findings.len(), "note", "notes"),
        word => format!("{} {word}", findings.len()),
    };
    page.add("<details class=\"fold\">")
        .element("summary", "", &title)
        .add("<ul class=\"objects\">\n");
    for finding in findings {
        page.add("<li>")
            .say(&format!("{}: {} on ", finding.severity, finding.check));
        page.element("code", "", &finding.object)
            .say(&format!(": {}", finding.message));
        if !finding.acquitted.is_empty() {
            let tests = finding.acquitted.join(", ");
            page.say(&format!("; the application guards it, as shown by {tests}"));
        }
        page.add("</li>\n");
    }
    page.add("</ul></details>\n");
}
