//! Business days: `business day`, `2nd weekday`, `last business day of uk`, and where a
//! day moves that is none.

use super::cursor::Cursor;
use crate::business::{BusinessDays, BusinessOf, Roll, RollTo, Which};
use crate::error::{ScheduleError, ScheduleErrorKind};
use crate::token::{Lexeme, Token};
use crate::words::{Key, Unit};

/// No month has more weekdays than this.
const IN_MONTH_MAX: u32 = 23;

/// Reads `business day` or `weekday`, if it comes next: what kind of day is meant.
fn kind(cursor: &mut Cursor<'_>) -> Result<Option<BusinessOf>, ScheduleError> {
    if cursor.eat(Key::Weekday).is_some() {
        return Ok(Some(BusinessOf::Weekdays));
    }
    if cursor.eat(Key::Business).is_none() {
        return Ok(None);
    }
    let Some(Lexeme::Unit(Unit::Day)) = cursor.lexeme() else {
        return Err(cursor.unexpected("`day`, as in `business day`"));
    };
    cursor.take();
    Ok(Some(cursor.holidays()))
}

/// Whether `of` and a calendar come next, not `of` and months.
pub(super) fn starts_of_calendar(cursor: &Cursor<'_>) -> bool {
    cursor.lexeme() == Some(Lexeme::Key(Key::Of))
        && matches!(
            cursor.lexeme_after(),
            Some(Lexeme::Strange | Lexeme::Key(Key::Calendar | Key::Holiday))
        )
}

/// Reads every business day, if it comes next.
pub(super) fn every(cursor: &mut Cursor<'_>) -> Result<Option<BusinessDays>, ScheduleError> {
    if cursor.lexeme() != Some(Lexeme::Key(Key::Business)) {
        return Ok(None);
    }
    let which = Which::All;
    Ok(kind(cursor)?.map(|of| BusinessDays { of, which }))
}

/// Reads a business day of the month behind its ordinal, if it is one: `number` from the
/// month's start, or from its end where `last` comes before the day.
pub(super) fn nth(
    cursor: &mut Cursor<'_>,
    number: u32,
    token: &Token<'_>,
) -> Result<Option<BusinessDays>, ScheduleError> {
    let mark = cursor.mark();
    cursor.eat(Key::To);
    let is_from_end = cursor.eat(Key::Last).is_some();
    let Some(of) = kind(cursor)? else {
        cursor.back_to(mark);
        return Ok(None);
    };
    if number > IN_MONTH_MAX {
        let range = "1st to 23rd business day of a month, or last";
        let text = token.text.into();
        let kind = ScheduleErrorKind::OrdinalOutOfRange { text, range };
        return Err(ScheduleError::new(kind, token.span.clone()));
    }
    let (from_start, from_end) = if is_from_end {
        (0, 1 << number)
    } else {
        (1 << number, 0)
    };
    let which = Which::Counted {
        from_start,
        from_end,
    };
    Ok(Some(BusinessDays { of, which }))
}

/// Reads the last business day behind `last`, if it is one.
pub(super) fn last(cursor: &mut Cursor<'_>) -> Result<Option<BusinessDays>, ScheduleError> {
    let which = Which::Counted {
        from_start: 0,
        from_end: 1 << 1,
    };
    Ok(kind(cursor)?.map(|of| BusinessDays { of, which }))
}

/// Reads what follows `or` or `rolled`: where a day moves that is no business day.
pub(super) fn roll(cursor: &mut Cursor<'_>) -> Result<Roll, ScheduleError> {
    if cursor.eat(Key::Rolled).is_some() {
        let to = match cursor.lexeme() {
            Some(Lexeme::Key(Key::Forward)) => RollTo::Next,
            Some(Lexeme::Key(Key::Back)) => RollTo::Previous,
            _ => return Err(cursor.unexpected("`forward` or `back`")),
        };
        cursor.take();
        let mut of = cursor.holidays();
        if starts_of_calendar(cursor) {
            cursor.take();
            of = BusinessOf::Named(cursor.calendar()?);
        }
        return Ok(Roll { to, of });
    }
    cursor.eat(Key::Or);
    cursor.eat(Key::On);
    cursor.eat(Key::The);
    let to = match cursor.lexeme() {
        Some(Lexeme::Key(Key::Next)) => RollTo::Next,
        Some(Lexeme::Key(Key::Previous)) => RollTo::Previous,
        Some(Lexeme::Key(Key::Nearest)) => RollTo::Nearest,
        _ => {
            return Err(cursor.unexpected(
                "`next`, `previous` or `nearest` and `business day` (days are joined by `and`)",
            ));
        }
    };
    cursor.take();
    let Some(mut of) = kind(cursor)? else {
        return Err(cursor.unexpected("`business day` or `weekday`"));
    };
    if !matches!(of, BusinessOf::Weekdays) && starts_of_calendar(cursor) {
        cursor.take();
        of = BusinessOf::Named(cursor.calendar()?);
    }
    Ok(Roll { to, of })
}
