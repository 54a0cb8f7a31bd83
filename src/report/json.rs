//! The report for programs, `format: 1`. Keys are only ever added.

use serde_json::{Map, Value, json};

use super::Renderer;
use crate::model::{Finding, Inconclusive, Report, Tally};

/// JSON, indented, in a stable order.
pub(super) struct Json;

impl Renderer for Json {
    fn name(&self) -> &'static str {
        "json"
    }

    fn render(&self, report: &Report, _: bool) -> String {
        format!("{:#}\n", value(report))
    }
}

fn value(report: &Report) -> Value {
    let mut value = json!({
        "format": 1,
        "verdict": report.verdict().word(),
        "seed": report.seed,
        "server": {
            "kind": report.server.kind,
            "version": report.server.version,
            "chosen": report.server.chosen,
        },
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
        "attacks": attacks(report),
        "deny_weakness": report.deny_weakness,
        "shard": report.shard.map(|shard| format!("{}/{}", shard.index, shard.count)),
        "mistake": report.mistake.as_ref().map(|mistake| json!({
            "place": mistake.place,
            "message": mistake.message,
        })),
        "runs": report.runs.iter().map(self::value).collect::<Vec<_>>(),
    });
    if let Some(failure) = &report.failure {
        value["error"] = json!(failure);
    }
    value
}

/// By object, by whom, by command: how many cases came out how.
fn attacks(report: &Report) -> Value {
    let mut objects = Map::new();
    for (attacked, tally) in &report.attacks {
        let counts = [
            ("held", tally.held),
            ("leaked", tally.leaked),
            ("inconclusive", tally.inconclusive),
            ("not_applicable", tally.not_applicable),
        ];
        let counts = counts.into_iter().filter(|(_, count)| *count > 0);
        let counts: Map<String, Value> = counts
            .map(|(key, count)| (key.to_owned(), json!(count)))
            .collect();
        let object = objects.entry(&attacked.object).or_insert_with(|| json!({}));
        object[attacked.actor.to_string()][&attacked.operation] = Value::Object(counts);
    }
    Value::Object(objects)
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
        "excerpt": super::lines::around(report, finding),
        "difference": finding.difference,
        "fix": finding.fix,
        "accepted": finding.accepted,
        "acquitted": finding.acquitted,
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
        "versions": case.versions,
        "fingerprint": case.fingerprint(),
        "query": report.texts.get(&case.object),
    })
}
