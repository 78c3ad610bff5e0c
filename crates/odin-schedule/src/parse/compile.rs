//! Holds a clause's parts against each other and makes its rules.

use std::ops::Range;

use super::clause::{Clause, Part, Period, Subject};
use super::day_list::{DayItem, check_day_exists};
use super::time::At;
use crate::calendar::DAY_SECONDS;
use crate::error::{INTERVAL_DAYS_MAX, ScheduleError, ScheduleErrorKind};
use crate::rule::{
    ALL_MONTHS, ALL_WEEKDAYS, DayPattern, Days, Passes, QUARTER_MONTHS, Rule, Tail, Timing, Window,
};
use crate::time_set::TimeSet;
use crate::words::Unit;

/// The rules of a clause: one, or one for each group of months where a list names
/// days of different months.
pub(super) fn rules(clause: &Clause) -> Result<Vec<Rule>, ScheduleError> {
    match &clause.subject {
        Subject::Cron(rules) => cron_rules(rules, clause),
        Subject::Once => once(clause).map(|rule| vec![rule]),
        Subject::Interval { number, unit } => interval(clause, *number, *unit),
        Subject::EveryDay => fixed(clause, every_day(clause)?),
        Subject::Days(items) => {
            let patterns = limited(clause, group(items, clause)?)?;
            fixed(clause, patterns)
        }
        Subject::Period(period) => fixed(clause, period_days(clause, *period)?),
    }
}

fn error<T>(kind: ScheduleErrorKind, span: &Range<usize>) -> Result<T, ScheduleError> {
    Err(ScheduleError::new(kind, span.clone()))
}

fn misfit<T>(
    part: &'static str,
    subject: &'static str,
    span: &Range<usize>,
) -> Result<T, ScheduleError> {
    error(ScheduleErrorKind::DoesNotFit { part, subject }, span)
}

/// Refuses a part that means nothing with this subject.
fn refuse<T>(
    part: Option<&Part<T>>,
    name: &'static str,
    subject: &'static str,
) -> Result<(), ScheduleError> {
    part.map_or(Ok(()), |part| misfit(name, subject, &part.span))
}

fn cron_rules(rules: &[Rule], clause: &Clause) -> Result<Vec<Rule>, ScheduleError> {
    const CRON: &str = "cron text";
    refuse(clause.at.as_ref(), "at", CRON)?;
    refuse(clause.window.as_ref(), "from", CRON)?;
    refuse(clause.on.as_ref(), "on", CRON)?;
    refuse(clause.months.as_ref(), "in", CRON)?;
    let with_tail = |rule: &Rule| {
        Rule::new(
            rule.days.clone(),
            rule.timing.clone(),
            clause.tail.clone(),
            rule.cron.clone(),
        )
    };
    Ok(rules.iter().map(with_tail).collect())
}

fn once(clause: &Clause) -> Result<Rule, ScheduleError> {
    const ONCE: &str = "`once`";
    refuse(clause.window.as_ref(), "from", ONCE)?;
    refuse(clause.months.as_ref(), "in", ONCE)?;
    let Some(dates) = &clause.dates else {
        let expected = "`on` and a date such as 2026-12-24";
        let end = clause.subject_span.end;
        return error(ScheduleErrorKind::Incomplete { expected }, &(end..end));
    };
    let times = fixed_times(clause)?;
    let days = Days::Dates(dates.value.clone().into());
    Ok(Rule::new(
        days,
        Timing::Wall {
            times,
            passes: Passes::Once,
        },
        clause.tail.clone(),
        None,
    ))
}

/// Rules with fixed times on the given days.
fn fixed(clause: &Clause, patterns: Vec<DayPattern>) -> Result<Vec<Rule>, ScheduleError> {
    refuse(clause.window.as_ref(), "from", "fixed times")?;
    let times = fixed_times(clause)?;
    let rule = |pattern| {
        let timing = Timing::Wall {
            times: times.clone(),
            passes: Passes::Once,
        };
        Rule::new(Days::Pattern(pattern), timing, clause.tail.clone(), None)
    };
    Ok(patterns.into_iter().map(rule).collect())
}

