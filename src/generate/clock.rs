//! Times as text, from seconds since 1970: offsets from the seed's reference instant, never from a clock.

use crate::model::{Datum, Kind};

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// Whether a type, by its name, is a date or a time of one.
pub(super) fn is_time(of: &str) -> bool {
    matches!(of, "date" | "timestamp" | "timestamptz")
}

/// Whether a text is a day, and no time of one.
pub(super) fn is_day(text: &str) -> bool {
    day(text).is_some()
}

/// `2026-11-22`, in UTC.
pub(super) fn date(seconds: i64) -> String {
    Datum::Date(seconds.div_euclid(DAY)).to_string()
}

/// `2026-11-22 15:04:05`, in UTC.
pub(super) fn timestamp(seconds: i64) -> String {
    Datum::Timestamp(seconds * 1_000_000).to_string()
}

/// `2026-11-22 15:04:05+00`.
pub(super) fn instant(seconds: i64) -> String {
    Datum::Timestamptz(seconds * 1_000_000).to_string()
}

/// Seconds since 1970 of a date or time, of the day of a time, or of an interval, as Postgres prints them.
pub(super) fn seconds(text: &str) -> Option<f64> {
    let mut words = text.split_whitespace().peekable();
    let mut total = 0.0;
    let mut any = false;
    while let Some(word) = words.next() {
        total += if let Some(day) = day(word) {
            day
        } else if word.contains(':') {
            time(word)?
        } else {
            let count: f64 = word.parse().ok()?;
            count * unit(words.next()?)?
        };
        any = true;
    }
    any.then_some(total)
}

/// A word such as `days`, in seconds.
fn unit(word: &str) -> Option<f64> {
    Some(match word.trim_end_matches('s') {
        "sec" | "second" => 1.0,
        "min" | "minute" => 60.0,
        "hour" => 3_600.0,
        "day" => 86_400.0,
        "week" => 604_800.0,
        "mon" | "month" => 2_592_000.0,
        "year" => 31_557_600.0,
        _ => return None,
    })
}

/// `2026-11-22`, in seconds since 1970.
#[expect(clippy::cast_precision_loss, reason = "days of any calendar are few")]
fn day(word: &str) -> Option<f64> {
    match Kind::Date.read(word)? {
        Datum::Date(days) => Some(days as f64 * DAY as f64),
        _ => None,
    }
}

/// `15:04:05.5+02`, in seconds, in UTC.
fn time(word: &str) -> Option<f64> {
    let split = word
        .char_indices()
        .skip(1)
        .find(|(_, c)| matches!(c, '+' | '-'))
        .map_or(word.len(), |(at, _)| at);
    let (clock, zone) = word.split_at(split);
    let of = |text: &str| {
        let mut total = 0.0;
        for (part, unit) in text.split(':').zip([3_600.0, 60.0, 1.0]) {
            total += part.parse::<f64>().ok()? * unit;
        }
        Some(total)
    };
    let ahead = match zone.split_at_checked(1) {
        Some(("+", zone)) => of(zone)?,
        Some(("-", zone)) => -of(zone)?,
        _ => 0.0,
    };
    Some(of(clock)? - ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        assert_eq!(instant(0), "1970-01-01 00:00:00+00");
        assert_eq!(date(951_782_400), "2000-02-29");
        assert_eq!(timestamp(1_795_363_445), "2026-11-22 16:04:05");
        assert_eq!(date(-1), "1969-12-31");
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        for second in [0_i32, 951_782_400, 1_795_363_445, -86_400] {
            assert_eq!(seconds(&instant(second.into())), Some(second.into()));
        }
        assert_eq!(seconds("2000-02-29"), Some(951_782_400.0));
        assert_eq!(seconds("1970-01-01 02:00:00+02"), Some(0.0));
        assert_eq!(seconds("1 day 01:00:00"), Some(90_000.0));
        assert_eq!(seconds("15 minutes"), Some(900.0));
        assert_eq!(seconds("word"), None);
        assert_eq!(seconds(""), None);
    }
}
