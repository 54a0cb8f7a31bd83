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
    make: fn(String) -> Datum,
}

impl Json {
    pub(super) fn new(profile: &Profile, type_name: &str) -> Self {
        Self {
            shape: profile.hints.json.clone(),
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
            Some("array") => format!("[\"{word}\"]"),
            Some("string") => format!("\"{word}\""),
            Some("number") => dice.below(100).to_string(),
            Some("boolean") => "true".to_owned(),
            Some("null") => "null".to_owned(),
            _ => format!("{{\"k\": \"{word}\", \"n\": {}}}", dice.below(100)),
        })
    }
}
