//! A query whose result depends on another tenant's rows, or that changes them.

use std::fmt::Write as _;

use crate::check::pair::Pair;
use crate::check::{Check, Page, Scene, crossing, row};
use crate::model::{
    Access, Attempt, Canary, Case, Cell, Class, Context, Defect, Observation, Output, Purpose,
    Query, QueryTenant, RelationName, Session, Severity, Stage, Verdict, WorldKind, literal,
    quoted,
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

    fn smaller(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Option<Case> {
        let mut queries = scene.queries.iter();
        let query = queries.find(|query| query.object == case.object)?;
        if matches!(query.tenant, QueryTenant::System(_)) {
            return None;
        }
        let leak = leak(scene, case, seen)?;
        let mut attempts: Vec<Attempt> = leak.attempts.iter().take(LAYOUTS).cloned().collect();
        let mut shown = leak.attempts.get(leak.found.at)?.clone();
        // A digest of all tables takes longer than the query.
        let changed = &leak.found.changed;
        shown.witness = (!changed.is_empty()).then(|| digests(scene, changed));
        attempts.push(shown);
        let (binding, codes) = (leak.found.binding, &leak.found.codes);
        Some(Case {
            check: case.check,
            object: case.object.clone(),
            subject: format!("{SMALLER}{binding} {} {codes}", leak.masked),
            attempts,
        })
    }

    fn bound(&self, scene: Scene<'_>, case: &Case) -> Vec<Cell> {
        let mut queries = scene.queries.iter();
        let query = queries.find(|query| query.object == case.object);
        let number = case.subject.strip_prefix(SMALLER);
        let number = number.and_then(|subject| subject.split(' ').next()?.parse::<usize>().ok());
        let (Some(query), Some(number)) = (query, number) else {
            return Vec::new();
        };
        let inferred = infer(scene.catalog, query);
        let mut all = bindings(scene.catalog, scene.tenancy, scene.worlds, query, &inferred);
        if number < all.len() {
            all.swap_remove(number).values
        } else {
            Vec::new()
        }
    }

    fn stored(
        &self,
        scene: Scene<'_>,
        object: &str,
        stage: Stage,
        values: &[Cell],
    ) -> Option<Case> {
        let query = scene.queries.iter().find(|query| query.object == object)?;
        let system = matches!(query.tenant, QueryTenant::System(_));
        if system || query.problem.is_some() || query.types.len() != values.len() {
            return None;
        }
        let binding = Binding {
            label: "stored values".to_owned(),
            values: values.to_vec(),
            seizes: false,
        };
        let stages = (0..LAYOUTS).map(|layout| Stage::World {
            kind: WorldKind::Absent,
            layout,
        });
        let stages: Vec<Stage> = stages.chain([stage]).collect();
        Some(Case {
            check: self.page().id,
            object: object.to_owned(),
            subject: STORED.to_owned(),
            attempts: attempts_of(scene, query, &[binding], &stages, true),
        })
    }
}

/// The subject of a follow-up begins so: a binding, as the owner and as the application.
const MASKED: &str = "masked? ";

/// The subject of a case for smaller worlds begins so: a binding, whether policies mask it, and the codes that the query
/// ends with.
const SMALLER: &str = "smaller ";

/// The subject of a stored case: a binding, as the owner and as the application.
const STORED: &str = "stored";

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
    let numbered = all.into_iter().enumerate();
    let chosen: Vec<Binding> = numbered
        .filter(|(number, _)| only.is_none_or(|only| only == *number))
        .map(|(_, binding)| binding)
        .collect();
    let stages = WORLDS.map(|(kind, layout)| Stage::World { kind, layout });
    attempts_of(scene, query, &chosen, &stages, only.is_some())
}

