//! What deleting a row does where another tenant's row came to refer to it.

use super::row::{foreign, insert, predicate, spare};
use super::{Scene, reference};
use crate::model::{Attempt, ForeignKey, Observation, Table, literal, quoted, quoted_list};

/// For each way in which a new row can name another tenant's by this key: it does, what it names is deleted, and the row
/// is looked for. `like` is the attack that worked. None where the key carries the tenant: what such a key names
/// wrongly, it does not act on.
pub(super) fn attempts(
    scene: Scene<'_>,
    table: &Table,
    key: &ForeignKey,
    like: &Attempt,
) -> Vec<Attempt> {
    let primary = table.primary_key();
    let Some(target) = scene.catalog.tables.get(&key.target) else {
        return Vec::new();
    };
    if primary.is_empty() || reference::tenant_pair(scene, table, key).is_some() {
        return Vec::new();
    }
    let theirs = reference::foreign_tuples(scene, table, key);
    let parents = foreign(scene.worlds, &key.target);
    let mut found = Vec::new();
    for row in spare(scene.worlds, 0, &table.name) {
        let nearest = reference::nearest(scene, table, key, row, &theirs);
        let parent = parents.iter().find(|parent| {
            nearest.is_some() && parent.tuple(&key.target_columns).as_ref() == nearest
        });
        let (Some(tuple), Some(parent)) = (nearest, parent) else {
            continue;
        };
        let changed = reference::changes(scene, table, key, tuple);
        let is_it: Vec<String> = primary
            .iter()
            .filter_map(|column| {
                let changed = changed.iter().find(|(name, _)| name == column);
                let value = match changed {
                    Some((_, value)) => value.as_deref(),
                    None => row.cell(column),
                };
                Some(format!("{} = {}", quoted(column), literal(value?)))
            })
            .collect();
        let mut attempt = like.clone();
        attempt.statements.truncate(REFERS);
        if let Some(first) = attempt.statements.first_mut() {
            *first = insert(&table.name, row, &changed);
        }
        attempt.statements.extend([
            format!(
                "DELETE FROM {} WHERE {}",
                key.target.quoted(),
                predicate(target, *parent)
            ),
            "SET CONSTRAINTS ALL IMMEDIATE".to_owned(),
            format!(
                "SELECT {} FROM {} WHERE {}",
                quoted_list(key.columns.iter().map(String::as_str)),
                table.name.quoted(),
                is_it.join(" AND ")
            ),
        ]);
        found.push(attempt);
    }
    found
}

/// So many statements make the row refer, and show that it does.
const REFERS: usize = 3;

/// The attempt that got so far that its row refers, cut to what matters, and what the DELETE did in words.
pub(super) fn seen(
    key: &ForeignKey,
    attempts: &[Attempt],
    seen: &[Observation],
) -> Option<(Attempt, &'static str)> {
    let (attempt, observation) = attempts
        .iter()
        .zip(seen)
        .find(|(_, observation)| observation.outputs.len() >= REFERS)?;
    let refused = observation
        .refusal
        .as_ref()
        .is_some_and(|refusal| refusal.constraint.as_deref() == Some(&key.name));
    let last = attempt.statements.len().saturating_sub(1);
    let left = observation.outputs.get(last).map(|output| &output.rows[..]);
    let words = match left {
        Some([]) => "; the DELETE of that row took the referring one with it",
        Some([row, ..]) if row.iter().any(Option::is_none) => {
            "; the DELETE of that row changed the referring one"
        }
        None if refused => {
            "; the DELETE of that row is refused now, which tells that there is one which refers to it"
        }
        _ => "",
    };
    let mut shown = attempt.clone();
    if left.is_none() || words.is_empty() {
        shown.statements.truncate(REFERS);
    }
    // What is pasted must not end in an error: it is told.
    if let (true, Some(delete)) = (refused, attempt.statements.get(REFERS)) {
        let line = delete.replace('\n', " ");
        shown
            .statements
            .push(format!("-- refused from now on: {line}"));
    }
    Some((shown, words))
}
