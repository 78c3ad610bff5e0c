//! Instants and durations as people write and read them.

use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use crate::error::CliError;

/// The zone of a name that the server sent; UTC where this build does not know it.
pub(crate) fn zone(name: &str) -> TimeZone {
    odin_schedule::find_zone(name).unwrap_or(TimeZone::UTC)
}

/// `2026-11-21 17:00:00 GMT`; fractions of a second only where there are any.
pub(crate) fn in_zone(instant: Timestamp, zone: &TimeZone) -> String {
    let zoned = instant.to_zoned(zone.clone());
    match instant.subsec_nanosecond() {
        0 => zoned.strftime("%Y-%m-%d %H:%M:%S %Z").to_string(),
        _ => zoned.strftime("%Y-%m-%d %H:%M:%S%.3f %Z").to_string(),
    }
}

/// The same without the fraction of a second, where that says nothing.
pub(crate) fn to_the_second(instant: Timestamp, zone: &TimeZone) -> String {
    in_zone(
        Timestamp::from_second(instant.as_second()).unwrap_or(instant),
        zone,
    )
}

/// `in 3 h`, `12 s ago`, `now`.
pub(crate) fn relative(instant: Timestamp, now: Timestamp) -> String {
    let distance = instant.duration_since(now);
    let seconds = distance.as_secs();
    if seconds == 0 {
        return "now".to_owned();
    }
    let words = in_words(distance.unsigned_abs());
    if seconds > 0 {
        format!("in {words}")
    } else {
        format!("{words} ago")
    }
}

/// One unit is enough for a glance: `45 s`, `12 min`, `3 h`, `9 d`.
pub(crate) fn in_words(distance: Duration) -> String {
    let seconds = distance.as_secs();
    match seconds {
        0..100 => format!("{seconds} s"),
        100..6_000 => format!("{} min", seconds / 60),
        6_000..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

/// `340 ms`, `2.5 s`, `4 min 10 s`, `3 h 5 min`.
pub(crate) fn duration(time: SignedDuration) -> String {
    let milliseconds = time.as_millis().max(0);
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{}.{} s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        60_000..3_600_000 => {
            format!(
                "{} min {} s",
                milliseconds / 60_000,
                milliseconds % 60_000 / 1_000
            )
        }
        _ => format!(
            "{} h {} min",
            milliseconds / 3_600_000,
            milliseconds % 3_600_000 / 60_000
        ),
    }
}

/// Milliseconds of a setting, as a job file writes them: `1m30s`.
pub(crate) fn setting(milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "0s".to_owned();
    }
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];
    let mut rest = milliseconds;
    let mut text = String::new();
    for (unit, size) in units {
        if rest >= size {
            text += &format!("{}{unit}", rest / size);
            rest %= size;
        }
    }
    text
}

/// The instant that a text names, as [`parse`] reads it, or that was so long ago: `2h`, `7d`, `1w`. A day is 24 hours.
pub(crate) fn parse_or_ago(
    text: &str,
    zone: &TimeZone,
    now: Timestamp,
) -> Result<Vec<Timestamp>, CliError> {
    if let Some(ago) = parse_ago(text.trim()) {
        return Ok(vec![now.saturating_sub(ago).unwrap_or(Timestamp::MIN)]);
    }
    parse(text, zone).map_err(|error| {
        error.with_help(
            "Write `2026-11-21 17:00` in the job's zone, RFC 3339 such as `2026-11-21T17:00:00Z`, or how long ago: `2h`, `7d`.",
        )
    })
}

/// A span of fixed length, such as `1h30m`, `2d` or `1w`.
fn parse_ago(text: &str) -> Option<SignedDuration> {
    let span: jiff::Span = text.parse().ok()?;
    let has_fixed_length = span.get_years() == 0 && span.get_months() == 0;
    if !has_fixed_length || span.is_negative() {
        return None;
    }
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours())
        .ok()
}

/// Reads an instant: RFC 3339, or a local date and time (`2026-11-21 17:00[:00]`) in `zone`.
///
/// A local time that a clock shows twice is two instants, the first one first. One that it skips is the first
/// instant after the gap, which is where an occurrence of that time falls.
pub(crate) fn parse(text: &str, zone: &TimeZone) -> Result<Vec<Timestamp>, CliError> {
    let text = text.trim();
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(vec![instant]);
    }
    let refused = || {
        CliError::refused("cli/bad-time", format!("`{text}` is not a time"))
            .with_help("Write `2026-11-21 17:00` in the job's zone, or RFC 3339 such as `2026-11-21T17:00:00Z`.")
    };
    // A text with a zone of its own that could not be read must not be taken for local time.
    if text.ends_with(['Z', 'z', ']'])
        || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']))
    {
        return Err(refused());
    }
    let local: DateTime = text.parse().map_err(|_| refused())?;
    let ambiguous = zone.to_ambiguous_timestamp(local);
    let offset = ambiguous.offset();
    let instant = ambiguous.compatible().map_err(|_| refused())?;
    match offset {
        AmbiguousOffset::Unambiguous { .. } => Ok(vec![instant]),
        AmbiguousOffset::Gap { .. } => {
            let transition = zone
                .preceding(instant)
                .next()
                .map(|transition| transition.timestamp());
            Ok(vec![transition.unwrap_or(instant)])
        }
        AmbiguousOffset::Fold { after, .. } => {
            let second = after.to_timestamp(local).map_err(|_| refused())?;
            Ok(vec![instant, second])
        }
    }
}

