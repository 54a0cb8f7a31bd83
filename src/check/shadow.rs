//! A second oracle for queries: row-level security of the harness's own, over the rows of the seeded database.
//!
//! For the acting tenant it can show nothing new: what its policies leave is the world where nobody else is. But they
//! make that world of any tenant's rows. So the last stranger acts here, whose rows meet other conditions than the
//! acting tenant's, and the query must return the same with the policies as without them.

use super::Scene;
use super::attempts::{Groups, LAYOUTS, Mode, Tried, statements, witnessed};
use super::crossing::link_target;
use super::evidence::answer;
use super::reproduction::reproduction;
use super::row::{RowRef, rows};
use crate::model::{
    Attempt, Case, Class, Context, Defect, Observation, Purpose, Query, QueryTenant, Session,
    Severity, Stage, Table, Token, Tokens, Verdict, WorldKind, Worlds, literal, quoted,
};
use crate::query::{Binding, Comparison, bindings, compare, infer, tenant_parameter};

/// The policies let everything through until then.
const HOLD: &str = "SET LOCAL watertight.shadow = 'on'";

/// The subject of a case that confirms what the policies show.
pub(super) const CONFIRMED: &str = "under policies";

/// Who acts: the last of the organisations, where it is neither the acting one nor its twin.
fn stranger(scene: Scene<'_>) -> Option<usize> {
    let last = scene.worlds.tenants.len().checked_sub(1)?;
    (last > 1).then_some(last)
}

/// Owns all tables, and is held to policies where they are forced.
fn owner(scene: Scene<'_>) -> Option<&str> {
    let mut owners = scene.catalog.tables.values().map(|table| &table.owner);
    let first = owners.next()?;
    let role = scene.catalog.roles.get(first)?;
    let one = owners.all(|owner| owner == first);
    (one && !role.superuser && !role.bypass_rls).then_some(first)
}

