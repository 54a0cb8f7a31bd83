//! Values of a type beyond those that rows usually have: what a CHECK's own words suggest, and forms that texts, numbers
//! and times have in other people's schemas.

use super::forms::{renamed, spliced, text, usize_of};
use super::words::Words;
use crate::generate::clock::{self, DAY};
use crate::generate::dice::Dice;
use crate::generate::value::uuid;
use crate::model::{Catalog, Cell, TypeKind};

/// What a value is made like.
pub(super) enum Wild {
    Bool,
    Labels(Vec<String>),
    Whole,
    Fraction,
    Text,
    Moment(fn(i64) -> String),
    TimeOfDay,
    Interval,
    Json,
    Uuid,
    Bytes,
    Array(Box<Wild>),
    Range(Box<Wild>, bool),
    /// Only what CHECKs name.
    Named,
}

impl Wild {
    pub(super) fn of(catalog: &Catalog, oid: u32) -> Self {
        let Some(of) = catalog.types.get(&catalog.base_type(oid)) else {
            return Self::Named;
        };
        match &of.kind {
            TypeKind::Enum(labels) => Self::Labels(labels.clone()),
            TypeKind::Array(element) => Self::Array(Box::new(Self::of(catalog, *element))),
            TypeKind::Range(part) => Self::Range(Box::new(Self::of(catalog, *part)), false),
            TypeKind::Multirange(part) => Self::Range(Box::new(Self::of(catalog, *part)), true),
            _ => match of.name.as_str() {
                "bool" => Self::Bool,
                "int2" | "int4" | "int8" => Self::Whole,
                "numeric" | "float4" | "float8" | "money" => Self::Fraction,
                "text" | "varchar" | "bpchar" | "citext" => Self::Text,
                "date" => Self::Moment(clock::date),
                "timestamp" => Self::Moment(clock::timestamp),
                "timestamptz" => Self::Moment(clock::instant),
                "time" => Self::TimeOfDay,
                "interval" => Self::Interval,
                "json" | "jsonb" => Self::Json,
                "uuid" => Self::Uuid,
                "bytea" => Self::Bytes,
                _ => Self::Named,
            },
        }
    }

    /// A value, where one can be thought of.
    pub(super) fn make(&self, words: &Words, instant: i64, dice: &mut Dice) -> Option<String> {
        Some(match self {
            Self::Bool => ["true", "false"][dice.below(2)].to_owned(),
            Self::Labels(labels) => labels.get(dice.below(labels.len()))?.clone(),
            Self::Whole => whole(words, dice).to_string(),
            Self::Fraction => fraction(words, dice),
            Self::Text => text(words, dice),
            Self::Moment(print) => print(moment(instant, dice)),
            Self::TimeOfDay => format!("{:02}:{:02}:00", dice.below(24), 15 * dice.below(4)),
            Self::Interval => interval(words, dice),
            Self::Json => document(words, dice),
            Self::Uuid => uuid(dice.word(), dice.word()).to_string(),
            Self::Bytes => {
                let named = words.number(dice).filter(|n| (1.0..=256.0).contains(n));
                let length = named.map_or(8, usize_of);
                let byte = |_| format!("{:02x}", dice.below(256));
                format!("\\x{}", (0..length).map(byte).collect::<String>())
            }
            Self::Array(element) => array(element, words, instant, dice)?,
            Self::Range(part, several) => {
                let range = part.range(words, instant, dice)?;
                if *several {
                    format!("{{{range}}}")
                } else {
                    range
                }
            }
            Self::Named => words.literal(dice)?,
        })
    }

    /// A range over values like these: short ones and long ones, some without an end.
    fn range(&self, words: &Words, instant: i64, dice: &mut Dice) -> Option<String> {
        let (low, high) = match self {
            Self::Whole | Self::Fraction => {
                let low = whole(words, dice).abs();
                (low.to_string(), (low + 1 + dice.between(0, 24)).to_string())
            }
            Self::Moment(print) => {
                let unit = if print(0).contains(':') { 3_600 } else { DAY };
                let low = moment(instant, dice).div_euclid(unit) * unit;
                let most = [12, 48, 400][dice.below(3)];
                let count = i64::try_from(dice.between(1, most)).unwrap_or(1);
                (print(low), print(low + unit * count))
            }
            _ => return None,
        };
        Some(match dice.below(8) {
            0 => format!("[\"{low}\",)"),
            1 => format!("(,\"{high}\")"),
            _ => format!("[\"{low}\",\"{high}\")"),
        })
    }

    /// What lies close to a value: a little more, a little less; for a text, with a number that another cell has or a
    /// word that the CHECKs name.
    pub(super) fn beside(
        &self,
        value: &str,
        cells: &[Cell],
        words: &Words,
        dice: &mut Dice,
    ) -> Option<String> {
        match self {
            Self::Text if dice.one_in(2) => renamed(value, words, dice),
            Self::Text => spliced(value, cells, dice),
            Self::Whole => {
                let step = i128::from([1, -1, 2, 10, -10, 100][dice.below(6)]);
                Some((value.parse::<i128>().ok()? + step).to_string())
            }
            Self::Fraction => {
                let step = [1.0, -1.0, 0.5, 10.0, -10.0, 100.0][dice.below(6)];
                Some((value.parse::<f64>().ok()? + step).to_string())
            }
            Self::Moment(print) => {
                const STEPS: [i64; 9] = [
                    60,
                    900,
                    3_600,
                    28_800,
                    DAY,
                    7 * DAY,
                    30 * DAY,
                    365 * DAY,
                    30 * 365 * DAY,
                ];
                let step = STEPS[dice.below(STEPS.len())];
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "seconds of a value made here"
                )]
                let at = clock::seconds(value)? as i64;
                Some(print(if dice.one_in(2) { at + step } else { at - step }))
            }
            _ => None,
        }
    }
}

