//! One clause: what it is about, then its parts in any order.

use std::ops::Range;

use jiff::tz::TimeZone;

use super::business_day;
use super::cursor::Cursor;
use super::date::{date, starts_date};
use super::day_list::{DayItem, RepeatedEvery, day_list, month_list};
use super::subject::{self, Subject};
use super::tail::{self, AtBelongs};
use super::time::{self, At};
use crate::business::Roll;
use crate::calendars::CalendarUse;
use crate::error::{ScheduleError, ScheduleErrorKind};
use crate::rule::{Tail, Window};
use crate::token::{Lexeme, Token};
use crate::words::{Key, Unit};

/// A clause as written, its parts not yet held against each other.
pub(super) struct Clause {
    pub(super) subject: Subject,
    pub(super) subject_span: Range<usize>,
    pub(super) at: Option<Part<At>>,
    pub(super) window: Option<Part<Window>>,
    pub(super) on: Option<Part<Vec<DayItem>>>,
    pub(super) dates: Option<Part<Vec<i64>>>,
    /// Bits 1 to 12, from `in January and July`.
    pub(super) months: Option<Part<u16>>,
    /// The calendar of `in calendar NAME`.
    pub(super) only_in: Option<Part<CalendarUse>>,
    pub(super) roll: Option<Part<Roll>>,
    /// `around` or `(spread)`.
    pub(super) spread: Option<Part<()>>,
    /// Seconds behind `within`.
    pub(super) within: Option<Part<u64>>,
    pub(super) tail: Tail,
    pub(super) zone: Option<(TimeZone, Range<usize>)>,
}

/// A part of a clause with its place.
pub(super) struct Part<T> {
    pub(super) value: T,
    pub(super) span: Range<usize>,
}

/// Reads one clause, up to a separator or the end.
pub(super) fn read(cursor: &mut Cursor<'_>, inherits_every: bool) -> Result<Clause, ScheduleError> {
    let mut mark = cursor.mark();
    // `at 09:00 every Monday`: the time may come first.
    let leading_at = match cursor.lexeme() {
        Some(Lexeme::Key(Key::At | Key::Around)) => Some(at_or_around(cursor)?),
        _ => None,
    };
    if leading_at.is_some() {
        mark = cursor.mark();
    }
    let (subject, zone) = subject::read(cursor, inherits_every)?;
    let mut clause = Clause {
        subject,
        subject_span: cursor.span_from(mark),
        at: None,
        window: None,
        on: None,
        dates: None,
        months: None,
        only_in: None,
        roll: None,
        spread: None,
        within: None,
        tail: Tail::default(),
        zone,
    };
    if let Some((at, spread)) = leading_at {
        (clause.at, clause.spread) = (Some(at), spread);
    }
    if matches!(clause.subject, Subject::Once) {
        clause.read_dates(cursor)?;
    }
    loop {
        // `every day at 09:00, except weekends`: no clause begins with a part, so the
        // comma before one joins nothing.
        if cursor.lexeme() == Some(Lexeme::Comma) && begins_part(cursor.lexeme_after()) {
            cursor.take();
        }
        if cursor.peek().is_none_or(Token::is_separator) {
            return Ok(clause);
        }
        clause.read_part(cursor)?;
    }
}

/// Reads `at` or `around` and its times.
fn at_or_around(cursor: &mut Cursor<'_>) -> Result<(Part<At>, Option<Part<()>>), ScheduleError> {
    let mark = cursor.mark();
    let is_around = cursor.eat(Key::Around).is_some();
    if !is_around {
        cursor.eat(Key::At);
    }
    let value = time::at(cursor)?;
    let span = cursor.span_from(mark);
    let spread = is_around.then(|| Part {
        value: (),
        span: span.clone(),
    });
    Ok((Part { value, span }, spread))
}

