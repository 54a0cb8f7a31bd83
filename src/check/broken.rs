//! What fails on a row that it is evaluated on: a cast, a division. Whose value that was, and whether the message shows it.

use super::Scene;
use super::evidence::code;
use crate::model::{Dataset, Observation, RelationName, WorldKind};

/// A failure on somebody else's value.
pub(super) enum Broken<'a> {
    /// The message shows the value.
    Showing(&'a RelationName, &'a str, String),
    /// It shows none: that there is such a row is all that it says.
    Blind,
}

/// What a query failed on where the others are of this kind, and not `alone`. `None` where no value of theirs is
/// known to be the reason.
pub(super) fn broken<'a>(
    scene: Scene<'a>,
    kind: WorldKind,
    executed: &str,
    (alone, seen): (&Observation, &Observation),
) -> Option<Broken<'a>> {
    // Class 22 of SQLSTATE is data exceptions.
    let refusal = seen
        .refusal
        .as_ref()
        .filter(|_| code(seen).starts_with("22"))?;
    let texts = [Some(&refusal.message), refusal.detail.as_ref()];
    let quoted = texts
        .iter()
        .flatten()
        .flat_map(|text| text.split('"').skip(1).step_by(2));
    let worlds = scene.worlds;
    for value in quoted {
        let known = |dataset| holder(dataset, value).is_some();
        let bound = !value.is_empty() && executed.contains(value);
        if bound || known(&worlds.acting) || known(&worlds.shared) {
            continue;
        }
        let mut theirs = worlds.others(kind).into_iter();
        if let Some((table, column)) = theirs.find_map(|dataset| holder(dataset, value)) {
            return Some(Broken::Showing(table, column, value.to_owned()));
        }
    }
    // A zero may be in any world; a message that quotes what nobody is known to have may show it nevertheless.
    let silent = alone.refusal.is_none() && !texts.iter().flatten().any(|text| text.contains('"'));
    (kind == WorldKind::Poisoned || silent).then_some(Broken::Blind)
}

/// A shorter part of a text is in many.
const LONG: usize = 3;

/// The column where a value stands, by itself or within a text or document.
fn holder<'a>(dataset: &'a Dataset, value: &str) -> Option<(&'a RelationName, &'a str)> {
    let quoted = format!("\"{value}\"");
    let long = value.chars().count() >= LONG;
    let holds = |cell: &str| {
        cell == value
            || (!value.is_empty() && cell.contains(&quoted))
            || (long && cell.contains(value))
    };
    dataset.iter().find_map(|(table, rows)| {
        let cells = rows
            .rows
            .iter()
            .flat_map(|row| rows.columns.iter().zip(row));
        let mut held = cells.filter(|(_, cell)| cell.as_deref().is_some_and(holds));
        held.next().map(|(column, _)| (table, column.as_str()))
    })
}
