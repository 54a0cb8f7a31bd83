//! Whole numbers, decimals, floats; and bytes.

use super::{Cell, Profile};
use crate::generate::dice::Dice;
use crate::generate::hints::Hints;
use crate::model::Datum;

/// `int2`, `int4`, `int8` and `oid`.
pub(super) struct Integer {
    low: i128,
    high: i128,
    make: fn(i128) -> Datum,
    /// Nothing bounds it and it must differ: it begins here.
    base: Option<i128>,
}

impl Integer {
    pub(super) fn new(profile: &Profile, type_name: &str) -> Self {
        let (widest, make): (i128, fn(i128) -> Datum) = match type_name {
            "int2" => (i16::MAX.into(), |n| {
                i16::try_from(n).map_or(Datum::Null, Datum::Int2)
            }),
            "int4" => (i32::MAX.into(), |n| {
                i32::try_from(n).map_or(Datum::Null, Datum::Int4)
            }),
            "oid" => (u32::MAX.into(), |n| {
                u32::try_from(n).map_or(Datum::Null, Datum::Oid)
            }),
            _ => (i64::MAX.into(), |n| {
                i64::try_from(n).map_or(Datum::Null, Datum::Int8)
            }),
        };
        let (low, high) = limits(&profile.hints, 1, widest);
        let open = profile.hints.min.is_none() && profile.hints.max.is_none();
        // Above what a sequence that begins at 1 will give out.
        let base = if widest > 100_000 { 1_000_000 } else { 1_000 };
        let base = (profile.distinct && open).then_some(base);
        Self {
            low,
            high: base.map_or(high, |_| widest),
            make,
            base,
        }
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let value = match self.base {
            Some(base) => base + i128::from(cell.ordinal) % (self.high - base),
            None if cell.counted => self.low + i128::from(cell.ordinal) % span(self.low, self.high),
            None => dice.between(self.low, smaller(self.low, self.high, cell.salt)),
        };
        (self.make)(value)
    }

    pub(super) fn room(&self) -> u128 {
        span(self.base.unwrap_or(self.low), self.high).unsigned_abs()
    }
}

fn span(low: i128, high: i128) -> i128 {
    (high - low + 1).max(1)
}

/// The upper bound: the lower quarter of what is allowed, and less where the server has refused the row, for sums over
/// several rows are bounded more often than not.
fn smaller(low: i128, high: i128, salt: u32) -> i128 {
    low + (high - low) / (4_i128 << salt.min(32))
}

/// The bounds in units of which `unit` make a whole, as CHECKs set them; else from 1 to 1,000.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "bounds come from a CHECK as f64 and are clamped"
)]
pub(super) fn limits(hints: &Hints, unit: i128, widest: i128) -> (i128, i128) {
    let scaled = |bound: f64| bound * unit as f64;
    let low = hints.min.map(|min| {
        let low = scaled(min).ceil();
        low as i128 + i128::from(hints.above_min && low <= scaled(min))
    });
    let high = hints.max.map(|max| {
        let high = scaled(max).floor();
        high as i128 - i128::from(hints.below_max && high >= scaled(max))
    });
    let (low, high) = match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) => (low, low.saturating_add(999 * unit)),
        (None, Some(high)) if high >= unit => (unit, high),
        (None, Some(high)) => (high.saturating_sub(999 * unit), high),
        (None, None) => (unit, 1_000 * unit),
    };
    (low.clamp(-widest, widest), high.clamp(-widest, widest))
}

/// `numeric`, with the scale that the type allows, and `money`.
pub(super) struct Decimal {
    low: i128,
    high: i128,
    scale: u8,
    /// Where nothing bounds it from above, values that must differ are counted.
    counts: bool,
    money: bool,
}

impl Decimal {
    pub(super) fn new(profile: &Profile, type_name: &str) -> Self {
        let (precision, scale) = if profile.modifier >= 4 {
            let packed = profile.modifier - 4;
            // The scale is a signed number of eleven bits.
            let scale = ((packed & 0x7ff) ^ 0x400) - 0x400;
            let kept = scale.min(6);
            ((packed >> 16) - scale + kept, kept)
        } else {
            (18, 2)
        };
        let digits = |n: i32| 10_i128.pow(u32::try_from(n.clamp(0, 18)).unwrap_or(0));
        let unit = digits(scale.max(0));
        let (low, high) = limits(&profile.hints, unit, digits(precision) - 1);
        Self {
            low,
            high,
            scale: u8::try_from(scale.max(0)).unwrap_or(0),
            counts: profile.distinct && profile.hints.max.is_none(),
            money: type_name == "money",
        }
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let units = if self.counts || cell.counted {
            self.low + i128::from(cell.ordinal) % span(self.low, self.high)
        } else {
            dice.between(self.low, smaller(self.low, self.high, cell.salt))
        };
        let made = Datum::Numeric {
            units,
            scale: self.scale,
        };
        if self.money {
            return Datum::Literal(made.to_string());
        }
        made
    }

    pub(super) fn room(&self) -> u128 {
        span(self.low, self.high).unsigned_abs()
    }

    pub(super) fn is_binary(&self) -> bool {
        !self.money
    }
}

/// Halves and quarters are exact in binary: sums do not depend on their order.
pub(super) struct Quarter {
    low: i128,
    high: i128,
    wide: bool,
}

impl Quarter {
    pub(super) fn new(profile: &Profile, type_name: &str) -> Self {
        let (low, high) = limits(&profile.hints, 4, 1 << 40);
        Self {
            low,
            high,
            wide: type_name == "float8",
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "small numbers of quarters are exact; what a CHECK wants beyond that is as near as the type gets"
    )]
    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let quarters = if cell.counted {
            self.low + i128::from(cell.ordinal) % span(self.low, self.high)
        } else {
            dice.between(self.low, self.high)
        };
        let value = quarters as f64 / 4.0;
        if self.wide {
            Datum::Float8(value)
        } else {
            Datum::Float4(value as f32)
        }
    }

    pub(super) fn room(&self) -> u128 {
        span(self.low, self.high).unsigned_abs()
    }
}

/// `bytea`: of as many bytes as CHECKs ask for, else sixteen.
pub(super) struct Bytes(usize);

impl Bytes {
    pub(super) fn new(profile: &Profile) -> Self {
        let hints = &profile.hints;
        Self(match (hints.min_length, hints.max_length) {
            (Some(least), _) => least,
            (None, most) => most.unwrap_or(16).min(16),
        })
    }

    pub(super) fn make(&self, dice: &mut Dice) -> Datum {
        let byte = |_| u8::try_from(dice.below(256)).unwrap_or(0);
        Datum::Bytes((0..self.0).map(byte).collect())
    }
}
