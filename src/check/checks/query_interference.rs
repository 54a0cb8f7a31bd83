//! A query whose result depends on another tenant's rows, or that changes them.

use std::fmt::Write as _;

use crate::check::again::{Again, draws_lots};
use crate::check::attempts::{
    Groups, LAYOUTS, attempts, attempts_of, executed_at, further, groups, witnessed,
};
use crate::check::difference::difference;
use crate::check::evidence::{Evidence, Sign, evidence, lateness, varies};
use crate::check::reproduction::{pair, reproduction};
use crate::check::sample::unsampled;
use crate::check::witness::digests;
use crate::check::{Check, Page, Scene, row, shadow};
use crate::model::{
    Attempt, Case, Cell, Defect, Observation, Output, Query, QueryTenant, Severity, Stage, Tokens,
    Verdict, WorldKind,
};
use crate::query::{Binding, Comparison, bindings, infer, tenant_parameter};

/// The check.
pub(crate) static CHECK: QueryInterference = QueryInterference;

/// Runs every query in worlds that differ in everyone else's rows alone.
pub(crate) struct QueryInterference;

impl Check for QueryInterference {
    fn page(&self) -> Page {
        Page {
            id: "query-interference",
            title: "a query depends on another tenant's rows, or changes them",
            what: "Every query is run for one organisation in worlds that share its rows and differ in everyone else's: \
                   nobody\nelse is there, others are there, twins are there that have its ids, names and times where the \
                   keys allow it,\nand others whose values break what is evaluated on them: zeros, text that is no \
                   number. What it returns, counts and fails with must be the same, no returned value may be \
                   another's (canaries), and\nothers' rows must be as before. What varies over its own rows alone, \
                   loaded in three orders, is no leak.\nWhere no world shows anything, another organisation asks in \
                   the seeded database, under policies of the harness's own\nand without them. A difference that is there, \
                   too, once everybody else's rows are deleted is a leak.\nRow-level security is out of the way: the query itself must be right.",
            why: "A lost predicate, an OR without parentheses, a join or a subquery that does not repeat the tenant \
                  shows, counts\nor changes another organisation's rows, though each table and policy is right.",
            example: "SELECT p.* FROM people p JOIN notes n ON n.person_id = p.id WHERE p.organisation_id = $1;",
            fix: "Repeat the tenant for every table: JOIN notes n ON n.organisation_id = p.organisation_id AND …\nA query \
                  that crosses tenants by design says so: -- tenant: system REASON. One that runs under row-level \
                  security\nalone: -- tenant: context. What can't carry a comment is named under [queries] in \
                  watertight.toml.",
        }
    }

    fn plan(&self, scene: Scene<'_>) -> Vec<Case> {
        let wanted = |query: &&Query| scene.focus.includes(&query.object);
        let mut wanted = scene.queries.iter().filter(wanted).peekable();
        let shadow = wanted.peek().and_then(|_| shadow::worlds(scene));
        wanted
            .map(|query| {
                let mut attempts = attempts(scene, query, None);
                let shadow = shadow.iter();
                attempts.extend(shadow.flat_map(|worlds| shadow::shadowed(scene, worlds, query)));
                Case {
                    check: self.page().id,
                    object: query.object.clone(),
                    subject: String::new(),
                    attempts,
                }
            })
            .collect()
    }

