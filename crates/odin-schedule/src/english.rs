//! Prints a schedule in its normal form, from which it reads back.

use crate::business::{BusinessDays, BusinessOf, RollTo, Which};
use crate::calendar::{DAY_SECONDS, civil};
use crate::period::{Period, PeriodUnit};
use crate::rule::{
    ALL_MONTHS, ALL_WEEKDAYS, DayPattern, Days, Exceptions, QUARTER_MONTHS, Rule, Tail, Timing,
    WEEKEND, WORKING_DAYS, Window,
};
use crate::schedule::Schedule;
use crate::spread::Spread;
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
    let spread = rule.extras.as_ref().and_then(|extras| extras.spread);
    let at = if spread.is_some() { "around" } else { "at" };
    let clause = match (&rule.cron, &rule.days, &rule.timing) {
        (Some(cron), ..) => format!("cron \"{cron}\""),
        (None, Days::Dates(dates), timing) => {
            let dates: Vec<String> = dates.iter().map(|&day| date(day)).collect();
            format!("once on {} {at} {}", list(&dates), fixed_times(timing))
        }
        (None, Days::Pattern(_), Timing::Elapsed { step, window }) => {
            interval(*step, None, *window) + &on_days(rule)
        }
        (None, Days::Pattern(_), Timing::Wall { times, .. }) => match times {
            TimeSet::List(_) => {
                format!("every {} {at} {}", subject(rule), fixed_times(&rule.timing))
            }
            TimeSet::Grid {
                step,
                phase,
                window,
            } => {
                let is_said = *phase != 0 || (spread.is_some() && step.is_multiple_of(3600));
                let minute = is_said.then(|| format!(" {at} :{:02}", phase / 60));
                interval(*step, minute, *window) + &on_days(rule)
            }
            TimeSet::Fields { .. } => {
                unreachable!("only cron text makes fields, and its rules carry their text")
            }
        },
    };
    let said = rule.cron.is_none() && clause.contains(" around ");
    clause
        + &spread.map_or_else(String::new, |spread| width(rule, spread, said))
        + &day_limits(rule)
}

/// How far a rule is spread, where `around` has not said it.
fn width(rule: &Rule, spread: Spread, is_around: bool) -> String {
    let mut text = String::new();
    if !is_around {
        text += " (spread)";
    }
    if spread.within != Spread::within_default(rule) {
        text += &format!(" within {}", duration(spread.within));
    }
    text
}

/// A number of seconds in the largest unit that divides it.
pub(crate) fn duration(seconds: u32) -> String {
    let (number, unit) = if seconds.is_multiple_of(3600) {
        (seconds / 3600, "hour")
    } else if seconds.is_multiple_of(60) {
        (seconds / 60, "minute")
    } else {
        (seconds, "second")
    };
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {unit}{plural}")
}

/// What the days are limited to, and where they move.
fn day_limits(rule: &Rule) -> String {
    let mut text = String::new();
    let Some(extras) = &rule.extras else {
        return text;
    };
    if let Some(only_in) = &extras.only_in {
        text += &format!(" in calendar {}", only_in.name);
    }
    if let Some(roll) = &extras.roll {
        let to = match roll.to {
            RollTo::Next => "next",
            RollTo::Previous => "previous",
            RollTo::Nearest => "nearest",
        };
        text += &format!(" or {to} {}", business_day(&roll.of));
    }
    text
}

