//! What queries look at inside of JSON.

use serde_json::Value;

use super::cell::shift;
use super::{ATTEMPTS, Draft, Maker};
use crate::generate::Part;
use crate::model::{ANY_KEY, Column, JsonUse, json_with};

/// Every so many rows lack what is looked for; the first has all of it at once.
const LACKING: u64 = 5;

impl<'a> Maker<'a> {
    /// A document with what queries look for in it; anything else as it is, and a document that the server refused with it.
    pub(super) fn with_queried(&self, draft: &Draft<'a>, column: &Column, made: String) -> String {
        let place = &draft.place;
        let refused = draft.salt * ATTEMPTS + draft.attempt > ATTEMPTS;
        let queried = self
            .genes
            .json
            .get(&(place.table.clone(), column.name.clone()));
        let Some(paths) = queried.filter(|_| !refused) else {
            return made;
        };
        let turn = shift(self.genes.seed.number, place, &column.name);
        let mut document = made;
        for (number, (path, of)) in (0..).zip(paths) {
            // What is looked for further inside decides.
            let further = |other: &Vec<String>| other.len() > path.len() && other.starts_with(path);
            if path.iter().any(|step| step == ANY_KEY)
                || paths.keys().any(further)
                || (turn > 0 && (turn + number).is_multiple_of(LACKING))
            {
                continue;
            }
            let value = if place.part == Part::Poisoned {
                Value::from("abc")
            } else {
                value(of, turn)
            };
            document = json_with(&document, path, value).unwrap_or(document);
        }
        document
    }
}

/// One of the values that a place is compared with, or that its type has.
fn value(of: &JsonUse, turn: u64) -> Value {
    let usual: [&str; 2] = match of.kind.split(['(', ' ']).next().unwrap_or_default() {
        "" | "text" | "varchar" | "character" | "citext" => ["e", "f"],
        "boolean" | "bool" => ["true", "false"],
        "uuid" => [
            "00000000-0000-4000-8000-00000000000a",
            "00000000-0000-4000-8000-00000000000b",
        ],
        "date" | "timestamp" | "timestamptz" => ["2024-01-01", "2025-06-01"],
        "interval" => ["1 day", "2 days"],
        "json" | "jsonb" => return Value::from("e"),
        _ => ["1", "2"],
    };
    let written = of.values.iter().map(String::as_str);
    let all: Vec<&str> = written.chain(usual).collect();
    let count = all.len() as u64;
    let text = all[usize::try_from(turn % count).unwrap_or(0)];
    // A text is one, whatever it looks like.
    match of.kind.as_str() {
        "" | "text" => Value::from(text),
        _ => serde_json::from_str(text).unwrap_or_else(|_| Value::from(text)),
    }
}