/// The attempts of bindings in some stages, as the owner, and where `both` as the application then.
fn attempts_of(
    scene: Scene<'_>,
    query: &Query,
    chosen: &[Binding],
    stages: &[Stage],
    both: bool,
) -> Vec<Attempt> {
    let writes = infer(scene.catalog, query).writes;
    let access = scene.tenancy.access.as_ref();
    let modes: Vec<Mode<'_>> = match (&query.tenant, access) {
        (QueryTenant::Context, None) => return Vec::new(),
        (QueryTenant::Context, Some(access)) => vec![Mode::Application(access)],
        (_, Some(access)) if both => vec![Mode::Owner, Mode::Application(access)],
        _ => vec![Mode::Owner],
    };
    let system = matches!(query.tenant, QueryTenant::System(_));
    let witness = if system {
        crossings(scene)
    } else {
        digests(scene, &[])
    };
    let mut found = Vec::new();
    for mode in modes {
        for binding in chosen {
            for stage in stages {
                let Stage::World { kind, .. } = *stage else {
                    continue;
                };
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
                    stage: *stage,
                    statements: statements(scene, query, binding, mode, writes),
                    // Where nobody else is, nobody else's rows can be changed.
                    witness: (writes && kind != WorldKind::Absent).then(|| witness.clone()),
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
            .map(crate::model::Sequence::advance)
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
/// write makes a new version, so this sees what a digest of the values would, for a tenth of its price. With
/// `only`, of these tables.
fn digests(scene: Scene<'_>, only: &[String]) -> String {
    let parts: Vec<String> = scene
        .tenancy
        .classes
        .keys()
        .filter(|table| only.is_empty() || only.contains(&table.to_string()))
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
fn not_ours(scene: Scene<'_>, table: &RelationName) -> Option<String> {
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
    /// The attempt that shows it.
    at: usize,
    /// The tables of which rows of others were changed.
    changed: Vec<String>,
    /// What the query ends with alone and where others have rows: another failure is another leak.
    codes: String,
    unique: bool,
}

/// What a case showed, and the attempts of that binding.
struct Leak<'c> {
    found: Evidence,
    attempts: &'c [Attempt],
    masked: bool,
}

fn judge(scene: Scene<'_>, query: &Query, case: &Case, seen: &[Observation]) -> Verdict {
    if case.attempts.is_empty() {
        return Verdict::Inconclusive("nothing was tried".to_owned());
    }
    if case.subject.starts_with(SMALLER) || case.subject == STORED {
        return match leak(scene, case, seen) {
            Some(leak) => Verdict::Leaked(Box::new(defect(scene, query, &leak, true))),
            None => Verdict::Held("these rows do not show it".to_owned()),
        };
    }
    let Some(leak) = leak(scene, case, seen) else {
        if case.subject.starts_with(MASKED) {
            return Verdict::Inconclusive(
                "a difference that was seen once was not seen again".to_owned(),
            );
        }
        return control(case, &groups(case, seen));
    };
    if !case.subject.starts_with(MASKED)
        && scene.tenancy.access.is_some()
        && query.tenant != QueryTenant::Context
    {
        return Verdict::FollowUp(Box::new(Case {
            check: case.check,
            object: case.object.clone(),
            subject: format!("{MASKED}{}", leak.found.binding),
            attempts: attempts(scene, query, Some(leak.found.binding)),
        }));
    }
    Verdict::Leaked(Box::new(defect(scene, query, &leak, false)))
}

/// The attempts of each binding with what was seen.
type Groups<'c> = Vec<(&'c [Attempt], &'c [Observation])>;

fn groups<'c>(case: &'c Case, seen: &'c [Observation]) -> Groups<'c> {
    let attempts = case.attempts.chunks(WORLDS.len());
    attempts.zip(seen.chunks(WORLDS.len())).collect()
}

/// What leaks in a case, if anything does.
fn leak<'c>(scene: Scene<'_>, case: &'c Case, seen: &'c [Observation]) -> Option<Leak<'c>> {
    if let Some(subject) = case.subject.strip_prefix(SMALLER) {
        let mut words = subject.split(' ');
        let binding = words.next()?.parse().ok()?;
        let (masked, codes) = (words.next()? == "true", words.next()?);
        let attempts = case.attempts.as_slice();
        let found = evidence(scene, binding, attempts, seen).filter(|one| one.codes == codes)?;
        return Some(Leak {
            found,
            attempts,
            masked,
        });
    }
    if case.subject == STORED {
        let shows = |number: usize| {
            let attempts = case.attempts.chunks(LAYOUTS + 1).nth(number)?;
            let seen = seen.chunks(LAYOUTS + 1).nth(number)?;
            evidence(scene, 0, attempts, seen)
        };
        return Some(Leak {
            found: shows(0)?,
            attempts: &case.attempts,
            masked: case.attempts.len() > LAYOUTS + 1 && shows(1).is_none(),
        });
    }
    let groups = groups(case, seen);
    if let Some(binding) = case.subject.strip_prefix(MASKED) {
        let shows = |number: usize| {
            let (attempts, seen) = groups.get(number)?;
            evidence(scene, binding.parse().ok()?, attempts, seen)
        };
        return Some(Leak {
            found: shows(0)?,
            attempts: groups[0].0,
            masked: shows(1).is_none(),
        });
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
    let found = first?;
    Some(Leak {
        attempts: groups[found.binding].0,
        found,
        masked: false,
    })
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
        let with = |text: String, changed: Vec<String>, unique: bool| Evidence {
            binding,
            text: format!(
                "with {}, where the others are {}: {text}",
                attempt.label,
                kind.word()
            ),
            at: number,
            changed,
            codes: format!("{}/{}", code(&seen[0]), code(observation)),
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
                Vec::new(),
                false,
            ));
        }
        let changed = changed(observation);
        if let Some(table) = changed.first() {
            let text = format!("it changed rows of {table} that are not the organisation's");
            return Some(with(text, changed, false));
        }
        // A key that another organisation has may be refused.
        if attempt.purpose == Purpose::Attack {
            continue;
        }
        if let Comparison::Different(text) = compare(&alone, &answers[number], 0) {
            let unique = matches!(code(observation), "23505" | "23P01");
            return Some(with(text, Vec::new(), unique));
        }
    }
    None
}

