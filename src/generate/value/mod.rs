//! One value for a cell, by type, hints and the column's name. A [`Maker`] knows all of that for a column and makes
//! the values of its cells; worlds and bulk rows have theirs from the same ones.

mod absence;
mod company;
mod json;
mod network;
mod number;
mod parts;
mod pattern;
mod person;
mod range;
mod rare;
mod text;
mod time;
mod topic;

pub(super) use absence::Absence;
pub(super) use company::{establishment, luhn_digits};
pub(super) use pattern::Pattern;

use super::dice::Dice;
use super::hints::{Hints, Reading};
use crate::model::{Catalog, Datum, Kind, Type, TypeKind};

/// What is known of a column for generating its values.
#[derive(Clone, Debug, Default)]
pub(super) struct Profile {
    /// The column's name, in lower case.
    pub(super) name: String,
    /// The type, domains taken off.
    pub(super) type_oid: u32,
    /// The type's modifier.
    pub(super) modifier: i32,
    /// Of an array, as it was declared; 0 and 1 are the same.
    pub(super) dimensions: usize,
    /// From CHECKs and domains.
    pub(super) hints: Hints,
    /// Takes part in a unique key or exclusion: values should differ from row to row.
    pub(super) distinct: bool,
}

impl Profile {
    /// A domain's CHECKs and NOT NULL are the column's.
    pub(super) fn look_through_domains(&mut self, catalog: &Catalog) {
        while let Some(Type {
            name,
            kind:
                TypeKind::Domain {
                    base,
                    modifier,
                    not_null,
                    checks,
                },
            samples,
            ..
        }) = catalog.types.get(&self.type_oid)
        {
            let mut reading = Reading::default();
            reading
                .columns
                .insert("value".to_owned(), std::mem::take(&mut self.hints));
            for check in checks {
                super::hints::read(check, &mut reading);
            }
            self.hints = reading.columns.remove("value").unwrap_or_default();
            self.hints.not_null |= not_null;
            self.prefer(samples);
            self.type_oid = *base;
            if *modifier != -1 {
                self.modifier = *modifier;
            }
            // A domain called `siren` says more than a column called `number`.
            if ["siren", "siret", "email", "phone"]
                .iter()
                .any(|word| name.contains(word))
            {
                self.name.push(' ');
                self.name.push_str(name);
            }
        }
    }
}

impl Profile {
    /// Values of the user's own stand instead of whatever else is known; those of an outer type come first.
    pub(super) fn prefer(&mut self, samples: &[String]) {
        if !samples.is_empty() {
            self.hints.choices = Some(samples.to_vec());
        }
    }
}

/// What makes a cell's value its own.
pub(super) struct Cell<'a> {
    /// The seed's reference instant, in seconds since 1970.
    pub(super) instant: i64,
    /// A number that no other row of the table has, over all tenants; where it is `counted`, below the maker's room.
    pub(super) ordinal: u64,
    /// The ordinal alone decides the value, and each ordinal below the maker's room gives another one.
    pub(super) counted: bool,
    /// A token to hide in wide texts, that says whose the cell is.
    pub(super) canary: Option<&'a str>,
    /// The row's number, shifted by column and tenant: values of small sets are taken in turn.
    pub(super) turn: u64,
    /// How often the server refused the row: numbers get smaller, for sums and limits that it may have hurt.
    pub(super) salt: u32,
    /// A number that all cells of the row have: they are of one person, of one company.
    pub(super) row: u64,
}

impl Cell<'_> {
    /// One of as many numbers: the ordinal's own where it counts, else any.
    fn one_of(&self, room: u128, dice: &mut Dice) -> u128 {
        if self.counted {
            u128::from(self.ordinal) % room.max(1)
        } else {
            dice.long() % room.max(1)
        }
    }
}

