//! Calendars as lists: a date or a range to a line.

use super::days::{Calendar, DaySet};
use super::error::{CalendarError, CalendarErrorKind};
use crate::calendar::{day_number, days_in_month};

/// Reads a list of dates.
pub(super) fn read(text: &str) -> Result<Calendar, CalendarError> {
    let mut days = DaySet::default();
    // A byte order mark is what some editors put in front of a text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (line, number) in text.lines().zip(1..) {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let (dates, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let (first, last) = range(dates).map_err(|kind| CalendarError::at(kind, number))?;
        for day in first..=last {
            days.add(day, name.trim())
                .map_err(|kind| CalendarError::at(kind, number))?;
        }
    }
    Ok(days.into_calendar())
}

fn range(text: &str) -> Result<(i64, i64), CalendarErrorKind> {
    let read = |text: &str| date(text).ok_or_else(|| CalendarErrorKind::no_such_date(text));
    let (first, last) = match text.split_once("..") {
        Some((first, last)) => (read(first)?, read(last)?),
        None => (read(text)?, read(text)?),
    };
    if last < first {
        return Err(CalendarErrorKind::EndsBeforeItBegins {
            begin: crate::english::date(first),
            end: crate::english::date(last),
        });
    }
    Ok((first, last))
}

/// Reads `2026-12-24` as a day number.
fn date(text: &str) -> Option<i64> {
    let mut parts = text.split('-');
    let mut part = |length: usize| {
        let part = parts.next()?;
        let is_plain = part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
        is_plain.then(|| part.parse::<u32>().ok()).flatten()
    };
    let (year, month, day) = (i64::from(part(4)?), part(2)? as u8, part(2)? as u8);
    let is_date = parts.next().is_none()
        && (1..=12).contains(&month)
        && (1..=days_in_month(year, month)).contains(&day);
    is_date.then(|| day_number(year, month, day))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&[&str], (&str, u32)>) {
        match (read(text), expected) {
            (Ok(calendar), Ok(expected)) => {
                let dates: Vec<_> = calendar.dates().map(|date| date.to_string()).collect();
                assert_eq!(dates, expected, "{text}");
            }
            (Err(error), Err((code, line))) => {
                assert_eq!((error.code(), error.line), (code, Some(line)), "{text}");
            }
            (found, _) => panic!("{text}: {found:?}"),
        }
    }

    #[test]
    fn lists_have_dates_ranges_names_and_comments() {
        check("", Ok(&[]));
        check("# nothing\n\n", Ok(&[]));
        check(
            "\u{feff}2026-12-25 Christmas Day\r\n2026-12-30..2027-01-01 # closed\n2026-12-25\n",
            Ok(&["2026-12-25", "2026-12-30", "2026-12-31", "2027-01-01"]),
        );
    }

    #[test]
    fn lines_that_are_none_are_pointed_at() {
        check("2026-02-29", Err(("calendar/no-such-date", 1)));
        check("2026-01-01\n25/12/2026", Err(("calendar/no-such-date", 2)));
        check("2026-1-1", Err(("calendar/no-such-date", 1)));
        check("2026-01-01..", Err(("calendar/no-such-date", 1)));
        check(
            "2026-12-26..2026-12-24",
            Err(("calendar/ends-before-it-begins", 1)),
        );
        check("0001-01-01..9999-12-31", Err(("calendar/out-of-years", 1)));
        check("1900-01-01..2199-12-31", Err(("calendar/too-many-days", 1)));
    }
}
