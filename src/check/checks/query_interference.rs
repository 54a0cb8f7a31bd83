//! A query whose result depends on another tenant's rows, or that changes them.

use std::fmt::Write as _;

use crate::check::{Check, Page, Scene, crossing, row};
use crate::model::{
    Access, Attempt, Canary, Case, Cell, Class, Context, Defect, Observation, Output, Purpose,
    Query, QueryTenant, Session, Severity, Stage, Verdict, WorldKind, literal, quoted,
};
use crate::query::{Binding, Comparison, bindings, compare, infer, tenant_parameter};

/// The check.
pub(crate) static CHECK: QueryInterference = QueryInterference;

/// Runs every query in worlds that differ in everyone else's rows alone.
pub(crate) struct QueryInterference;

/// The physical orders in which the acting tenant's rows are loaded, to see what varies by itself.
const LAYOUTS: usize = 3;

/// The stages of one binding, in the order of its attempts: alone in several layouts, then with others.
const WORLDS: [(WorldKind, usize); 6] = [
    (WorldKind::Absent, 0),
    (WorldKind::Absent, 1),
    (WorldKind::Absent, 2),
    (WorldKind::Different, 0),
    (WorldKind::Twins, 0),
    (WorldKind::Twins, 1),
];

const EXECUTE: &str = "EXECUTE watertight_query";

const DEALLOCATE: &str = "DEALLOCATE watertight_query";

