//! What lies within one day of a local clock, whatever the clock did on that day.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, tz::Offset};

/// Seconds of a day without a change of the clock.
const DAY_SECONDS: i64 = 86_400;
/// No local clock is farther from UTC than this, in seconds.
const OFFSET_SECONDS_MAX: i64 = 26 * 3_600;

/// The stretches of time, first and last second included, in which a zone's clock shows a date.
///
/// One on most days. None where a zone left a day out; two where a clock went back over midnight.
pub(crate) fn stretches(date: Date, zone: &TimeZone) -> Vec<(Timestamp, Timestamp)> {
    let midnight = match Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)) {
        Ok(midnight) => midnight.as_second(),
        // The calendar's very last days end after the last instant.
        Err(_) => return Vec::new(),
    };
    let search_end = midnight + DAY_SECONDS + OFFSET_SECONDS_MAX;
    let mut found = Vec::new();
    let mut from = midnight - OFFSET_SECONDS_MAX;
    while from < search_end {
        let here = instant(from);
        let change = zone.following(here).next();
        let to = change.map_or(search_end, |change| change.timestamp().as_second());
        let start = midnight - i64::from(zone.to_offset(here).seconds());
        let (first, end) = (from.max(start), to.min(start + DAY_SECONDS));
        if first < end {
            found.push((instant(first), instant(end - 1)));
        }
        from = to;
    }
    found
}

fn instant(second: i64) -> Timestamp {
    let bound = if second < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    };
    Timestamp::from_second(second).unwrap_or(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(zone: &str, date: &str, expected: &[(&str, &str)]) {
        let zone = odin_schedule::find_zone(zone).unwrap();
        let found = stretches(date.parse().unwrap(), &zone);
        let found: Vec<_> = found
            .iter()
            .map(|(from, to)| (from.to_string(), to.to_string()))
            .collect();
        let found: Vec<_> = found
            .iter()
            .map(|(from, to)| (from.as_str(), to.as_str()))
            .collect();
        assert_eq!(found, expected, "{date}");
    }

    #[test]
    fn a_day_is_what_the_local_clock_calls_so() {
        check(
            "UTC",
            "2026-02-28",
            &[("2026-02-28T00:00:00Z", "2026-02-28T23:59:59Z")],
        );
        // 23 and 25 hours long; the clock changes within.
        check(
            "Europe/Dublin",
            "2026-03-29",
            &[
                ("2026-03-29T00:00:00Z", "2026-03-29T00:59:59Z"),
                ("2026-03-29T01:00:00Z", "2026-03-29T22:59:59Z"),
            ],
        );
        check(
            "Europe/Dublin",
            "2026-10-25",
            &[
                ("2026-10-24T23:00:00Z", "2026-10-25T00:59:59Z"),
                ("2026-10-25T01:00:00Z", "2026-10-25T23:59:59Z"),
            ],
        );
        // The day begins at 01:00.
        check(
            "America/Santiago",
            "2026-09-06",
            &[("2026-09-06T04:00:00Z", "2026-09-07T02:59:59Z")],
        );
        // The day that Samoa left out.
        check("Pacific/Apia", "2011-12-30", &[]);
        // At 00:01 the clock went back to 23:01 of the day before.
        check(
            "America/St_Johns",
            "2010-11-07",
            &[
                ("2010-11-07T02:30:00Z", "2010-11-07T02:30:59Z"),
                ("2010-11-07T03:30:00Z", "2010-11-08T03:29:59Z"),
            ],
        );
        check("UTC", "9999-12-31", &[]);
    }
}
