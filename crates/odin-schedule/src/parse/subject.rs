//! What a clause is about: what stands before its times and limits.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::cursor::Cursor;
use super::day_list::{self, DayItem, RepeatedEvery, day_list};
use crate::cron;
use crate::error::{ScheduleError, ScheduleErrorKind};
use crate::period::PeriodUnit;
use crate::rule::{ALL_MONTHS, Rule};
use crate::token::Lexeme;
use crate::words::{Adverb, Key, Unit, number_word};

/// What a clause is about.
pub(super) enum Subject {
    EveryDay,
    Days(Vec<DayItem>),
    Interval {
        number: u32,
        unit: Unit,
    },
    /// Every so many stretches of the calendar, whose days follow behind `on`.
    Period {
        number: u32,
        unit: PeriodUnit,
    },
    /// `every other Friday`: weekdays of every second week.
    OtherWeeks(Vec<DayItem>),
    Once,
    /// Rules that are whole but for the clause's tail.
    Cron(Vec<Rule>),
}

type SubjectAndZone = (Subject, Option<(TimeZone, Range<usize>)>);

/// Reads what a clause is about.
pub(super) fn read(
    cursor: &mut Cursor<'_>,
    inherits_every: bool,
) -> Result<SubjectAndZone, ScheduleError> {
    if cursor.eat(Key::Everyday).is_some() {
        return Ok((Subject::EveryDay, None));
    }
    if let Some(subject) = adverb(cursor) {
        return Ok((subject, None));
    }
    if cursor.eat(Key::Once).is_some() {
        return Ok((Subject::Once, None));
    }
    if cursor.eat(Key::Cron).is_some() {
        let Some(token) = cursor
            .peek()
            .filter(|token| token.lexeme == Lexeme::Quoted)
            .cloned()
        else {
            return Err(cursor.unexpected("cron text in quotes"));
        };
        cursor.take();
        let (rules, zone) = cron::read(token.text, token.span.start + 1)?;
        return Ok((Subject::Cron(rules), zone.map(|zone| (zone, token.span))));
    }
    if cursor.eat(Key::Every).is_some() {
        return every(cursor).map(|subject| (subject, None));
    }
    if starts_plural(cursor) || cursor.lexeme() == Some(Lexeme::Key(Key::On)) {
        return days_without_every(cursor, inherits_every).map(|days| (days, None));
    }
    if inherits_every {
        if day_list::starts_item(cursor) {
            let days = day_list(cursor, RepeatedEvery::Allowed)?;
            return Ok((Subject::Days(days), None));
        }
        return Err(cursor.unexpected("a day or `every`, to begin the next clause"));
    }
    Err(cursor.unexpected("`every`, `everyday`, `once`, `cron` or `never`"))
}

/// `daily`, `weekly` and their kin.
fn adverb(cursor: &mut Cursor<'_>) -> Option<Subject> {
    let Some(Lexeme::Key(Key::Adverb(adverb))) = cursor.lexeme() else {
        return None;
    };
    cursor.take();
    let period = |number, unit| Subject::Period { number, unit };
    Some(match adverb {
        Adverb::Hourly => Subject::Interval {
            number: 1,
            unit: Unit::Hour,
        },
        Adverb::Daily => Subject::EveryDay,
        Adverb::Weekly => period(1, PeriodUnit::Week),
        Adverb::Fortnightly => period(2, PeriodUnit::Week),
        Adverb::Monthly => period(1, PeriodUnit::Month),
        Adverb::Quarterly => period(1, PeriodUnit::Quarter),
        Adverb::Yearly => period(1, PeriodUnit::Year),
    })
}

/// Whether weekdays in the plural come next, which say `every` by themselves.
fn starts_plural(cursor: &Cursor<'_>) -> bool {
    let is_weekday = matches!(
        cursor.lexeme(),
        Some(Lexeme::Weekday(_) | Lexeme::Key(Key::Weekday | Key::Weekend))
    );
    is_weekday
        && cursor.peek().is_some_and(|token| {
            let lower = token.text.to_ascii_lowercase();
            lower.ends_with("days") || lower == "weekends"
        })
}