impl Check for QueryInterference {
    fn page(&self) -> Page {
        Page {
            id: "query-interference",
            title: "a query depends on another tenant's rows, or changes them",
            what: "Every query is run for one organisation in worlds that share its rows and differ in everyone else's: \
                   nobody\nelse is there, others are there, twins are there that have its ids, names and times where the \
                   keys allow it.\nWhat it returns, counts and fails with must be the same, no returned value may be \
                   another's (canaries), and\nothers' rows must be as before. What varies over its own rows alone, \
                   loaded in three orders, is no leak.\nRow-level security is out of the way: the query itself must be \
                   right.",
            why: "A lost predicate, an OR without parentheses, a join or a subquery that does not repeat the tenant \
                  shows, counts\nor changes another organisation's rows, though each table and policy is right.",
            example: "SELECT p.* FROM people p JOIN notes n ON n.person_id = p.id WHERE p.organisation_id = $1;",
            fix: "Repeat the tenant for every table: JOIN notes n ON n.organisation_id = p.organisation_id AND …\nA query \
                  that crosses tenants by design says so: -- tenant: system REASON. One that runs under row-level \
                  security\nalone: -- tenant: context.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        scene
            .queries
            .iter()
            .map(|query| Case {
                check: self.page().id,
                object: query.object.clone(),
                subject: String::new(),
                attempts: attempts(scene, query, None),
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some(query) = scene
            .queries
            .iter()
            .find(|query| query.object == case.object)
        else {
            return Verdict::Inconclusive("the query is not among those that were read".to_owned());
        };
        if let Some(problem) = &query.problem {
            return Verdict::Inconclusive(format!("the server does not take it: {problem}"));
        }
        if query.tenant == QueryTenant::Context && scene.tenancy.access.is_none() {
            return Verdict::Inconclusive(
                "it runs in a tenant context, and [access] says nothing of one".to_owned(),
            );
        }
        if let QueryTenant::System(reason) = &query.tenant {
            return judge_system(reason, case, seen);
        }
        judge(scene, query, case, seen)
    }
}

/// How a query is run: as the owner, or as the application in the acting tenant's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode<'a> {
    Owner,
    Application(&'a Access),
}

/// All attempts of a query: for each binding, one in each world. With `only`, of that binding, as the owner and then
/// as the application.
fn attempts(scene: Scene<'_>, query: &Query, only: Option<usize>) -> Vec<Attempt> {
    if query.problem.is_some() {
        return Vec::new();
    }
    let inferred = infer(scene.catalog, query);
    let all = bindings(scene.catalog, scene.tenancy, scene.worlds, query, &inferred);
    let access = scene.tenancy.access.as_ref();
    let modes: Vec<Mode<'_>> = match (&query.tenant, access) {
        (QueryTenant::Context, None) => return Vec::new(),
        (QueryTenant::Context, Some(access)) => vec![Mode::Application(access)],
        (_, Some(access)) if only.is_some() => vec![Mode::Owner, Mode::Application(access)],
        _ => vec![Mode::Owner],
    };
    let system = matches!(query.tenant, QueryTenant::System(_));
    let witness = if system {
        crossings(scene)
    } else {
        digests(scene)
    };
    let mut found = Vec::new();
    for mode in modes {
        for (number, binding) in all.iter().enumerate() {
            if only.is_some_and(|only| only != number) {
                continue;
            }
            for (kind, layout) in WORLDS {
                if system && kind != WorldKind::Twins {
                    continue;
                }
                found.push(Attempt {
                    purpose: if binding.seizes {
                        Purpose::Attack
                    } else {
                        Purpose::Probe
                    },
                    label: binding.label.clone(),
                    session: Session::Owner,
                    context: Context::Unset,
                    stage: Stage::World { kind, layout },
                    statements: statements(scene, query, binding, mode, inferred.writes),
                    // Where nobody else is, nobody else's rows can be changed.
                    witness: (inferred.writes && kind != WorldKind::Absent)
                        .then(|| witness.clone()),
                });
            }
        }
    }
    found
}

fn statements(
    scene: Scene<'_>,
    query: &Query,
    binding: &Binding,
    mode: Mode<'_>,
    writes: bool,
) -> Vec<String> {
    let mut list = Vec::new();
    if !scene.catalog.sequences.is_empty() {
        let alike: Vec<String> = scene
            .catalog
            .sequences
            .iter()
            .map(crate::model::Sequence::restart)
            .collect();
        list.push(format!("SELECT {}", alike.join(", ")));
    }
    if let Mode::Application(access) = mode {
        list.push(format!("SET LOCAL ROLE {}", quoted(&access.role)));
        list.extend(access.statements(scene.worlds.acting_tenant()));
    }
    list.push(format!("PREPARE watertight_query AS {}", query.sql));
    list.push(execute(&binding.values));
    if writes {
        list.push("SET CONSTRAINTS ALL IMMEDIATE".to_owned());
    }
    list.push(DEALLOCATE.to_owned());
    list
}

/// The attempt's statements with its witness around them, as people repeat them.
fn witnessed(attempt: &Attempt) -> Vec<String> {
    let (before, after) = (attempt.witness.iter(), attempt.witness.iter());
    let statements = attempt.statements.iter().filter(|sql| *sql != DEALLOCATE);
    before.chain(statements).chain(after).cloned().collect()
}

fn execute(values: &[Cell]) -> String {
    if values.is_empty() {
        return EXECUTE.to_owned();
    }
    let list: Vec<String> = values
        .iter()
        .map(|cell| cell.as_deref().map_or_else(|| "NULL".to_owned(), literal))
        .collect();
    format!("{EXECUTE}({})", list.join(", "))
}

/// Rows of each table that are not the acting tenant's: how many, and a digest of where their versions stand. Every
/// write makes a new version, so this sees what a digest of the values would, for a tenth of its price.
fn digests(scene: Scene<'_>) -> String {
    let parts: Vec<String> = scene
        .tenancy
        .classes
        .keys()
        .filter_map(|table| {
            let condition = not_ours(scene, table)?;
            Some(format!(
                "SELECT {}, count(*), sum(hashtid(t.ctid)::int8 # t.tableoid::int8) FROM {} t WHERE {condition}",
                literal(&table.to_string()),
                table.quoted()
            ))
        })
        .collect();
    parts.join(" UNION ALL ")
}

/// The condition that a row `t` is not the acting tenant's.
fn not_ours(scene: Scene<'_>, table: &crate::model::RelationName) -> Option<String> {
    let tenant = scene.worlds.acting_tenant();
    match scene.tenancy.classes.get(table)? {
        Class::Shared => Some("true".to_owned()),
        Class::Linked { through, column } => {
            let target = crossing::link_target(scene.catalog, through, column)?;
            let owner = scene
                .tenancy
                .tenant_expression(scene.catalog, through, "m")?;
            Some(format!(
                "NOT EXISTS (SELECT FROM {} m WHERE m.{} = t.{} AND {})",
                through.quoted(),
                quoted(column),
                quoted(&target),
                row::tenant_is(scene.tenancy, &owner, tenant)
            ))
        }
        Class::Root { .. } | Class::Scoped { .. } | Class::Derived { .. } => {
            let owner = scene.tenancy.tenant_expression(scene.catalog, table, "t")?;
            Some(format!(
                "({}) IS NOT TRUE",
                row::tenant_is(scene.tenancy, &owner, tenant)
            ))
        }
        Class::Unclassified { .. } | Class::History => None,
    }
}

/// How many rows refer across tenants, over all keys.
fn crossings(scene: Scene<'_>) -> String {
    let mut parts = Vec::new();
    for table in scene.catalog.roots() {
        for key in &table.foreign_keys {
            if !matches!(
                scene.tenancy.classes.get(&key.target),
                Some(Class::Scoped { .. } | Class::Derived { .. })
            ) {
                continue;
            }
            parts.extend(
                crossing::count(scene.catalog, scene.tenancy, &table.name, key)
                    .map(|count| format!("({count})")),
            );
        }
    }
    format!(
        "SELECT {}",
        if parts.is_empty() {
            "0".to_owned()
        } else {
            parts.join(" + ")
        }
    )
}

/// Where in an attempt's statements the query is run.
fn executed_at(attempt: &Attempt) -> usize {
    attempt
        .statements
        .iter()
        .position(|sql| sql.starts_with(EXECUTE))
        .unwrap_or(0)
}

/// A query by design across tenants is judged by what it writes: every written row refers inside its own tenant.
fn judge_system(reason: &str, case: &Case, seen: &[Observation]) -> Verdict {
    for (attempt, observation) in case.attempts.iter().zip(seen) {
        let differs = |(before, after): &(Output, Output)| before != after;
        if observation.witnessed.as_deref().is_some_and(differs) {
            return Verdict::Leaked(Box::new(Defect {
                object: None,
                severity: Severity::Leak,
                message: format!(
                    "it crosses tenants by design ({reason}), and what it wrote refers across tenants ({})",
                    attempt.label
                ),
                sql: row::transaction(&witnessed(attempt)),
                sqlstate: None,
                fix: "Let every row that it writes refer to rows of the row's own tenant"
                    .to_owned(),
            }));
        }
    }
    Verdict::NotApplicable(format!("it crosses tenants by design: {reason}"))
}

/// What one binding showed.
struct Evidence {
    binding: usize,
    text: String,
    kind: WorldKind,
    unique: bool,
}

fn judge(scene: Scene<'_>, query: &Query, case: &Case, seen: &[Observation]) -> Verdict {
    let groups: Vec<(&[Attempt], &[Observation])> = case
        .attempts
        .chunks(WORLDS.len())
        .zip(seen.chunks(WORLDS.len()))
        .collect();
    if groups.is_empty() {
        return Verdict::Inconclusive("nothing was tried".to_owned());
    }
    // A follow-up: the same binding as the owner and as the application.
    if let Some(binding) = case
        .subject
        .strip_prefix("masked? ")
        .and_then(|text| text.parse().ok())
    {
        let Some(found) = groups
            .first()
            .and_then(|(attempts, seen)| evidence(scene, binding, attempts, seen))
        else {
            return Verdict::Inconclusive(
                "a difference that was seen once was not seen again".to_owned(),
            );
        };
        let open = groups
            .get(1)
            .and_then(|(attempts, seen)| evidence(scene, binding, attempts, seen))
            .is_some();
        return Verdict::Leaked(Box::new(defect(scene, query, &found, groups[0].0, !open)));
    }
    let mut first: Option<Evidence> = None;
    for (number, (attempts, seen)) in groups.iter().enumerate() {
        if let Some(found) = evidence(scene, number, attempts, seen)
            // What a unique value gives away is less than a row: looked past for something worse.
            && first.as_ref().is_none_or(|first| first.unique && !found.unique)
        {
            first = Some(found);
        }
    }
    if let Some(found) = first {
        if scene.tenancy.access.is_some() && query.tenant != QueryTenant::Context {
            return Verdict::FollowUp(Box::new(Case {
                check: case.check,
                object: case.object.clone(),
                subject: format!("masked? {}", found.binding),
                attempts: attempts(scene, query, Some(found.binding)),
            }));
        }
        let attempts = groups[found.binding].0;
        return Verdict::Leaked(Box::new(defect(scene, query, &found, attempts, false)));
    }
    control(case, &groups)
}

/// Over its own rows alone the query must have met at least one.
fn control(case: &Case, groups: &[(&[Attempt], &[Observation])]) -> Verdict {
    let alone = || {
        groups
            .iter()
            .filter_map(|(attempts, seen)| Some((attempts.first()?, seen.first()?)))
    };
    let met = alone().any(|(attempt, observation)| {
        observation
            .outputs
            .get(executed_at(attempt))
            .is_some_and(|output| output.affected > 0 || !output.rows.is_empty())
    });
    if met {
        return Verdict::Held(format!("the same in {} worlds", WORLDS.len() - LAYOUTS + 1));
    }
    let refusal = alone().find_map(|(_, observation)| observation.refusal.as_ref());
    match refusal {
        Some(refusal) => Verdict::Inconclusive(format!(
            "it failed with every binding: {} (SQLSTATE {})",
            refusal.message, refusal.sqlstate
        )),
        None => Verdict::Inconclusive(format!(
            "it never met a row, with {} bindings",
            case.attempts.len() / WORLDS.len()
        )),
    }
}

/// What a binding shows: a canary, another result, changed rows of others.
fn evidence(
    scene: Scene<'_>,
    binding: usize,
    attempts: &[Attempt],
    seen: &[Observation],
) -> Option<Evidence> {
    let answers: Vec<Observation> = attempts.iter().zip(seen).map(answer).collect();
    let alone: Vec<&Observation> = answers.iter().take(LAYOUTS).collect();
    for (number, (attempt, observation)) in attempts.iter().zip(seen).enumerate().skip(LAYOUTS) {
        let Stage::World { kind, .. } = attempt.stage else {
            continue;
        };
        let at = executed_at(attempt);
        let with = |text: String, unique: bool| Evidence {
            binding,
            text: format!(
                "with {}, where the others are {}: {text}",
                attempt.label,
                kind.word()
            ),
            kind,
            unique,
        };
        if let Some((token, canary)) = canary(scene, &attempt.statements[at], observation, at) {
            return Some(with(
                format!(
                    "it returned {} of organisation {} (row {}: {token})",
                    canary.table.object(&canary.column),
                    canary.tenant + 1,
                    canary.row + 1
                ),
                false,
            ));
        }
        if let Some(table) = changed(observation) {
            return Some(with(
                format!("it changed rows of {table} that are not the organisation's"),
                false,
            ));
        }
        // A key that another organisation has may be refused.
        if attempt.purpose == Purpose::Attack {
            continue;
        }
        if let Comparison::Different(text) = compare(&alone, &answers[number], 0) {
            let unique = observation
                .refusal
                .as_ref()
                .is_some_and(|refusal| matches!(refusal.sqlstate.as_str(), "23505" | "23P01"));
            return Some(with(text, unique));
        }
    }
    None
}

/// What the query itself came to: an attempt has more statements where there are foreign rows to watch.
fn answer((attempt, observation): (&Attempt, &Observation)) -> Observation {
    Observation {
        outputs: observation
            .outputs
            .get(executed_at(attempt))
            .cloned()
            .into_iter()
            .collect(),
        refusal: observation.refusal.clone(),
        witnessed: None,
    }
}

/// A value of somebody else's in the result, that the parameters did not bring in.
fn canary<'a>(
    scene: Scene<'a>,
    executed: &str,
    observation: &Observation,
    at: usize,
) -> Option<(&'a str, &'a Canary)> {
    let output = observation.outputs.get(at)?;
    let text: String =
        output
            .rows
            .iter()
            .flatten()
            .flatten()
            .fold(String::new(), |mut all, cell| {
                let _ = write!(all, "{} ", cell.to_lowercase());
                all
            });
    text.match_indices("wtq").find_map(|(start, _)| {
        let token = text.get(start..start + 12)?;
        let (token, canary) = scene.worlds.canaries.get_key_value(token)?;
        (!executed.to_lowercase().contains(token.as_str())).then_some((token.as_str(), canary))
    })
}

/// A table of whose foreign rows the digest is another after the query.
fn changed(observation: &Observation) -> Option<String> {
    let (before, after) = observation.witnessed.as_deref()?;
    before
        .rows
        .iter()
        .zip(&after.rows)
        .find(|(a, b)| a != b)
        .and_then(|(a, _)| a.first()?.clone())
}

fn defect(
    scene: Scene<'_>,
    query: &Query,
    found: &Evidence,
    attempts: &[Attempt],
    masked: bool,
) -> Defect {
    let inferred = infer(scene.catalog, query);
    let no_tenant = query.tenant != QueryTenant::Context
        && tenant_parameter(query, &inferred, scene.tenancy).is_none();
    let mut message = found.text.clone();
    if no_tenant {
        message.push_str("; no parameter names the tenant");
    }
    if masked {
        message.push_str("; masked by row-level security");
    }
    let severity = if masked || found.unique {
        Severity::Weakness
    } else {
        Severity::Leak
    };
    let statements = attempts
        .iter()
        .find(|attempt| matches!(attempt.stage, Stage::World { kind, .. } if kind == found.kind))
        .map(witnessed)
        .unwrap_or_default();
    Defect {
        object: None,
        severity,
        message,
        sql: reproduction(scene, &statements),
        sqlstate: None,
        fix: "Repeat the tenant for every table that the query reads or writes, and put OR in parentheses".to_owned(),
    }
}

/// The query with everyone's rows, and again after the others' are deleted, in a transaction that is rolled back.
fn reproduction(scene: Scene<'_>, statements: &[String]) -> String {
    let mut list: Vec<String> = statements
        .iter()
        .filter(|sql| !sql.contains("setval(") && *sql != "SET CONSTRAINTS ALL IMMEDIATE")
        .cloned()
        .collect();
    let again: Vec<String> = list
        .iter()
        .filter(|sql| sql.starts_with(EXECUTE))
        .cloned()
        .collect();
    let writes = statements
        .iter()
        .any(|sql| sql == "SET CONSTRAINTS ALL IMMEDIATE");
    let position = list
        .iter()
        .position(|sql| sql.starts_with(EXECUTE))
        .unwrap_or(0);
    if let Some(first) = list.get_mut(position) {
        first.insert_str(0, "-- with everyone's rows:\n");
    }
    if writes {
        list.insert(position, "SAVEPOINT before".to_owned());
        list.push("ROLLBACK TO SAVEPOINT before".to_owned());
    }
    list.push("RESET ROLE".to_owned());
    list.push(
        "-- with the organisation's own rows alone:\nSET LOCAL session_replication_role = replica"
            .to_owned(),
    );
    for table in scene.worlds.order.iter().rev() {
        let shared = matches!(scene.tenancy.classes.get(table), Some(Class::Shared));
        if let Some(condition) = not_ours(scene, table).filter(|_| !shared) {
            list.push(format!(
                "DELETE FROM {} t WHERE {condition}",
                table.quoted()
            ));
        }
    }
    list.push("SET LOCAL session_replication_role = origin".to_owned());
    list.extend(
        statements
            .iter()
            .filter(|sql| sql.starts_with("SET LOCAL ROLE") || sql.contains("set_config"))
            .cloned(),
    );
    list.extend(again);
    // What is pasted may have been pasted before.
    list.insert(0, "DEALLOCATE ALL".to_owned());
    row::transaction(&list)
}
