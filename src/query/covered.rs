//! Which of the statements that a function sent were put to the proof: where others have rows, and asked for these.

use std::collections::BTreeSet;

use super::binder::column_values;
use super::infer::{Source, infer};
use super::key::is_key;
use super::recorded::Sent;
use crate::model::{Catalog, Dataset, Query, RelationName, Tenancy, WorldKind, Worlds};

/// Where a function ran.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'a> {
    /// The schema.
    pub catalog: &'a Catalog,
    /// Whose rows are whose.
    pub tenancy: &'a Tenancy,
    /// The rows.
    pub worlds: &'a Worlds,
    /// What everyone else's rows were like.
    pub kind: WorldKind,
}

/// The texts of the statements of one run that somebody else's rows were put in the way of.
///
/// A statement that finds rows by their keys counts only where the function was asked for another organisation's row:
/// the statement had such a row's key for a value; or another one had, a guard, that was sent every key that the
/// statement was sent, and did not let this one through. A key that the statement was sent proves nothing where
/// row-level security hides the row.
#[must_use]
pub fn covered(ran: Ran<'_>, sent: &[Sent]) -> BTreeSet<String> {
    let texts: BTreeSet<&str> = sent.iter().map(|one| one.text.as_str()).collect();
    let proven = texts.into_iter().filter(|text| is_proven(ran, sent, text));
    proven.map(str::to_owned).collect()
}

fn is_proven(ran: Ran<'_>, sent: &[Sent], text: &str) -> bool {
    let own = |one: &&Sent| one.text == text;
    let Some(first) = sent.iter().find(own) else {
        return false;
    };
    let query = Query {
        sql: first.sql.clone(),
        parameters: vec![None; first.values.len()],
        ..Query::default()
    };
    let inferred = infer(ran.catalog, &query);
    let hidden = |table: &RelationName| {
        let table = ran.catalog.tables.get(table);
        table.is_some_and(|table| table.row_security)
    };
    let hidden = inferred.tables.iter().any(hidden);
    if inferred.unparsed.is_some() || inferred.tables.is_empty() {
        return false;
    }
    inferred.sources.iter().all(|(number, sources)| {
        let mut foreign = BTreeSet::new();
        for source in sources {
            let Source::Column {
                table, column, by, ..
            } = source
            else {
                continue;
            };
            let tenant = ran.tenancy.tenant_column(table) == Some(column.as_str());
            if *by == '=' && !tenant && is_key((ran.catalog, ran.tenancy), table, column) {
                foreign.extend(foreign_values(ran, table, column));
            }
        }
        foreign.is_empty()
            || is_asked_for(sent, sent.iter().filter(own), number - 1, &foreign, hidden)
    })
}

/// Whether a foreign value was among those of a position of these executions, or stopped by a guard before them.
fn is_asked_for<'a>(
    sent: &[Sent],
    executions: impl Iterator<Item = &'a Sent>,
    position: usize,
    foreign: &BTreeSet<String>,
    hidden: bool,
) -> bool {
    let given: BTreeSet<String> = executions
        .flat_map(|one| values_at(one, position))
        .collect();
    if given.iter().any(|value| foreign.contains(value)) {
        return !hidden;
    }
    let guards: BTreeSet<(&str, usize)> = sent
        .iter()
        .flat_map(|one| (0..one.values.len()).map(|at| (one.text.as_str(), at)))
        .collect();
    !given.is_empty()
        && guards.into_iter().any(|(text, at)| {
            let of = sent.iter().filter(|one| one.text == text);
            let asked: BTreeSet<String> = of.flat_map(|one| values_at(one, at)).collect();
            asked.is_superset(&given) && asked.iter().any(|value| foreign.contains(value))
        })
}

/// The values of a position; of an array, its elements.
fn values_at(sent: &Sent, position: usize) -> Vec<String> {
    let Some(Some(value)) = sent.values.get(position) else {
        return Vec::new();
    };
    match value
        .strip_prefix('{')
        .and_then(|inner| inner.strip_suffix('}'))
    {
        Some(inner) => {
            let elements = inner
                .split(',')
                .map(|element| element.trim_matches('"').to_owned());
            elements.collect()
        }
        None => vec![value.clone()],
    }
}

/// The values of a column that others' rows have and neither the organisation's nor the shared ones.
fn foreign_values(ran: Ran<'_>, table: &RelationName, column: &str) -> BTreeSet<String> {
    let of = |dataset: &Dataset| column_values(dataset, table, column);
    let own: BTreeSet<String> = [&ran.worlds.acting, &ran.worlds.shared]
        .into_iter()
        .flat_map(of)
        .collect();
    let others = ran.worlds.others(ran.kind);
    let theirs = others.into_iter().flat_map(of);
    theirs.filter(|value| !own.contains(value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(text: &str, values: &[&str]) -> Sent {
        Sent {
            text: text.to_owned(),
            sql: text.to_owned(),
            values: values
                .iter()
                .map(|value| Some((*value).to_owned()))
                .collect(),
        }
    }

    /// Whether `read` was put to the proof by these statements, of which `own` is the organisation's row.
    fn asked_for(all: &[Sent], hidden: bool) -> bool {
        let foreign = BTreeSet::from(["theirs".to_owned()]);
        let read = all.iter().filter(|one| one.text == "read");
        is_asked_for(all, read, 0, &foreign, hidden)
    }

    #[test]
    fn a_key_of_somebody_else_must_reach_the_statement_or_its_guard() {
        let own = sent("read", &["own"]);
        assert!(!asked_for(std::slice::from_ref(&own), false));
        let theirs = [own.clone(), sent("read", &["theirs"])];
        assert!(asked_for(&theirs, false));
        // The row may have been hidden by a policy.
        assert!(!asked_for(&theirs, true));
        let guarded = [
            sent("guard", &["x", "own"]),
            own.clone(),
            sent("guard", &["x", "theirs"]),
        ];
        assert!(asked_for(&guarded, true));
        // Another function's, that was not asked for the row which the statement reads.
        let beside = [sent("guard", &["x", "theirs"]), own];
        assert!(!asked_for(&beside, false));
        let lists = [sent("guard", &["{own,theirs}"]), sent("read", &["{own}"])];
        assert!(asked_for(&lists, true));
    }
}
