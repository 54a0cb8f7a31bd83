//! Doors around the policies: what the application's role may ask that has the rights of somebody else. A door is asked
//! like a query, in the acting tenant's context, and what comes back must not depend on anybody else's rows.

use super::Scene;
use super::attempts::{LAYOUTS, attempts_of, executed_at, groups, stages, witnessed};
use super::evidence::{Evidence, evidence};
use super::reproduction::reproduction;
use crate::model::{
    Attempt, Case, Class, Defect, Observation, Query, QueryTenant, RelationName, Severity, Verdict,
};
use crate::query::{Binding, infer};

/// Something that the application's role asks.
pub(super) fn query(object: &str, sql: String, arguments: Vec<(Option<String>, String)>) -> Query {
    let (parameters, types) = arguments.into_iter().unzip();
    Query {
        object: object.to_owned(),
        sql,
        parameters,
        types,
        tenant: QueryTenant::Context,
        ..Query::default()
    }
}

/// Its case: each binding in each world, as the application in the acting tenant's context.
pub(super) fn case(
    scene: Scene<'_>,
    check: &'static str,
    query: &Query,
    bindings: &[Binding],
) -> Case {
    let bindings = bindings.iter().cloned();
    let chosen: Vec<_> = bindings.map(|one| (one, stages(false))).collect();
    Case {
        check,
        object: query.object.clone(),
        subject: String::new(),
        attempts: attempts_of(scene, (query, &infer(scene.catalog, query)), &chosen, false),
    }
}

/// Where there are no arguments.
pub(super) fn nothing_bound() -> Binding {
    Binding {
        label: "the organisation's context".to_owned(),
        values: Vec::new(),
        seizes: false,
    }
}

/// Some of these tables have rows of tenants, and policies that keep them apart.
pub(super) fn guards(scene: Scene<'_>, tables: &[RelationName]) -> bool {
    tables.iter().any(|name| {
        let class = scene.tenancy.classes.get(name);
        matches!(
            class,
            Some(
                Class::Root { .. }
                    | Class::Scoped { .. }
                    | Class::Derived { .. }
                    | Class::Linked { .. }
            )
        ) && scene
            .catalog
            .tables
            .get(name)
            .is_some_and(|table| table.row_security)
    })
}

/// What came of a case.
pub(super) enum Seen<'c> {
    /// Others' rows came through, or were changed.
    Through(Evidence, &'c Attempt),
    /// It answered over the organisation's own rows, the same in all worlds.
    Kept,
    /// It was refused in every world, with this code.
    Refused(String, String),
    /// It never showed a row.
    Empty,
}

/// Judges a case over its worlds.
pub(super) fn seen<'c>(scene: Scene<'_>, case: &'c Case, seen: &[Observation]) -> Seen<'c> {
    let mut refused = None;
    let mut met = false;
    for (number, (attempts, seen)) in groups(case, seen).into_iter().enumerate() {
        if let Some(found) = evidence(scene, number, attempts, seen)
            && let Some(attempt) = attempts.get(found.at)
        {
            return Seen::Through(found, attempt);
        }
        for (attempt, observation) in attempts.iter().zip(seen).take(LAYOUTS) {
            let output = observation.outputs.get(executed_at(attempt));
            met |= output.is_some_and(|output| !output.rows.is_empty());
            let refusal = observation.refusal.as_ref();
            refused =
                refused.or_else(|| refusal.map(|one| (one.sqlstate.clone(), one.message.clone())));
        }
    }
    match refused {
        _ if met => Seen::Kept,
        Some((code, message)) => Seen::Refused(code, message),
        None => Seen::Empty,
    }
}

/// The verdict that others' rows came through.
pub(super) fn leaked(
    scene: Scene<'_>,
    found: &Evidence,
    attempt: &Attempt,
    fix: String,
) -> Verdict {
    Verdict::Leaked(Box::new(Defect {
        object: None,
        severity: if found.sign.is_weak() {
            Severity::Weakness
        } else {
            Severity::Leak
        },
        message: format!("asked by the application's role {}", found.text),
        sql: reproduction(scene, &witnessed(attempt)),
        sqlstate: None,
        fix,
    }))
}