/// The code that an attempt ends with.
fn code(observation: &Observation) -> &str {
    let refusal = observation.refusal.as_ref();
    refusal.map_or("00000", |refusal| &refusal.sqlstate)
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

/// The tables of whose foreign rows the digest is another after the query.
fn changed(observation: &Observation) -> Vec<String> {
    let Some((before, after)) = observation.witnessed.as_deref() else {
        return Vec::new();
    };
    let pairs = before.rows.iter().zip(&after.rows);
    pairs
        .filter(|(a, b)| a != b)
        .filter_map(|(a, _)| a.first()?.clone())
        .collect()
}

/// The defect that a leak is; `small` where the scene holds the few rows that matter.
fn defect(scene: Scene<'_>, query: &Query, leak: &Leak<'_>, small: bool) -> Defect {
    let found = &leak.found;
    let inferred = infer(scene.catalog, query);
    let no_tenant = query.tenant != QueryTenant::Context
        && tenant_parameter(query, &inferred, scene.tenancy).is_none();
    let mut message = found.text.clone();
    if no_tenant {
        message.push_str("; no parameter names the tenant");
    }
    if leak.masked {
        message.push_str("; masked by row-level security");
    }
    let shown = leak.attempts.get(found.at);
    let sql = match shown {
        Some(attempt) if small => {
            let _ = write!(
                message,
                ". It takes no more than {}",
                scene.worlds.summary()
            );
            pair(scene, attempt, &found.changed)
        }
        _ => reproduction(scene, &shown.map(witnessed).unwrap_or_default()),
    };
    Defect {
        object: None,
        severity: if leak.masked || found.unique {
            Severity::Weakness
        } else {
            Severity::Leak
        },
        message,
        sql,
        sqlstate: None,
        fix: "Repeat the tenant for every table that the query reads or writes, and put OR in parentheses".to_owned(),
    }
}

/// The few rows that matter and the query over them, with and without everyone else's.
fn pair(scene: Scene<'_>, attempt: &Attempt, changed: &[String]) -> String {
    let statements = &attempt.statements;
    let at = |word: &str| statements.iter().position(|sql| sql.starts_with(word));
    let (Some(prepare), Some(execute), Stage::World { kind, layout }) =
        (at("PREPARE"), at(EXECUTE), attempt.stage)
    else {
        return String::new();
    };
    let watch = |table: &RelationName| {
        let condition = not_ours(scene, table)?;
        Some(format!(
            "SELECT t.* FROM {} t WHERE {condition}",
            table.quoted()
        ))
    };
    let tables = scene.tenancy.classes.keys();
    let changed = tables.filter(|table| changed.contains(&table.to_string()));
    Pair {
        kind,
        layout,
        prepare: &statements[prepare],
        context: &statements[at("SET LOCAL ROLE").unwrap_or(prepare)..prepare],
        execute: &statements[execute],
        watch: changed.filter_map(watch).collect(),
    }
    .sql(scene)
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