/// What makes the seeded database one with policies of the harness's own instead of the user's. Empty where there is
/// nobody whom they would hold.
#[must_use]
pub fn shadow_policies(scene: Scene<'_>) -> Vec<String> {
    let Some(worlds) = worlds(scene) else {
        return Vec::new();
    };
    let mut list = Vec::new();
    for table in scene.catalog.tables.values() {
        let name = table.name.quoted();
        let condition = visible(scene, &worlds, table).filter(|_| table.partition_of.is_none());
        if condition.is_none() && table.row_security {
            list.push(format!(
                "ALTER TABLE {name} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
            ));
        }
        let Some(condition) = condition else {
            continue;
        };
        for policy in &table.policies {
            list.push(format!("DROP POLICY {} ON {name}", quoted(&policy.name)));
        }
        list.push(format!(
            "ALTER TABLE {name} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        ));
        list.push(format!(
            "CREATE POLICY watertight_shadow ON {name} \
             USING (pg_catalog.current_setting('watertight.shadow', true) IS DISTINCT FROM 'on' OR ({condition})) \
             WITH CHECK (true)"
        ));
    }
    list
}

/// The rows of a table that are nobody else's in these worlds; `None` where all of them are everybody's, or nobody knows
/// whose. Rows that migrations left are let through, as they are in every world. What hangs on another table's row is seen
/// with it: that one's policy holds here, too.
fn visible(scene: Scene<'_>, worlds: &Worlds, table: &Table) -> Option<String> {
    const OTHER: &str = "watertight_other";
    let alias = quoted(&table.name.name);
    match scene.tenancy.classes.get(&table.name)? {
        Class::Root { column } | Class::Scoped { column } => {
            let others = worlds.tenants.iter().skip(1).map(String::as_str);
            Some(is_none_of(&alias, column, others))
        }
        Class::Derived { foreign_key } => {
            let key = table.foreign_key(foreign_key)?;
            let joined: Vec<String> = key
                .pairs()
                .map(|(own, theirs)| {
                    format!("{OTHER}.{} = {alias}.{}", quoted(theirs), quoted(own))
                })
                .collect();
            Some(format!(
                "EXISTS (SELECT FROM {} {OTHER} WHERE {})",
                key.target.quoted(),
                joined.join(" AND ")
            ))
        }
        Class::Linked { through, column } => {
            let target = link_target(scene.catalog, through, column)?;
            let kinds = [WorldKind::Twins, WorldKind::Different];
            let theirs: Vec<RowRef<'_>> = kinds
                .into_iter()
                .flat_map(|kind| worlds.others(kind))
                .flat_map(|dataset| rows(dataset, &table.name))
                .collect();
            let ids = theirs.iter().filter_map(|row| row.cell(&target));
            // A row that nothing links is seen by whoever it was made for.
            Some(format!(
                "EXISTS (SELECT FROM {} {OTHER} WHERE {OTHER}.{} = {alias}.{}) OR {}",
                through.quoted(),
                quoted(column),
                quoted(&target),
                is_none_of(&alias, &target, ids)
            ))
        }
        Class::Shared | Class::Unclassified { .. } | Class::History => None,
    }
}

fn is_none_of<'a>(alias: &str, column: &str, values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<String> = values.map(literal).collect();
    let column = quoted(column);
    if values.is_empty() {
        return "true".to_owned();
    }
    format!(
        "({alias}.{column}::text IN ({})) IS NOT TRUE",
        values.join(", ")
    )
}

/// The worlds as the one who acts here sees them.
pub(super) fn worlds(scene: Scene<'_>) -> Option<Worlds> {
    owner(scene)?;
    Some(scene.worlds.seen_by(stranger(scene)?))
}

/// The attempts of a query in these worlds: under the policies by two plans, and without them.
pub(super) fn shadowed(scene: Scene<'_>, worlds: &Worlds, query: &Query) -> Vec<Attempt> {
    let scene = Scene { worlds, ..scene };
    let Some(owner) = owner(scene).filter(|_| query.problem.is_none()) else {
        return Vec::new();
    };
    let inferred = infer(scene.catalog, query);
    let judged = !matches!(query.tenant, QueryTenant::Context | QueryTenant::System(_))
        && tenant_parameter(query, &inferred, scene.tenancy).is_some()
        && inferred.refreshed.is_empty()
        && is_determined(&query.sql);
    if !judged {
        return Vec::new();
    }
    let all = bindings(scene.catalog, scene.tenancy, worlds, query, &inferred);
    // The first row of its own, with ranges as wide as they go.
    let own = |binding: &&Binding| binding.label.starts_with("own row");
    let Some(binding) = all.iter().take(2).rfind(own) else {
        return Vec::new();
    };
    let attempt = |settings: &[&str]| {
        let mut list = statements(scene, query, binding, Mode::Owner, &inferred);
        // What a sequence gives is not undone, and this database stays.
        list.retain(|sql| !sql.contains("setval("));
        let at = list.iter().position(|sql| sql.starts_with("PREPARE"));
        let at = at.unwrap_or(0);
        let role = format!("SET LOCAL ROLE {}", quoted(owner));
        let settings = settings.iter().map(|sql| (*sql).to_owned());
        list.splice(at..at, settings.chain([role]));
        Attempt {
            purpose: Purpose::Probe,
            label: binding.label.clone(),
            session: Session::Owner,
            context: Context::Unset,
            stage: Stage::Shadowed,
            statements: list,
            witness: None,
        }
    };
    vec![
        attempt(&[HOLD]),
        attempt(&[
            HOLD,
            "SET LOCAL enable_seqscan = off",
            "SET LOCAL enable_hashjoin = off",
        ]),
        attempt(&[]),
    ]
}

/// The rows of its result follow from the rows of the tables: it takes no part of them in an order that ties or plans
/// decide, and puts none together in such an order. No layouts of the stranger's rows show here what does.
fn is_determined(sql: &str) -> bool {
    const WORDS: [&str; 9] = [
        "limit",
        "fetch",
        "offset",
        "over",
        "tablesample",
        "skip",
        "ctid",
        "xmin",
        "random",
    ];
    let tokens: Vec<Token<'_>> = Tokens::new(sql).filter_map(Result::ok).collect();
    let alone = tokens.iter().any(|token| {
        let text = token.text.to_lowercase();
        WORDS.iter().any(|word| token.is(word))
            || text.ends_with("_agg")
            || text.ends_with("_value")
    });
    let together = tokens.windows(2).any(|pair| {
        pair[0].is("distinct") && pair[1].is("on") || pair[0].is("array") && pair[1].is_symbol('(')
    });
    !alone && !together
}

/// Splits the attempts of a case, and what was seen, into those of its worlds and those under the policies.
pub(super) fn split<'c, 's>(
    case: &'c Case,
    seen: &'s [Observation],
) -> (Tried<'c, 's>, Tried<'c, 's>) {
    let is_shadowed = |attempt: &Attempt| attempt.stage == Stage::Shadowed;
    let first = case.attempts.iter().position(is_shadowed);
    let first = first.unwrap_or(case.attempts.len());
    let (attempts, shadowed) = case.attempts.split_at(first);
    let (seen, under) = seen.split_at(first.min(seen.len()));
    ((attempts, seen), (shadowed, under))
}

/// What the policies show of a query that no world shows anything of; `None` where it could not be compared: it was not
/// tried, it fails, or it varies by itself.
pub(super) fn compared(groups: &Groups<'_, '_>, tried: Tried<'_, '_>) -> Option<Comparison> {
    let answers = answers(tried)?;
    let (without, under) = answers.split_last()?;
    let varies_alone = groups.iter().any(|(attempts, seen)| {
        let alone = attempts.iter().zip(*seen).take(LAYOUTS);
        varies(&alone.map(answer).collect::<Vec<_>>())
    });
    if varies_alone || varies(under) {
        return None;
    }
    Some(compare(&under.iter().collect::<Vec<_>>(), without, 0))
}

/// What the queries came to; `None` where one failed.
fn answers((attempts, seen): Tried<'_, '_>) -> Option<Vec<Observation>> {
    let answers: Vec<Observation> = attempts.iter().zip(seen).map(answer).collect();
    let all_worked = answers.iter().all(Observation::worked);
    (all_worked && !answers.is_empty()).then_some(answers)
}

fn varies(answers: &[Observation]) -> bool {
    let all: Vec<&Observation> = answers.iter().collect();
    let first = all.first().map(|first| compare(&all, first, 0));
    !matches!(first, Some(Comparison::Equal(_)))
}

/// The case that confirms a difference: the same again, and once more after everybody else's rows are deleted, which is
/// the world of the one who asks.
pub(super) fn again(scene: Scene<'_>, case: &Case, attempts: &[Attempt]) -> Option<Case> {
    let worlds = worlds(scene)?;
    let mut alone = attempts.last()?.clone();
    alone.statements.splice(0..0, deletions(scene, &worlds));
    Some(Case {
        subject: CONFIRMED.to_owned(),
        attempts: attempts.iter().cloned().chain([alone]).collect(),
        ..case.clone()
    })
}

/// Leaves what the policies let through. What hangs on other rows goes after them.
fn deletions(scene: Scene<'_>, worlds: &Worlds) -> Vec<String> {
    let is_linked = |table: &&Table| {
        let class = scene.tenancy.classes.get(&table.name);
        matches!(class, Some(Class::Linked { .. }))
    };
    let tables = worlds.order.iter();
    let tables = tables.filter_map(|name| scene.catalog.tables.get(name));
    let (linked, others): (Vec<&Table>, Vec<&Table>) = tables.partition(is_linked);
    let deletions = others.into_iter().chain(linked).filter_map(|table| {
        let visible = visible(scene, worlds, table)?;
        let name = table.name.quoted();
        Some(format!("DELETE FROM {name} WHERE NOT ({visible})"))
    });
    let role = |role: &str| format!("SET LOCAL session_replication_role = {role}");
    [role("replica")]
        .into_iter()
        .chain(deletions)
        .chain([role("origin")])
        .collect()
}

/// The verdict of such a case. Where nobody may delete past triggers and keys, it stays a weakness.
pub(super) fn confirmed(scene: Scene<'_>, tried: Tried<'_, '_>) -> Verdict {
    let held = || Verdict::Held("policies alone made a difference, others' rows none".to_owned());
    let (attempts, seen) = tried;
    let Some(last) = attempts
        .len()
        .checked_sub(1)
        .filter(|last| *last < seen.len())
    else {
        return held();
    };
    let Some(answers) = answers((&attempts[..last], &seen[..last])) else {
        return held();
    };
    let alone = answer((&attempts[last], &seen[last]));
    let Some((without, under)) = answers.split_last() else {
        return held();
    };
    let (against, severity) = if alone.worked() {
        let under: Vec<&Observation> = under.iter().collect();
        if !matches!(compare(&under, &alone, 0), Comparison::Equal(_)) {
            return held();
        }
        (vec![&alone], Severity::Leak)
    } else {
        (under.iter().collect(), Severity::Weakness)
    };
    match compare(&against, without, 0) {
        Comparison::Different(text) => defect(scene, &attempts[last - 1], &text, severity)
            .map_or_else(held, |defect| Verdict::Leaked(Box::new(defect))),
        _ => held(),
    }
}

/// The defect that a difference is.
fn defect(scene: Scene<'_>, shown: &Attempt, text: &str, severity: Severity) -> Option<Defect> {
    let worlds = worlds(scene)?;
    let mut repeated = witnessed(shown);
    repeated.retain(|sql| !sql.starts_with("SET LOCAL ROLE"));
    let asking = Scene {
        worlds: &worlds,
        ..scene
    };
    Some(Defect {
        object: None,
        severity,
        message: format!(
            "asked for organisation {} with its {}, under policies that let through nobody else's rows it returns \
             something else: {text}; no world of organisation 1 shows it",
            scene.worlds.tenants.len(),
            shown.label
        ),
        sql: reproduction(asking, &repeated),
        sqlstate: None,
        fix: "Repeat the tenant for every table that the query reads or writes, and put OR in parentheses"
            .to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ties_decide_is_not_determined() {
        for sql in [
            "SELECT id FROM a WHERE b = $1 LIMIT 5",
            "SELECT DISTINCT ON (x) x, y FROM a",
            "SELECT array_agg(x) FROM a",
            "SELECT ARRAY (SELECT x FROM a)",
            "SELECT row_number() OVER (ORDER BY x) FROM a",
            "SELECT id FROM a FOR UPDATE SKIP LOCKED",
        ] {
            assert!(!is_determined(sql), "{sql}");
        }
        for sql in [
            "SELECT DISTINCT x, 'limit' FROM a",
            "SELECT count(*) FROM a WHERE x > $1 -- over",
        ] {
            assert!(is_determined(sql), "{sql}");
        }
    }
}
