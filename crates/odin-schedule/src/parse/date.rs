//! Dates: `2026-12-24`, `December 24th 2026`, `24th of December 2026`.

use std::ops::Range;

use super::cursor::Cursor;
use super::day_list::{month_name, ordinal};
use crate::calendar::{day_number, days_in_month, longest_month};
use crate::error::{ScheduleError, ScheduleErrorKind, quote};
use crate::token::{Lexeme, Token};
use crate::words::Key;

const A_DATE: &str = "a date such as 2026-12-24";

/// A date, with its year or of every year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Date {
    /// A day number.
    Day(i64),
    Yearly {
        month: u8,
        day: u8,
    },
}

/// Whether a date comes next.
pub(super) fn starts_date(cursor: &Cursor<'_>) -> bool {
    match cursor.lexeme() {
        Some(Lexeme::Date | Lexeme::Month(_) | Lexeme::Ordinal { .. }) => true,
        Some(Lexeme::Number(_)) => matches!(cursor.lexeme_after(), Some(Lexeme::Month(_))),
        _ => false,
    }
}

/// Reads a date that has a year, as a day number.
pub(super) fn date(cursor: &mut Cursor<'_>) -> Result<i64, ScheduleError> {
    match date_or_yearly(cursor)? {
        Date::Day(day) => Ok(day),
        Date::Yearly { .. } => Err(cursor.unexpected("the year of the date")),
    }
}

/// Reads a date with or without a year.
pub(super) fn date_or_yearly(cursor: &mut Cursor<'_>) -> Result<Date, ScheduleError> {
    let mark = cursor.mark();
    let (month, day) = match cursor.lexeme() {
        Some(Lexeme::Date) => {
            let Some(token) = cursor.take() else {
                return Err(cursor.unexpected(A_DATE));
            };
            return iso_date(&token);
        }
        Some(Lexeme::Month(month)) => {
            cursor.take();
            (month, day_of_month(cursor, month)?)
        }
        Some(Lexeme::Ordinal { .. } | Lexeme::Number(_)) => {
            let Some(token) = cursor.take() else {
                return Err(cursor.unexpected(A_DATE));
            };
            let day = day_token(&token)?;
            cursor.eat(Key::Of);
            let Some(Lexeme::Month(month)) = cursor.lexeme() else {
                return Err(cursor.unexpected("the month of the date"));
            };
            cursor.take();
            month_day(month, day, cursor.span_from(mark))?;
            (month, day)
        }
        _ => return Err(cursor.unexpected(A_DATE)),
    };
    let day = day as u8;
    let Some(Lexeme::Number(year @ 1900..=9999)) = cursor.lexeme() else {
        return Ok(Date::Yearly { month, day });
    };
    cursor.take();
    if day > days_in_month(year.into(), month) {
        let text = format!("{} {day}, {year}", month_name(month));
        let kind = ScheduleErrorKind::NoSuchDate { text };
        return Err(ScheduleError::new(kind, cursor.span_from(mark)));
    }
    Ok(Date::Day(day_number(year.into(), month, day)))
}

/// Reads the day that follows a month's name: `4th` or `4`.
pub(super) fn day_of_month(cursor: &mut Cursor<'_>, month: u8) -> Result<u32, ScheduleError> {
    let Some(Lexeme::Ordinal { .. } | Lexeme::Number(_)) = cursor.lexeme() else {
        return Err(cursor.unexpected("a day of the month, such as `4th`"));
    };
    let Some(token) = cursor.take() else {
        return Err(cursor.unexpected(A_DATE));
    };
    let day = day_token(&token)?;
    month_day(month, day, token.span)?;
    Ok(day)
}

fn day_token(token: &Token<'_>) -> Result<u32, ScheduleError> {
    match token.lexeme {
        Lexeme::Number(day @ 1..=31) => Ok(day),
        Lexeme::Number(_) => {
            let kind = ScheduleErrorKind::OrdinalOutOfRange {
                text: quote(token.text),
                range: "1st to 31st",
            };
            Err(ScheduleError::new(kind, token.span.clone()))
        }
        _ => ordinal(token),
    }
}

/// Refuses a day that a month never has.
pub(super) fn month_day(month: u8, day: u32, span: Range<usize>) -> Result<(), ScheduleError> {
    let days_in_month = longest_month(month);
    if day <= days_in_month.into() {
        return Ok(());
    }
    let kind = ScheduleErrorKind::NoSuchDay {
        month: month_name(month),
        day,
        days_in_month,
    };
    Err(ScheduleError::new(kind, span))
}

fn iso_date(token: &Token<'_>) -> Result<Date, ScheduleError> {
    let read = || {
        let mut parts = token.text.split('-');
        let mut part = |length: usize| {
            let part = parts.next().filter(|part| part.len() == length)?;
            part.parse::<u32>().ok()
        };
        let (year, month, day) = (i64::from(part(4)?), part(2)? as u8, part(2)? as u8);
        let is_date = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
        is_date.then(|| Date::Day(day_number(year, month, day)))
    };
    read().ok_or_else(|| {
        let kind = ScheduleErrorKind::NoSuchDate {
            text: quote(token.text),
        };
        ScheduleError::new(kind, token.span.clone())
    })
}
