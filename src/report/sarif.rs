//! SARIF 2.1.0 (OASIS), as GitHub's code scanning reads it too.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::Renderer;
use crate::model::{Finding, Inconclusive, Place, Report, RunVerdict, Severity};

/// SARIF.
pub(super) struct Sarif;

impl Renderer for Sarif {
    fn name(&self) -> &'static str {
        "sarif"
    }

    fn render(&self, report: &Report, _: bool) -> String {
        let rules = rules(report);
        let index = |check: &str| rules.iter().position(|rule| *rule == check);
        let findings = report
            .findings
            .iter()
            .map(|one| finding(report, one, index(one.check)));
        let unsure = report
            .inconclusive
            .iter()
            .map(|one| inconclusive(report, one, index(one.check)));
        let log = json!({
            "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "watertight",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules.iter().map(|id| rule(report, id)).collect::<Vec<_>>(),
                }},
                "automationDetails": { "id": category(report) },
                "invocations": [{
                    "executionSuccessful": report.verdict() != RunVerdict::Failed,
                    "exitCode": report.verdict().exit_status(),
                }],
                "columnKind": "unicodeCodePoints",
                "results": findings.chain(unsure).collect::<Vec<_>>(),
            }],
        });
        format!("{log:#}\n")
    }
}

/// What tells the results of one job of a matrix from those of another: what stands before the last slash.
fn category(report: &Report) -> String {
    let mut category = "watertight/".to_owned();
    if report.runs.is_empty() {
        let _ = write!(
            category,
            "{}/postgres-{}/",
            report.server.kind,
            report.major()
        );
        if let Some(shard) = report.shard {
            let _ = write!(category, "part-{}-of-{}/", shard.index, shard.count);
        }
    }
    category
}

/// The checks that ran or said something, in order.
fn rules(report: &Report) -> Vec<&str> {
    let checks = report.checks.keys().copied();
    let findings = report.findings.iter().map(|finding| finding.check);
    let unsure = report.inconclusive.iter().map(|case| case.check);
    let rules: BTreeSet<&str> = checks.chain(findings).chain(unsure).collect();
    rules.into_iter().collect()
}

fn rule(report: &Report, id: &str) -> Value {
    let Some(explained) = report.explained.get(id) else {
        return json!({ "id": id });
    };
    json!({
        "id": id,
        "shortDescription": { "text": explained.title },
        "fullDescription": { "text": explained.why },
        "help": { "text": explained.why },
    })
}

fn finding(report: &Report, finding: &Finding, rule: Option<usize>) -> Value {
    let level = match finding.severity {
        Severity::Leak => "error",
        Severity::Weakness if report.deny_weakness => "error",
        Severity::Weakness => "warning",
        Severity::Note => "note",
    };
    let fix = match finding.fix.as_str() {
        "" => String::new(),
        fix => format!("\n\nTo mend it:\n{fix}"),
    };
    json!({
        "ruleId": finding.check,
        "ruleIndex": rule,
        "kind": "fail",
        "level": level,
        "message": { "text": format!("{}: {}{fix}", finding.object, finding.message) },
        "locations": [location(report, finding.place.as_ref(), &finding.object)],
        "partialFingerprints": { "checkAndObject/v1": finding.fingerprint() },
        "suppressions": suppressions(finding.accepted),
        "properties": {
            "severity": finding.severity.word(),
            "sql": finding.sql,
            "sqlstate": finding.sqlstate,
            "fix": finding.fix,
            "versions": finding.versions,
        },
    })
}

fn inconclusive(report: &Report, case: &Inconclusive, rule: Option<usize>) -> Value {
    json!({
        "ruleId": case.check,
        "ruleIndex": rule,
        "kind": "open",
        "level": "none",
        "message": { "text": format!("{}: it could not be judged: {}", case.object, case.reason) },
        "locations": [location(report, None, &case.object)],
        "partialFingerprints": { "checkAndObject/v1": case.fingerprint() },
        "suppressions": suppressions(case.accepted),
    })
}

/// What was accepted in settings or a baseline, so outside of the place itself.
fn suppressions(accepted: bool) -> Value {
    if accepted {
        json!([{ "kind": "external", "status": "accepted" }])
    } else {
        json!([])
    }
}

/// GitHub refuses a result without a place in a file: what has none stands at the settings, where it can be accepted.
fn location(report: &Report, place: Option<&Place>, object: &str) -> Value {
    let settings = Place {
        file: "watertight.toml".to_owned(),
        line: 1,
    };
    let place = place.unwrap_or(&settings);
    let kind = if report.texts.contains_key(object) || object.contains(".sql:") {
        "function"
    } else {
        "object"
    };
    let artifact = match address(&place.file) {
        address if address.starts_with("file:") => json!({ "uri": address }),
        address => json!({ "uri": address, "uriBaseId": "%SRCROOT%" }),
    };
    json!({
        "physicalLocation": {
            "artifactLocation": artifact,
            "region": { "startLine": place.line.max(1) },
        },
        "logicalLocations": [{ "fullyQualifiedName": object, "kind": kind }],
    })
}

/// A file's name as a URI (RFC 3986): relative to the sources, or absolute.
fn address(file: &str) -> String {
    let file = file.replace('\\', "/");
    let file = file.strip_prefix("./").unwrap_or(&file);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
    let mut address = String::new();
    if file.starts_with('/') {
        address.push_str("file://");
    }
    for byte in file.bytes() {
        if plain(byte) {
            address.push(char::from(byte));
        } else {
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn files_become_addresses() {
        assert_eq!(address("./a/b 1.sql"), "a/b%201.sql");
        assert_eq!(address("/x/é.sql"), "file:///x/%C3%A9.sql");
    }
}
