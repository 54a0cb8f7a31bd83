//! The terminal's report, then annotations for GitHub Actions (its "workflow commands").

use super::Renderer;
use super::page::{count, one_line};
use super::text::Text;
use crate::model::{Finding, Report, Severity};

/// GitHub shows no more annotations of a level in a step.
const MOST: usize = 10;

/// For the log of GitHub Actions.
pub(super) struct GitHub;

impl Renderer for GitHub {
    fn name(&self) -> &'static str {
        "github"
    }

    fn render(&self, report: &Report, _: bool) -> String {
        let mut text = without_commands(&Text.render(report, false));
        let findings = |level: &str| {
            report
                .findings
                .iter()
                .filter(|finding| !finding.accepted && level_of(finding, report) == level)
                .map(|finding| annotation(level, finding))
                .collect::<Vec<_>>()
        };
        let inconclusive = report
            .inconclusive
            .iter()
            .filter(|case| !case.accepted)
            .map(|case| {
                let title = format!("inconclusive: {} on {}", case.check, case.object);
                command("warning", &[("title", &title)], &case.reason)
            });
        let mut warnings = findings("warning");
        warnings.extend(inconclusive);
        for (level, lines) in [
            ("error", findings("error")),
            ("warning", warnings),
            ("notice", findings("notice")),
        ] {
            text.push_str(&bounded(level, lines));
        }
        text
    }
}

fn level_of(finding: &Finding, report: &Report) -> &'static str {
    match finding.severity {
        Severity::Leak => "error",
        Severity::Weakness if report.deny_weakness => "error",
        Severity::Weakness => "warning",
        Severity::Note => "notice",
    }
}

/// At most as many as are shown, the last of which tells of those that aren't.
fn bounded(level: &str, mut lines: Vec<String>) -> String {
    if lines.len() > MOST {
        let more = lines.len() - (MOST - 1);
        lines.truncate(MOST - 1);
        let message = format!("{} in the report above", count(more, "more", "more"));
        lines.push(command(level, &[], &message));
    }
    lines.concat()
}

fn annotation(level: &str, finding: &Finding) -> String {
    let title = format!(
        "{}: {} on {}",
        finding.severity, finding.check, finding.object
    );
    let line = finding.place.as_ref().map(|place| place.line.to_string());
    let mut properties = Vec::new();
    if let (Some(place), Some(line)) = (&finding.place, &line) {
        properties.extend([("file", place.file.as_str()), ("line", line)]);
    }
    properties.push(("title", &title));
    let fix = match finding.fix.as_str() {
        "" => String::new(),
        fix => format!("\nTo mend:\n{fix}"),
    };
    command(level, &properties, &format!("{}{fix}", finding.message))
}

fn command(level: &str, properties: &[(&str, &str)], message: &str) -> String {
    let properties: Vec<String> = properties
        .iter()
        .map(|(key, value)| {
            let value = escaped(value).replace(':', "%3A").replace(',', "%2C");
            format!("{key}={value}")
        })
        .collect();
    let space = if properties.is_empty() { "" } else { " " };
    format!(
        "::{level}{space}{}::{}\n",
        properties.join(","),
        escaped(message)
    )
}

/// As the runner's own library escapes (actions/toolkit, `command.ts`).
fn escaped(text: &str) -> String {
    let escaped = text
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A");
    one_line(&escaped)
}

/// The runner obeys any line that begins with two colons; none of the report's does.
fn without_commands(text: &str) -> String {
    text.lines()
        .map(|line| {
            let start = line.trim_start();
            let indent = &line[..line.len() - start.len()];
            match start.strip_prefix("::") {
                Some(rest) => format!("{indent}: :{rest}\n"),
                None => format!("{line}\n"),
            }
        })
        .collect()
}
