//! Times as text, from seconds since 1970: offsets from the seed's reference instant, never from a clock.

/// Seconds in a day.
pub(super) const DAY: i64 = 86_400;

/// `2026-11-22`, in UTC.
pub(super) fn date(seconds: i64) -> String {
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02}")
}

/// `2026-11-22 15:04:05`, in UTC.
pub(super) fn timestamp(seconds: i64) -> String {
    let second = seconds.rem_euclid(DAY);
    format!(
        "{} {:02}:{:02}:{:02}",
        date(seconds),
        second / 3_600,
        second / 60 % 60,
        second % 60
    )
}

/// `2026-11-22 15:04:05+00`.
pub(super) fn instant(seconds: i64) -> String {
    format!("{}+00", timestamp(seconds))
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
}