/// A value for the cell in its text form, or why there can be none.
pub(super) fn value(
    catalog: &Catalog,
    profile: &Profile,
    cell: &Cell<'_>,
    dice: &mut Dice,
) -> Result<String, String> {
    Ok(Maker::new(catalog, profile)?
        .make(cell, dice)
        .into_cell()
        .unwrap_or_default())
}

/// Makes the values of one column.
pub(super) struct Maker(How);

enum How {
    /// Taken in turn.
    Choices(Vec<Datum>),
    Bool,
    Integer(number::Integer),
    Decimal(number::Decimal),
    Quarter(number::Quarter),
    Uuid,
    Text(text::Text),
    Moment(time::Moment),
    TimeOfDay(time::TimeOfDay),
    Interval(time::Interval),
    Json(json::Json),
    Bytes(number::Bytes),
    Network(network::Network),
    Range(range::Range),
    Array(parts::Array),
    Composite(Vec<Maker>),
    Rare(rare::Rare),
}

impl Maker {
    /// What makes a column's values, or why there can be none.
    pub(super) fn new(catalog: &Catalog, profile: &Profile) -> Result<Self, String> {
        let oid = catalog.base_type(profile.type_oid);
        let Some(of) = catalog.types.get(&oid) else {
            return Err("its type is not known".to_owned());
        };
        if let Some(choices) = &profile.hints.choices {
            if choices.is_empty() {
                return Err("its CHECKs leave no value".to_owned());
            }
            return Ok(Self(How::Choices(typed(of, choices))));
        }
        if !of.samples.is_empty() {
            return Ok(Self(How::Choices(typed(of, &of.samples))));
        }
        Ok(Self(match &of.kind {
            TypeKind::Enum(labels) if labels.is_empty() => {
                return Err(format!("the enum {} has no labels", of.printed));
            }
            TypeKind::Enum(labels) => How::Choices(typed(of, labels)),
            TypeKind::Array(element) => How::Array(parts::Array::new(catalog, profile, *element)?),
            TypeKind::Range(subtype) => {
                How::Range(range::Range::new(catalog, profile, *subtype, false)?)
            }
            TypeKind::Multirange(subtype) => {
                How::Range(range::Range::new(catalog, profile, *subtype, true)?)
            }
            TypeKind::Composite(attributes) => {
                How::Composite(parts::fields(catalog, profile, attributes)?)
            }
            TypeKind::Base | TypeKind::Domain { .. } => of_base(profile, of)?,
        }))
    }

    /// A value for the cell.
    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        match &self.0 {
            How::Choices(choices) => in_turn(choices, cell).clone(),
            // Two rows each, so that every other state of a set meets both.
            How::Bool if cell.counted => Datum::Bool(cell.ordinal % 2 == 1),
            How::Bool => Datum::Bool(*in_turn(&[false, false, true, true], cell)),
            How::Integer(integer) => integer.make(cell, dice),
            How::Decimal(decimal) => decimal.make(cell, dice),
            How::Quarter(quarter) => quarter.make(cell, dice),
            How::Uuid => Datum::Uuid(*uuid(dice.word(), dice.word()).as_bytes()),
            How::Text(text) => Datum::Text(text.make(cell, dice)),
            How::Moment(moment) => moment.make(cell, dice),
            How::TimeOfDay(time) => time.make(cell, dice),
            How::Interval(interval) => interval.make(cell, dice),
            How::Json(json) => json.make(cell, dice),
            How::Bytes(bytes) => bytes.make(dice),
            How::Network(network) => network.make(cell, dice),
            How::Range(range) => range.make(cell, dice),
            How::Array(array) => array.make(cell, dice),
            How::Composite(fields) => parts::row(fields, cell, dice),
            How::Rare(rare) => rare.make(dice),
        }
    }

    /// How many counted ordinals give different values; none where that can't be said.
    pub(super) fn room(&self) -> Option<u128> {
        match &self.0 {
            How::Choices(choices) => Some(choices.len() as u128),
            How::Bool => Some(2),
            How::Integer(integer) => Some(integer.room()),
            How::Decimal(decimal) => Some(decimal.room()),
            How::Quarter(quarter) => Some(quarter.room()),
            // Random bits beyond all collision.
            How::Uuid => Some(u128::MAX),
            How::Text(text) => Some(text.room()),
            How::Moment(moment) => Some(moment.room()),
            How::Network(network) => Some(network.room()),
            How::Range(range) => range.room(),
            _ => None,
        }
    }

    /// The values differ by the row's own number, with no help: other cells of the row follow from the same one.
    pub(super) fn counts_by_row(&self) -> bool {
        matches!(&self.0, How::Text(text) if text.is_registered())
    }

    /// Every value has a form in COPY's binary format.
    pub(super) fn is_binary(&self) -> bool {
        match &self.0 {
            How::Choices(choices) => !choices.iter().any(|c| matches!(c, Datum::Literal(_))),
            How::Decimal(decimal) => decimal.is_binary(),
            How::TimeOfDay(time) => time.is_binary(),
            How::Text(text) => text.is_binary(),
            How::Array(array) => array.is_binary(),
            How::Range(_) | How::Composite(_) | How::Rare(_) => false,
            _ => true,
        }
    }
}