/// Reads a duration such as `30s`, `5m`, `1h30m`, for clap.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let refused = || format!("`{text}` is not a duration: write `30s`, `5m` or `1h30m`");
    let duration: SignedDuration = text.parse().map_err(|_| refused())?;
    Duration::try_from(duration).map_err(|_| refused())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_read_in_the_jobs_zone_unless_it_names_one() {
        let dublin = zone("Europe/Dublin");
        for (text, expected) in [
            ("2026-11-21T17:00:00Z", Ok(vec!["2026-11-21T17:00:00Z"])),
            (
                "2026-11-21T17:00:00+01:00",
                Ok(vec!["2026-11-21T16:00:00Z"]),
            ),
            ("2026-07-21 17:00", Ok(vec!["2026-07-21T16:00:00Z"])),
            ("2026-07-21T17:00:05", Ok(vec!["2026-07-21T16:00:05Z"])),
            ("2026-11-21", Ok(vec!["2026-11-21T00:00:00Z"])),
            // The clocks skip 01:00 to 02:00.
            ("2026-03-29 01:30", Ok(vec!["2026-03-29T01:00:00Z"])),
            // The clocks show 01:00 to 02:00 twice.
            (
                "2026-10-25 01:30",
                Ok(vec!["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]),
            ),
            ("yesterday", Err(())),
            ("", Err(())),
            ("2026-11-31 10:00", Err(())),
            ("2026-11-21 10:00+99:99", Err(())),
            ("2026-11-21 25:00", Err(())),
        ] {
            let expected = expected.map(|list| list.into_iter().map(at).collect::<Vec<_>>());
            assert_eq!(parse(text, &dublin).map_err(|_| ()), expected, "{text}");
        }
    }

    #[test]
    fn a_time_may_be_told_by_how_long_ago_it_was() {
        let dublin = zone("Europe/Dublin");
        let now = at("2026-11-21T17:00:00Z");
        for (text, expected) in [
            ("2h", Ok("2026-11-21T15:00:00Z")),
            ("1h30m", Ok("2026-11-21T15:30:00Z")),
            ("2d", Ok("2026-11-19T17:00:00Z")),
            (" 1w ", Ok("2026-11-14T17:00:00Z")),
            ("1d12h", Ok("2026-11-20T05:00:00Z")),
            ("0s", Ok("2026-11-21T17:00:00Z")),
            ("1000000w", Ok("-009999-01-02T01:59:59Z")),
            ("2026-07-21 17:00", Ok("2026-07-21T16:00:00Z")),
            // How long a month is depends on which.
            ("1mo", Err(())),
            ("1y", Err(())),
            ("-2h", Err(())),
            ("2", Err(())),
            ("two days", Err(())),
        ] {
            let read = parse_or_ago(text, &dublin, now).map_err(|_| ());
            assert_eq!(read, expected.map(|text| vec![at(text)]), "{text}");
        }
    }

    #[test]
    fn instants_are_shown_with_their_zone() {
        let instant = at("2026-07-21T16:00:00Z");
        assert_eq!(
            in_zone(instant, &zone("Europe/Dublin")),
            "2026-07-21 17:00:00 IST"
        );
        assert_eq!(
            in_zone(instant, &zone("America/Sao_Paulo")),
            "2026-07-21 13:00:00 -03"
        );
        assert_eq!(
            in_zone(at("2026-07-21T16:00:00.0426Z"), &TimeZone::UTC),
            "2026-07-21 16:00:00.042 UTC"
        );
    }

    #[test]
    fn distances_and_durations_are_short() {
        let now = at("2026-01-01T00:00:00Z");
        for (other, expected) in [
            ("2026-01-01T00:00:00.9Z", "now"),
            ("2026-01-01T00:00:45Z", "in 45 s"),
            ("2026-01-01T00:12:00Z", "in 12 min"),
            ("2025-12-31T21:00:00Z", "3 h ago"),
            ("2026-01-10T00:00:00Z", "in 9 d"),
        ] {
            assert_eq!(relative(at(other), now), expected, "{other}");
        }
        for (milliseconds, long, short) in [
            (0, "0 ms", "0s"),
            (340, "340 ms", "340ms"),
            (2_599, "2.5 s", "2s599ms"),
            (250_000, "4 min 10 s", "4m10s"),
            (11_100_000, "3 h 5 min", "3h5m"),
        ] {
            let time = SignedDuration::from_millis(milliseconds);
            assert_eq!(duration(time), long);
            assert_eq!(setting(milliseconds.unsigned_abs()), short);
        }
    }
}
