//! JSON, in the shape that CHECKs ask for.

use fake::Fake as _;
use fake::faker::lorem::raw::Word;
use fake::locales::FR_FR;

use super::{Cell, Profile};
use crate::generate::dice::Dice;
use crate::model::Datum;

/// `json` and `jsonb`.
pub(super) struct Json {
    /// As `jsonb_typeof` calls it.
    shape: Option<String>,
    /// What an object must have beside what it has anyway, and of what shape.
    keys: Vec<(String, Option<String>)>,
    make: fn(String) -> Datum,
}

impl Json {
    pub(super) fn new(profile: &Profile, type_name: &str) -> Self {
        Self {
            shape: profile.hints.json.clone(),
            keys: profile.hints.keys.clone().into_iter().collect(),
            make: if type_name == "jsonb" {
                Datum::Jsonb
            } else {
                Datum::Text
            },
        }
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let word = Word(FR_FR).fake_with_rng::<&str, _>(dice);
        let word = cell.canary.unwrap_or(word);
        (self.make)(match self.shape.as_deref() {
            None | Some("object") => self.object(word, dice),
            Some(shape) => shaped(shape, word, dice),
        })
    }

    fn object(&self, word: &str, dice: &mut Dice) -> String {
        let mut fields = vec![("k", Some("string")), ("n", Some("number"))];
        for (key, shape) in &self.keys {
            fields.retain(|(known, _)| known != key);
            fields.push((key, shape.as_deref()));
        }
        let fields: Vec<String> = fields
            .into_iter()
            .map(|(key, shape)| {
                let value = shaped(shape.unwrap_or("string"), word, dice);
                format!("{}: {value}", serde_json::Value::from(key))
            })
            .collect();
        format!("{{{}}}", fields.join(", "))
    }
}

/// A value that `jsonb_typeof` calls so.
fn shaped(shape: &str, word: &str, dice: &mut Dice) -> String {
    match shape {
        "array" => format!("[\"{word}\"]"),
        "number" => dice.below(100).to_string(),
        "boolean" => "true".to_owned(),
        "null" => "null".to_owned(),
        "object" => format!("{{\"k\": \"{word}\"}}"),
        _ => format!("\"{word}\""),
    }
}
