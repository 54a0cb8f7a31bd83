//! What the arms of an OR say together.

use sqlparser::ast::Expr;

use super::expr::mentioned;
use super::read::conjunct;
use super::{Hints, Reading, choices};
use crate::generate::truth::can_tell;

/// One arm is enough: the first that is understood wholly, but never one that says that a column is NULL, as long
/// as there is another: `x IS NULL OR x > 0` is worth more with values. Where the arms speak of different columns,
/// `state = 'draft' OR sent_at IS NOT NULL`, either would be all that there is of them: row by row is better, where that
/// can be told.
pub(super) fn disjunct(left: &Expr, right: &Expr, into: &mut Reading) -> bool {
    let before = into.clone();
    let arms = [left, right].map(|arm| {
        let mut reading = before.clone();
        conjunct(arm, &mut reading).then_some(reading)
    });
    let gives_up = |reading: &Reading| {
        let nulls = |r: &Reading| r.columns.values().filter(|hints| hints.null).count();
        nulls(reading) > nulls(&before)
    };
    if let [Some(left), Some(right)] = &arms
        && (pins_alone(&before, left) && pins_alone(&before, right))
        && union(&before, left, right, into)
    {
        return true;
    }
    let (of_left, of_right) = (mentioned(left), mentioned(right));
    let absence = arms.iter().flatten().any(gives_up);
    let apart = !absence && !of_left.is_subset(&of_right) && !of_right.is_subset(&of_left);
    let apart = apart || (of_left != of_right && arms.iter().flatten().any(|r| pins(&before, r)));
    if apart && can_tell(left) && can_tell(right) {
        if let [Some(left), Some(right)] = &arms {
            union(&before, left, right, into);
        }
        return false;
    }
    // A NULL arm beside one that was not understood restricts nothing: the server judges.
    let mut readings: Vec<Reading> = arms.into_iter().flatten().collect();
    readings.sort_by_key(|reading| (gives_up(reading), pins(&before, reading)));
    match readings.into_iter().next() {
        Some(reading) if !gives_up(&reading) => {
            *into = reading;
            true
        }
        _ => false,
    }
}

/// The columns that a reading leaves fewer values than there were.
fn pinned<'r>(before: &'r Reading, after: &'r Reading) -> impl Iterator<Item = &'r String> {
    let columns = after.columns.iter();
    columns
        .filter(|(name, hints)| {
            hints.choices.is_some()
                && before.columns.get(*name).map(|own| &own.choices) != Some(&hints.choices)
        })
        .map(|(name, _)| name)
}

fn pins(before: &Reading, after: &Reading) -> bool {
    pinned(before, after).next().is_some()
}

/// It says nothing but which values one column has.
fn pins_alone(before: &Reading, after: &Reading) -> bool {
    let mut without = after.clone();
    let names: Vec<String> = pinned(before, after).cloned().collect();
    for name in &names {
        let own = before.columns.get(name).and_then(|own| own.choices.clone());
        if let Some(hints) = without.columns.get_mut(name) {
            hints.choices = own;
        }
    }
    let said = |reading: &Reading| {
        let mut columns = reading.columns.clone();
        columns.retain(|_, hints| *hints != Hints::default());
        columns
    };
    names.len() == 1 && said(&without) == said(before) && without.ascending == before.ascending
}

/// What either arm leaves of the columns that both pin; whether there is one.
fn union(before: &Reading, left: &Reading, right: &Reading, into: &mut Reading) -> bool {
    let mut found = false;
    for name in pinned(before, left) {
        if !pinned(before, right).any(|other| other == name) {
            continue;
        }
        let of = |reading: &Reading| {
            let hints = reading.columns.get(name);
            hints
                .and_then(|hints| hints.choices.clone())
                .unwrap_or_default()
        };
        let mut all = of(left);
        for value in of(right) {
            if !all.contains(&value) {
                all.push(value);
            }
        }
        choices(into.columns.entry(name.clone()).or_default(), all);
        found = true;
    }
    found
}