    fn judge(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> Verdict {
        let Some(query) = scene.query(&case.object) else {
            return Verdict::Inconclusive("the query is not among those that were read".to_owned());
        };
        if let Some(problem) = &query.problem {
            return Verdict::Inconclusive(problem.clone());
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
        let query = scene.query(&case.object)?;
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

    fn difference(&self, scene: Scene<'_>, case: &Case, seen: &[Observation]) -> String {
        let query = scene.query(&case.object);
        let shown = query
            .zip(leak(scene, case, seen))
            .and_then(|(query, leak)| difference(scene, query, &leak.found, (leak.attempts, seen)));
        shown.unwrap_or_default()
    }

    fn bound(&self, scene: Scene<'_>, case: &Case) -> Vec<Cell> {
        let query = scene.query(&case.object);
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
        let query = scene.query(object)?;
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
            attempts: attempts_of(
                scene,
                (query, &infer(scene.catalog, query)),
                &[(binding, stages)],
                true,
            ),
        })
    }
}

/// The subject of a case for smaller worlds begins so: a binding, whether policies mask it, and the codes that the query
/// ends with.
const SMALLER: &str = "smaller ";

/// The subject of a stored case: a binding, as the owner and as the application.
const STORED: &str = "stored";

/// The subject of a case that is tried in further layouts: its result varies by itself.
/// What follows is in how many worlds it was the same before.
const FURTHER: &str = "further ";

/// The subject of a case that takes all rows where the query takes a sample of them: chance left out the organisation's.
const UNSAMPLED: &str = "unsampled";

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
    if case.subject == shadow::CONFIRMED {
        return shadow::confirmed(scene, (&case.attempts, seen));
    }
    let Some(leak) = leak(scene, case, seen) else {
        if let Some(again) = Again::read(&case.subject) {
            return not_again(scene, query, case, again);
        }
        let ((_, in_worlds), shadowed) = shadow::split(case, seen);
        if let Some(reason) = in_worlds.iter().find_map(lateness) {
            return Verdict::Inconclusive(reason);
        }
        if makes_tenants(scene, query) {
            return Verdict::NotApplicable("it makes organisations, and reads no rows".to_owned());
        }
        let groups = groups(case, seen);
        let verdict = control(scene, query, case, &groups);
        return match (verdict, shadow::compared(&groups, shadowed)) {
            (
                verdict @ (Verdict::Held(_) | Verdict::Inconclusive(_)),
                Some(Comparison::Different(_)),
            ) => {
                let again = shadow::again(scene, case, shadowed.0);
                again.map_or(verdict, |case| Verdict::FollowUp(Box::new(case)))
            }
            (Verdict::Held(_), _) if case.subject.is_empty() && groups.iter().any(varies) => {
                Verdict::FollowUp(Box::new(Case {
                    check: case.check,
                    object: case.object.clone(),
                    subject: format!("{FURTHER}{}", worlds(case, &groups)),
                    attempts: further(scene, query),
                }))
            }
            (Verdict::Held(reason), Some(_)) => {
                Verdict::Held(format!("{reason} and under policies of the harness's own"))
            }
            (verdict, _) => verdict,
        };
    };
    let found = &leak.found;
    let again = match Again::read(&case.subject) {
        None => Some(Again::of(scene, &groups(case, seen), found)),
        Some(again) => again.once_more(found, draws_lots(scene, query)),
    };
    if let Some(again) = again {
        return Verdict::FollowUp(Box::new(Case {
            check: case.check,
            object: case.object.clone(),
            subject: again.to_string(),
            attempts: attempts(scene, query, Some(again.binding)),
        }));
    }
    Verdict::Leaked(Box::new(defect(scene, query, &leak, false)))
}

