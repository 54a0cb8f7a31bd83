//! What an id refers to whose name does not say it (`owner_id`, `created_by_id`, `retry_of_id`): what the schema's own keys of
//! such names refer to, or rows of its own table.

use super::nouns::{is_noun, words};
use super::{Scene, reference};
use crate::model::{Column, Table, Tokens};

/// A table, and the column of it that is named.
type Target<'a> = (&'a Table, &'a str);

/// So many keys make a custom of what is only alike.
const CUSTOM: usize = 2;

/// Last words of a name that says what somebody did or does: `created_by`, `owner`.
const SOMEBODY: [&str; 10] = [
    "actor",
    "approver",
    "assignee",
    "author",
    "by",
    "creator",
    "editor",
    "owner",
    "requester",
    "reviewer",
];

/// Last words of the name of a row's fellow: the root of a thread, what this is a retry of.
const FELLOWS: [&str; 3] = ["of", "parent", "root"];

/// The table that the schema's keys of the same name refer to, if they agree; else its own, where a CHECK compares the column
/// with the row's id or its name says so; else, of somebody, that of the schema's other keys to somebody, if they agree.
pub(super) fn meant<'a>(
    scene: Scene<'a>,
    table: &'a Table,
    column: &Column,
    noun: &[String],
) -> Option<Target<'a>> {
    let last = noun.last()?.as_str();
    let same = agreed(scene, 1, &|name| name == column.name);
    same.or_else(|| {
        let fellow = FELLOWS.contains(&last) && !names_a_table(scene, noun);
        if fellow || is_compared(scene, table, column) {
            return Some((table, reference::id_column(scene, table)?));
        }
        // A table without any key may be one of what has happened, whoever is left of those that it names.
        let custom = SOMEBODY.contains(&last) && reference::refers(scene, table);
        custom
            .then(|| agreed(scene, CUSTOM, &is_somebody))
            .flatten()
    })
}

fn is_somebody(name: &str) -> bool {
    let mut words = words(name);
    words.pop_if(|word| word == "id" || word == "uuid");
    let last = words.last().map(String::as_str);
    last.is_some_and(|last| SOMEBODY.contains(&last))
}

/// One of the words is that of some table, so that the name may say more than that of a fellow.
fn names_a_table(scene: Scene<'_>, noun: &[String]) -> bool {
    scene.catalog.roots().any(|table| {
        let words = words(&table.name.name);
        let last = words.last();
        last.is_some_and(|last| noun.iter().any(|noun| is_noun(last, noun)))
    })
}

/// What the keys refer to by columns of such names, where it is the same for all, and there are as many.
fn agreed<'a>(scene: Scene<'a>, least: usize, such: &dyn Fn(&str) -> bool) -> Option<Target<'a>> {
    let tables = scene.catalog.roots();
    let keys = tables.flat_map(|table| table.foreign_keys.iter().map(move |key| (table, key)));
    let mut targets = keys.filter_map(|(table, key)| {
        let [named] = reference::named_columns(scene, table, key)[..] else {
            return None;
        };
        let (_, id) = key.pairs().find(|(child, _)| *child == named)?;
        such(named).then_some((&key.target, id))
    });
    let first = targets.next()?;
    let mut count = 1;
    for other in targets {
        if other != first {
            return None;
        }
        count += 1;
    }
    let target = scene.catalog.tables.get(first.0)?;
    (count >= least).then_some((target, first.1))
}

/// A CHECK compares the column with the id of its own row: `CHECK (replaced_id <> id)`.
fn is_compared(scene: Scene<'_>, table: &Table, column: &Column) -> bool {
    let Some(id) = reference::id_column(scene, table) else {
        return false;
    };
    let both = [id, column.name.as_str()];
    table.checks.iter().any(|check| {
        let names: Vec<String> = Tokens::new(&check.expression)
            .flatten()
            .filter_map(|token| token.name())
            .collect();
        names.len() == 2 && both.iter().all(|name| names.iter().any(|one| one == name))
    })
}
