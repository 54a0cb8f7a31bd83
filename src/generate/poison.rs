//! Values that are valid and break an expression which is evaluated on them: a cast, a division, a look into a document.

use super::value::Profile;
use crate::model::{Catalog, TypeKind};

/// Text that is no number, no date, no document and no pattern.
const TEXTS: [&str; 5] = ["abc", "", "{\"", "1e999", "%("];

const DOCUMENTS: [&str; 4] = ["{}", "{\"id\": \"abc\"}", "[]", "\"abc\""];

/// A poisonous value of a column, one of several in turn. `None` where the column must differ from row to row, where
/// its values are said by CHECKs, and where its type has none.
pub(super) fn value(catalog: &Catalog, profile: &Profile, turn: usize) -> Option<String> {
    let of = catalog.types.get(&profile.type_oid)?;
    let hints = &profile.hints;
    let said = hints.choices.is_some() || !hints.patterns.is_empty() || !hints.likes.is_empty();
    if profile.distinct || said {
        return None;
    }
    if let TypeKind::Array(_) = of.kind {
        return hints.min_length.is_none().then(|| "{}".to_owned());
    }
    let from = |values: &[&str]| values.get(turn % values.len()).map(ToString::to_string);
    match of.name.as_str() {
        "text" | "varchar" | "bpchar" | "citext" => {
            let declared = usize::try_from(profile.modifier - 4).unwrap_or(usize::MAX);
            from(&TEXTS).filter(|text| {
                text.len() <= declared
                    && hints.min_length.is_none_or(|least| text.len() >= least)
                    && hints.max_length.is_none_or(|most| text.len() <= most)
                    && !hints.upper
            })
        }
        "int2" => number(profile, turn, i16::MAX.into()),
        "int4" => number(profile, turn, i32::MAX.into()),
        "int8" => number(profile, turn, i64::MAX),
        "numeric" | "float4" | "float8" => number(profile, turn, 0),
        "date" | "timestamp" | "timestamptz" => from(&["infinity", "-infinity", "9999-12-31"]),
        "json" | "jsonb" => match hints.json.as_deref() {
            None => from(&DOCUMENTS),
            Some("object") => from(&DOCUMENTS[..2]),
            Some("array") => Some("[]".to_owned()),
            Some(_) => None,
        },
        "interval" => Some("0".to_owned()),
        "daterange" | "tsrange" | "tstzrange" | "int4range" | "int8range" | "numrange" => {
            Some("empty".to_owned())
        }
        _ => None,
    }
}

/// Zero, or the type's greatest number, within what is said of the column.
#[expect(
    clippy::cast_precision_loss,
    reason = "compared with a bound that is not near"
)]
fn number(profile: &Profile, turn: usize, most: i64) -> Option<String> {
    let hints = &profile.hints;
    let fits = |value: &i64| {
        let value = *value as f64;
        let above = |min: f64| {
            if hints.above_min {
                value > min
            } else {
                value >= min
            }
        };
        let below = |max: f64| {
            if hints.below_max {
                value < max
            } else {
                value <= max
            }
        };
        hints.min.is_none_or(above) && hints.max.is_none_or(below)
    };
    let turns = if turn.is_multiple_of(2) {
        [0, most]
    } else {
        [most, 0]
    };
    turns.into_iter().find(fits).map(|value| value.to_string())
}