/// Texts as values of their type, where they can all be read; else they stay texts.
pub(super) fn typed(of: &Type, texts: &[String]) -> Vec<Datum> {
    let kind = match of.kind {
        TypeKind::Enum(_) => Some(Kind::Text),
        TypeKind::Base => Kind::of(&of.name),
        _ => None,
    };
    let read = |kind: Kind| texts.iter().map(|text| kind.read(text)).collect();
    kind.and_then(read)
        .unwrap_or_else(|| texts.iter().cloned().map(Datum::Literal).collect())
}

/// The base types of Postgres and the extensions that applications use most.
fn of_base(profile: &Profile, of: &Type) -> Result<How, String> {
    let name = of.name.as_str();
    Ok(match name {
        "bool" => How::Bool,
        "int2" | "int4" | "int8" | "oid" => How::Integer(number::Integer::new(profile, name)),
        "numeric" | "money" => How::Decimal(number::Decimal::new(profile, name)),
        "float4" | "float8" => How::Quarter(number::Quarter::new(profile, name)),
        "uuid" => How::Uuid,
        "text" | "varchar" | "bpchar" | "citext" | "name" | "refcursor" => {
            How::Text(text::Text::new(profile, name))
        }
        "date" | "timestamp" | "timestamptz" => How::Moment(time::Moment::new(profile, name)),
        "time" | "timetz" => How::TimeOfDay(time::TimeOfDay::new(profile, name)),
        "interval" => How::Interval(time::Interval::new(profile)),
        "json" | "jsonb" => How::Json(json::Json::new(profile, name)),
        "bytea" => How::Bytes(number::Bytes::new(profile)),
        "inet" | "cidr" | "macaddr" | "macaddr8" => How::Network(network::Network::new(name)),
        _ => How::Rare(rare::Rare::new(profile, name).ok_or_else(|| {
            format!(
                "no values are known for the type {}: give some under [generate.types] in watertight.toml",
                of.printed
            )
        })?),
    })
}

/// From row to row the next one, so that few rows show all: a state that no row is in is a branch that no query takes.
fn in_turn<'a, T>(of: &'a [T], cell: &Cell<'_>) -> &'a T {
    let turn = if cell.counted {
        cell.ordinal
    } else {
        cell.turn.wrapping_add(u64::from(cell.salt))
    };
    // There is at least one: who has none makes no maker.
    &of[usize::try_from(turn % (of.len().max(1) as u64)).unwrap_or(0)]
}

/// A version 4 uuid from 128 random bits.
pub(super) fn uuid(high: u64, low: u64) -> uuid::Uuid {
    uuid::Builder::from_random_bytes(((u128::from(high) << 64) | u128::from(low)).to_be_bytes())
        .into_uuid()
}