fn fixed_times(clause: &Clause) -> Result<TimeSet, ScheduleError> {
    match &clause.at {
        None => error(ScheduleErrorKind::MissingAt, &clause.subject_span),
        Some(Part {
            value: At::PastTheHour(_),
            span,
        }) => misfit("at :MM", "days", span),
        Some(Part {
            value: At::Times(times),
            ..
        }) => Ok(TimeSet::List(times.clone().into())),
    }
}

/// The days of `every day` and of intervals: all, or those behind `on` and `in`.
fn every_day(clause: &Clause) -> Result<Vec<DayPattern>, ScheduleError> {
    match &clause.on {
        Some(on) => group(&on.value, clause),
        None => Ok(vec![DayPattern {
            months: clause_months(clause),
            ..DayPattern::EVERY_DAY
        }]),
    }
}

/// Rules of `every N days at`. A step that had to meet other days as well might do so
/// once in a thousand years: that is refused rather than searched for.
fn every_days_at(clause: &Clause, every_days: u16) -> Result<Vec<Rule>, ScheduleError> {
    if every_days == 1 {
        return fixed(clause, every_day(clause)?);
    }
    refuse(clause.on.as_ref(), "on", "an interval of days")?;
    refuse(clause.months.as_ref(), "in", "an interval of days")?;
    let pattern = DayPattern {
        every_days,
        ..DayPattern::EVERY_DAY
    };
    fixed(clause, vec![pattern])
}

fn clause_months(clause: &Clause) -> u16 {
    clause
        .months
        .as_ref()
        .map_or(ALL_MONTHS, |months| months.value)
}

/// Days named by the subject, limited to the weekdays behind `on`.
fn limited(clause: &Clause, patterns: Vec<DayPattern>) -> Result<Vec<DayPattern>, ScheduleError> {
    let Some(on) = &clause.on else {
        return Ok(patterns);
    };
    let mut only = 0;
    for item in &on.value {
        if item.pattern
            != (DayPattern {
                weekdays: item.pattern.weekdays,
                ..DayPattern::NONE
            })
            || item.months.is_some()
        {
            return misfit(
                "on",
                "days that are already named, unless it names weekdays",
                &item.span,
            );
        }
        only |= item.pattern.weekdays;
    }
    Ok(patterns
        .into_iter()
        .map(|pattern| DayPattern { only, ..pattern })
        .collect())
}

/// The days behind `on` of `every week`, `every month`, `every quarter`, `every year`.
fn period_days(clause: &Clause, period: Period) -> Result<Vec<DayPattern>, ScheduleError> {
    let Some(on) = &clause.on else {
        if period == Period::Quarter {
            let first = DayPattern {
                month_days: 1 << 1,
                ..DayPattern::NONE
            };
            return Ok(vec![DayPattern {
                months: QUARTER_MONTHS & clause_months(clause),
                ..first
            }]);
        }
        let expected = match period {
            Period::Week => "`on` and weekdays",
            Period::Month => "`on` and days of the month, such as `on the 1st`",
            Period::Quarter | Period::Year => "`on` and a date, such as `on January 4th`",
        };
        let end = clause.subject_span.end;
        return error(ScheduleErrorKind::Incomplete { expected }, &(end..end));
    };
    let mut items = on.value.clone();
    for item in &mut items {
        let is_weekday = item.pattern.weekdays != 0;
        let fits = match period {
            Period::Week => is_weekday && item.months.is_none(),
            Period::Month => !is_weekday && matches!(item.months, None | Some(ALL_MONTHS)),
            Period::Quarter => !is_weekday && item.months.is_none(),
            Period::Year => !is_weekday && item.months.is_some_and(|months| months != ALL_MONTHS),
        };
        if !fits {
            let subject = match period {
                Period::Week => "`every week`, which takes weekdays",
                Period::Month => "`every month`, which takes days of the month",
                Period::Quarter => "`every quarter`, which takes days of the month",
                Period::Year => "`every year`, which takes days of a month",
            };
            return misfit("on", subject, &item.span);
        }
        if period == Period::Quarter {
            item.months = Some(QUARTER_MONTHS);
        }
    }
    group(&items, clause)
}

