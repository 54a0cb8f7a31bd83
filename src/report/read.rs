//! A report again, from the JSON that was made of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::lines::{self, Line};
use crate::model::{
    Actor, Attacked, Coverage, DatasetFacts, Finding, Inconclusive, Means, Mistake, Place, Report,
    Satisfied, SchemaFacts, ServerFacts, Severity, Shard, Tally, Timings, UnmetBranch,
};

/// By the id of a check: the same, as it is known here.
pub type KnownCheck<'a> = &'a dyn Fn(&str) -> Option<&'static str>;

/// Reads what the format `json` wrote.
///
/// # Errors
/// A sentence that says what is wrong with the text.
pub fn read(text: &str, known: KnownCheck<'_>) -> Result<Report, String> {
    let document: Document = serde_json::from_str(text)
        .map_err(|error| format!("it is no JSON report of watertight: {error}"))?;
    document.report(known)
}

#[derive(Deserialize)]
struct Document {
    format: u32,
    #[serde(default)]
    error: Option<String>,
    seed: String,
    server: Server,
    #[serde(default)]
    schema: Schema,
    #[serde(default)]
    dataset: Dataset,
    checks: Vec<Check>,
    findings: Vec<OneFinding>,
    inconclusive: Vec<OneInconclusive>,
    #[serde(default)]
    timings_ms: Times,
    #[serde(default)]
    coverage: Covered,
    #[serde(default)]
    remarks: Vec<String>,
    #[serde(default)]
    constraints: Vec<Constraint>,
    #[serde(default)]
    attacks: BTreeMap<String, BTreeMap<String, BTreeMap<String, Counts>>>,
    #[serde(default)]
    deny_weakness: bool,
    #[serde(default)]
    shard: Option<String>,
    #[serde(default)]
    mistake: Option<OneMistake>,
    #[serde(default)]
    runs: Vec<Document>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Server {
    kind: String,
    version: String,
    chosen: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Schema {
    tables: usize,
    scoped: usize,
    foreign_keys: usize,
    policies: usize,
    columns: usize,
    queries: usize,
    classes: BTreeMap<String, usize>,
    migrations: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Dataset {
    organisations: usize,
    rows: usize,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Times {
    server: u64,
    migrate: u64,
    seed: u64,
    check: u64,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    held: usize,
    leaked: usize,
    inconclusive: usize,
    not_applicable: usize,
}

#[derive(Deserialize)]
struct Check {
    id: String,
    #[serde(flatten)]
    counts: Counts,
    #[serde(default)]
    reasons: BTreeMap<String, usize>,
}

#[derive(Deserialize)]
struct OneFinding {
    check: String,
    severity: String,
    object: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    sql: String,
    #[serde(default)]
    sqlstate: Option<String>,
    #[serde(default)]
    difference: String,
    #[serde(default)]
    file: Option<String>,
    #[serde(default)]
    line: Option<usize>,
    #[serde(default)]
    excerpt: Vec<Line>,
    #[serde(default)]
    fix: String,
    #[serde(default)]
    accepted: bool,
    #[serde(default)]
    acquitted: Vec<String>,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    query: Option<String>,
}

#[derive(Deserialize)]
struct OneInconclusive {
    check: String,
    object: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    accepted: bool,
    #[serde(default)]
    versions: Vec<String>,
    #[serde(default)]
    query: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Covered {
    parameters: usize,
    bound: usize,
    branches: usize,
    met: usize,
    unmet: Vec<Unmet>,
}

#[derive(Deserialize)]
struct Unmet {
    query: String,
    line: usize,
    branch: String,
}

#[derive(Deserialize)]
struct Constraint {
    object: String,
    #[serde(rename = "constraint")]
    text: String,
    met: String,
}

#[derive(Deserialize)]
struct OneMistake {
    place: String,
    message: String,
}

impl Counts {
    fn tally(self, reasons: BTreeMap<String, usize>) -> Tally {
        Tally {
            cases: self.held + self.leaked + self.inconclusive + self.not_applicable,
            held: self.held,
            leaked: self.leaked,
            inconclusive: self.inconclusive,
            not_applicable: self.not_applicable,
            reasons,
        }
    }
}

impl Document {
    fn report(self, known: KnownCheck<'_>) -> Result<Report, String> {
        if self.format != 1 {
            return Err(format!(
                "format {} is unknown here: it was written by a newer watertight",
                self.format
            ));
        }
        let id = |id: &str| {
            known(id).ok_or_else(|| {
                format!("check `{id}` is unknown here: it was written by another watertight")
            })
        };
        let mut report = Report {
            seed: self.seed,
            server: self.server.facts(),
            schema: self.schema.facts(),
            dataset: DatasetFacts {
                organisations: self.dataset.organisations,
                rows: self.dataset.rows,
            },
            timings: self.timings_ms.timings(),
            coverage: self.coverage.coverage(),
            remarks: self.remarks,
            deny_weakness: self.deny_weakness,
            failure: self.error,
            mistake: self.mistake.map(|mistake| Mistake {
                place: mistake.place,
                message: mistake.message,
            }),
            shard: self.shard.as_deref().map(shard).transpose()?,
            attacks: attacks(self.attacks)?,
            ..Report::default()
        };
        for check in self.checks {
            let tally = check.counts.tally(check.reasons);
            report.checks.insert(id(&check.id)?, tally);
        }
        for mut finding in self.findings {
            if let Some(text) = finding.query.take() {
                report.texts.insert(finding.object.clone(), text);
            }
            if let Some(file) = &finding.file {
                lines::enter(&mut report.sources, file, &finding.excerpt);
            }
            report.findings.push(finding.finding(&id)?);
        }
        for mut case in self.inconclusive {
            if let Some(text) = case.query.take() {
                report.texts.insert(case.object.clone(), text);
            }
            report.inconclusive.push(case.inconclusive(&id)?);
        }
        for one in self.constraints {
            let all = [Means::Parsed, Means::Tried, Means::Sampled, Means::Unmet];
            let means = all.into_iter().find(|means| means.word() == one.met);
            let means = means.ok_or_else(|| format!("no constraint is met by `{}`", one.met))?;
            report.satisfied.push(Satisfied {
                object: one.object,
                constraint: one.text,
                means,
            });
        }
        for run in self.runs {
            report.runs.push(run.report(known)?);
        }
        Ok(report)
    }
}

impl Server {
    fn facts(self) -> ServerFacts {
        ServerFacts {
            kind: self.kind,
            version: self.version,
            chosen: self.chosen,
        }
    }
}

impl Schema {
    fn facts(self) -> SchemaFacts {
        SchemaFacts {
            tables: self.tables,
            scoped: self.scoped,
            classes: self.classes,
            columns: self.columns,
            foreign_keys: self.foreign_keys,
            policies: self.policies,
            queries: self.queries,
            migrations: self.migrations,
        }
    }
}

impl Times {
    fn timings(&self) -> Timings {
        Timings {
            server: self.server,
            migrate: self.migrate,
            seed: self.seed,
            check: self.check,
        }
    }
}

impl Covered {
    fn coverage(self) -> Coverage {
        let unmet = self.unmet.into_iter().map(|one| UnmetBranch {
            query: one.query,
            line: one.line,
            branch: one.branch,
        });
        Coverage {
            parameters: self.parameters,
            bound: self.bound,
            branches: self.branches,
            met: self.met,
            unmet: unmet.collect(),
        }
    }
}

impl OneFinding {
    fn finding(self, id: &dyn Fn(&str) -> Result<&'static str, String>) -> Result<Finding, String> {
        let severities = [Severity::Leak, Severity::Weakness, Severity::Note];
        let severity = severities
            .into_iter()
            .find(|severity| severity.word() == self.severity);
        let place = self.file.zip(self.line);
        Ok(Finding {
            check: id(&self.check)?,
            severity: severity
                .ok_or_else(|| format!("no severity is called `{}`", self.severity))?,
            object: self.object,
            message: self.message,
            sql: self.sql,
            sqlstate: self.sqlstate,
            place: place.map(|(file, line)| Place { file, line }),
            fix: self.fix,
            accepted: self.accepted,
            acquitted: self.acquitted,
            versions: self.versions,
            difference: self.difference,
            counterexample: None,
        })
    }
}

impl OneInconclusive {
    fn inconclusive(
        self,
        id: &dyn Fn(&str) -> Result<&'static str, String>,
    ) -> Result<Inconclusive, String> {
        Ok(Inconclusive {
            check: if self.check == "run" {
                "run"
            } else {
                id(&self.check)?
            },
            object: self.object,
            reason: self.reason,
            accepted: self.accepted,
            versions: self.versions,
        })
    }
}

fn attacks(
    objects: BTreeMap<String, BTreeMap<String, BTreeMap<String, Counts>>>,
) -> Result<BTreeMap<Attacked, Tally>, String> {
    let mut found = BTreeMap::new();
    for (object, actors) in objects {
        for (actor, operations) in actors {
            let actor: Actor = actor.parse()?;
            for (operation, counts) in operations {
                let object = object.clone();
                let attacked = Attacked {
                    object,
                    actor,
                    operation,
                };
                found.insert(attacked, counts.tally(BTreeMap::new()));
            }
        }
    }
    Ok(found)
}

fn shard(text: &str) -> Result<Shard, String> {
    let parts = text.split_once('/');
    let numbers = parts.and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    numbers
        .map(|(index, count)| Shard { index, count })
        .ok_or_else(|| format!("`{text}` is no part of a run"))
}
