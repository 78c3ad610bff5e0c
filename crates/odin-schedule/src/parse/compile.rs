//! Holds a clause's parts against each other and makes its rules.

use std::ops::Range;

use super::clause::{Clause, Part};
use super::day_list::{DayItem, check_day_exists};
use super::subject::Subject;
use super::time::At;
use crate::business::{BusinessDays, Which};
use crate::calendar::DAY_SECONDS;
use crate::error::{INTERVAL_DAYS_MAX, ScheduleError, ScheduleErrorKind};
use crate::extras::Extras;
use crate::period::{Period, PeriodUnit};
use crate::rule::{
    ALL_MONTHS, ALL_WEEKDAYS, DayPattern, Days, Passes, QUARTER_MONTHS, Rule, Timing, Window,
};
use crate::spread::Spread;
use crate::time_set::TimeSet;
use crate::words::Unit;

/// The days of a rule: those of a pattern, or business days in its months.
#[derive(Debug, Clone)]
struct NamedDays {
    pattern: DayPattern,
    business: Option<BusinessDays>,
}

impl From<DayPattern> for NamedDays {
    fn from(pattern: DayPattern) -> Self {
        let business = None;
        NamedDays { pattern, business }
    }
}

/// The rules of a clause: one, or one for each group of months where a list names
/// days of different months.
pub(super) fn rules(clause: &Clause) -> Result<Vec<Rule>, ScheduleError> {
    let mut rules = rules_at_their_times(clause)?;
    let Some(spread) = &clause.spread else {
        let subject = "times that are not spread; write `around` for `at`";
        refuse(clause.within.as_ref(), "within", subject)?;
        return Ok(rules);
    };
    for rule in &mut rules {
        let seconds_max = Spread::within_max(rule);
        let (seconds, span) = match &clause.within {
            Some(within) => (within.value, &within.span),
            None => (Spread::within_default(rule).into(), &spread.span),
        };
        if !(1..=u64::from(seconds_max)).contains(&seconds) {
            let kind = ScheduleErrorKind::SpreadOutOfRange {
                seconds,
                seconds_max,
            };
            return error(kind, span);
        }
        let within = seconds as u32;
        rule.extras.get_or_insert_default().spread = Some(Spread { within });
    }
    Ok(rules)
}

fn rules_at_their_times(clause: &Clause) -> Result<Vec<Rule>, ScheduleError> {
    match &clause.subject {
        Subject::Cron(rules) => cron_rules(rules, clause),
        Subject::Once => once(clause).map(|rule| vec![rule]),
        Subject::Interval { number, unit } => interval(clause, *number, *unit),
        Subject::EveryDay => {
            refuse_roll(clause, "every day")?;
            fixed(clause, every_day(clause)?, None)
        }
        Subject::Days(items) => {
            let days = limited(clause, group(items, clause)?)?;
            fixed(clause, days, None)
        }
        Subject::OtherWeeks(items) => {
            refuse(clause.on.as_ref(), "on", "`every other` and weekdays")?;
            if let Some(item) = items.iter().find(|item| !item.is_plain_weekdays()) {
                return misfit("every other", "days of the month", &item.span);
            }
            let (number, unit) = (2, PeriodUnit::Week);
            let period = Period { number, unit };
            fixed(clause, group(items, clause)?, Some(period))
        }
        Subject::Period { number, unit } => {
            let period = period(clause, *number, *unit)?;
            fixed(clause, period_days(clause, *unit)?, period)
        }
    }
}

/// The stretches that count, where not every one does.
fn period(clause: &Clause, number: u32, unit: PeriodUnit) -> Result<Option<Period>, ScheduleError> {
    let days = match unit {
        PeriodUnit::Week => 7,
        PeriodUnit::Month => 30,
        PeriodUnit::Quarter => 91,
        PeriodUnit::Year => 365,
    };
    match u64::from(number) {
        0 => error(ScheduleErrorKind::ZeroInterval, &clause.subject_span),
        1 => Ok(None),
        n if n * days > INTERVAL_DAYS_MAX.into() => {
            error(ScheduleErrorKind::IntervalTooLong, &clause.subject_span)
        }
        _ => Ok(Some(Period { number, unit })),
    }
}

/// Makes a rule with what the clause says of its days as a whole.
fn rule(days: Days, business: Option<BusinessDays>, timing: Timing, clause: &Clause) -> Rule {
    let extras = Extras {
        business,
        ..extras(clause)
    };
    Rule::with_extras(days, timing, clause.tail.clone(), None, extras)
}

fn extras(clause: &Clause) -> Extras {
    Extras {
        only_in: clause.only_in.as_ref().map(|part| part.value.clone()),
        roll: clause.roll.as_ref().map(|part| part.value.clone()),
        ..Extras::default()
    }
}

