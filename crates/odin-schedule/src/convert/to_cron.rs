//! A schedule as lines of cron text.
//!
//! Every time of day is given the days it has in each month, all clauses together. Times
//! with the same days are then covered by rectangles of hours and minutes, a line each:
//! so no two lines name the same minute of the same day.

use std::collections::HashMap;

use super::cron_set::{listed, star};
use super::{CannotSay, CronDialect};
use crate::calendar::DAY_SECONDS;
use crate::extras::Extras;
use crate::rule::{
    ALL_MONTHS, ALL_WEEKDAYS, DayPattern, Days, Exceptions, Passes, Rule, Tail, Timing,
};
use crate::schedule::Schedule;
use crate::time_set::TimeSet;

/// More lines are refused: nobody would read them.
const LINES_MAX: usize = 32;

/// The fields of each line.
pub(super) fn lines(schedule: &Schedule, dialect: CronDialect) -> Result<Vec<String>, CannotSay> {
    if schedule.rules.is_empty() {
        return Err(CannotSay::Never);
    }
    if let [rule] = &schedule.rules[..]
        && let Some(text) = as_written(rule, dialect)?
    {
        return Ok(vec![text]);
    }
    let mut pieces = Vec::new();
    for rule in schedule.rules.iter() {
        add_pieces(rule, &mut pieces)?;
    }
    let has_seconds = pieces
        .iter()
        .any(|piece| piece.times.iter().any(|time| time % 60 != 0));
    if has_seconds && dialect == CronDialect::Vixie {
        return Err(CannotSay::Seconds);
    }
    for piece in &pieces {
        check_dialect(&piece.days, dialect)?;
    }
    let plan = Plan::new(&pieces)?;
    plan.lines(has_seconds)
}

/// The text of a rule that was written as cron text, if the dialect has all of it.
fn as_written(rule: &Rule, dialect: CronDialect) -> Result<Option<String>, CannotSay> {
    let is_whole = rule.tail.is_empty() && rule.extras.is_none();
    let (Some(text), Days::Pattern(days), true) = (&rule.cron, &rule.days, is_whole) else {
        return Ok(None);
    };
    check_dialect(days, dialect)?;
    Ok(match text.strip_prefix("0 ") {
        _ if text.split(' ').count() == 5 || dialect == CronDialect::Extended => {
            Some(text.to_string())
        }
        Some(without_seconds) => Some(without_seconds.to_owned()),
        None => None,
    })
}

fn check_dialect(days: &DayPattern, dialect: CronDialect) -> Result<(), CannotSay> {
    if dialect == CronDialect::Extended {
        return Ok(());
    }
    if days.nth_weekdays != [0; 6] {
        return Err(CannotSay::NthWeekday);
    }
    if days.last_day || days.before_last != 0 {
        return Err(CannotSay::LastDay);
    }
    if days.nearest_weekdays != 0 {
        return Err(CannotSay::NearestWeekday);
    }
    Ok(())
}

/// Times of day with their days.
struct Piece {
    /// Ascending seconds of the day.
    times: Vec<u32>,
    days: DayPattern,
    passes: Passes,
}

fn add_pieces(rule: &Rule, pieces: &mut Vec<Piece>) -> Result<(), CannotSay> {
    // Written out, so that a part of a rule that is new has to be thought of here.
    let Rule {
        days,
        timing,
        tail,
        cron: _,
        extras,
        year_kinds: _,
    } = rule;
    if let Some(extras) = extras {
        refuse_extras(extras)?;
    }
    let Days::Pattern(days) = days else {
        return Err(CannotSay::Once);
    };
    let Timing::Wall { times, passes } = timing else {
        return Err(CannotSay::UnevenInterval);
    };
    let days = plain_days(days, tail)?;
    let all = members(times);
    let midnight = all.partition_point(|&time| i64::from(time) < DAY_SECONDS);
    let (today, tomorrow) = all.split_at(midnight);
    if !tomorrow.is_empty() {
        pieces.push(Piece {
            times: tomorrow
                .iter()
                .map(|time| time - DAY_SECONDS as u32)
                .collect(),
            days: day_after(&days)?,
            passes: *passes,
        });
    }
    pieces.push(Piece {
        times: today.to_vec(),
        days,
        passes: *passes,
    });
    Ok(())
}

/// Refuses what cron has no notion of.
fn refuse_extras(extras: &Extras) -> Result<(), CannotSay> {
    let Extras {
        business,
        only_in,
        period,
        roll,
        spread,
        rolled_dates: _,
        reach: _,
        calendar_years: _,
    } = extras;
    if period.is_some() {
        return Err(CannotSay::Period);
    }
    if only_in.is_some() {
        return Err(CannotSay::Calendar);
    }
    if roll.is_some() {
        return Err(CannotSay::Moved);
    }
    if business.is_some() {
        return Err(CannotSay::BusinessDays);
    }
    if spread.is_some() {
        return Err(CannotSay::Spread);
    }
    Ok(())
}

