//! Cron clauses in English.

use super::CannotSay;
use crate::calendar::longest_month;
use crate::error::TEXT_BYTES_MAX;
use crate::rule::{ALL_WEEKDAYS, DayPattern, Days, Passes, Rule, Timing, Window};
use crate::schedule::Schedule;
use crate::time_set::TimeSet;

/// More times of day are not listed.
const TIMES_MAX: usize = 48;
/// An interval in more windows is not written out.
const WINDOWS_MAX: usize = 6;
/// An interval with more minutes past the hour is not written out.
const MINUTES_MAX: u32 = 4;

pub(super) fn english(schedule: &Schedule) -> Result<Schedule, CannotSay> {
    let mut rules: Vec<Rule> = Vec::new();
    for rule in schedule.rules.iter() {
        let converted = match &rule.cron {
            Some(text) => clauses(rule, text)?,
            None => vec![rule.clone()],
        };
        for rule in converted {
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
    }
    let schedule = Schedule {
        rules: rules.into(),
        zone: schedule.zone.clone(),
    };
    if schedule.canonical().len() > TEXT_BYTES_MAX {
        return Err(CannotSay::TooLong);
    }
    Ok(schedule)
}

/// The clauses of one cron text; none where its days never come, as in `0 0 31 2 *`.
fn clauses(rule: &Rule, cron: &str) -> Result<Vec<Rule>, CannotSay> {
    let (
        Days::Pattern(days),
        Timing::Wall {
            times:
                TimeSet::Fields {
                    hours,
                    minutes,
                    seconds,
                },
            passes,
        },
    ) = (&rule.days, &rule.timing)
    else {
        return Ok(vec![rule.clone()]);
    };
    if *passes == Passes::Each && only_weekdays_of_days(days) {
        return Err(CannotSay::CronOnly {
            what: "an interval on days of the month that have to be certain weekdays as well",
        });
    }
    if rule
        .extras
        .as_ref()
        .is_some_and(|extras| extras.roll.is_some())
    {
        return Err(CannotSay::CronOnly {
            what: "days of cron text that move",
        });
    }
    let timings = match passes {
        Passes::Once => vec![fixed(*hours, *minutes, *seconds, cron)?],
        Passes::Each => intervals(*hours, *minutes, *seconds, cron)?,
    };
    let mut clauses = Vec::new();
    for days in split_days(days)? {
        for times in &timings {
            let timing = Timing::Wall {
                times: times.clone(),
                passes: *passes,
            };
            let days = Days::Pattern(days);
            let extras = rule.extras.as_deref().cloned().unwrap_or_default();
            clauses.push(Rule::with_extras(
                days,
                timing,
                rule.tail.clone(),
                None,
                extras,
            ));
        }
    }
    Ok(clauses)
}

fn only_weekdays_of_days(days: &DayPattern) -> bool {
    days.only != ALL_WEEKDAYS && days.month_days != u32::MAX << 1
}

/// Fixed times, listed.
fn fixed(hours: u32, minutes: u64, seconds: u64, cron: &str) -> Result<TimeSet, CannotSay> {
    let fields = TimeSet::Fields {
        hours,
        minutes,
        seconds,
    };
    if fields.len() > TIMES_MAX as u64 {
        return Err(CannotSay::TooManyTimes {
            cron: cron.to_owned(),
            max: TIMES_MAX,
        });
    }
    let mut times = Vec::new();
    let mut from = 0;
    while let Some(time) = fields.next(from) {
        times.push(time as u32);
        from = time + 1;
    }
    Ok(TimeSet::List(times.into()))
}

/// Times that follow real time: intervals, in windows where the hours are not all.
fn intervals(
    hours: u32,
    minutes: u64,
    seconds: u64,
    cron: &str,
) -> Result<Vec<TimeSet>, CannotSay> {
    let uneven = || CannotSay::UnevenStep {
        cron: cron.to_owned(),
    };
    let every_minute = u64::MAX >> 4;
    if seconds != 1 {
        let step = even_step(seconds, 60).ok_or_else(uneven)?;
        if minutes != every_minute {
            return Err(CannotSay::CronOnly {
                what: "steps of seconds in some minutes only",
            });
        }
        return in_windows(hours, step, 3600 - step, cron);
    }
    if let Some(step) = even_step(minutes, 60) {
        return in_windows(hours, step * 60, 3600 - step * 60, cron);
    }
    if minutes.count_ones() > MINUTES_MAX {
        return Err(uneven());
    }
    let mut sets = Vec::new();
    for minute in (0..60).filter(|minute| minutes & (1 << minute) != 0) {
        let phase = minute * 60;
        match even_step(hours.into(), 24) {
            Some(step) => sets.push(TimeSet::Grid {
                step: step * 3600,
                phase,
                window: Window::WHOLE_DAY,
            }),
            None => {
                for (from, to) in runs(hours, cron)? {
                    // A window of one instant would read oddly.
                    let last = if from == to { 59 * 60 } else { phase };
                    sets.push(TimeSet::Grid {
                        step: 3600,
                        phase,
                        window: Window::between(from * 3600, to * 3600 + last),
                    });
                }
            }
        }
    }
    Ok(sets)
}

/// A step of seconds that divides the hour, in the given hours; the last time of each
/// hour lies `last` seconds after its beginning.
fn in_windows(hours: u32, step: u32, last: u32, cron: &str) -> Result<Vec<TimeSet>, CannotSay> {
    let grid = |window| TimeSet::Grid {
        step,
        phase: 0,
        window,
    };
    if even_step(hours.into(), 24) == Some(1) {
        return Ok(vec![grid(Window::WHOLE_DAY)]);
    }
    let windows = runs(hours, cron)?;
    Ok(windows
        .into_iter()
        .map(|(from, to)| grid(Window::between(from * 3600, to * 3600 + last)))
        .collect())
}

/// The step, if the set is every multiple of one that divides `size`.
fn even_step(set: u64, size: u32) -> Option<u32> {
    (1..size).find(|&step| {
        size.is_multiple_of(step)
            && (0..size)
                .step_by(step as usize)
                .fold(0, |multiples, value| multiples | 1 << value)
                == set
    })
}

/// Hours in a row, first and last.
fn runs(hours: u32, cron: &str) -> Result<Vec<(u32, u32)>, CannotSay> {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for hour in (0..24).filter(|hour| hours & (1 << hour) != 0) {
        match runs.last_mut() {
            Some((_, to)) if *to + 1 == hour => *to = hour,
            Some(_) | None => runs.push((hour, hour)),
        }
    }
    if runs.len() > WINDOWS_MAX {
        return Err(CannotSay::TooManyTimes {
            cron: cron.to_owned(),
            max: WINDOWS_MAX,
        });
    }
    Ok(runs)
}

/// Days of the month, weekdays and nth weekdays each for themselves: English would read
/// them in one clause as well, but people would not.
fn split_days(days: &DayPattern) -> Result<Vec<DayPattern>, CannotSay> {
    let DayPattern {
        months,
        month_days,
        last_day,
        before_last,
        nearest_weekdays,
        weekdays,
        nth_weekdays,
        only,
        every_days: _,
    } = *days;
    if before_last != 0 {
        return Err(CannotSay::CronOnly {
            what: "a day counted back from the last of the month",
        });
    }
    if nearest_weekdays != 0 {
        return Err(CannotSay::CronOnly {
            what: "the nearest Monday to Friday without regard to holidays",
        });
    }
    let none = DayPattern {
        months,
        ..DayPattern::NONE
    };
    if month_days == u32::MAX << 1 || weekdays == ALL_WEEKDAYS {
        return Ok(vec![DayPattern {
            weekdays: only,
            ..none
        }]);
    }
    let by_date = DayPattern {
        month_days: month_days & days_that_come(months),
        last_day,
        only,
        ..none
    };
    let by_weekday = DayPattern { weekdays, ..none };
    let by_nth = DayPattern {
        nth_weekdays,
        ..none
    };
    let nothing = |days: &DayPattern| DayPattern { only, ..none } == *days || none == *days;
    Ok([by_date, by_weekday, by_nth]
        .into_iter()
        .filter(|days| !nothing(days))
        .collect())
}

/// The days that the longest of the months has: a date that never comes is refused.
fn days_that_come(months: u16) -> u32 {
    let longest = (1..=12)
        .filter(|month| months & (1 << month) != 0)
        .map(longest_month)
        .max()
        .unwrap_or(0);
    ((1_u64 << (longest + 1)) - 1) as u32
}
