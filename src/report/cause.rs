//! Findings of one cause: those that one and the same statement would mend.

use std::collections::BTreeMap;

use super::page::count;
use crate::model::{Finding, Report, Severity};

/// Findings that are told together.
pub(super) struct Cause<'a> {
    /// The worst first.
    pub(super) findings: Vec<&'a Finding>,
    /// The statement of their fixes that they share, where there are several.
    shared: Option<&'a str>,
}

impl<'a> Cause<'a> {
    /// The check of its first finding.
    pub(super) fn check(&self) -> &'a str {
        self.findings.first().map_or("", |finding| finding.check)
    }

    /// What it is called in a list of causes: what is needed by how many, or the one object.
    pub(super) fn short(&self) -> String {
        if let [one] = self.findings.as_slice() {
            return one.object.clone();
        }
        let title = self.title();
        let rest = title.split_once(": ").map(|(_, rest)| rest.to_owned());
        rest.unwrap_or(title)
    }

    /// The worst of its findings.
    pub(super) fn severity(&self) -> Severity {
        let severities = self.findings.iter().map(|finding| finding.severity);
        severities.min().unwrap_or(Severity::Note)
    }

    /// What it is about: `cross-tenant-reference on crm.tags.tags_fkey`, or how many have which cause.
    pub(super) fn title(&self) -> String {
        let Some(first) = self.findings.first() else {
            return String::new();
        };
        let Some(shared) = self.shared else {
            return format!("{} on {}", first.check, first.object);
        };
        let mut checks: Vec<&str> = self.findings.iter().map(|finding| finding.check).collect();
        checks.sort_unstable();
        checks.dedup();
        let keys = checks == ["cross-tenant-reference"];
        let (one, many) = if keys {
            ("key needs", "keys need")
        } else {
            ("finding, of", "findings, of one cause:")
        };
        let number = count(self.findings.len(), one, many);
        format!("{}: {number} {}", checks.join(", "), needed(shared))
    }

    /// One of them as it is called in the list: by its object, and by its check where they are of several.
    pub(super) fn label(&self, finding: &Finding) -> String {
        let same =
            |other: &&Finding| (other.check, other.severity) == (finding.check, finding.severity);
        if self.findings.iter().all(same) {
            finding.object.clone()
        } else {
            format!(
                "{}: {} on {}",
                finding.severity, finding.check, finding.object
            )
        }
    }

    /// What mends all of them: every statement once.
    pub(super) fn fix(&self) -> String {
        let mut lines: Vec<&str> = Vec::new();
        for line in self.findings.iter().flat_map(|finding| finding.fix.lines()) {
            if self.shared.is_none() || !lines.contains(&line) {
                lines.push(line);
            }
        }
        lines.join("\n")
    }
}

/// How advice ends that a table should have the tenant column.
const COLUMN: &str = " the tenant column";

/// `UNIQUE (organisation_id, id) on crm.people` of the statement that adds it; another statement as it is.
fn needed(statement: &str) -> String {
    let plain = |text: &str| text.trim_end_matches(';').replace('"', "");
    let unique = statement
        .strip_prefix("ALTER TABLE ")
        .and_then(|rest| rest.split_once(" ADD UNIQUE "));
    let given = statement
        .strip_prefix("Give ")
        .and_then(|rest| rest.strip_suffix(COLUMN));
    match (unique, given) {
        (Some((table, columns)), _) => format!("UNIQUE {} on {}", plain(columns), plain(table)),
        (None, Some(table)) => format!("the tenant column in {table}"),
        (None, None) => statement.to_owned(),
    }
}

/// The findings that are not accepted, from a severity upwards, those of one cause together, the worst first.
pub(super) fn causes(report: &Report, least: Severity) -> Vec<Cause<'_>> {
    let open = report.findings.iter();
    let open = open.filter(|finding| !finding.accepted && finding.severity <= least);
    let open: Vec<&Finding> = open.collect();
    let mut mended: BTreeMap<&str, usize> = BTreeMap::new();
    for line in open.iter().flat_map(|finding| statements(finding)) {
        *mended.entry(line).or_default() += 1;
    }
    let mut found: Vec<Cause<'_>> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in open {
        let shared = statements(finding)
            .filter(|line| mended.get(line).is_some_and(|number| *number > 1))
            .max_by_key(|line| mended.get(line));
        if let Some(at) = shared.and_then(|line| known.get(line)) {
            found[*at].findings.push(finding);
            continue;
        }
        if let Some(line) = shared {
            known.insert(line, found.len());
        }
        found.push(Cause {
            findings: vec![finding],
            shared,
        });
    }
    for cause in &mut found {
        // The others that have it may have more in common with yet others.
        if cause.findings.len() == 1 {
            cause.shared = None;
        }
    }
    found.sort_by_key(Cause::severity);
    found
}

/// The lines of a finding's fix that name what is mended: advice in general words is no cause.
fn statements(finding: &Finding) -> impl Iterator<Item = &str> {
    const COMMANDS: [&str; 4] = ["ALTER ", "CREATE ", "DROP ", "REVOKE "];
    finding.fix.lines().filter(move |line| {
        let statement = line.ends_with(';') && COMMANDS.iter().any(|word| line.starts_with(word));
        statement || line.ends_with(COLUMN) || line.contains(&finding.object)
    })
}