/// All members of a set; at most one for each second of a day.
fn members(set: &TimeSet) -> Vec<u32> {
    let mut members = Vec::new();
    let mut from = 0;
    while let Some(time) = set.next(from) {
        members.push(time as u32);
        from = time + 1;
    }
    members
}

/// The days with what the tail takes out of them, in a form that cron can say.
fn plain_days(days: &DayPattern, tail: &Tail) -> Result<DayPattern, CannotSay> {
    let Tail {
        starting,
        until,
        except,
    } = tail;
    if starting.is_some() || until.is_some() {
        return Err(CannotSay::Bounds);
    }
    let mut days = *days;
    if days.every_days > 1 {
        return Err(CannotSay::DayInterval);
    }
    if days.month_days == u32::MAX << 1 || days.weekdays == ALL_WEEKDAYS {
        days = DayPattern {
            months: days.months,
            only: days.only,
            ..DayPattern::EVERY_DAY
        };
    }
    if days.only != ALL_WEEKDAYS {
        if !names_only_weekdays(&days) {
            return Err(CannotSay::BothDays);
        }
        days.weekdays &= days.only;
        days.only = ALL_WEEKDAYS;
    }
    let Some(except) = except else {
        return Ok(days);
    };
    let Exceptions {
        weekdays,
        months,
        yearly,
        dates,
        calendars,
    } = &**except;
    if !calendars.is_empty() {
        return Err(CannotSay::Calendar);
    }
    let leaves_dates = !yearly.is_empty() || !dates.is_empty();
    if leaves_dates || (*weekdays != 0 && !names_only_weekdays(&days)) {
        return Err(CannotSay::Except);
    }
    days.weekdays &= !weekdays;
    days.months &= !months;
    Ok(days)
}

fn names_only_weekdays(days: &DayPattern) -> bool {
    *days
        == DayPattern {
            months: days.months,
            weekdays: days.weekdays,
            only: days.only,
            ..DayPattern::NONE
        }
}

/// The days after the given ones.
fn day_after(days: &DayPattern) -> Result<DayPattern, CannotSay> {
    if !names_only_weekdays(days) || days.months != ALL_MONTHS {
        return Err(CannotSay::WindowPastMidnight);
    }
    let weekdays = (days.weekdays << 1 | days.weekdays >> 6) & ALL_WEEKDAYS;
    Ok(DayPattern { weekdays, ..*days })
}

/// The days of one time of day: those of fixed times and those of intervals, by month.
/// `months` of each pattern is not used.
#[derive(Clone, PartialEq, Eq)]
struct DaysByMonth {
    once: [DayPattern; 12],
    each: [DayPattern; 12],
}

/// For each time of day its days.
struct Plan {
    /// Which of `days` each second of the day has.
    of_time: Vec<u16>,
    days: Vec<DaysByMonth>,
}

impl Plan {
    fn new(pieces: &[Piece]) -> Result<Plan, CannotSay> {
        let none = DaysByMonth {
            once: [DayPattern::NONE; 12],
            each: [DayPattern::NONE; 12],
        };
        let mut plan = Plan {
            of_time: vec![0; DAY_SECONDS as usize],
            days: vec![none],
        };
        for piece in pieces {
            let mut joined: HashMap<u16, u16> = HashMap::new();
            for &time in &piece.times {
                let time = time as usize;
                let before = plan.of_time[time];
                let after = match joined.get(&before) {
                    Some(&after) => after,
                    None => {
                        let after = plan.join(before, piece)?;
                        joined.insert(before, after);
                        after
                    }
                };
                plan.of_time[time] = after;
            }
        }
        Ok(plan)
    }

    /// The number of the days numbered `before` together with those of a piece.
    fn join(&mut self, before: u16, piece: &Piece) -> Result<u16, CannotSay> {
        let mut days = self.days[usize::from(before)].clone();
        for month in 0..12 {
            if piece.days.months & (1 << (month + 1)) != 0 {
                let (mine, other) = match piece.passes {
                    Passes::Once => (&mut days.once[month], &days.each[month]),
                    Passes::Each => (&mut days.each[month], &days.once[month]),
                };
                *mine = either(mine, &piece.days);
                if may_coincide(mine, other) {
                    return Err(CannotSay::Coincide);
                }
            }
        }
        let number = match self.days.iter().position(|known| *known == days) {
            Some(known) => known,
            None => {
                self.days.push(days);
                self.days.len() - 1
            }
        };
        u16::try_from(number).map_err(|_| CannotSay::TooManyLines { max: LINES_MAX })
    }