/// Reads days without `every`, with or without `on`: weekdays in the plural, or days `of
/// the month`. Others might be meant once.
fn days_without_every(
    cursor: &mut Cursor<'_>,
    inherits_every: bool,
) -> Result<Subject, ScheduleError> {
    let mark = cursor.mark();
    cursor.eat(Key::On);
    let says_every = inherits_every || starts_plural(cursor);
    let days = day_list(cursor, RepeatedEvery::BeginsAClause)?;
    let recurs = says_every || days.iter().all(|day| day.months == Some(ALL_MONTHS));
    if !recurs {
        let instead = "`every` before the days, or `once on` and a date with its year";
        let kind = ScheduleErrorKind::Ambiguous { instead };
        return Err(ScheduleError::new(kind, cursor.span_from(mark)));
    }
    Ok(Subject::Days(days))
}

/// The number that comes next in digits, or in a word such as `two`.
fn number(cursor: &Cursor<'_>) -> Option<u32> {
    match cursor.lexeme() {
        Some(Lexeme::Number(number)) => Some(number),
        Some(Lexeme::Strange) => cursor.peek().and_then(|token| number_word(token.text)),
        _ => None,
    }
}

/// What follows `every`.
fn every(cursor: &mut Cursor<'_>) -> Result<Subject, ScheduleError> {
    if let Some(number) = number(cursor) {
        cursor.take();
        return stretches(cursor, number);
    }
    match cursor.lexeme() {
        Some(Lexeme::Unit(Unit::Day)) => {
            cursor.take();
            Ok(Subject::EveryDay)
        }
        Some(Lexeme::Unit(unit)) => {
            cursor.take();
            if matches!(cursor.lexeme(), Some(Lexeme::Weekday(_))) {
                return Err(cursor.unexpected(
                    "no weekday after `second`: write `2nd` for the second of its month",
                ));
            }
            Ok(Subject::Interval { number: 1, unit })
        }
        Some(Lexeme::Key(Key::Fortnight)) => {
            cursor.take();
            let unit = PeriodUnit::Week;
            Ok(Subject::Period { number: 2, unit })
        }
        Some(Lexeme::Key(Key::Other)) => {
            cursor.take();
            other(cursor)
        }
        _ if period_unit(cursor).is_some() => {
            let unit = period_unit(cursor).unwrap_or(PeriodUnit::Week);
            cursor.take();
            Ok(Subject::Period { number: 1, unit })
        }
        _ if day_list::starts_item(cursor) => {
            day_list(cursor, RepeatedEvery::Allowed).map(Subject::Days)
        }
        _ => Err(cursor.unexpected("a unit, a number or days, such as `minute` or `Monday`")),
    }
}

/// What follows `every` and a number.
fn stretches(cursor: &mut Cursor<'_>, number: u32) -> Result<Subject, ScheduleError> {
    match (cursor.lexeme(), period_unit(cursor)) {
        (Some(Lexeme::Unit(unit)), _) => {
            cursor.take();
            Ok(Subject::Interval { number, unit })
        }
        (_, Some(unit)) => {
            cursor.take();
            Ok(Subject::Period { number, unit })
        }
        (Some(Lexeme::Key(Key::Fortnight)), _) => {
            cursor.take();
            let number = number.saturating_mul(2);
            let unit = PeriodUnit::Week;
            Ok(Subject::Period { number, unit })
        }
        _ => Err(cursor
            .unexpected("a unit: seconds, minutes, hours, days, weeks, months, quarters or years")),
    }
}

/// The stretch of the calendar that comes next, if one does.
fn period_unit(cursor: &Cursor<'_>) -> Option<PeriodUnit> {
    match cursor.lexeme() {
        Some(Lexeme::Key(Key::Week)) => Some(PeriodUnit::Week),
        Some(Lexeme::Key(Key::Month)) => Some(PeriodUnit::Month),
        Some(Lexeme::Key(Key::Quarter)) => Some(PeriodUnit::Quarter),
        Some(Lexeme::Key(Key::Year)) => Some(PeriodUnit::Year),
        _ => None,
    }
}

/// What follows `every other`.
fn other(cursor: &mut Cursor<'_>) -> Result<Subject, ScheduleError> {
    if let Some(unit) = period_unit(cursor) {
        cursor.take();
        return Ok(Subject::Period { number: 2, unit });
    }
    match cursor.lexeme() {
        Some(Lexeme::Unit(unit)) => {
            cursor.take();
            Ok(Subject::Interval { number: 2, unit })
        }
        Some(Lexeme::Weekday(_)) => {
            day_list(cursor, RepeatedEvery::BeginsAClause).map(Subject::OtherWeeks)
        }
        _ => Err(cursor.unexpected(
            "a unit or a weekday, as in `every other day`, `every other week` or `every other \
             Friday`",
        )),
    }
}