/// Whether a word begins a part of a clause, and so never a clause.
fn begins_part(lexeme: Option<Lexeme>) -> bool {
    matches!(
        lexeme,
        Some(Lexeme::Key(
            Key::At
                | Key::From
                | Key::Between
                | Key::On
                | Key::In
                | Key::Starting
                | Key::Until
                | Key::Except
                | Key::Around
                | Key::Or
                | Key::Rolled
                | Key::Within
                | Key::Spread
        ))
    )
}

/// Reads a length of time: `10 minutes`.
fn seconds(cursor: &mut Cursor<'_>) -> Result<u64, ScheduleError> {
    let Some(Lexeme::Number(number)) = cursor.lexeme() else {
        return Err(cursor.unexpected("a length of time, such as `10 minutes`"));
    };
    cursor.take();
    let Some(Lexeme::Unit(unit)) = cursor.lexeme() else {
        return Err(cursor.unexpected("`seconds`, `minutes` or `hours`"));
    };
    cursor.take();
    Ok(u64::from(number) * u64::from(unit.seconds()))
}

impl Clause {
    /// Reads the part that begins at the next token.
    fn read_part(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ScheduleError> {
        let mark = cursor.mark();
        let key = match cursor.lexeme() {
            Some(Lexeme::Key(key)) => key,
            _ => return Err(self.not_a_part(cursor)),
        };
        match key {
            Key::At | Key::Around => {
                self.refuse_second(self.at.is_some(), "at", cursor)?;
                let (at, spread) = at_or_around(cursor)?;
                self.at = Some(at);
                self.spread = spread.or(self.spread.take());
            }
            // `every hour from Monday to Friday`: days and not times.
            Key::From if matches!(cursor.lexeme_after(), Some(Lexeme::Weekday(_))) => {
                self.read_on(cursor)?;
            }
            Key::From | Key::Between => {
                self.refuse_second(self.window.is_some(), "from", cursor)?;
                cursor.take();
                let value = time::window(cursor)?;
                self.window = Some(Part {
                    value,
                    span: cursor.span_from(mark),
                });
            }
            Key::On if matches!(self.subject, Subject::Once) => self.read_dates(cursor)?,
            Key::On => self.read_on(cursor)?,
            Key::In => self.read_in(cursor)?,
            Key::Starting => {
                self.refuse_second(self.tail.starting.is_some(), "starting", cursor)?;
                cursor.take();
                self.tail.starting = Some(tail::starting(cursor, self.at_belongs())?);
                self.check_bounds(cursor, mark)?;
            }
            Key::Until => {
                self.refuse_second(self.tail.until.is_some(), "until", cursor)?;
                cursor.take();
                self.tail.until = Some(tail::until(cursor, self.at_belongs())?);
                self.check_bounds(cursor, mark)?;
            }
            Key::Except => {
                self.refuse_second(self.tail.except.is_some(), "except", cursor)?;
                cursor.take();
                self.tail.except = Some(Box::new(tail::except(cursor)?));
            }
            Key::Or | Key::Rolled => {
                self.refuse_second(self.roll.is_some(), "or", cursor)?;
                let value = business_day::roll(cursor)?;
                self.roll = Some(Part {
                    value,
                    span: cursor.span_from(mark),
                });
            }
            Key::Spread => {
                cursor.take();
                let span = cursor.span_from(mark);
                self.spread.get_or_insert(Part { value: (), span });
            }
            Key::Within => {
                self.refuse_second(self.within.is_some(), "within", cursor)?;
                cursor.take();
                let value = seconds(cursor)?;
                self.within = Some(Part {
                    value,
                    span: cursor.span_from(mark),
                });
            }
            _ => return Err(self.not_a_part(cursor)),
        }
        Ok(())
    }

    /// Reads days behind `on`, or behind `from`.
    fn read_on(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ScheduleError> {
        let mark = cursor.mark();
        self.refuse_second(self.on.is_some(), "on", cursor)?;
        cursor.take();
        let value = day_list(cursor, RepeatedEvery::BeginsAClause)?;
        self.on = Some(Part {
            value,
            span: cursor.span_from(mark),
        });
        Ok(())
    }

    fn read_in(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ScheduleError> {
        let mark = cursor.mark();
        if cursor.lexeme_after() == Some(Lexeme::Key(Key::Calendar)) {
            self.refuse_second(self.only_in.is_some(), "in calendar", cursor)?;
            cursor.take();
            let value = cursor.calendar()?;
            self.only_in = Some(Part {
                value,
                span: cursor.span_from(mark),
            });
        } else if matches!(cursor.lexeme_after(), Some(Lexeme::Month(_))) {
            self.refuse_second(self.months.is_some(), "in", cursor)?;
            cursor.take();
            let value = month_list(cursor)?;
            self.months = Some(Part {
                value,
                span: cursor.span_from(mark),
            });
        } else {
            self.refuse_second(self.zone.is_some(), "in", cursor)?;
            cursor.take();
            self.zone = Some(tail::zone(cursor)?);
        }
        Ok(())
    }

    /// Reads the dates of a `once` clause, with or without `on`.
    fn read_dates(&mut self, cursor: &mut Cursor<'_>) -> Result<(), ScheduleError> {
        let mark = cursor.mark();
        let has_on = matches!(cursor.lexeme(), Some(Lexeme::Key(Key::On)));
        if !has_on && !starts_date(cursor) {
            // `once at 09:00 on 2026-12-24`: the dates come later.
            return Ok(());
        }
        self.refuse_second(self.dates.is_some(), "on", cursor)?;
        cursor.eat(Key::On);
        let mut value = vec![date(cursor)?];
        while cursor.list_goes_on(|cursor| starts_date(cursor)) {
            value.push(date(cursor)?);
        }
        value.sort_unstable();
        value.dedup();
        self.dates = Some(Part {
            value,
            span: cursor.span_from(mark),
        });
        Ok(())
    }

    /// `every day starting 2026-12-01 at 09:00` says when each day, while `every 3
    /// hours starting 2026-12-01 at 09:00` says when to start.
    fn at_belongs(&self) -> AtBelongs {
        let is_interval = match self.subject {
            Subject::Interval { unit, .. } => unit != Unit::Day,
            Subject::Cron(_) => true,
            Subject::EveryDay
            | Subject::Days(_)
            | Subject::Period { .. }
            | Subject::OtherWeeks(_)
            | Subject::Once => false,
        };
        if is_interval || self.at.is_some() {
            AtBelongs::ToTheDate
        } else {
            AtBelongs::ToTheClause
        }
    }

    fn check_bounds(
        &self,
        cursor: &Cursor<'_>,
        mark: super::cursor::Mark,
    ) -> Result<(), ScheduleError> {
        match (self.tail.starting, self.tail.until) {
            (Some(starting), Some(until)) if until < starting => Err(ScheduleError::new(
                ScheduleErrorKind::UntilBeforeStarting,
                cursor.span_from(mark),
            )),
            _ => Ok(()),
        }
    }

    fn refuse_second(
        &self,
        is_there: bool,
        part: &'static str,
        cursor: &Cursor<'_>,
    ) -> Result<(), ScheduleError> {
        match cursor.peek() {
            Some(token) if is_there => Err(ScheduleError::new(
                ScheduleErrorKind::SaidTwice { part },
                token.span.clone(),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn not_a_part(&self, cursor: &Cursor<'_>) -> ScheduleError {
        let needs_time = match self.subject {
            Subject::Interval { .. } | Subject::Cron(_) => false,
            Subject::EveryDay
            | Subject::Days(_)
            | Subject::Period { .. }
            | Subject::OtherWeeks(_)
            | Subject::Once => self.at.is_none(),
        };
        if let Some(token) = cursor.peek()
            && needs_time
            && time::starts_time(cursor)
        {
            return ScheduleError::new(ScheduleErrorKind::MissingAt, token.span.clone());
        }
        cursor.unexpected(if needs_time {
            "`at` and a time"
        } else {
            "`and`, `on`, `from`, `in`, `except`, `starting` or `until`"
        })
    }
}