/// A number that the CHECKs name, one beside it or a multiple of it; or a small one.
fn whole(words: &Words, dice: &mut Dice) -> i128 {
    let named = words.number(dice).unwrap_or(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a number that a CHECK names"
    )]
    let named = named as i128;
    match dice.below(6) {
        0 => named,
        1 => named.saturating_add([1, -1][dice.below(2)]),
        2 => named.saturating_mul(dice.between(1, 40)),
        3 => dice.between(0, 12),
        4 => dice.between(0, 1_000),
        _ => 10_i128.pow(u32::try_from(dice.below(6)).unwrap_or(0)),
    }
}

fn fraction(words: &Words, dice: &mut Dice) -> String {
    let named = words.number(dice).unwrap_or(1.0);
    let random = f64::from(u32::try_from(dice.below(10_000)).unwrap_or(0));
    match dice.below(6) {
        0 => named.to_string(),
        1 => (named + [0.01, -0.01, 0.5, 1.0, -1.0][dice.below(5)]).to_string(),
        2 => whole(words, dice).to_string(),
        3 => format!("{}", random / 20_000.0),
        4 => format!("{}", random / 100.0),
        _ => format!("{}", f64::floor(random / 500.0) / 2.0),
    }
}

/// Near the reference instant, or anywhere in a century.
fn moment(instant: i64, dice: &mut Dice) -> i64 {
    const FIRST: i64 = -631_152_000;
    let at = if dice.one_in(2) {
        let days = i64::try_from(dice.between(-400, 400)).unwrap_or(0);
        instant.div_euclid(DAY) * DAY + days * DAY
    } else {
        FIRST + i64::try_from(dice.between(0, 36_500)).unwrap_or(0) * DAY
    };
    at + 900 * i64::try_from(dice.between(0, 95)).unwrap_or(0)
}

fn interval(words: &Words, dice: &mut Dice) -> String {
    let unit = ["minutes", "hours", "days", "months", "years"][dice.below(5)];
    match words.literal(dice).filter(|_| dice.one_in(3)) {
        Some(named) => named,
        None => format!("{} {unit}", dice.between(1, 30)),
    }
}

/// A document of the keys that the CHECKs name.
fn document(words: &Words, dice: &mut Dice) -> String {
    let keys: Vec<&String> = words.keys.iter().filter(|_| !dice.one_in(5)).collect();
    let object = |dice: &mut Dice| {
        let fields: Vec<String> = keys
            .iter()
            .map(|key| {
                format!(
                    "{}: {}",
                    serde_json::Value::from(key.as_str()),
                    member(words, dice)
                )
            })
            .collect();
        format!("{{{}}}", fields.join(", "))
    };
    match dice.below(8) {
        0..=3 => object(dice),
        4 | 5 => {
            let members: Vec<String> = (0..=dice.below(3)).map(|_| object(dice)).collect();
            format!("[{}]", members.join(", "))
        }
        6 => match keys.get(dice.below(keys.len())) {
            Some(key) => format!(
                "{{{}: {}}}",
                serde_json::Value::from(key.as_str()),
                object(dice)
            ),
            None => "{}".to_owned(),
        },
        _ => ["{}", "[]", "1", "\"a\"", "true"][dice.below(5)].to_owned(),
    }
}

/// An object within another.
fn inner(words: &Words, dice: &mut Dice) -> String {
    let fields: Vec<String> = words
        .keys
        .iter()
        .map(|key| {
            format!(
                "{}: {}",
                serde_json::Value::from(key.as_str()),
                dice.below(50)
            )
        })
        .collect();
    format!("{{{}}}", fields.join(", "))
}

/// What stands behind a key.
fn member(words: &Words, dice: &mut Dice) -> String {
    let quoted = |text: String| serde_json::Value::from(text).to_string();
    match dice.below(9) {
        0 | 1 => dice.between(1, 50).to_string(),
        2 => words.literal(dice).map_or_else(|| "1".to_owned(), quoted),
        3 => words
            .matching(dice)
            .map_or_else(|| "\"a\"".to_owned(), quoted),
        4 => quoted(text(words, dice)),
        5 => "[\"a\"]".to_owned(),
        // Documents within documents have the same keys to choose from.
        6 => format!("[{}]", inner(words, dice)),
        7 => inner(words, dice),
        _ => "true".to_owned(),
    }
}

fn array(element: &Wild, words: &Words, instant: i64, dice: &mut Dice) -> Option<String> {
    let named = words
        .number(dice)
        .filter(|n| (1.0..=20.0).contains(n) && dice.one_in(2));
    let length = named.map_or_else(|| 1 + dice.below(6), usize_of);
    let one = |dice: &mut Dice| {
        // Words stand for texts better than whole lists in quotes do.
        let key = words
            .keys
            .get(dice.below(words.keys.len()))
            .filter(|_| dice.one_in(2));
        match (element, key) {
            (Wild::Text, Some(key)) => Some(key.clone()),
            _ => element.make(words, instant, dice),
        }
    };
    let cells: Option<Vec<String>> = (0..length)
        .map(|_| {
            Some(format!(
                "\"{}\"",
                one(dice)?.replace('\\', "\\\\").replace('"', "\\\"")
            ))
        })
        .collect();
    Some(format!("{{{}}}", cells?.join(",")))
}
