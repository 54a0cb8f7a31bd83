//! What is tried of a query: each binding in each world, as the owner or as the application.

use super::Scene;
use super::shadow::split;
use super::witness::{crossings, digests};
use crate::model::{
    Access, Attempt, Case, Cell, Context, Observation, Purpose, Query, QueryTenant, Session, Stage,
    WorldKind, literal, quoted,
};
use crate::query::{Binding, Inferred, bindings, infer};

/// The physical orders in which the acting tenant's rows are loaded, to see what varies by itself.
pub const LAYOUTS: usize = 3;

/// The stages of one binding, in the order of its attempts: alone in several layouts, then with others.
pub const WORLDS: [(WorldKind, usize); 6] = [
    (WorldKind::Absent, 0),
    (WorldKind::Absent, 1),
    (WorldKind::Absent, 2),
    (WorldKind::Different, 0),
    (WorldKind::Twins, 0),
    (WorldKind::Twins, 1),
];

/// So many bindings, the organisation's own first row with ranges as narrow and as wide as they go, are also tried where
/// the others' values break what is evaluated on them.
const POISONED: usize = 2;

pub(super) const EXECUTE: &str = "EXECUTE watertight_query";

pub(super) const DEALLOCATE: &str = "DEALLOCATE watertight_query";

/// How a query is run: as the owner, or as the application in the acting tenant's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode<'a> {
    Owner,
    Application(&'a Access),
}

/// All attempts of a query: for each binding, one in each world. With `only`, of that binding, as the owner and then
/// as the application.
pub(super) fn attempts(scene: Scene<'_>, query: &Query, only: Option<usize>) -> Vec<Attempt> {
    if query.problem.is_some() {
        return Vec::new();
    }
    let inferred = infer(scene.catalog, query);
    let all = bindings(scene.catalog, scene.tenancy, scene.worlds, query, &inferred);
    let numbered = all.into_iter().enumerate();
    let poisoned = scene.worlds.others.contains_key(&WorldKind::Poisoned);
    let chosen: Vec<(Binding, Vec<Stage>)> = numbered
        .filter(|(number, _)| only.is_none_or(|only| only == *number))
        .map(|(number, binding)| (binding, stages(poisoned && number < POISONED)))
        .collect();
    attempts_of(scene, (query, &inferred), &chosen, only.is_some())
}

/// All bindings of a query where nobody else is, and where the others' rows lie behind its own: of rows that chance chooses
/// from, others than before.
pub(super) fn further(scene: Scene<'_>, query: &Query) -> Vec<Attempt> {
    let inferred = infer(scene.catalog, query);
    let all = bindings(scene.catalog, scene.tenancy, scene.worlds, query, &inferred);
    let worlds = WORLDS.into_iter().take(LAYOUTS);
    let worlds = worlds.chain([(WorldKind::Different, 1)]);
    let stages = worlds.map(|(kind, layout)| Stage::World { kind, layout });
    let stages: Vec<Stage> = stages.collect();
    let chosen = all.into_iter().map(|binding| (binding, stages.clone()));
    let chosen: Vec<(Binding, Vec<Stage>)> = chosen.collect();
    attempts_of(scene, (query, &inferred), &chosen, false)
}

/// The stages of a binding.
pub(super) fn stages(poisoned: bool) -> Vec<Stage> {
    let worlds = WORLDS.into_iter();
    let worlds = worlds.chain(poisoned.then_some((WorldKind::Poisoned, 0)));
    worlds
        .map(|(kind, layout)| Stage::World { kind, layout })
        .collect()
}

/// Attempts, and what was seen of each.
pub(super) type Tried<'c, 's> = (&'c [Attempt], &'s [Observation]);

/// The attempts of each binding with what was seen.
pub(super) type Groups<'c, 's> = Vec<Tried<'c, 's>>;

/// Tells the bindings of a case apart: each begins where nobody else is.
pub(super) fn groups<'c, 's>(case: &'c Case, seen: &'s [Observation]) -> Groups<'c, 's> {
    let first = Stage::World {
        kind: WorldKind::Absent,
        layout: 0,
    };
    let ((attempts, seen), _) = split(case, seen);
    let attempts = attempts.chunk_by(|_, next| next.stage != first);
    let mut rest = seen;
    attempts
        .map(|attempts| {
            let (own, others) = rest.split_at(attempts.len().min(rest.len()));
            rest = others;
            (attempts, own)
        })
        .collect()
}

/// The attempts of bindings, each in its stages, as the owner, and where `both` as the application then.
pub(super) fn attempts_of(
    scene: Scene<'_>,
    (query, inferred): (&Query, &Inferred),
    chosen: &[(Binding, Vec<Stage>)],
    both: bool,
) -> Vec<Attempt> {
    let access = scene.tenancy.access.as_ref();
    let modes: Vec<Mode<'_>> = match (&query.tenant, access) {
        (QueryTenant::Context, None) => return Vec::new(),
        (QueryTenant::Context, Some(access)) => vec![Mode::Application(access)],
        (_, Some(access)) if both => vec![Mode::Owner, Mode::Application(access)],
        _ => vec![Mode::Owner],
    };
    let system = matches!(query.tenant, QueryTenant::System(_));
    let witness = inferred.writes.then(|| {
        if system {
            crossings(scene)
        } else {
            digests(scene, &[])
        }
    });
    let mut found = Vec::new();
    for mode in modes {
        for (binding, stages) in chosen {
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
                    statements: statements(scene, query, binding, mode, inferred),
                    // Where nobody else is, nobody else's rows can be changed.
                    witness: witness.clone().filter(|_| kind != WorldKind::Absent),
                });
            }
        }
    }
    found
}

pub(super) fn statements(
    scene: Scene<'_>,
    query: &Query,
    binding: &Binding,
    mode: Mode<'_>,
    inferred: &Inferred,
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
    let held = inferred.refreshed.iter();
    list.extend(held.map(|view| format!("REFRESH MATERIALIZED VIEW {}", view.quoted())));
    if let Mode::Application(access) = mode {
        list.push(format!("SET LOCAL ROLE {}", quoted(&access.role)));
        list.extend(access.statements(scene.worlds.acting_tenant()));
    }
    list.extend(query.looking());
    list.push(format!("PREPARE watertight_query AS {}", query.sql));
    list.push(execute(&binding.values));
    if inferred.writes {
        list.push("SET CONSTRAINTS ALL IMMEDIATE".to_owned());
    }
    list.push(DEALLOCATE.to_owned());
    list
}

/// The attempt's statements with its witness around them, as people repeat them.
pub(super) fn witnessed(attempt: &Attempt) -> Vec<String> {
    let (before, after) = (attempt.witness.iter(), attempt.witness.iter());
    let statements = attempt.statements.iter().filter(|sql| *sql != DEALLOCATE);
    before.chain(statements).chain(after).cloned().collect()
}

pub(super) fn execute(values: &[Cell]) -> String {
    if values.is_empty() {
        return EXECUTE.to_owned();
    }
    let list: Vec<String> = values
        .iter()
        .map(|cell| cell.as_deref().map_or_else(|| "NULL".to_owned(), literal))
        .collect();
    format!("{EXECUTE}({})", list.join(", "))
}

/// Where in an attempt's statements the query is run.
pub(super) fn executed_at(attempt: &Attempt) -> usize {
    attempt
        .statements
        .iter()
        .position(|sql| sql.starts_with(EXECUTE))
        .unwrap_or(0)
}