/// A business day with the calendar that says which they are.
fn business_day(of: &BusinessOf) -> String {
    match of {
        BusinessOf::Weekdays => "weekday".to_owned(),
        BusinessOf::Holidays(_) => "business day".to_owned(),
        BusinessOf::Named(used) => format!("business day of {}", used.name),
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
fn subject(rule: &Rule) -> String {
    let Days::Pattern(pattern) = &rule.days else {
        return String::new();
    };
    let extras = rule.extras.as_deref();
    let business = extras.and_then(|extras| extras.business.as_ref());
    if let Some(period) = extras.and_then(|extras| extras.period) {
        return in_period(period, pattern, business);
    }
    match business {
        Some(business) => {
            let items = list(&business_items(business));
            format!("{items}{}{}", in_months(pattern.months), on_only(pattern))
        }
        None => pattern_subject(pattern),
    }
}

/// The days of a pattern behind `every`.
pub(crate) fn pattern_subject(pattern: &DayPattern) -> String {
    if pattern.every_days > 1 {
        return format!("{} days", pattern.every_days);
    }
    if pattern.months == QUARTER_MONTHS && is_first_of_month(pattern) {
        return "quarter".to_owned();
    }
    let limit = on_only(pattern);
    let days = DayPattern {
        only: ALL_WEEKDAYS,
        ..*pattern
    };
    if days.weekdays == ALL_WEEKDAYS {
        return format!("day{}{limit}", in_months(days.months));
    }
    if let Some(date) = one_date(&days) {
        return format!("{date}{limit}");
    }
    format!(
        "{}{}{limit}",
        list(&day_items(&days)),
        in_months(days.months)
    )
}

/// Whether the pattern is the 1st of each of its months.
fn is_first_of_month(pattern: &DayPattern) -> bool {
    let first_day = DayPattern {
        months: pattern.months,
        month_days: 1 << 1,
        ..DayPattern::NONE
    };
    *pattern == first_day
}

/// `January 4th`, where the pattern is one day of one month.
fn one_date(days: &DayPattern) -> Option<String> {
    let one_date = DayPattern {
        months: days.months,
        month_days: days.month_days,
        ..DayPattern::NONE
    };
    let is_one = days.months.count_ones() == 1 && days.month_days.count_ones() == 1;
    (*days == one_date && is_one).then(|| {
        let month = months(days.months).concat();
        format!("{month} {}", month_days(days.month_days).concat())
    })
}

/// `2 weeks on Monday`, `3 months on the 1st`.
fn in_period(period: Period, pattern: &DayPattern, business: Option<&BusinessDays>) -> String {
    let stretch = format!("{} {}s", period.number, period.unit.name());
    let is_quarter = period.unit == PeriodUnit::Quarter;
    if is_quarter && business.is_none() && is_first_of_month(pattern) {
        return stretch + &in_months_but(QUARTER_MONTHS, pattern.months);
    }
    let items = match business {
        Some(business) => business_items(business),
        None if period.unit == PeriodUnit::Week => {
            return format!("{stretch} on {}", week_days(pattern));
        }
        None => day_items(pattern),
    };
    let the = if business.is_some_and(|business| business.which == Which::All) {
        ""
    } else {
        "the "
    };
    if let Some(date) = one_date(pattern) {
        return format!("{stretch} on {date}");
    }
    let months = if is_quarter {
        in_months_but(QUARTER_MONTHS, pattern.months)
    } else {
        in_months(pattern.months)
    };
    format!("{stretch} on {the}{}{months}", list(&items))
}

fn week_days(pattern: &DayPattern) -> String {
    match pattern.weekdays {
        WORKING_DAYS | WEEKEND => list(&plural_weekdays(pattern.weekdays)),
        weekdays => list(&names(weekdays).map(str::to_owned).collect::<Vec<_>>()),
    }
}

fn in_months_but(all: u16, set: u16) -> String {
    if set == all {
        String::new()
    } else {
        in_months(set)
    }
}

/// The weekdays to which the other days are limited.
fn on_only(pattern: &DayPattern) -> String {
    if pattern.only == ALL_WEEKDAYS {
        String::new()
    } else {
        format!(" on {}", list(&plural_weekdays(pattern.only)))
    }
}

/// The days of an interval: ` on weekdays in January`, or nothing.
fn on_days(rule: &Rule) -> String {
    let Days::Pattern(pattern) = &rule.days else {
        return String::new();
    };
    let months = in_months(pattern.months);
    let extras = rule.extras.as_deref();
    if let Some(business) = extras.and_then(|extras| extras.business.as_ref()) {
        return format!(" on {}{months}", list(&business_items(business)));
    }
    if pattern.weekdays == ALL_WEEKDAYS {
        return months;
    }
    let only_weekdays = DayPattern {
        months: pattern.months,
        weekdays: pattern.weekdays,
        ..DayPattern::NONE
    };
    if *pattern == only_weekdays {
        return format!(" on {}{months}", list(&plural_weekdays(pattern.weekdays)));
    }
    format!(" on {}{months}", list(&day_items(pattern)))
}

/// `1st business day` and its kin; the last one names the calendar for all.
fn business_items(business: &BusinessDays) -> Vec<String> {
    let day = match business.of {
        BusinessOf::Weekdays => "weekday",
        BusinessOf::Holidays(_) | BusinessOf::Named(_) => "business day",
    };
    let mut items = match business.which {
        Which::All => vec![day.to_owned()],
        Which::Counted {
            from_start,
            from_end,
        } => {
            let bits = |set: u32| (1..32).filter(move |nth| set & (1 << nth) != 0);
            let nth = |nth: u32| format!("{nth}{}", ordinal_suffix(nth));
            let from_start = bits(from_start).map(|n| format!("{} {day}", nth(n)));
            let from_end = bits(from_end).map(|n| match n {
                1 => format!("last {day}"),
                _ => format!("{} last {day}", nth(n)),
            });
            from_start.chain(from_end).collect()
        }
    };
    if let (BusinessOf::Named(used), Some(last)) = (&business.of, items.last_mut()) {
        *last += &format!(" of {}", used.name);
    }
    items
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

/// `minute` is ` at :17`, where that is said.
fn interval(step: u32, minute: Option<String>, window: Window) -> String {
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
    text += &minute.unwrap_or_default();
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
    let calendars = except.calendars.iter();
    items.extend(calendars.map(|used| format!("on {}", used.name)));
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
