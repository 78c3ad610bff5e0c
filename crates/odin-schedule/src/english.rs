//! Prints a schedule in its normal form, from which it reads back.

use crate::calendar::{DAY_SECONDS, civil};
use crate::rule::{
    ALL_MONTHS, ALL_WEEKDAYS, DayPattern, Days, Exceptions, QUARTER_MONTHS, Rule, Tail, Timing,
    WEEKEND, WORKING_DAYS, Window,
};
use crate::schedule::Schedule;
use crate::time_set::TimeSet;
use crate::token::ordinal_suffix;
use crate::words::{MONTHS, WEEKDAYS};
use crate::zone::zone_name;

/// The whole schedule in one line.
pub(crate) fn canonical(schedule: &Schedule) -> String {
    if schedule.rules.is_empty() {
        return "never".to_owned();
    }
    // A tail that all clauses share is said once, at the end.
    let shared = schedule
        .rules
        .first()
        .map(|rule| &rule.tail)
        .filter(|first| schedule.rules.iter().all(|rule| rule.tail == **first));
    let clauses: Vec<String> = schedule
        .rules
        .iter()
        .map(|rule| match shared {
            Some(_) => clause(rule),
            None => clause(rule) + &tail(&rule.tail),
        })
        .collect();
    let mut text = clauses.join(" and ");
    if let Some(shared) = shared {
        text += &tail(shared);
    }
    if let Some(zone) = &schedule.zone {
        text += &format!(" in {}", zone_name(zone));
    }
    text
}

/// One clause without its tail.
pub(crate) fn clause(rule: &Rule) -> String {
    if let Some(cron) = &rule.cron {
        return format!("cron \"{cron}\"");
    }
    match (&rule.days, &rule.timing) {
        (Days::Dates(dates), timing) => {
            let dates: Vec<String> = dates.iter().map(|&day| date(day)).collect();
            format!("once on {} at {}", list(&dates), fixed_times(timing))
        }
        (
            Days::Pattern(pattern),
            Timing::Wall {
                times: TimeSet::List(_),
                ..
            },
        ) => {
            format!(
                "every {} at {}",
                subject(pattern),
                fixed_times(&rule.timing)
            )
        }
        (
            Days::Pattern(pattern),
            Timing::Wall {
                times:
                    TimeSet::Grid {
                        step,
                        phase,
                        window,
                    },
                ..
            },
        ) => interval(*step, *phase, *window) + &on_days(pattern),
        (Days::Pattern(pattern), Timing::Elapsed { step, window }) => {
            interval(*step, 0, *window) + &on_days(pattern)
        }
        (
            Days::Pattern(_),
            Timing::Wall {
                times: TimeSet::Fields { .. },
                ..
            },
        ) => {
            unreachable!("only cron text makes fields, and its rules carry their text")
        }
    }
}

fn fixed_times(timing: &Timing) -> String {
    match timing {
        Timing::Wall {
            times: TimeSet::List(times),
            ..
        } => list(&times.iter().map(|&time| clock(time)).collect::<Vec<_>>()),
        Timing::Wall { .. } | Timing::Elapsed { .. } => String::new(),
    }
}

/// What stands between `every` and `at`.
pub(crate) fn subject(pattern: &DayPattern) -> String {
    if pattern.every_days > 1 {
        return format!("{} days", pattern.every_days);
    }
    let first_day = DayPattern {
        months: pattern.months,
        month_days: 1 << 1,
        ..DayPattern::NONE
    };
    if pattern.months == QUARTER_MONTHS && *pattern == first_day {
        return "quarter".to_owned();
    }
    let limit = if pattern.only == ALL_WEEKDAYS {
        String::new()
    } else {
        format!(" on {}", list(&plural_weekdays(pattern.only)))
    };
    let days = DayPattern {
        only: ALL_WEEKDAYS,
        ..*pattern
    };
    if days.weekdays == ALL_WEEKDAYS {
        return format!("day{}{limit}", in_months(days.months));
    }
    let one_date = DayPattern {
        months: days.months,
        month_days: days.month_days,
        ..DayPattern::NONE
    };
    if days == one_date && days.months.count_ones() == 1 && days.month_days.count_ones() == 1 {
        let month = months(days.months).concat();
        return format!("{month} {}{limit}", month_days(days.month_days).concat());
    }
    format!(
        "{}{}{limit}",
        list(&day_items(&days)),
        in_months(days.months)
    )
}

/// The days of an interval: ` on weekdays in January`, or nothing.
fn on_days(pattern: &DayPattern) -> String {
    let months = in_months(pattern.months);
    if pattern.weekdays == ALL_WEEKDAYS {
        return months;
    }
    let only_weekdays = DayPattern {
        months: pattern.months,
        ..DayPattern::NONE
    };
    if *pattern
        == (DayPattern {
            weekdays: pattern.weekdays,
            ..only_weekdays
        })
    {
        return format!(" on {}{months}", list(&plural_weekdays(pattern.weekdays)));
    }
    format!(" on {}{months}", list(&day_items(pattern)))
}

fn in_months(set: u16) -> String {
    if set == ALL_MONTHS {
        String::new()
    } else {
        format!(" in {}", list(&months(set)))
    }
}