/// What is said of a leak that the same rows did not show again: where another's value was seen, it was seen, though
/// which row is shown may depend on where rows lie.
fn not_again(scene: Scene<'_>, query: &Query, case: &Case, again: Again<'_>) -> Verdict {
    let Some((at, text)) = again.seen else {
        return Verdict::Held("what it returns varies by itself".to_owned());
    };
    let groups = groups(case, &[]);
    let leak = Leak {
        found: Evidence {
            binding: again.binding,
            text: format!("{text}; it varies: tried again, it was not seen"),
            at,
            changed: Vec::new(),
            codes: String::new(),
            sign: Sign::Row,
            varies: false,
        },
        attempts: groups[0].0,
        masked: groups.len() > 1,
    };
    Verdict::Leaked(Box::new(defect(scene, query, &leak, false)))
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
    if let Some(again) = Again::read(&case.subject) {
        let binding = again.binding;
        let shows = |number: usize| {
            let (attempts, seen) = groups.get(number)?;
            evidence(scene, binding, attempts, seen)
        };
        return Some(Leak {
            found: shows(0)?,
            attempts: groups[0].0,
            masked: groups.len() > 1 && shows(1).is_none(),
        });
    }
    let mut first: Option<Evidence> = None;
    for (number, (attempts, seen)) in groups.iter().enumerate() {
        if let Some(found) = evidence(scene, number, attempts, seen)
            // What says little is looked past for more.
            && first.as_ref().is_none_or(|first| first.sign < found.sign)
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

/// A plain INSERT of organisations, as a sign-up sends it: it is nobody's own, so no control can exist.
fn makes_tenants(scene: Scene<'_>, query: &Query) -> bool {
    let Some((root, _)) = &scene.tenancy.root else {
        return false;
    };
    let is = |word: &str| {
        let mut tokens = Tokens::new(&query.sql).filter_map(Result::ok);
        tokens.any(|token| token.is(word))
    };
    let inserts = is("insert") && is("values") && !is("update") && !is("select");
    inserts && infer(scene.catalog, query).tables == [root.clone()]
}

/// In how many worlds a case was run, alone and with others, and those before it.
fn worlds(case: &Case, groups: &Groups<'_, '_>) -> usize {
    let most = groups.iter().map(|(attempts, _)| attempts.len()).max();
    let others = most.unwrap_or_default().saturating_sub(LAYOUTS);
    let before = case.subject.strip_prefix(FURTHER);
    before.and_then(|count| count.parse().ok()).unwrap_or(1) + others
}

/// Over its own rows alone the query must have met at least one.
fn control(scene: Scene<'_>, query: &Query, case: &Case, groups: &Groups<'_, '_>) -> Verdict {
    let alone = || {
        groups.iter().flat_map(|(attempts, seen)| {
            // In any order of the rows: what chance leaves out of one is in another.
            attempts.iter().zip(*seen).take(LAYOUTS)
        })
    };
    let met = alone().any(|(attempt, observation)| {
        observation
            .outputs
            .get(executed_at(attempt))
            .is_some_and(|output| output.affected > 0 || !output.rows.is_empty())
    });
    // Before it is tried in further layouts it has met some.
    if met || case.subject.starts_with(FURTHER) {
        return Verdict::Held(format!("the same in {} worlds", worlds(case, groups)));
    }
    if case.subject.is_empty()
        && let Some(sql) = unsampled(&query.sql)
    {
        let query = Query {
            sql,
            ..query.clone()
        };
        return Verdict::FollowUp(Box::new(Case {
            subject: UNSAMPLED.to_owned(),
            attempts: attempts(scene, &query, None),
            ..case.clone()
        }));
    }
    let refusal = alone().find_map(|(_, observation)| observation.refusal.as_ref());
    match refusal {
        Some(refusal) => Verdict::Inconclusive(format!(
            "it failed with every binding: {} (SQLSTATE {})",
            refusal.message, refusal.sqlstate
        )),
        None => Verdict::Inconclusive(format!(
            "it never met a row, with {} bindings",
            groups.len()
        )),
    }
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
        Some(attempt) if small || is_poisoned(attempt) => {
            if small {
                let rows = scene.worlds.summary();
                let _ = write!(message, ". It takes no more than {rows}");
            }
            pair(scene, attempt, &found.changed)
        }
        _ => reproduction(scene, &shown.map(witnessed).unwrap_or_default()),
    };
    Defect {
        object: None,
        severity: if leak.masked || found.sign.is_weak() {
            Severity::Weakness
        } else {
            Severity::Leak
        },
        message,
        sql,
        sqlstate: None,
        fix: if found.sign.is_failure() {
            "Let nothing that can fail be evaluated on others' rows: the tenant's predicate in the same sub-select or CTE, \
             and the cast or the division in CASE WHEN … or over NULLIF (…, 0)"
        } else {
            "Repeat the tenant for every table that the query reads or writes, and put OR in parentheses"
        }
        .to_owned(),
    }
}

/// The seeded database holds no such rows: whoever repeats it must be given them.
fn is_poisoned(attempt: &Attempt) -> bool {
    let kind = WorldKind::Poisoned;
    matches!(attempt.stage, Stage::World { kind: of, .. } if of == kind)
}
