//! Ranges and multiranges; low before high and never empty.

use super::number::limits;
use super::parts::item;
use super::{Cell, Maker, Profile};
use crate::generate::clock::DAY;
use crate::generate::dice::Dice;
use crate::generate::hints::Hints;
use crate::model::{Catalog, Datum};

/// So many stretches lie side by side, for rows that must not overlap.
const STRETCHES: u64 = 4_000;

/// How long a stretch is, in whole numbers or days.
const STRETCH: i64 = 40;

/// A range, or a multirange of one.
pub(super) struct Range {
    of: Of,
    several: bool,
    distinct: bool,
    hints: Hints,
}

/// What it is over.
enum Of {
    Number,
    Date,
    Timestamp,
    Timestamptz,
    /// Two values of it, in order.
    Other(Box<Maker>),
}

impl Range {
    pub(super) fn new(
        catalog: &Catalog,
        profile: &Profile,
        subtype: u32,
        several: bool,
    ) -> Result<Self, String> {
        let base = catalog.base_type(subtype);
        let name = catalog.types.get(&base).map_or("", |of| of.name.as_str());
        let of = match name {
            "int4" | "int8" | "numeric" => Of::Number,
            "date" => Of::Date,
            "timestamp" => Of::Timestamp,
            "timestamptz" => Of::Timestamptz,
            _ => {
                let mut one = Profile {
                    type_oid: subtype,
                    modifier: -1,
                    ..Profile::default()
                };
                one.look_through_domains(catalog);
                Of::Other(Box::new(Maker::new(catalog, &one)?))
            }
        };
        Ok(Self {
            of,
            several,
            distinct: profile.distinct,
            hints: profile.hints.clone(),
        })
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        // Rows that must not overlap get stretches of their own.
        let start = if self.distinct || cell.counted {
            let stretch = i64::try_from(cell.ordinal % STRETCHES).unwrap_or(0);
            stretch * STRETCH - 20_000
        } else {
            let (low, high) = match (self.hints.min, self.hints.max) {
                (None, None) => (-300, 300),
                _ => limits(&self.hints, 1, 1 << 40),
            };
            i64::try_from(dice.between(low, high)).unwrap_or(0)
        };
        let length = i64::try_from(dice.between(1, 30)).unwrap_or(1);
        let at = |days: i64| cell.instant + days * DAY;
        let ends = [start, start + length];
        let [low, high] = match &self.of {
            Of::Number => ends.map(Datum::Int8),
            Of::Date => ends.map(|end| Datum::Date(at(end).div_euclid(DAY))),
            Of::Timestamp => ends.map(|end| Datum::Timestamp(at(end) * 1_000_000)),
            Of::Timestamptz => ends.map(|end| Datum::Timestamptz(at(end) * 1_000_000)),
            Of::Other(maker) => return self.finish(&sorted(maker, cell, dice), ']'),
        };
        self.finish(&[low.to_string(), high.to_string()], ')')
    }

    fn finish(&self, [low, high]: &[String; 2], close: char) -> Datum {
        let range = format!("[{},{}{close}", item(low), item(high));
        Datum::Literal(if self.several {
            format!("{{{range}}}")
        } else {
            range
        })
    }

    pub(super) fn room(&self) -> Option<u128> {
        match self.of {
            Of::Other(_) => None,
            _ => Some(STRETCHES.into()),
        }
    }
}

/// Two values, the lower one first: as numbers where they are, else as texts.
fn sorted(maker: &Maker, cell: &Cell<'_>, dice: &mut Dice) -> [String; 2] {
    let mut ends = [maker.make(cell, dice), maker.make(cell, dice)].map(|end| end.to_string());
    let number = |text: &String| text.parse::<f64>().ok();
    ends.sort_by(|a, b| match (number(a), number(b)) {
        (Some(a), Some(b)) => a.total_cmp(&b),
        _ => a.cmp(b),
    });
    ends
}
