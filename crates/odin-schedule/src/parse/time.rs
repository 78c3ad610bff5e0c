//! Times of day: `09:30`, `9:30pm`, `9 am`, `noon`, and windows of them.

use super::cursor::Cursor;
use crate::error::{ScheduleError, ScheduleErrorKind, quote};
use crate::rule::Window;
use crate::token::Lexeme;
use crate::words::{Key, Unit};

const A_TIME: &str = "a time such as 09:30 or 9am";

/// What stands behind `at`.
pub(super) enum At {
    /// Seconds from midnight, ascending.
    Times(Vec<u32>),
    /// Seconds past each hour.
    PastTheHour(u32),
}

/// Reads the times behind `at`.
pub(super) fn at(cursor: &mut Cursor<'_>) -> Result<At, ScheduleError> {
    if cursor.lexeme() == Some(Lexeme::PastTheHour) {
        return past_the_hour(cursor).map(At::PastTheHour);
    }
    if cursor.lexeme() == Some(Lexeme::Unit(Unit::Minute)) {
        return minute(cursor).map(At::PastTheHour);
    }
    let mut times = vec![time(cursor)?];
    while cursor.list_goes_on(|cursor| {
        cursor.eat(Key::At);
        starts_time(cursor)
    }) {
        times.push(time(cursor)?);
    }
    times.sort_unstable();
    times.dedup();
    Ok(At::Times(times))
}

/// Reads the window behind `from` or `between`.
pub(super) fn window(cursor: &mut Cursor<'_>) -> Result<Window, ScheduleError> {
    let from = time(cursor)?;
    let joins = [Key::To, Key::And, Key::Until];
    if !joins.into_iter().any(|key| cursor.eat(key).is_some()) {
        return Err(cursor.unexpected("`to` and the end of the window"));
    }
    let to = time(cursor)?;
    Ok(Window::between(from, to))
}

/// Whether a time of day comes next.
pub(super) fn starts_time(cursor: &Cursor<'_>) -> bool {
    matches!(
        cursor.lexeme(),
        Some(Lexeme::Clock | Lexeme::Number(_) | Lexeme::Key(Key::Noon | Key::Midnight))
    )
}

/// Reads one time of day, as seconds from midnight.
pub(super) fn time(cursor: &mut Cursor<'_>) -> Result<u32, ScheduleError> {
    if !starts_time(cursor) {
        return Err(cursor.unexpected(A_TIME));
    }
    let mark = cursor.mark();
    let Some(token) = cursor.take() else {
        return Err(cursor.unexpected(A_TIME));
    };
    let half = if cursor.eat(Key::Am).is_some() {
        Some(Half::Am)
    } else if cursor.eat(Key::Pm).is_some() {
        Some(Half::Pm)
    } else {
        None
    };
    let parsed = match (token.lexeme, half) {
        (Lexeme::Key(Key::Noon), None) => Some(43_200),
        (Lexeme::Key(Key::Midnight), None) => Some(0),
        (Lexeme::Number(number @ 0..=23), None) => {
            let text = quote(token.text);
            let kind = ScheduleErrorKind::BareNumber { text, hour: number };
            return Err(ScheduleError::new(kind, token.span));
        }
        (Lexeme::Number(_), None) => None,
        _ => clock(token.text, half),
    };
    parsed.ok_or_else(|| {
        let span = cursor.span_from(mark);
        let text = match half {
            Some(Half::Am) => format!("{} am", quote(token.text)),
            Some(Half::Pm) => format!("{} pm", quote(token.text)),
            None => quote(token.text),
        };
        ScheduleError::new(ScheduleErrorKind::NoSuchTime { text }, span)
    })
}

#[derive(Clone, Copy)]
enum Half {
    Am,
    Pm,
}

/// Reads `H:MM`, `HH:MM:SS`, with am or pm attached or given apart, or `9` with it.
fn clock(text: &str, half: Option<Half>) -> Option<u32> {
    let digits_end = text
        .find(|c: char| c.is_ascii_alphabetic())
        .unwrap_or(text.len());
    let (digits, suffix) = text.split_at(digits_end);
    let half = match (suffix.to_ascii_lowercase().as_str(), half) {
        ("", half) => half,
        ("am", None) => Some(Half::Am),
        ("pm", None) => Some(Half::Pm),
        _ => return None,
    };
    let mut parts = digits.split(':');
    let hour = field(parts.next()?, 1..=2, if half.is_some() { 12 } else { 23 })?;
    let minute = parts
        .next()
        .map_or(Some(0), |text| field(text, 2..=2, 59))?;
    let second = parts
        .next()
        .map_or(Some(0), |text| field(text, 2..=2, 59))?;
    if parts.next().is_some() {
        return None;
    }
    let hour = match half {
        None => hour,
        Some(_) if hour == 0 => return None,
        Some(Half::Am) => hour % 12,
        Some(Half::Pm) => hour % 12 + 12,
    };
    Some(hour * 3600 + minute * 60 + second)
}

fn field(text: &str, digits: std::ops::RangeInclusive<usize>, largest: u32) -> Option<u32> {
    let number = text.parse().ok()?;
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit());
    (is_plain && digits.contains(&text.len()) && number <= largest).then_some(number)
}

/// Reads `minute 17`.
fn minute(cursor: &mut Cursor<'_>) -> Result<u32, ScheduleError> {
    cursor.take();
    let Some(token) = cursor.peek().cloned() else {
        return Err(cursor.unexpected("a minute from 0 to 59"));
    };
    match token.lexeme {
        Lexeme::Number(minute @ 0..=59) => {
            cursor.take();
            Ok(minute * 60)
        }
        Lexeme::Number(_) => {
            let text = quote(token.text);
            let kind = ScheduleErrorKind::NoSuchTime { text };
            Err(ScheduleError::new(kind, token.span))
        }
        _ => Err(cursor.unexpected("a minute from 0 to 59")),
    }
}

fn past_the_hour(cursor: &mut Cursor<'_>) -> Result<u32, ScheduleError> {
    let Some(token) = cursor.take() else {
        return Err(cursor.unexpected(A_TIME));
    };
    let minute = token
        .text
        .strip_prefix(':')
        .and_then(|text| field(text, 2..=2, 59));
    minute.map(|minute| minute * 60).ok_or_else(|| {
        let kind = ScheduleErrorKind::NoSuchTime {
            text: quote(token.text),
        };
        ScheduleError::new(kind, token.span)
    })
}
