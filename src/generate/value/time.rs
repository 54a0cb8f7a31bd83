//! Dates, times, lengths of time: offsets from the seed's reference instant.

use super::{Cell, Profile};
use crate::generate::clock::DAY;
use crate::generate::dice::Dice;
use crate::generate::hints::Hints;
use crate::model::Datum;

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;

/// `date`, `timestamp` and `timestamptz`: created before updated before what is due.
pub(super) struct Moment {
    /// Where CHECKs bound it.
    bounds: Option<Hints>,
    /// Days from the reference instant.
    low: i64,
    high: i64,
    /// Something that is to come, or has come already: three rows with the one, three with the other.
    comes: bool,
    distinct: bool,
    /// Seconds that a value is a multiple of.
    unit: i64,
    make: fn(i64) -> Datum,
}

impl Moment {
    pub(super) fn new(profile: &Profile, type_name: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| profile.name.contains(word));
        let comes = has(&[
            "due", "expir", "schedul", "end", "until", "valid_to", "next", "deadline",
        ]);
        let (low, high) = if has(&["creat", "insert", "start", "begin", "valid_from", "since"]) {
            (-360, -181)
        } else if has(&["updat", "modif", "chang"]) {
            (-180, -1)
        } else if comes {
            (1, 180)
        } else {
            (-180, 180)
        };
        let hints = &profile.hints;
        let (unit, make): (i64, fn(i64) -> Datum) = match type_name {
            "date" => (DAY, |at| Datum::Date(at.div_euclid(DAY))),
            "timestamp" => (1, |at| Datum::Timestamp(at * SECOND)),
            _ => (1, |at| Datum::Timestamptz(at * SECOND)),
        };
        Self {
            bounds: (hints.min.is_some() || hints.max.is_some()).then(|| hints.clone()),
            low,
            high,
            comes: comes && low > 0,
            distinct: profile.distinct,
            unit,
            make,
        }
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let units = |room: i64| {
            let number = cell.ordinal % u64::try_from(room).unwrap_or(1).max(1);
            i64::try_from(number).unwrap_or(0) * self.unit
        };
        if let Some(hints) = &self.bounds {
            let around = i128::from(cell.instant / self.unit);
            let year = i128::from(360 * DAY / self.unit);
            let (low, high) = bounded(hints, self.unit, (around - year, around + year));
            let chosen = if cell.counted {
                low + i128::from(cell.ordinal) % (high - low + 1).max(1)
            } else {
                dice.between(low, high)
            };
            // What Postgres keeps times in ends long after these.
            let bound = i128::from(32_000_000_000 / self.unit);
            let chosen = i64::try_from(chosen.clamp(-bound, bound)).unwrap_or(0);
            return (self.make)(chosen * self.unit);
        }
        if cell.counted {
            let room = i64::try_from(self.room()).unwrap_or(1);
            return (self.make)(cell.instant + self.low * DAY + units(room));
        }
        let day = i64::try_from(dice.between(self.low.into(), self.high.into())).unwrap_or(0);
        let day = if self.comes && cell.turn / 3 % 2 == 1 {
            -day
        } else {
            day
        };
        let second = if self.distinct {
            i64::try_from(cell.ordinal % 86_400).unwrap_or(0)
        } else {
            i64::try_from(dice.below(86_400)).unwrap_or(0)
        };
        (self.make)(cell.instant + day * DAY + second)
    }

    pub(super) fn room(&self) -> u128 {
        let open = (self.high - self.low + 1) * DAY / self.unit;
        let room = match &self.bounds {
            None => i128::from(open),
            Some(hints) => {
                // As wide around any instant as around this one, but where only one side is bounded.
                let (low, high) = bounded(hints, self.unit, (0, i128::from(open)));
                (high - low + 1).max(1)
            }
        };
        room.unsigned_abs()
    }
}

/// `time` and `timetz`.
pub(super) struct TimeOfDay {
    bounds: Option<(i128, i128)>,
    with_zone: bool,
}

impl TimeOfDay {
    pub(super) fn new(profile: &Profile, type_name: &str) -> Self {
        let hints = &profile.hints;
        let is_bounded = hints.min.is_some() || hints.max.is_some();
        Self {
            bounds: is_bounded.then(|| bounded(hints, 60, (0, 1_439))),
            with_zone: type_name == "timetz",
        }
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let (low, high) = self.bounds.unwrap_or((0, 1_439));
        let minutes = if cell.counted {
            low + i128::from(cell.ordinal) % (high - low + 1).max(1)
        } else {
            dice.between(low, high)
        };
        let minutes = i64::try_from(minutes.rem_euclid(1_440)).unwrap_or(0);
        let time = Datum::Time(minutes * 60 * SECOND);
        if self.with_zone {
            return Datum::Literal(time.to_string());
        }
        time
    }

    pub(super) fn is_binary(&self) -> bool {
        !self.with_zone
    }
}

/// `interval`.
pub(super) struct Interval(Option<(i128, i128)>);

impl Interval {
    pub(super) fn new(profile: &Profile) -> Self {
        let hints = &profile.hints;
        let is_bounded = hints.min.is_some() || hints.max.is_some();
        Self(is_bounded.then(|| bounded(hints, 1, (1, 86_400))))
    }

    pub(super) fn make(&self, cell: &Cell<'_>, dice: &mut Dice) -> Datum {
        let seconds = match self.0 {
            None => i64::try_from(15 * 60 * (1 + cell.one_of(96, dice))).unwrap_or(900),
            Some((low, high)) => i64::try_from(dice.between(low, high)).unwrap_or(0),
        };
        Datum::Interval(seconds.saturating_mul(SECOND))
    }
}

/// Bounds that CHECKs give in seconds, in units of so many seconds; what is open is as wide as `usual`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "bounds come from a CHECK as f64"
)]
fn bounded(hints: &Hints, unit: i64, usual: (i128, i128)) -> (i128, i128) {
    let low = hints.min.map(|min| {
        let low = (min / unit as f64).ceil();
        low as i128 + i128::from(hints.above_min && low * unit as f64 <= min)
    });
    let high = hints.max.map(|max| {
        let high = (max / unit as f64).floor();
        high as i128 - i128::from(hints.below_max && high * unit as f64 >= max)
    });
    let span = usual.1 - usual.0;
    match (low, high) {
        (Some(low), Some(high)) => (low, high),
        (Some(low), None) if low <= usual.1 => (low.max(usual.0), usual.1),
        (Some(low), None) => (low, low.saturating_add(span)),
        (None, Some(high)) if high >= usual.0 => (usual.0, high.min(usual.1)),
        (None, Some(high)) => (high.saturating_sub(span), high),
        (None, None) => usual,
    }
}
