//! Days and months, as Postgres prints them.

use std::fmt::{self, Write};

/// Microseconds in a second.
pub(super) const SECOND: i64 = 1_000_000;

/// Microseconds in a day.
pub(super) const DAY: i64 = 86_400 * SECOND;

/// `2026-11-22` from days since 1970.
pub(super) fn date(days: i64, into: &mut impl Write) -> fmt::Result {
    let (year, month, day) = civil(days);
    write!(into, "{year:04}-{month:02}-{day:02}")
}

/// `15:04:05` from microseconds since midnight, with a fraction where there is one.
pub(super) fn time(microseconds: i64, into: &mut impl Write) -> fmt::Result {
    let second = microseconds / SECOND;
    let (hours, minutes) = (second / 3_600, second / 60 % 60);
    write!(into, "{hours:02}:{minutes:02}:{:02}", second % 60)?;
    match microseconds % SECOND {
        0 => Ok(()),
        fraction => write!(into, ".{fraction:06}"),
    }
}

/// `2026-11-22 15:04:05` from microseconds since 1970.
pub(super) fn timestamp(microseconds: i64, into: &mut impl Write) -> fmt::Result {
    date(microseconds.div_euclid(DAY), into)?;
    into.write_char(' ')?;
    time(microseconds.rem_euclid(DAY), into)
}

/// Year, month and day of a day since 1970 (H. Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 {
        shifted_month + 3
    } else {
        shifted_month - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

/// Days since 1970 of a date: the inverse, by the same author. `None` where it is no date.
pub(super) fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    // Years far beyond what Postgres keeps would overflow.
    let is_year = i32::try_from(year).is_ok();
    if !is_year || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year - era * 400;
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}
