//! The instants of reports.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The machine's wall clock, since 1970. A clock before that reads as 1970.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: a report says when its program made it"
)]
pub(crate) fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// A clock that nobody sets, for lengths of time.
#[expect(
    clippy::disallowed_methods,
    reason = "the edge: lengths of time are measured here and nowhere else"
)]
pub(crate) fn monotonic() -> std::time::Instant {
    std::time::Instant::now()
}

/// Appends an instant as RFC 3339 in UTC with microseconds: `2026-11-22T04:52:53.123456Z`.
pub(crate) fn write_instant(out: &mut Vec<u8>, since_1970: Duration) {
    let seconds = since_1970.as_secs();
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    digits(out, year, 4);
    out.push(b'-');
    digits(out, month, 2);
    out.push(b'-');
    digits(out, day, 2);
    out.push(b'T');
    digits(out, of_day / 3600, 2);
    out.push(b':');
    digits(out, of_day / 60 % 60, 2);
    out.push(b':');
    digits(out, of_day % 60, 2);
    out.push(b'.');
    digits(out, u64::from(since_1970.subsec_micros()), 6);
    out.push(b'Z');
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    // Counted from 1 March of year 0, so that a leap day is the last of its year; an era is 400 years.
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

fn digits(out: &mut Vec<u8>, number: u64, width: usize) {
    let start = out.len();
    out.resize(start + width, b'0');
    let mut left = number;
    for place in out[start..].iter_mut().rev() {
        *place = b'0' + u8::try_from(left % 10).expect("a digit");
        left /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_rfc_3339_in_utc() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000007Z"),
            (951_782_400, "2000-02-29T00:00:00.000007Z"),
            (951_868_799, "2000-02-29T23:59:59.000007Z"),
            (1_709_164_800, "2024-02-29T00:00:00.000007Z"),
            (1_798_761_599, "2026-12-31T23:59:59.000007Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000007Z"),
        ] {
            let mut out = Vec::new();
            write_instant(&mut out, Duration::new(seconds, 7_000));
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