    fn lines(&self, has_seconds: bool) -> Result<Vec<String>, CannotSay> {
        let mut lines = Vec::new();
        let mut is_exact = true;
        for passes in [Passes::Once, Passes::Each] {
            for (days, times) in self.times_by_days(passes) {
                for (months, pattern) in by_months(&days) {
                    for rectangle in rectangles(&times, passes) {
                        let time_fields = rectangle.fields(passes, has_seconds);
                        is_exact &= time_fields.is_exact;
                        lines.push((
                            times.first().copied(),
                            format!("{} {}", time_fields.text, day_fields(&pattern, months)),
                        ));
                        if lines.len() > LINES_MAX {
                            return Err(CannotSay::TooManyLines { max: LINES_MAX });
                        }
                    }
                }
            }
        }
        if lines.is_empty() {
            return Err(CannotSay::Never);
        }
        lines.sort_by_key(|(first, _)| *first);
        let lines = lines.into_iter().map(|(_, line)| line).collect();
        if is_exact {
            Ok(lines)
        } else {
            Err(CannotSay::ClockChange { nearly: lines })
        }
    }

    /// The times that have the same days, for one kind of times; in order of their first.
    fn times_by_days(&self, passes: Passes) -> Vec<([DayPattern; 12], Vec<u32>)> {
        let mut groups: Vec<([DayPattern; 12], Vec<u32>)> = Vec::new();
        let mut group_of: Vec<Option<usize>> = Vec::with_capacity(self.days.len());
        for days in &self.days {
            let days = match passes {
                Passes::Once => &days.once,
                Passes::Each => &days.each,
            };
            group_of.push(if *days == [DayPattern::NONE; 12] {
                None
            } else {
                let known = groups.iter().position(|(known, _)| known == days);
                Some(known.unwrap_or_else(|| {
                    groups.push((*days, Vec::new()));
                    groups.len() - 1
                }))
            });
        }
        for (time, days) in (0..).zip(&self.of_time) {
            if let Some(group) = group_of[usize::from(*days)] {
                groups[group].1.push(time);
            }
        }
        groups.retain(|(_, times)| !times.is_empty());
        groups
    }
}

/// Days that either of two patterns names.
fn either(a: &DayPattern, b: &DayPattern) -> DayPattern {
    let mut both = DayPattern {
        months: ALL_MONTHS,
        month_days: a.month_days | b.month_days,
        last_day: a.last_day || b.last_day,
        before_last: a.before_last | b.before_last,
        nearest_weekdays: a.nearest_weekdays | b.nearest_weekdays,
        weekdays: a.weekdays | b.weekdays,
        nth_weekdays: a.nth_weekdays,
        only: ALL_WEEKDAYS,
        every_days: 1,
    };
    for (all, more) in both.nth_weekdays.iter_mut().zip(b.nth_weekdays) {
        *all |= more;
    }
    if both.weekdays == ALL_WEEKDAYS || both.month_days == u32::MAX << 1 {
        return DayPattern::EVERY_DAY;
    }
    both
}

/// Whether a day could belong to both. Only plain weekdays and plain days of the month
/// are told apart: any two other things may meet.
fn may_coincide(a: &DayPattern, b: &DayPattern) -> bool {
    if *a == DayPattern::NONE || *b == DayPattern::NONE {
        return false;
    }
    let names_only_month_days = |days: &DayPattern| {
        *days
            == DayPattern {
                month_days: days.month_days,
                ..DayPattern::NONE
            }
    };
    if names_only_weekdays(a) && names_only_weekdays(b) {
        return a.weekdays & b.weekdays != 0;
    }
    if names_only_month_days(a) && names_only_month_days(b) {
        return a.month_days & b.month_days != 0;
    }
    true
}

/// The months that have the same days, bits 1 to 12, with those days.
fn by_months(days: &[DayPattern; 12]) -> Vec<(u16, DayPattern)> {
    let mut groups: Vec<(u16, DayPattern)> = Vec::new();
    for (month, days) in (1..).zip(days) {
        if *days == DayPattern::NONE {
            continue;
        }
        match groups.iter_mut().find(|(_, known)| known == days) {
            Some((months, _)) => *months |= 1 << month,
            None => groups.push((1 << month, *days)),
        }
    }
    groups
}

/// Every combination of hours, minutes and seconds; bit n stands for the value n.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Rectangle {
    hours: u64,
    minutes: u64,
    seconds: u64,
}

/// The three fields for times, and whether they keep the kind of the times.
struct TimeFields {
    text: String,
    is_exact: bool,
}