fn day_items(pattern: &DayPattern) -> Vec<String> {
    let mut items = month_days(pattern.month_days);
    let has_nth = pattern.nth_weekdays != [0; 6];
    if let Some(last) = items.last_mut()
        && has_nth
        && !pattern.last_day
    {
        // Without it the days would read as ordinals of the weekday that follows.
        last.push_str(" of the month");
    }
    if pattern.last_day {
        items.push("last day of the month".to_owned());
    }
    items.extend(beyond_english(pattern));
    let nth = ["1st", "2nd", "3rd", "4th", "5th", "last"];
    for (nth, &set) in nth.into_iter().zip(&pattern.nth_weekdays) {
        items.extend(names(set).map(|weekday| format!("{nth} {weekday}")));
    }
    items.extend(weekdays(pattern.weekdays));
    items
}

/// Days that only cron text can name: words for explanations, which do not read back.
fn beyond_english(pattern: &DayPattern) -> impl Iterator<Item = String> {
    let DayPattern {
        before_last,
        nearest_weekdays,
        ..
    } = *pattern;
    let before_last = (1..=30).filter(move |days| before_last & (1 << days) != 0);
    let nearest = (0..=31).filter(move |day| nearest_weekdays & (1 << day) != 0);
    before_last
        .map(|days: u32| match days {
            1 => "day before the last of the month".to_owned(),
            _ => format!("day {days} days before the last of the month"),
        })
        .chain(nearest.map(|day: u32| match day {
            0 => "last Monday to Friday of the month".to_owned(),
            _ => format!(
                "Monday to Friday nearest the {day}{} in its month",
                ordinal_suffix(day)
            ),
        }))
}

fn month_days(set: u32) -> Vec<String> {
    (1..=31)
        .filter(|day| set & (1 << day) != 0)
        .map(|day| format!("{day}{}", ordinal_suffix(day)))
        .collect()
}

pub(crate) fn months(set: u16) -> Vec<String> {
    (1..=12)
        .filter(|month| set & (1 << month) != 0)
        .map(|month| MONTHS[month - 1].to_owned())
        .collect()
}

fn weekdays(set: u8) -> Vec<String> {
    match set {
        WORKING_DAYS => vec!["weekday".to_owned()],
        WEEKEND => vec!["weekend".to_owned()],
        _ => names(set).map(str::to_owned).collect(),
    }
}

/// Weekdays behind `on` and `except`.
fn plural_weekdays(set: u8) -> Vec<String> {
    match set {
        WORKING_DAYS => vec!["weekdays".to_owned()],
        WEEKEND => vec!["weekends".to_owned()],
        _ => names(set).map(|name| format!("{name}s")).collect(),
    }
}

fn names(set: u8) -> impl Iterator<Item = &'static str> {
    WEEKDAYS
        .into_iter()
        .enumerate()
        .filter(move |(bit, _)| set & (1 << bit) != 0)
        .map(|it| it.1)
}

fn interval(step: u32, phase: u32, window: Window) -> String {
    // Never in days: `every 2 days` takes a time of day, and a grid has none.
    let (unit, seconds) = if step.is_multiple_of(3600) {
        ("hour", 3600)
    } else if step.is_multiple_of(60) {
        ("minute", 60)
    } else {
        ("second", 1)
    };
    let mut text = match step / seconds {
        1 => format!("every {unit}"),
        number => format!("every {number} {unit}s"),
    };
    if phase != 0 {
        text += &format!(" at :{:02}", phase / 60);
    }
    if window != Window::WHOLE_DAY {
        let to = window.to % DAY_SECONDS as u32;
        text += &format!(" from {} to {}", clock(window.from), clock(to));
    }
    text
}

/// What limits a clause, each part with a space before it.
pub(crate) fn tail(tail: &Tail) -> String {
    let mut text = String::new();
    if let Some(except) = &tail.except {
        text += &format!(" except {}", list(&exceptions(except)));
    }
    if let Some(starting) = tail.starting {
        let (day, second) = (
            starting.div_euclid(DAY_SECONDS),
            starting.rem_euclid(DAY_SECONDS),
        );
        text += &format!(" starting {}", date(day));
        if second != 0 {
            text += &format!(" at {}", clock(second as u32));
        }
    }
    if let Some(until) = tail.until {
        let (day, second) = (until.div_euclid(DAY_SECONDS), until.rem_euclid(DAY_SECONDS));
        text += &format!(" until {}", date(day));
        if second != DAY_SECONDS - 1 {
            text += &format!(" at {}", clock(second as u32));
        }
    }
    text
}

fn exceptions(except: &Exceptions) -> Vec<String> {
    let mut items = plural_weekdays(except.weekdays);
    let yearly = |&(month, day): &(u8, u8)| {
        let day = u32::from(day);
        format!(
            "{} {day}{}",
            MONTHS[usize::from(month) - 1],
            ordinal_suffix(day)
        )
    };
    items.extend(except.yearly.iter().map(yearly));
    // A month before a number would read as a date, so whole months follow the days.
    items.extend(months(except.months));
    items.extend(except.dates.iter().map(|&day| date(day)));
    items
}

/// A day number as year-month-day.
pub(crate) fn date(day: i64) -> String {
    let (year, month, day) = civil(day);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Seconds from midnight as HH:MM, with seconds where there are some.
pub(crate) fn clock(second: u32) -> String {
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    if second == 0 {
        format!("{hour:02}:{minute:02}")
    } else {
        format!("{hour:02}:{minute:02}:{second:02}")
    }
}

/// `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}
