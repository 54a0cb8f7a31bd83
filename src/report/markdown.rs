//! Markdown, for GitHub's job summary and for whoever reads it there. Names and texts come from the schema under test:
//! none becomes markup.

use std::fmt::Write as _;

use super::Renderer;
use super::cause::{Cause, causes};
use super::difference::{differences, name};
use super::fold::{self, Folds};
use super::markup::escaped;
use super::page::{count, grouped, one_line};
use super::summary::summary;
use crate::model::{Report, RunVerdict, Severity};

/// GitHub takes no longer summary of a step: a MiB, of which a little is left for the end.
const MOST: usize = 1024 * 1024 - 4096;

/// Markdown.
pub(super) struct Markdown;

impl Renderer for Markdown {
    fn name(&self) -> &'static str {
        "markdown"
    }

    fn render(&self, report: &Report, _: bool) -> String {
        let mut document = Document::default();
        let verdict = report.verdict();
        let sign = match verdict {
            RunVerdict::Held => "✅",
            RunVerdict::Leaked | RunVerdict::Failed => "❌",
            RunVerdict::Inconclusive => "❔",
        };
        let word = verdict.word().to_uppercase();
        document.add(&format!(
            "## {sign} {word}\n\n{}\n",
            plain(&summary(report))
        ));
        document.add(&runs(report));
        document.add(&facts(report));
        document.add(&checks(report));
        // The longest comes last: what is left out where there is no room is the end of it.
        let found = causes(report, Severity::Weakness);
        for told in Folds::of(report, &found).told(&found) {
            match told.as_slice() {
                [cause] => document.add(&finding(report, cause)),
                several => document.add(&folded(report, several)),
            }
        }
        for case in fold::unsure(report) {
            document.add(&format!(
                "\n**inconclusive**: {} on {}: {}\n",
                case.check,
                code(&case.object),
                plain(&case.reason)
            ));
        }
        let acquitted = report
            .findings
            .iter()
            .filter(|f| f.accepted && !f.acquitted.is_empty());
        for one in acquitted {
            document.add(&format!(
                "\n**acquitted**: {} on {}, which the application guards, as shown by {}\n",
                one.check,
                code(&one.object),
                code(&one.acquitted.join(", "))
            ));
        }
        document.finish()
    }
}

/// The text so far, and how many parts had no room.
#[derive(Default)]
struct Document {
    text: String,
    left_out: usize,
}

impl Document {
    fn add(&mut self, part: &str) {
        if self.text.len() + part.len() > MOST {
            self.left_out += 1;
        } else {
            self.text.push_str(part);
        }
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            let parts = count(self.left_out, "part", "parts");
            let _ = writeln!(
                self.text,
                "\n{parts} more, for which there is no room here, in the other reports."
            );
        }
        self.text
    }
}

fn runs(report: &Report) -> String {
    if report.runs.is_empty() {
        return String::new();
    }
    let mut text = "\n| run | verdict | |\n| --- | --- | --- |\n".to_owned();
    for run in &report.runs {
        let told = run.failure.clone().unwrap_or_else(|| summary(run));
        let _ = writeln!(
            text,
            "| {} | {} | {} |",
            plain(&name(run)),
            run.verdict().word(),
            plain(&told)
        );
    }
    for told in differences(report) {
        let _ = write!(text, "\n- {}", plain(&told));
    }
    text.push('\n');
    text
}

fn facts(report: &Report) -> String {
    let schema = &report.schema;
    format!(
        "\n{}, {}, {}, {}; {} with {}; {} {}; `--seed {}`\n",
        count(schema.tables, "table", "tables"),
        count(schema.foreign_keys, "foreign key", "foreign keys"),
        count(schema.policies, "policy", "policies"),
        count(schema.queries, "query", "queries"),
        count(
            report.dataset.organisations,
            "organisation",
            "organisations"
        ),
        count(report.dataset.rows, "row", "rows"),
        plain(&report.server.kind),
        plain(&report.server.version),
        plain(&report.seed)
    )
}

