//! The report for programs, `format: 1`. Keys are only ever added.

use serde_json::{Value, json};

use super::Renderer;
use crate::model::{Finding, Inconclusive, Report, Tally};

/// JSON, indented, in a stable order.
pub(super) struct Json;

impl Renderer for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn render(&self, report: &Report, _: bool) -> String {
        let value = json!({
            "format": 1,
            "verdict": report.verdict().word(),
            "seed": report.seed,
            "server": { "kind": report.server.kind, "version": report.server.version },
            "schema": {
                "tables": report.schema.tables,
                "scoped": report.schema.scoped,
                "foreign_keys": report.schema.foreign_keys,
                "policies": report.schema.policies,
                "columns": report.schema.columns,
                "queries": report.schema.queries,
                "classes": report.schema.classes,
                "migrations": report.schema.migrations,
            },
            "dataset": { "organisations": report.dataset.organisations, "rows": report.dataset.rows },
            "checks": report.checks.iter().map(|(id, tally)| check(id, tally)).collect::<Vec<_>>(),
            "findings": report.findings.iter().map(|one| finding(report, one)).collect::<Vec<_>>(),
            "inconclusive": report.inconclusive.iter().map(|one| inconclusive(report, one)).collect::<Vec<_>>(),
            "timings_ms": {
                "server": report.timings.server,
                "migrate": report.timings.migrate,
                "seed": report.timings.seed,
                "check": report.timings.check,
            },
            "coverage": {
                "parameters": report.coverage.parameters,
                "bound": report.coverage.bound,
                "branches": report.coverage.branches,
                "met": report.coverage.met,
                "unmet": report.coverage.unmet.iter().map(|one| json!({
                    "query": one.query,
                    "line": one.line,
                    "branch": one.branch,
                })).collect::<Vec<_>>(),
            },
            "remarks": report.remarks,
            "constraints": report.satisfied.iter().map(|one| json!({
                "object": one.object,
                "constraint": one.constraint,
                "met": one.means.word(),
            })).collect::<Vec<_>>(),
            "runs": [],
        });
        format!("{value:#}\n")
    }
}

fn check(id: &str, tally: &Tally) -> Value {
    json!({
        "id": id,
        "cases": tally.cases,
        "held": tally.held,
        "leaked": tally.leaked,
        "inconclusive": tally.inconclusive,
        "not_applicable": tally.not_applicable,
        "reasons": tally.reasons,
    })
}

fn finding(report: &Report, finding: &Finding) -> Value {
    let place = finding.place.as_ref();
    json!({
        "check": finding.check,
        "severity": finding.severity.word(),
        "object": finding.object,
        "message": finding.message,
        "sql": finding.sql,
        "sqlstate": finding.sqlstate,
        "file": place.map(|place| place.file.clone()),
        "line": place.map(|place| place.line),
        "fix": finding.fix,
        "accepted": finding.accepted,
        "versions": finding.versions,
        "fingerprint": finding.fingerprint(),
        "query": report.texts.get(&finding.object),
    })
}

fn inconclusive(report: &Report, case: &Inconclusive) -> Value {
    json!({
        "check": case.check,
        "object": case.object,
        "reason": case.reason,
        "accepted": case.accepted,
        "fingerprint": case.fingerprint(),
        "query": report.texts.get(&case.object),
    })
}
