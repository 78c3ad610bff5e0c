//! Says in full sentences what a schedule does.

use crate::business::{BusinessOf, RollTo};
use crate::calendar::civil;
use crate::english::{self, clock, date, list};
use crate::period::PeriodUnit;
use crate::rule::{ALL_MONTHS, ALL_WEEKDAYS, DayPattern, Days, Passes, Rule, Tail, Timing, Window};
use crate::schedule::{Schedule, ScheduleKind, rule_kind};
use crate::time_set::TimeSet;
use crate::token::ordinal_suffix;
use crate::words::MONTHS;
use crate::zone::zone_name;

/// How many times of day are listed before the fields are described instead.
const LISTED_TIMES_MAX: u64 = 6;

/// Whether the days of calendars are at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CalendarDays {
    Known,
    Open,
}

/// Every sentence about a schedule.
pub(crate) fn explain(schedule: &Schedule, calendar_days: CalendarDays) -> String {
    if schedule.rules.is_empty() {
        return "Never runs by itself.".to_owned();
    }
    let mut sentences: Vec<String> = Vec::new();
    for rule in schedule.rules.iter() {
        sentences.push(format!("Runs {}{}.", clause(rule), tail(&rule.tail)));
        add_once(&mut sentences, notes(rule, calendar_days));
    }
    if schedule.rules.len() > 1 {
        sentences.push("Where several of these fall together it runs once.".to_owned());
    }
    sentences.push(match &schedule.zone {
        Some(zone) => format!("Times are those of {}.", zone_name(zone)),
        None => "Times are those of the job's time zone.".to_owned(),
    });
    add_once(
        &mut sentences,
        schedule.rules.iter().map(clock_changes).map(str::to_owned),
    );
    sentences.join(" ")
}