fn checks(report: &Report) -> String {
    let mut text = "\n| check | cases | held | leaked | inconclusive | n/a |\n| --- | ---: | ---: | ---: | ---: | ---: |\n".to_owned();
    for (id, tally) in &report.checks {
        let _ = writeln!(
            text,
            "| {id} | {} | {} | {} | {} | {} |",
            grouped(tally.cases),
            grouped(tally.held),
            grouped(tally.leaked),
            grouped(tally.inconclusive),
            grouped(tally.not_applicable)
        );
    }
    text
}

/// The causes of a check that has too many to tell each: the largest by name, and the first in full.
fn folded(report: &Report, causes: &[&Cause<'_>]) -> String {
    let Some(first) = causes.first() else {
        return String::new();
    };
    let mut text = format!(
        "\n<details><summary><b>{}</b>: {}</summary>\n\n",
        first.severity(),
        escaped(&one_line(&fold::title(report, causes)))
    );
    for cause in causes.iter().take(fold::NAMED) {
        let _ = writeln!(text, "- {}", code(&cause.short()));
    }
    if let Some(more) = fold::more(causes.len()) {
        let _ = writeln!(text, "- {more}, in the other reports");
    }
    text.push_str(&finding(report, first));
    text.push_str("</details>\n");
    text
}

fn finding(report: &Report, cause: &Cause<'_>) -> String {
    let Some(first) = cause.findings.first() else {
        return String::new();
    };
    let mut text = format!(
        "\n<details><summary><b>{}</b>: {}</summary>\n\n",
        cause.severity(),
        escaped(&one_line(&cause.title()))
    );
    for finding in &cause.findings {
        let place = finding.place.as_ref();
        let place =
            place.map(|place| format!(" at {}", code(&format!("{}:{}", place.file, place.line))));
        let versions = if report.runs.len() > 1 {
            format!(", on Postgres {}", finding.versions.join(", "))
        } else {
            String::new()
        };
        let _ = writeln!(
            text,
            "- {}{}{}",
            code(&cause.label(finding)),
            place.unwrap_or_default(),
            plain(&versions)
        );
    }
    let _ = writeln!(text, "\n{}\n", plain(&first.message));
    if let Some(query) = report.texts.get(&first.object) {
        let _ = writeln!(text, "The query:\n\n{}", block("sql", query));
    }
    for (title, language, shown) in [
        ("The rows that show it:", "diff", &first.difference),
        ("To repeat it in psql:", "sql", &first.sql),
        ("To mend it:", "sql", &cause.fix()),
    ] {
        if !shown.trim().is_empty() {
            let _ = writeln!(text, "{title}\n\n{}", block(language, shown));
        }
    }
    text.push_str("</details>\n");
    text
}

/// Text on one line in which no character is markup, and nothing becomes a mention or a link.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in escaped(&one_line(text)).chars() {
        if "\\`*_{}[]|".contains(c) {
            plain.push('\\');
        }
        plain.push(c);
        if c == '@' {
            plain.push('\u{200b}');
        }
    }
    plain
        .replace("://", ":\u{200b}//")
        .replace("www.", "www\u{200b}.")
}

/// A name as code, whatever backquotes it holds; in a table the bar would end the cell.
fn code(text: &str) -> String {
    format!("<code>{}</code>", plain(text))
}

/// A block of code behind a fence that it can't close.
fn block(language: &str, shown: &str) -> String {
    let mut longest = 0;
    let mut run = 0;
    for c in shown.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    let fence = "`".repeat(longest.max(2) + 1);
    let lines: Vec<String> = shown
        .trim_end()
        .split('\n')
        .map(|line| one_line(line.trim_end_matches('\r')))
        .collect();
    format!("{fence}{language}\n{}\n{fence}\n", lines.join("\n"))
}