fn refuse_roll(clause: &Clause, subject: &'static str) -> Result<(), ScheduleError> {
    refuse(clause.roll.as_ref(), "or", subject)
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
        Rule::with_extras(
            rule.days.clone(),
            rule.timing.clone(),
            clause.tail.clone(),
            rule.cron.clone(),
            extras(clause),
        )
    };
    Ok(rules.iter().map(with_tail).collect())
}

fn once(clause: &Clause) -> Result<Rule, ScheduleError> {
    const ONCE: &str = "`once`";
    refuse(clause.window.as_ref(), "from", ONCE)?;
    refuse(clause.months.as_ref(), "in", ONCE)?;
    refuse(clause.only_in.as_ref(), "in calendar", ONCE)?;
    let Some(dates) = &clause.dates else {
        let expected = "`on` and a date such as 2026-12-24";
        let end = clause.subject_span.end;
        return error(ScheduleErrorKind::Incomplete { expected }, &(end..end));
    };
    let times = fixed_times(clause)?;
    let days = Days::Dates(dates.value.clone().into());
    let passes = Passes::Once;
    Ok(rule(days, None, Timing::Wall { times, passes }, clause))
}

/// Rules with fixed times on the given days.
fn fixed(
    clause: &Clause,
    days: Vec<NamedDays>,
    period: Option<Period>,
) -> Result<Vec<Rule>, ScheduleError> {
    refuse(clause.window.as_ref(), "from", "fixed times")?;
    let times = fixed_times(clause)?;
    let rule = |days: NamedDays| {
        let timing = Timing::Wall {
            times: times.clone(),
            passes: Passes::Once,
        };
        let extras = Extras {
            business: days.business,
            period,
            ..extras(clause)
        };
        let pattern = Days::Pattern(days.pattern);
        Rule::with_extras(pattern, timing, clause.tail.clone(), None, extras)
    };
    Ok(days.into_iter().map(rule).collect())
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
fn every_day(clause: &Clause) -> Result<Vec<NamedDays>, ScheduleError> {
    match &clause.on {
        Some(on) => group(&on.value, clause),
        None => {
            let pattern = DayPattern {
                months: clause_months(clause),
                ..DayPattern::EVERY_DAY
            };
            Ok(vec![pattern.into()])
        }
    }
}

/// Rules of `every N days at`. A step that had to meet other days as well might do so
/// once in a thousand years: that is refused rather than searched for.
fn every_days_at(clause: &Clause, every_days: u16) -> Result<Vec<Rule>, ScheduleError> {
    if every_days == 1 {
        refuse_roll(clause, "every day")?;
        return fixed(clause, every_day(clause)?, None);
    }
    refuse(clause.on.as_ref(), "on", "an interval of days")?;
    refuse(clause.months.as_ref(), "in", "an interval of days")?;
    refuse(
        clause.only_in.as_ref(),
        "in calendar",
        "an interval of days",
    )?;
    let pattern = DayPattern {
        every_days,
        ..DayPattern::EVERY_DAY
    };
    fixed(clause, vec![pattern.into()], None)
}

fn clause_months(clause: &Clause) -> u16 {
    clause
        .months
        .as_ref()
        .map_or(ALL_MONTHS, |months| months.value)
}

/// Days named by the subject, limited to the weekdays behind `on`.
fn limited(clause: &Clause, days: Vec<NamedDays>) -> Result<Vec<NamedDays>, ScheduleError> {
    let Some(on) = &clause.on else {
        return Ok(days);
    };
    let mut only = 0;
    for item in &on.value {
        if !item.is_plain_weekdays() {
            return misfit(
                "on",
                "days that are already named, unless it names weekdays",
                &item.span,
            );
        }
        only |= item.pattern.weekdays;
    }
    let limit = |days: NamedDays| NamedDays {
        pattern: DayPattern {
            only,
            ..days.pattern
        },
        ..days
    };
    Ok(days.into_iter().map(limit).collect())
}

/// The days behind `on` of `every week`, `every month`, `every quarter`, `every year`.
fn period_days(clause: &Clause, unit: PeriodUnit) -> Result<Vec<NamedDays>, ScheduleError> {
    let Some(on) = &clause.on else {
        if unit == PeriodUnit::Quarter {
            let first = DayPattern {
                month_days: 1 << 1,
                ..DayPattern::NONE
            };
            let pattern = DayPattern {
                months: QUARTER_MONTHS & clause_months(clause),
                ..first
            };
            return Ok(vec![pattern.into()]);
        }
        let expected = match unit {
            PeriodUnit::Week => "`on` and weekdays",
            PeriodUnit::Month => "`on` and days of the month, such as `on the 1st`",
            PeriodUnit::Quarter | PeriodUnit::Year => "`on` and a date, such as `on January 4th`",
        };
        let end = clause.subject_span.end;
        return error(ScheduleErrorKind::Incomplete { expected }, &(end..end));
    };
    if unit == PeriodUnit::Week {
        refuse(clause.months.as_ref(), "in", "an interval of weeks")?;
    }
    let mut items = on.value.clone();
    for item in &mut items {
        let names_months = item.months.is_some_and(|months| months != ALL_MONTHS);
        let fits = match unit {
            PeriodUnit::Week => item.is_weekly() && item.months.is_none(),
            PeriodUnit::Month => !item.is_weekly() && !names_months,
            PeriodUnit::Quarter => !item.is_weekly() && item.months.is_none(),
            PeriodUnit::Year => !item.is_weekly() && (names_months || clause.months.is_some()),
        };
        if !fits {
            let subject = match unit {
                PeriodUnit::Week => "`every week`, which takes weekdays",
                PeriodUnit::Month => "`every month`, which takes days of the month",
                PeriodUnit::Quarter => "`every quarter`, which takes days of the month",
                PeriodUnit::Year => "`every year`, which takes days of a month",
            };
            return misfit("on", subject, &item.span);
        }
        if unit == PeriodUnit::Quarter {
            item.months = Some(QUARTER_MONTHS);
        }
    }
    group(&items, clause)
}

/// Joins items that name days of the same months into one rule's days each; business
/// days are apart from others.
fn group(items: &[DayItem], clause: &Clause) -> Result<Vec<NamedDays>, ScheduleError> {
    let mut groups: Vec<NamedDays> = Vec::new();
    for item in items {
        let months = item.months.unwrap_or(ALL_MONTHS) & clause_months(clause);
        if months == 0 {
            return misfit("in", "the months that the days name", &item.span);
        }
        check_day_exists(item, months)?;
        let of = item.business.as_ref().map(|business| &business.of);
        let is_same = |days: &NamedDays| {
            days.pattern.months == months && days.business.as_ref().map(|it| &it.of) == of
        };
        match groups.iter_mut().find(|days| is_same(days)) {
            Some(days) => days.add(item),
            None => groups.push(NamedDays {
                pattern: DayPattern {
                    months,
                    ..item.pattern
                },
                business: item.business.clone(),
            }),
        }
    }
    for days in &mut groups {
        // Every weekday is every day: the other selectors add nothing.
        if days.pattern.weekdays == ALL_WEEKDAYS {
            days.pattern = DayPattern {
                months: days.pattern.months,
                ..DayPattern::EVERY_DAY
            };
        }
    }
    Ok(groups)
}

impl NamedDays {
    /// Adds days of the same months and the same sort.
    fn add(&mut self, item: &DayItem) {
        let pattern = &mut self.pattern;
        pattern.month_days |= item.pattern.month_days;
        pattern.last_day |= item.pattern.last_day;
        pattern.weekdays |= item.pattern.weekdays;
        let nth_weekdays = pattern.nth_weekdays.iter_mut();
        for (all, nth) in nth_weekdays.zip(item.pattern.nth_weekdays) {
            *all |= nth;
        }
        if let (Some(all), Some(more)) = (&mut self.business, &item.business) {
            all.which = match (all.which, more.which) {
                (
                    Which::Counted {
                        from_start: start,
                        from_end: end,
                    },
                    Which::Counted {
                        from_start,
                        from_end,
                    },
                ) => Which::Counted {
                    from_start: start | from_start,
                    from_end: end | from_end,
                },
                (Which::All, _) | (_, Which::All) => Which::All,
            };
        }
    }
}

fn divides_the_day(step: u32) -> bool {
    (DAY_SECONDS as u32).is_multiple_of(step)
}

/// Rules of `every N units`.
fn interval(clause: &Clause, number: u32, unit: Unit) -> Result<Vec<Rule>, ScheduleError> {
    let span = &clause.subject_span;
    let takes_days = unit == Unit::Day && clause.at.is_some();
    if !takes_days {
        refuse_roll(clause, "an interval")?;
    }
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
    let days = every_day(clause)?;
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
            || clause.only_in.is_some()
            || days.iter().any(|days| !days.pattern.is_every_day());
        // With a window at least as long as the step, each open day has an occurrence:
        // the search for the next one ends soon, and `never` cannot hide in it.
        if is_limited && window.to - window.from + 1 < step {
            let span = clause.window.as_ref().map_or(span, |window| &window.span);
            return error(ScheduleErrorKind::IntervalLongerThanWindow, span);
        }
        Timing::Elapsed { step, window }
    };
    let rule = |days: NamedDays| {
        let pattern = Days::Pattern(days.pattern);
        rule(pattern, days.business, timing.clone(), clause)
    };
    Ok(days.into_iter().map(rule).collect())
}