/// Joins items that name days of the same months into one pattern each.
fn group(items: &[DayItem], clause: &Clause) -> Result<Vec<DayPattern>, ScheduleError> {
    let mut patterns: Vec<DayPattern> = Vec::new();
    for item in items {
        let months = item.months.unwrap_or(ALL_MONTHS) & clause_months(clause);
        if months == 0 {
            return misfit("in", "the months that the days name", &item.span);
        }
        check_day_exists(item, months)?;
        let index = match patterns.iter().position(|pattern| pattern.months == months) {
            Some(index) => index,
            None => {
                patterns.push(DayPattern {
                    months,
                    ..DayPattern::NONE
                });
                patterns.len() - 1
            }
        };
        let pattern = &mut patterns[index];
        pattern.month_days |= item.pattern.month_days;
        pattern.last_day |= item.pattern.last_day;
        pattern.weekdays |= item.pattern.weekdays;
        for (all, nth) in pattern
            .nth_weekdays
            .iter_mut()
            .zip(item.pattern.nth_weekdays)
        {
            *all |= nth;
        }
    }
    for pattern in &mut patterns {
        // Every weekday is every day: the other selectors add nothing.
        if pattern.weekdays == ALL_WEEKDAYS {
            *pattern = DayPattern {
                months: pattern.months,
                ..DayPattern::EVERY_DAY
            };
        }
    }
    Ok(patterns)
}

fn divides_the_day(step: u32) -> bool {
    (DAY_SECONDS as u32).is_multiple_of(step)
}

/// Rules of `every N units`.
fn interval(clause: &Clause, number: u32, unit: Unit) -> Result<Vec<Rule>, ScheduleError> {
    let span = &clause.subject_span;
    if number == 0 {
        return error(ScheduleErrorKind::ZeroInterval, span);
    }
    let seconds = u64::from(number) * u64::from(unit.seconds());
    if seconds > u64::from(INTERVAL_DAYS_MAX) * DAY_SECONDS as u64 {
        return error(ScheduleErrorKind::IntervalTooLong, span);
    }
    let step = seconds as u32;
    let phase = match &clause.at {
        None => 0,
        Some(Part {
            value: At::Times(_),
            ..
        }) if unit == Unit::Day => {
            return every_days_at(clause, number as u16);
        }
        Some(Part {
            value: At::PastTheHour(phase),
            ..
        }) if unit == Unit::Hour && divides_the_day(step) => *phase,
        Some(at) => return misfit("at", "an interval", &at.span),
    };
    let window = clause
        .window
        .as_ref()
        .map_or(Window::WHOLE_DAY, |window| window.value);
    let patterns = every_day(clause)?;
    let timing = if divides_the_day(step) {
        let times = TimeSet::Grid {
            step,
            phase,
            window,
        };
        if times.next(0).is_none() {
            let span = clause.window.as_ref().map_or(span, |window| &window.span);
            return error(ScheduleErrorKind::EmptyWindow, span);
        }
        Timing::Wall {
            times,
            passes: Passes::Each,
        }
    } else {
        let is_limited = window != Window::WHOLE_DAY
            || clause.tail.except.is_some()
            || patterns.iter().any(|pattern| !pattern.is_every_day());
        // With a window at least as long as the step, each open day has an occurrence:
        // the search for the next one ends soon, and `never` cannot hide in it.
        if is_limited && window.to - window.from + 1 < step {
            let span = clause.window.as_ref().map_or(span, |window| &window.span);
            return error(ScheduleErrorKind::IntervalLongerThanWindow, span);
        }
        Timing::Elapsed { step, window }
    };
    let tail: &Tail = &clause.tail;
    let rule = |pattern| Rule::new(Days::Pattern(pattern), timing.clone(), tail.clone(), None);
    Ok(patterns.into_iter().map(rule).collect())
}
