//! Durations as a job file writes them: `10s`, `5m`, `1h30m`.

use std::time::Duration;

/// The longest duration: a year.
pub const DURATION_MAX: Duration = Duration::from_secs(366 * 86_400);

/// The units, the largest first, with their milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DurationFault {
    /// A number without a unit.
    NoUnit,
    /// A unit that is not known.
    UnknownUnit,
    /// Not a whole number where one belongs.
    NotANumber,
    /// A smaller unit before a larger one, or one unit twice.
    Order,
    /// Longer than [`DURATION_MAX`].
    TooLong,
    /// Nothing, where that makes no sense.
    Zero,
}

impl DurationFault {
    pub(crate) fn help(&self) -> String {
        match self {
            Self::NoUnit => "Add the unit: `s`, `m`, `h`, `d` or `ms`, such as `90s`.".into(),
            Self::UnknownUnit => "The units are `d`, `h`, `m`, `s` and `ms`.".into(),
            Self::NotANumber => {
                "Write whole numbers with their units, such as `90s` or `1h30m`.".into()
            }
            Self::Order => "Write each unit once, the largest first, such as `1h30m`.".into(),
            Self::TooLong => "The longest is 366d.".into(),
            Self::Zero => "Write a duration above zero, or leave the key out.".into(),
        }
    }
}

/// Reads whole numbers with units, each unit once, the largest first, without white space.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationFault> {
    let mut rest = text;
    let mut millis = 0u64;
    let mut larger = 0;
    if rest.is_empty() {
        return Err(DurationFault::NotANumber);
    }
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = rest.split_at(digits);
        if number.is_empty() {
            return Err(DurationFault::NotANumber);
        }
        let letters = after.len() - after.trim_start_matches(|c: char| c.is_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(if after.is_empty() {
                DurationFault::NoUnit
            } else {
                DurationFault::NotANumber
            });
        }
        let position = UNITS
            .iter()
            .position(|(name, _)| *name == unit)
            .ok_or(DurationFault::UnknownUnit)?;
        if position < larger {
            return Err(DurationFault::Order);
        }
        larger = position + 1;
        let number: u64 = number.parse().map_err(|_| DurationFault::TooLong)?;
        millis = number
            .checked_mul(UNITS[position].1)
            .and_then(|more| millis.checked_add(more))
            .ok_or(DurationFault::TooLong)?;
        rest = after;
    }
    let duration = Duration::from_millis(millis);
    if duration > DURATION_MAX {
        return Err(DurationFault::TooLong);
    }
    Ok(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_whole_numbers_with_units_the_largest_first() {
        use DurationFault as F;
        let millis = |millis| Ok(Duration::from_millis(millis));
        for (text, expected) in [
            ("10s", millis(10_000)),
            ("5m", millis(300_000)),
            ("1h30m", millis(5_400_000)),
            ("1d2h3m4s5ms", millis(93_784_005)),
            ("500ms", millis(500)),
            ("0s", millis(0)),
            ("366d", millis(366 * 86_400_000)),
            ("", Err(F::NotANumber)),
            ("90", Err(F::NoUnit)),
            ("1h30", Err(F::NoUnit)),
            ("1.5h", Err(F::NotANumber)),
            ("1 h", Err(F::NotANumber)),
            ("-5m", Err(F::NotANumber)),
            ("m", Err(F::NotANumber)),
            ("5min", Err(F::UnknownUnit)),
            ("5M", Err(F::UnknownUnit)),
            ("5µs", Err(F::UnknownUnit)),
            ("30m1h", Err(F::Order)),
            ("1m1m", Err(F::Order)),
            ("367d", Err(F::TooLong)),
            ("99999999999999999999s", Err(F::TooLong)),
            ("9999999999999999999d", Err(F::TooLong)),
            ("१s", Err(F::NotANumber)),
        ] {
            assert_eq!(parse(text), expected, "{text:?}");
        }
    }
}
