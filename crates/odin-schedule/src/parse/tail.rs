//! What limits a clause: `starting`, `until`, `except`, `in ZONE`.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::cursor::Cursor;
use super::date::{Date, date, date_or_yearly, starts_date};
use super::day_list::weekdays;
use super::time::time;
use crate::calendar::DAY_SECONDS;
use crate::error::ScheduleError;
use crate::rule::Exceptions;
use crate::token::Lexeme;
use crate::words::Key;
use crate::zone::find_zone;

/// Whom an `at` behind the date of `starting` or `until` belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AtBelongs {
    ToTheDate,
    ToTheClause,
}

/// Reads the date behind `starting`, as its first local second.
pub(super) fn starting(cursor: &mut Cursor<'_>, at: AtBelongs) -> Result<i64, ScheduleError> {
    let (midnight, time) = date_and_time(cursor, at)?;
    Ok(midnight + time.unwrap_or(0))
}

/// Reads the date behind `until`, as its last local second.
pub(super) fn until(cursor: &mut Cursor<'_>, at: AtBelongs) -> Result<i64, ScheduleError> {
    let (midnight, time) = date_and_time(cursor, at)?;
    Ok(midnight + time.unwrap_or(DAY_SECONDS - 1))
}

fn date_and_time(
    cursor: &mut Cursor<'_>,
    at: AtBelongs,
) -> Result<(i64, Option<i64>), ScheduleError> {
    cursor.eat(Key::On);
    let midnight = date(cursor)? * DAY_SECONDS;
    let time = if at == AtBelongs::ToTheDate && cursor.eat(Key::At).is_some() {
        Some(i64::from(time(cursor)?))
    } else {
        None
    };
    Ok((midnight, time))
}

/// Reads the days behind `except`.
pub(super) fn except(cursor: &mut Cursor<'_>) -> Result<Exceptions, ScheduleError> {
    let mut except = Exceptions::default();
    cursor.eat(Key::For);
    cursor.eat(Key::On);
    loop {
        exception(cursor, &mut except)?;
        let goes_on = cursor.list_goes_on(|cursor| {
            cursor.eat(Key::On);
            starts_exception(cursor)
        });
        if !goes_on {
            break;
        }
    }
    except.yearly.sort_unstable();
    except.yearly.dedup();
    except.dates.sort_unstable();
    except.dates.dedup();
    except.calendars.sort_by(|a, b| a.name.cmp(&b.name));
    except.calendars.dedup_by(|a, b| a.name == b.name);
    Ok(except)
}

fn starts_exception(cursor: &Cursor<'_>) -> bool {
    starts_date(cursor)
        || cursor.starts_calendar()
        || matches!(
            cursor.lexeme(),
            Some(
                Lexeme::Weekday(_)
                    | Lexeme::WeekdayRange(..)
                    | Lexeme::Key(Key::Weekday | Key::Weekend | Key::The)
            )
        )
}

fn exception(cursor: &mut Cursor<'_>, except: &mut Exceptions) -> Result<(), ScheduleError> {
    cursor.eat(Key::The);
    if let Some(weekdays) = weekdays(cursor)? {
        except.weekdays |= weekdays;
        return Ok(());
    }
    if cursor.starts_calendar() {
        except.calendars.push(cursor.calendar()?);
        return Ok(());
    }
    match cursor.lexeme() {
        Some(Lexeme::Month(month))
            if !matches!(
                cursor.lexeme_after(),
                Some(Lexeme::Ordinal { .. } | Lexeme::Number(_))
            ) =>
        {
            cursor.take();
            except.months |= 1 << month;
            return Ok(());
        }
        _ => {}
    }
    if !starts_date(cursor) {
        return Err(cursor.unexpected("weekdays, months, dates or a calendar"));
    }
    match date_or_yearly(cursor)? {
        Date::Day(day) => except.dates.push(day),
        Date::Yearly { month, day } => except.yearly.push((month, day)),
    }
    Ok(())
}

/// Reads the zone behind `in`.
pub(super) fn zone(cursor: &mut Cursor<'_>) -> Result<(TimeZone, Range<usize>), ScheduleError> {
    let Some(token) = cursor.peek().filter(|token| !token.is_separator()).cloned() else {
        return Err(cursor.unexpected("a time zone such as `Europe/Dublin`, or a month"));
    };
    let zone = find_zone(token.text)
        .map_err(|error| ScheduleError::new(error.kind, token.span.clone()))?;
    cursor.take();
    Ok((zone, token.span))
}
