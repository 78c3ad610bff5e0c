//! When a message to a channel is sent, sent again, held back or given up. Called by the leader's loop.

use std::time::Duration;

use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use odin_model::channel::QuietHours;

/// How long an attempt may take; after that it is not waited for.
pub const ATTEMPT_MAX: Duration = Duration::from_secs(30);
/// How long a message is waited for that a leader was about to send when it went away: longer than any attempt. Not
/// where its node begins a new life before that, as a server that was restarted does.
pub const TAKE_OVER_AFTER: Duration = Duration::from_secs(40);
/// The wait after the first attempt; it doubles with each.
const WAIT_MIN: Duration = Duration::from_secs(5);
/// The longest wait.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// How old a message may become before it is given up.
pub const AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// How often a message is tried that the receiver refuses for what it is.
pub const REFUSED_ATTEMPTS_MAX: u32 = 5;

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The channel is down, or says that it is a matter of time.
    ForNow,
    /// The receiver refuses this message, and will again.
    ForGood,
}

/// When a message is tried again. `None`: it is given up.
#[must_use]
pub fn try_again(
    trouble: Trouble,
    attempt: u32,
    made_at: Timestamp,
    now: Timestamp,
) -> Option<Timestamp> {
    if trouble == Trouble::ForGood && attempt >= REFUSED_ATTEMPTS_MAX {
        return None;
    }
    let doublings = attempt.saturating_sub(1).min(16);
    let wait = WAIT_MIN.saturating_mul(1 << doublings).min(WAIT_MAX);
    let next = later(now, wait);
    (next <= later(made_at, AGE_MAX)).then_some(next)
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    at.saturating_add(by).unwrap_or(Timestamp::MAX)
}

/// When the quiet hours end that `now` lies in. `None`: it lies in none. A beginning or an end that the clock jumps
/// over is at the first instant after the gap; one that comes twice is at its first time.
#[must_use]
pub fn quiet_until(quiet: &QuietHours, zone: &TimeZone, now: Timestamp) -> Option<Timestamp> {
    let today = now.to_zoned(zone.clone()).date();
    let instant = |day: jiff::civil::Date, minute: u16| {
        let time = Time::midnight() + i64::from(minute).minutes();
        let local = DateTime::from_parts(day, time);
        let ambiguous = zone.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            // `compatible` would shift by the length of the gap.
            jiff::tz::AmbiguousOffset::Gap { .. } => {
                let after = ambiguous.later().ok()?;
                zone.preceding(after).next().map(|it| it.timestamp())
            }
            _ => ambiguous.earlier().ok(),
        }
    };
    // Hours that began yesterday may go on today.
    let yesterday = today.yesterday().ok()?;
    [yesterday, today].into_iter().find_map(|day| {
        let begin = instant(day, quiet.from_minute)?;
        let end_day = match quiet.to_minute > quiet.from_minute {
            true => day,
            false => day.tomorrow().ok()?,
        };
        let end = instant(end_day, quiet.to_minute)?;
        (begin <= now && now < end).then_some(end)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_message_is_tried_for_a_day_with_growing_waits() {
        let made = at("2026-01-01T00:00:00Z");
        let after = |trouble, attempt, age: i64| {
            let now = made + SignedDuration::from_secs(age);
            try_again(trouble, attempt, made, now).map(|next| next.duration_since(now).as_secs())
        };
        use Trouble::{ForGood, ForNow};
        for (attempt, wait) in [(1, 5), (2, 10), (3, 20), (8, 640), (9, 900), (999, 900)] {
            assert_eq!(after(ForNow, attempt, 60), Some(wait), "{attempt}");
        }
        assert_eq!(after(ForNow, 90, 86_400 - 900), Some(900));
        assert_eq!(after(ForNow, 90, 86_400 - 899), None);
        assert_eq!(after(ForGood, 4, 60), Some(40));
        assert_eq!(after(ForGood, 5, 60), None);
    }

    #[track_caller]
    fn check(zone: &str, hours: (&str, &str), now: &str, expected: Option<&str>) {
        let minute = |text: &str| {
            let time: Time = text.parse().unwrap();
            (i32::from(time.hour()) * 60 + i32::from(time.minute())) as u16
        };
        let quiet = QuietHours {
            from_minute: minute(hours.0),
            to_minute: minute(hours.1),
            timezone: zone.to_owned(),
        };
        let tz = TimeZone::get(zone).unwrap();
        assert_eq!(
            quiet_until(&quiet, &tz, at(now)),
            expected.map(at),
            "{hours:?} at {now}"
        );
    }

    #[test]
    fn quiet_hours_begin_and_end_on_the_minute_and_pass_midnight() {
        let night = ("22:00", "07:00");
        let utc = |now, expected| check("UTC", night, now, expected);
        utc("2026-03-01T21:59:59Z", None);
        utc("2026-03-01T22:00:00Z", Some("2026-03-02T07:00:00Z"));
        utc("2026-03-02T06:59:59Z", Some("2026-03-02T07:00:00Z"));
        utc("2026-03-02T07:00:00Z", None);
        let noon = ("12:00", "13:30");
        check(
            "UTC",
            noon,
            "2026-03-01T13:00:00Z",
            Some("2026-03-01T13:30:00Z"),
        );
        check("UTC", noon, "2026-03-01T13:30:00Z", None);
    }

    #[test]
    fn the_hours_are_those_of_the_zone_when_the_clock_jumps() {
        let berlin = |hours, now, expected| check("Europe/Berlin", hours, now, expected);
        // The night of the change is an hour shorter, and in autumn one longer.
        let night = ("22:00", "07:00");
        berlin(night, "2026-03-28T21:30:00Z", Some("2026-03-29T05:00:00Z"));
        berlin(night, "2026-10-24T20:30:00Z", Some("2026-10-25T06:00:00Z"));
        // 02:30 does not exist on 29 March: the hours end, or begin, at 03:00.
        berlin(
            ("22:00", "02:30"),
            "2026-03-29T00:30:00Z",
            Some("2026-03-29T01:00:00Z"),
        );
        berlin(("22:00", "02:30"), "2026-03-29T01:00:00Z", None);
        berlin(
            ("02:30", "04:00"),
            "2026-03-29T01:15:00Z",
            Some("2026-03-29T02:00:00Z"),
        );
        // 02:30 comes twice on 25 October: the first counts.
        berlin(
            ("22:00", "02:30"),
            "2026-10-25T00:29:00Z",
            Some("2026-10-25T00:30:00Z"),
        );
        berlin(("22:00", "02:30"), "2026-10-25T00:45:00Z", None);
    }

    #[test]
    fn a_day_that_a_zone_leaves_out_ends_and_begins_hours_at_midnight() {
        // Samoa had no 30 December 2011: 31 December began at 10:00Z.
        let apia = |now, expected| check("Pacific/Apia", ("22:00", "07:00"), now, Some(expected));
        apia("2011-12-30T09:30:00Z", "2011-12-30T10:00:00Z");
        apia("2011-12-30T10:00:00Z", "2011-12-30T17:00:00Z");
    }
}