impl Rectangle {
    /// Fixed times begin no field with a star; intervals need one that does.
    fn fields(self, passes: Passes, has_seconds: bool) -> TimeFields {
        let mut is_starred = false;
        let mut field = |set, last| {
            let starred = match passes {
                Passes::Once => None,
                Passes::Each => star(set, 0, last),
            };
            is_starred |= starred.is_some();
            starred.unwrap_or_else(|| listed(set, 0, last))
        };
        let mut text = String::new();
        if has_seconds {
            text = field(self.seconds, 59) + " ";
        }
        text += &field(self.minutes, 59);
        text.push(' ');
        text += &field(self.hours, 23);
        TimeFields {
            text,
            is_exact: is_starred == (passes == Passes::Each),
        }
    }
}

/// Covers the times without overlaps: hours with the same minutes together, or minutes
/// with the same hours, whichever needs fewer lines that keep the kind of the times.
fn rectangles(times: &[u32], passes: Passes) -> Vec<Rectangle> {
    let mut seconds_of_minute: HashMap<u32, u64> = HashMap::new();
    for time in times {
        *seconds_of_minute.entry(time / 60).or_default() |= 1 << (time % 60);
    }
    let mut minutes: Vec<(u32, u64)> = seconds_of_minute.into_iter().collect();
    minutes.sort_unstable();
    let mut covers = [false, true].map(|by_minute| {
        let mut cover: Vec<Rectangle> = Vec::new();
        // A row is an hour with its minutes, or a minute with its hours.
        let mut rows: Vec<(u32, u64, u64)> = Vec::new();
        for &(minute, seconds) in &minutes {
            let (row, column) = if by_minute {
                (minute % 60, minute / 60)
            } else {
                (minute / 60, minute % 60)
            };
            match rows
                .iter_mut()
                .find(|(known, of, _)| *known == row && *of == seconds)
            {
                Some((_, _, columns)) => *columns |= 1 << column,
                None => rows.push((row, seconds, 1 << column)),
            }
        }
        for (row, seconds, columns) in rows {
            let (hours, minutes) = if by_minute {
                (columns, 1 << row)
            } else {
                (1 << row, columns)
            };
            let same = |known: &&mut Rectangle| {
                known.seconds == seconds
                    && if by_minute {
                        known.hours == hours
                    } else {
                        known.minutes == minutes
                    }
            };
            match cover.iter_mut().find(same) {
                Some(known) => {
                    known.hours |= hours;
                    known.minutes |= minutes;
                }
                None => cover.push(Rectangle {
                    hours,
                    minutes,
                    seconds,
                }),
            }
        }
        cover
    });
    covers.sort_by_key(|cover| {
        let inexact = |rectangle: &&Rectangle| !rectangle.fields(passes, true).is_exact;
        (cover.iter().filter(inexact).count(), cover.len())
    });
    let [best, _] = covers;
    best
}

fn day_fields(days: &DayPattern, months: u16) -> String {
    let months = if months == ALL_MONTHS {
        "*".to_owned()
    } else {
        listed(months.into(), 1, 12)
    };
    if days.is_every_day() {
        return format!("* {months} *");
    }
    let or_star = |items: Vec<String>| {
        if items.is_empty() {
            "*".to_owned()
        } else {
            items.join(",")
        }
    };
    format!(
        "{} {months} {}",
        or_star(month_day_items(days)),
        or_star(weekday_items(days))
    )
}

fn month_day_items(days: &DayPattern) -> Vec<String> {
    let bits = |set: u32| (0..=31_u32).filter(move |bit| set & (1 << bit) != 0);
    let mut items = Vec::new();
    if days.month_days != 0 {
        items.push(listed(days.month_days.into(), 1, 31));
    }
    items.extend(bits(days.nearest_weekdays).map(|day| match day {
        0 => "LW".to_owned(),
        _ => format!("{day}W"),
    }));
    items.extend(bits(days.before_last).map(|before| format!("L-{before}")));
    if days.last_day {
        items.push("L".to_owned());
    }
    items
}

fn weekday_items(days: &DayPattern) -> Vec<String> {
    // Cron counts from Sunday.
    let from_sunday = |set: u8| (set << 1 | set >> 6) & ALL_WEEKDAYS;
    let mut items = Vec::new();
    if days.weekdays != 0 {
        items.push(listed(from_sunday(days.weekdays).into(), 0, 6));
    }
    for (nth, set) in (1..).zip(days.nth_weekdays) {
        for weekday in (0..7).filter(|day| from_sunday(set) & (1 << day) != 0) {
            items.push(match nth {
                6 => format!("{weekday}L"),
                _ => format!("{weekday}#{nth}"),
            });
        }
    }
    items
}