fn add_once(sentences: &mut Vec<String>, more: impl IntoIterator<Item = String>) {
    for sentence in more {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
}

fn clause(rule: &Rule) -> String {
    match (&rule.days, &rule.timing) {
        (
            Days::Pattern(pattern),
            Timing::Wall {
                times:
                    TimeSet::Fields {
                        hours,
                        minutes,
                        seconds,
                    },
                ..
            },
        ) => {
            let times = fields(*hours, *minutes, *seconds);
            format!("{times}, {}", cron_days(pattern))
        }
        _ => english::clause(rule),
    }
}

/// The times of cron fields: listed where they are few, else field by field.
fn fields(hours: u32, minutes: u64, seconds: u64) -> String {
    let set = TimeSet::Fields {
        hours,
        minutes,
        seconds,
    };
    if set.len() <= LISTED_TIMES_MAX {
        let mut times = Vec::new();
        let mut from = 0;
        while let Some(time) = set.next(from) {
            times.push(clock(time as u32));
            from = time + 1;
        }
        return format!("at {}", list(&times));
    }
    let mut parts = Vec::new();
    if seconds != 1 {
        parts.push(field(seconds, 60, "second"));
    }
    parts.push(field(minutes, 60, "minute"));
    parts.push(field(hours.into(), 24, "hour"));
    format!("in {}", parts.join(" of "))
}

fn field(set: u64, size: u32, unit: &str) -> String {
    let values: Vec<String> = (0..size)
        .filter(|value| set & (1 << value) != 0)
        .map(|value| value.to_string())
        .collect();
    match values.len() {
        all if all == size as usize => format!("every {unit}"),
        1 => format!("{unit} {}", values[0]),
        _ => format!("{unit}s {}", list(&values)),
    }
}

/// The days of cron fields in words that say whether one or both must hold.
fn cron_days(pattern: &DayPattern) -> String {
    let every_month = DayPattern {
        months: ALL_MONTHS,
        ..*pattern
    };
    let days = if every_month == DayPattern::EVERY_DAY {
        "every day".to_owned()
    } else if pattern.only != ALL_WEEKDAYS {
        let by_weekday = DayPattern {
            weekdays: pattern.only,
            months: ALL_MONTHS,
            ..DayPattern::NONE
        };
        let by_date = DayPattern {
            only: ALL_WEEKDAYS,
            ..every_month
        };
        if by_date.month_days == u32::MAX << 1 {
            format!("every {}", english::pattern_subject(&by_weekday))
        } else {
            format!(
                "every {} that is also a {}",
                english::pattern_subject(&by_date),
                english::pattern_subject(&by_weekday)
            )
        }
    } else {
        format!("every {}", english::pattern_subject(&every_month))
    };
    if pattern.months == ALL_MONTHS {
        days
    } else {
        format!("{days} in {}", list(&english::months(pattern.months)))
    }
}

/// What is not plain from the words alone.
fn notes(rule: &Rule, calendar_days: CalendarDays) -> Vec<String> {
    let mut notes = origin_notes(rule);
    if let Some(spread) = rule.extras.as_ref().and_then(|extras| extras.spread) {
        let within = english::duration(spread.within);
        notes.push(format!(
            "Each job keeps an offset of its own from these times, at most {within} to either \
             side; days and bounds are those of the times themselves."
        ));
    }
    notes.extend(business_notes(rule, calendar_days));
    if let Days::Pattern(pattern) = &rule.days {
        let latest = 31_u32.saturating_sub(pattern.month_days.leading_zeros());
        let restricts = pattern.weekdays == 0 && pattern.month_days.count_ones() < 29;
        if latest > 28 && restricts && pattern.month_days != 0 {
            notes.push(format!(
                "Months without a day {latest} do not have that occurrence."
            ));
        }
        let by_date = pattern.month_days != 0
            || pattern.last_day
            || pattern.before_last != 0
            || pattern.nearest_weekdays != 0;
        let either = by_date && (pattern.weekdays != 0 || pattern.nth_weekdays != [0; 6]);
        if either && rule.cron.is_some() {
            notes.push("Either the day of the month or the weekday will do.".to_owned());
        }
    }
    match &rule.timing {
        Timing::Wall {
            times: TimeSet::Grid { step, window, .. },
            ..
        } => {
            if *step > 1 {
                notes.push("The interval counts from midnight on the local clock.".to_owned());
            }
            notes.extend(window_note(*window));
        }
        Timing::Elapsed { window, .. } => {
            let from = match rule.tail.starting {
                Some(_) => "the start",
                None => "1970-01-01 00:00 UTC",
            };
            notes.push(format!(
                "The interval does not divide the day, so it counts elapsed time from {from}."
            ));
            notes.extend(window_note(*window));
        }
        Timing::Wall {
            times: TimeSet::List(_) | TimeSet::Fields { .. },
            ..
        } => {}
    }
    notes
}

/// From where days, weeks, months and years are counted.
fn origin_notes(rule: &Rule) -> Vec<String> {
    let mut notes = Vec::new();
    let starting = rule.starting_day();
    if let Days::Pattern(pattern) = &rule.days
        && pattern.every_days > 1
    {
        let from = starting.map_or_else(|| "1970-01-01".to_owned(), date);
        notes.push(format!("The days are counted from {from}."));
    }
    if let Some(period) = rule.extras.as_ref().and_then(|extras| extras.period) {
        let (unit, number) = (period.unit.name(), period.number);
        let nth = format!("{number}{}", ordinal_suffix(number));
        let (year, month, _) = civil(rule.origin_day());
        let from = match period.unit {
            PeriodUnit::Week => {
                let from = date(rule.origin_day());
                let blocks = match starting {
                    Some(_) => "a week is seven days, the first from",
                    None => "the first from Monday,",
                };
                format!("{blocks} {from}")
            }
            PeriodUnit::Month => format!("the first is {} {year}", MONTHS[usize::from(month) - 1]),
            PeriodUnit::Quarter => {
                format!("the first is quarter {} of {year}", (month - 1) / 3 + 1)
            }
            PeriodUnit::Year => format!("the first is {year}"),
        };
        notes.push(format!("Every {nth} {unit} counts: {from}."));
    }
    notes
}

/// Which days are business days, and where a day moves that is none.
fn business_notes(rule: &Rule, calendar_days: CalendarDays) -> Vec<String> {
    let mut notes: Vec<String> = Vec::new();
    for of in rule.business_of() {
        notes.push(match (of, calendar_days) {
            (BusinessOf::Weekdays, _) => "Weekdays are Monday to Friday.".to_owned(),
            (BusinessOf::Holidays(Some(_)), _) => {
                "Business days are Monday to Friday without the days of the calendar holidays."
                    .to_owned()
            }
            (BusinessOf::Holidays(None), CalendarDays::Known) => {
                "Business days are Monday to Friday: there is no calendar holidays to take days \
                 out."
                    .to_owned()
            }
            (BusinessOf::Holidays(None), CalendarDays::Open) => {
                "Business days are Monday to Friday without the days of the calendar holidays, \
                 where there is one."
                    .to_owned()
            }
            (BusinessOf::Named(used), _) => format!(
                "Business days of {0} are Monday to Friday without the days of the calendar {0}.",
                used.name
            ),
        });
    }
    if let Some(roll) = rule.extras.as_ref().and_then(|extras| extras.roll.as_ref()) {
        let day = match roll.of {
            BusinessOf::Weekdays => "weekday",
            BusinessOf::Holidays(_) | BusinessOf::Named(_) => "business day",
        };
        let moves = match roll.to {
            RollTo::Next => "moves to the next one that is, if need be in a later month",
            RollTo::Previous => "moves to the one before, if need be in an earlier month",
            RollTo::Nearest => {
                "moves to the nearest one of the same month, the later of two that are as near"
            }
        };
        notes.push(format!(
            "A day that is no {day} {moves}; days that meet are one."
        ));
    }
    notes
}

fn window_note(window: Window) -> Option<String> {
    if window == Window::WHOLE_DAY {
        None
    } else if window.to > Window::WHOLE_DAY.to {
        Some(
            "Both ends of the window are included; what lies after midnight belongs to the day \
             on which the window opened."
                .to_owned(),
        )
    } else {
        Some("Both ends of the window are included.".to_owned())
    }
}

fn tail(tail: &Tail) -> String {
    let text = english::tail(tail);
    if text.is_empty() {
        text
    } else {
        format!(",{text}")
    }
}

fn clock_changes(rule: &Rule) -> &'static str {
    match (rule_kind(rule), &rule.timing) {
        (_, Timing::Elapsed { .. }) => {
            "A change of the clock does not move the interval: it follows elapsed time."
        }
        (
            ScheduleKind::Interval,
            Timing::Wall {
                passes: Passes::Each,
                ..
            },
        ) => {
            "When the clock jumps the interval follows real time: skipped times are not made up \
             for, and a repeated hour has its occurrences in both passes."
        }
        _ => {
            "Unless the job says otherwise, a fixed time that the clock skips runs once at the \
             first instant after the gap, and one that the clock shows twice runs the first time."
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(text: &str, expected: &Expect) {
        expected.assert_eq(&crate::parse(text).unwrap().explain());
    }

    #[test]
    fn a_union_says_what_falls_together() {
        check(
            "every Monday at 9:30 and Friday at 17:00 in Europe/Dublin",
            &expect![
                "Runs every Monday at 09:30. Runs every Friday at 17:00. Where several of these fall together it runs once. Times are those of Europe/Dublin. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time."
            ],
        );
    }

    #[test]
    fn an_interval_says_from_where_it_counts() {
        check(
            "every 30 minutes from 9:00 to 17:00 on weekdays except 2026-12-25",
            &expect![
                "Runs every 30 minutes from 09:00 to 17:00 on weekdays, except 2026-12-25. The interval counts from midnight on the local clock. Both ends of the window are included. Times are those of the job's time zone. When the clock jumps the interval follows real time: skipped times are not made up for, and a repeated hour has its occurrences in both passes."
            ],
        );
        check(
            "every 7 minutes",
            &expect![
                "Runs every 7 minutes. The interval does not divide the day, so it counts elapsed time from 1970-01-01 00:00 UTC. Times are those of the job's time zone. A change of the clock does not move the interval: it follows elapsed time."
            ],
        );
        check(
            "every 2 hours from 22:00 to 4:00",
            &expect![
                "Runs every 2 hours from 22:00 to 04:00. The interval counts from midnight on the local clock. Both ends of the window are included; what lies after midnight belongs to the day on which the window opened. Times are those of the job's time zone. When the clock jumps the interval follows real time: skipped times are not made up for, and a repeated hour has its occurrences in both passes."
            ],
        );
    }

    #[test]
    fn cron_text_says_its_fields_and_how_the_days_join() {
        check(
            "30 18 * * 3,5",
            &expect![
                "Runs at 18:30, every Wednesday and Friday. Times are those of the job's time zone. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time."
            ],
        );
        check(
            "*/15 9-17 1 * 1",
            &expect![
                "Runs in minutes 0, 15, 30 and 45 of hours 9, 10, 11, 12, 13, 14, 15, 16 and 17, every 1st and Monday. Either the day of the month or the weekday will do. Times are those of the job's time zone. When the clock jumps the interval follows real time: skipped times are not made up for, and a repeated hour has its occurrences in both passes."
            ],
        );
        check(
            "0 0 */2 6 1",
            &expect![
                "Runs at 00:00, every 1st, 3rd, 5th, 7th, 9th, 11th, 13th, 15th, 17th, 19th, 21st, 23rd, 25th, 27th, 29th and 31st that is also a Monday in June. Months without a day 31 do not have that occurrence. Times are those of the job's time zone. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time."
            ],
        );
    }

    #[test]
    fn what_is_left_out_is_said() {
        check(
            "every 31st at 08:00",
            &expect![
                "Runs every 31st at 08:00. Months without a day 31 do not have that occurrence. Times are those of the job's time zone. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time."
            ],
        );
        check(
            "every 3 days at 08:00",
            &expect![
                "Runs every 3 days at 08:00. The days are counted from 1970-01-01. Times are those of the job's time zone. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time."
            ],
        );
        check("never", &expect!["Never runs by itself."]);
    }
}
