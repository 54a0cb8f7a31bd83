//! What was tried and what it took: checks, coverage, remarks, timings, and how to run it again.

use super::Markup;
use crate::model::{Finding, Report, Severity, Tally};
use crate::report::difference::name;
use crate::report::page::{count, grouped};
use crate::report::text::why_held;

pub(super) fn write(page: &mut Markup, report: &Report) {
    write_checks(page, report);
    write_coverage(page, report);
    write_timings(page, report);
}

/// The worst of a check's cases in a run, as a class and in words.
pub(super) fn outcome(run: &Report, id: &str, tally: &Tally) -> (&'static str, String) {
    let open = |finding: &Finding| {
        finding.check == id && !finding.accepted && finding.severity != Severity::Note
    };
    match tally {
        Tally { leaked: 1.., .. } if !run.findings.iter().any(open) => (
            "none",
            format!("{} noted or accepted", grouped(tally.leaked)),
        ),
        Tally { leaked: 1.., .. } => ("leaked", format!("{} leaked", grouped(tally.leaked))),
        Tally {
            inconclusive: 1.., ..
        } => (
            "inconclusive",
            format!("{} inconclusive", grouped(tally.inconclusive)),
        ),
        Tally { held: 1.., .. } => ("held", format!("{} held", grouped(tally.held))),
        _ => ("none", "n/a".to_owned()),
    }
}

fn write_checks(page: &mut Markup, report: &Report) {
    page.section("checks", "Checks");
    page.add(
        "<div class=\"wide\"><table class=\"checks\">\n<thead><tr><th scope=\"col\">check</th>",
    );
    for head in ["cases", "held", "leaked", "inconclusive", "n/a"] {
        page.element("th", "number", &head);
    }
    page.add("<th scope=\"col\">why it held</th></tr></thead>\n<tbody>\n");
    for (id, tally) in &report.checks {
        page.add("<tr><th scope=\"row\">").say(id);
        if let Some(explained) = report.explained.get(id) {
            page.element("small", "", &explained.title);
        }
        page.add("</th>");
        for (class, number) in [
            ("", tally.cases),
            ("", tally.held),
            ("leaked", tally.leaked),
            ("inconclusive", tally.inconclusive),
            ("", tally.not_applicable),
        ] {
            let class = match number {
                0 => "number zero".to_owned(),
                _ => format!("number {class}"),
            };
            page.element("td", class.trim(), &grouped(number));
        }
        page.element("td", "reason", &why_held(tally).trim())
            .add("</tr>\n");
    }
    page.add("</tbody></table></div>\n</section>\n");
}

fn write_coverage(page: &mut Markup, report: &Report) {
    let (schema, coverage) = (&report.schema, &report.coverage);
    page.section("coverage", "Coverage").add("<dl>\n");
    let mut fact = |name: &str, text: &str| {
        page.element("dt", "", &name)
            .element("dd", "", &text)
            .add("\n");
    };
    let classes = schema.classes.iter().filter(|(_, number)| **number > 0);
    let classes: Vec<String> = classes
        .map(|(class, number)| format!("{number} {class}"))
        .collect();
    fact(
        "tables",
        &format!("{} ({})", grouped(schema.tables), classes.join(", ")),
    );
    fact("columns", &grouped(schema.columns));
    fact("foreign keys", &grouped(schema.foreign_keys));
    fact("policies", &grouped(schema.policies));
    fact("queries", &grouped(schema.queries));
    if coverage.parameters > 0 {
        let bound = format!(
            "{} of {}",
            grouped(coverage.bound),
            grouped(coverage.parameters)
        );
        fact("parameters bound", &bound);
    }
    if coverage.branches > 0 {
        let met = format!(
            "{} of {}",
            grouped(coverage.met),
            grouped(coverage.branches)
        );
        fact("branches of queries met", &met);
    }
    let rows = count(report.dataset.rows, "row", "rows");
    let organisations = count(
        report.dataset.organisations,
        "organisation",
        "organisations",
    );
    fact("seeded", &format!("{rows} of {organisations}"));
    page.add("</dl>\n");
    if !coverage.unmet.is_empty() {
        let branches = count(coverage.unmet.len(), "branch", "branches");
        let title = format!("{branches} made no difference: a leak behind them may be missed");
        folded(page, &title, &coverage.unmet, |page, one| {
            page.element("code", "", &one.branch);
            page.say(&format!(" in {} line {}", one.query, one.line));
        });
    }
    if !report.satisfied.is_empty() {
        let constraints = count(report.satisfied.len(), "constraint", "constraints");
        let title = format!("How {constraints} were met");
        folded(page, &title, &report.satisfied, |page, one| {
            page.element("code", "", &one.object);
            page.say(&format!(" {}: ", one.means.word()))
                .element("code", "", &one.constraint);
        });
    }
    for remark in &report.remarks {
        page.element("p", "remark", remark).add("\n");
    }
    page.add("</section>\n");
}

/// A list that opens when its title is asked for.
fn folded<T>(page: &mut Markup, title: &str, list: &[T], write: impl Fn(&mut Markup, &T)) {
    page.add("<details>")
        .element("summary", "", &title)
        .add("<ul class=\"objects\">\n");
    for one in list {
        page.add("<li>");
        write(page, one);
        page.add("</li>\n");
    }
    page.add("</ul></details>\n");
}

fn write_timings(page: &mut Markup, report: &Report) {
    page.section("timings", "Timings");
    let alone = [report];
    let merged: Vec<&Report> = report
        .runs
        .iter()
        .filter(|run| run.failure.is_none())
        .collect();
    let runs: &[&Report] = if report.runs.is_empty() {
        &alone
    } else {
        &merged
    };
    let total = |run: &Report| {
        let times = &run.timings;
        times.server + times.migrate + times.seed + times.check
    };
    let most = runs.iter().map(|run| total(run)).max().unwrap_or(0).max(1);
    page.add("<table class=\"timings\">\n<tbody>\n");
    for run in runs {
        let times = &run.timings;
        page.add("<tr><th scope=\"row\">").say(&name(run));
        page.element("small", "", &format!("{} s", seconds(total(run))))
            .add("</th><td>");
        page.add("<div class=\"bar\">");
        for (stage, time) in [
            ("server", times.server),
            ("migrate", times.migrate),
            ("seed", times.seed),
            ("check", times.check),
        ] {
            let share = time.saturating_mul(1000) / most;
            page.add(&format!(
                "<span class=\"{stage}\" style=\"width:{}.{}%\" title=\"{stage} {} s\"></span>",
                share / 10,
                share % 10,
                seconds(time)
            ));
        }
        page.add("</div>");
        for (stage, time) in [
            ("server", times.server),
            ("migrate", times.migrate),
            ("seed", times.seed),
            ("check", times.check),
        ] {
            page.add(&format!(
                "<span class=\"key {stage}\">{stage} {} s</span> ",
                seconds(time)
            ));
        }
        page.add("</td></tr>\n");
    }
    page.add("</tbody></table>\n");
    if !report.server.chosen.is_empty() {
        page.element("p", "", &report.server.chosen).add("\n");
    }
    if !report.seed.is_empty() {
        page.add("<p>To run it again: ")
            .element("code", "", &format!("--seed {}", report.seed))
            .add("</p>\n");
    }
    page.add("</section>\n");
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:02}", milliseconds / 1000, milliseconds % 1000 / 10)
}
