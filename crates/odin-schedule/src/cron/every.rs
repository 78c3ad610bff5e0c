//! `@every 1h30m`: an interval as Go's cron libraries write it.

use super::CronMistake;
use crate::calendar::DAY_SECONDS;
use crate::error::{INTERVAL_DAYS_MAX, ScheduleErrorKind, quote};
use crate::rule::{DayPattern, Days, Passes, Rule, Tail, Timing, Window};
use crate::time_set::TimeSet;

/// The rule of an interval: the same as that of `every N seconds`. Go's libraries count
/// from the start of their process; here nothing depends on when a process started.
pub(super) fn rule(text: &str) -> Result<Rule, ScheduleErrorKind> {
    let Some(seconds) = seconds(text) else {
        let text = quote(text);
        return Err(CronMistake::Every { text }.into());
    };
    if seconds == 0 {
        return Err(ScheduleErrorKind::ZeroInterval);
    }
    if seconds > u64::from(INTERVAL_DAYS_MAX) * DAY_SECONDS as u64 {
        return Err(ScheduleErrorKind::IntervalTooLong);
    }
    let (step, window) = (seconds as u32, Window::WHOLE_DAY);
    let timing = if (DAY_SECONDS as u32).is_multiple_of(step) {
        let times = TimeSet::Grid {
            step,
            phase: 0,
            window,
        };
        Timing::Wall {
            times,
            passes: Passes::Each,
        }
    } else {
        Timing::Elapsed { step, window }
    };
    let days = Days::Pattern(DayPattern::EVERY_DAY);
    Ok(Rule::new(days, timing, Tail::default(), None))
}

/// A length of time in Go's notation; `None` where it cannot be read or is not whole
/// seconds. What is too long saturates.
fn seconds(text: &str) -> Option<u64> {
    const UNITS: [(&str, u128); 7] = [
        ("ns", 1),
        ("us", 1_000),
        ("µs", 1_000),
        ("ms", 1_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
    ];
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest.is_empty() {
        return None;
    }
    let mut nanoseconds: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let (whole, after) = rest.split_at(digits);
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(after.find(|c: char| !c.is_ascii_digit())?),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let (unit, size) = UNITS
            .into_iter()
            .find(|(unit, _)| after.starts_with(unit))?;
        rest = &after[unit.len()..];
        let whole: u128 = if whole.is_empty() {
            0
        } else {
            whole.parse().unwrap_or(u64::MAX.into())
        };
        nanoseconds = nanoseconds.saturating_add(whole.saturating_mul(size));
        let mut place = size;
        for digit in fraction.bytes() {
            if digit != b'0' && place % 10 != 0 {
                return None;
            }
            place /= 10;
            nanoseconds = nanoseconds.saturating_add(u128::from(digit - b'0') * place);
        }
    }
    nanoseconds
        .is_multiple_of(1_000_000_000)
        .then(|| u64::try_from(nanoseconds / 1_000_000_000).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_as_go_writes_them() {
        let cases = [
            ("1h30m", Some(5400)),
            ("1h30m10s", Some(5410)),
            ("90s", Some(90)),
            ("1.5h", Some(5400)),
            (".5m", Some(30)),
            ("+2m", Some(120)),
            ("1000ms", Some(1)),
            ("0s", Some(0)),
            ("100ms", None),
            ("1.0000000001s", None),
            ("90", None),
            ("1d", None),
            ("h", None),
            ("", None),
            ("-1h", None),
            (
                "99999999999999999999999999999999999999999999h",
                Some(u64::MAX),
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
