//! Holds the calculator against the plainest one there is: it walks minute by minute
//! through the days around changes of the clock, in zones that are known for trouble,
//! and asks of each minute whether it is due.

#![allow(clippy::unwrap_used)]

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use odin_schedule::{DstPolicy, GapPolicy, RepeatPolicy, find_zone, parse};
use proptest::prelude::*;

/// A schedule that knows its own meaning, apart from the crate under test.
#[derive(Debug, Clone)]
struct Model {
    days: DayModel,
    times: TimeModel,
    except_weekends: bool,
}

#[derive(Debug, Clone)]
enum DayModel {
    EveryDay,
    /// Bit 0 is Monday.
    Weekdays(u8),
    /// Ascending.
    MonthDays(Vec<i8>),
    Nth(i8, i8),
    LastDay,
    Date(i8, i8),
}

#[derive(Debug, Clone)]
enum TimeModel {
    /// Minutes of the day, ascending.
    At(Vec<i64>),
    /// Every so many minutes, in a window of minutes of the day.
    Every(i64, Option<(i64, i64)>),
    /// Cron's minute and hour fields; 0 is `*`, a negative number is a step.
    Cron(i64, i64),
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

fn clock(minute: i64) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn ordinal(day: i8) -> String {
    let suffix = match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    };
    format!("{day}{suffix}")
}

impl DayModel {
    fn text(&self) -> String {
        match self {
            DayModel::EveryDay => "day".to_owned(),
            DayModel::Weekdays(set) => {
                let names = (0..7)
                    .filter(|bit| set & (1 << bit) != 0)
                    .map(|bit| WEEKDAYS[bit]);
                names.collect::<Vec<_>>().join(" and ")
            }
            DayModel::MonthDays(days) => days
                .iter()
                .map(|&day| ordinal(day))
                .collect::<Vec<_>>()
                .join(", "),
            DayModel::Nth(6, weekday) => format!("last {}", WEEKDAYS[*weekday as usize]),
            DayModel::Nth(nth, weekday) => {
                format!("{} {}", ordinal(*nth), WEEKDAYS[*weekday as usize])
            }
            DayModel::LastDay => "last day of the month".to_owned(),
            DayModel::Date(month, day) => {
                format!("{} {}", MONTHS[*month as usize - 1], ordinal(*day))
            }
        }
    }

    fn holds(&self, date: Date) -> bool {
        let weekday = date.weekday().to_monday_zero_offset();
        match self {
            DayModel::EveryDay => true,
            DayModel::Weekdays(set) => set & (1 << weekday) != 0,
            DayModel::MonthDays(days) => days.contains(&date.day()),
            DayModel::Nth(6, wanted) => weekday == *wanted && date.day() + 7 > date.days_in_month(),
            DayModel::Nth(nth, wanted) => weekday == *wanted && (date.day() - 1) / 7 + 1 == *nth,
            DayModel::LastDay => date.day() == date.days_in_month(),
            DayModel::Date(month, day) => (date.month(), date.day()) == (*month, *day),
        }
    }
}

impl Model {
    fn text(&self) -> String {
        let except = if self.except_weekends {
            " except weekends"
        } else {
            ""
        };
        let days = self.days.text();
        match &self.times {
            TimeModel::At(times) => {
                let times = times.iter().map(|&time| clock(time)).collect::<Vec<_>>();
                format!("every {days} at {}{except}", times.join(", "))
            }
            TimeModel::Every(step, window) => {
                let window = window.map_or(String::new(), |(from, to)| {
                    format!(" from {} to {}", clock(from), clock(to))
                });
                let on = match self.days {
                    DayModel::EveryDay => String::new(),
                    _ => format!(" on {days}"),
                };
                format!("every {step} minutes{window}{on}{except}")
            }
            TimeModel::Cron(minute, hour) => {
                let field = |value: i64| match value {
                    60.. => "*".to_owned(),
                    ..0 => format!("*/{}", -value),
                    value => value.to_string(),
                };
                let (minute, hour) = (field(*minute), field(*hour));
                format!("cron \"{minute} {hour} * * *\"{except}")
            }
        }
    }

    fn is_fixed(&self) -> bool {
        match self.times {
            TimeModel::At(_) => true,
            TimeModel::Every(..) => false,
            TimeModel::Cron(minute, hour) => (0..60).contains(&minute) && (0..60).contains(&hour),
        }
    }

    /// Whether a local minute, counted from 1970, is due; `unix` is the real one.
    fn holds(&self, local: i64, unix: i64) -> bool {
        let minute = local.rem_euclid(1440);
        let mut day = local.div_euclid(1440);
        let due = match &self.times {
            TimeModel::At(times) => times.contains(&minute),
            TimeModel::Every(step, window) => {
                let on_grid = if 1440 % step == 0 {
                    minute % step
                } else {
                    unix % step
                } == 0;
                on_grid
                    && window.is_none_or(|(from, to)| {
                        if from > to && minute <= to {
                            day -= 1;
                            return true;
                        }
                        minute >= from && (from > to || minute <= to)
                    })
            }
            TimeModel::Cron(of_hour, hour) => {
                let holds = |field: i64, value: i64| match field {
                    60.. => true,
                    ..0 => value % -field == 0,
                    field => value == field,
                };
                holds(*of_hour, minute % 60) && holds(*hour, minute / 60)
            }
        };
        if !due {
            return false;
        }
        let date = jiff::civil::date(1970, 1, 1) + SignedDuration::from_hours(day * 24);
        let is_weekend = date.weekday().to_monday_zero_offset() >= 5;
        let days_hold = match self.times {
            TimeModel::Cron(..) => true,
            TimeModel::At(_) | TimeModel::Every(..) => self.days.holds(date),
        };
        days_hold && !(self.except_weekends && is_weekend)
    }
}

fn models() -> impl Strategy<Value = Model> {
    let days = prop_oneof![
        3 => Just(DayModel::EveryDay),
        2 => (1_u8..127).prop_map(DayModel::Weekdays),
        2 => prop::collection::btree_set(1_i8..=31, 1..4)
            .prop_map(|days| DayModel::MonthDays(days.into_iter().collect())),
        1 => (1_i8..=6, 0_i8..7).prop_map(|(nth, weekday)| DayModel::Nth(nth, weekday)),
        1 => Just(DayModel::LastDay),
        1 => (1_i8..=12, 1_i8..=28).prop_map(|(month, day)| DayModel::Date(month, day)),
    ];
    // Most changes of the clock happen in the first hours of a day.
    let minute = || prop_oneof![3 => 0_i64..240, 1 => 0_i64..1440];
    let evens = prop::sample::select(vec![1_i64, 5, 15, 20, 30, 60, 90, 120, 180, 720]);
    let window = prop::option::of((minute(), minute())).prop_filter("long enough", |window| {
        window.is_none_or(|(from, to)| (to - from).rem_euclid(1440) >= 720)
    });
    let field = |last: i64| prop_oneof![Just(60_i64), -7_i64..-1, 0..last];
    let times = prop_oneof![
        3 => prop::collection::btree_set(minute(), 1..4)
            .prop_map(|times| TimeModel::At(times.into_iter().collect())),
        2 => (evens, window.clone()).prop_map(|(step, window)| TimeModel::Every(step, window)),
        1 => (7_i64..300, window).prop_map(|(step, window)| TimeModel::Every(step, window)),
        2 => (field(60), field(4)).prop_map(|(minute, hour)| TimeModel::Cron(minute, hour)),
    ];
    (days, times, prop::bool::weighted(0.2)).prop_map(|(days, times, except_weekends)| Model {
        days,
        times,
        except_weekends,
    })
}

fn policies() -> impl Strategy<Value = DstPolicy> {
    let gap = prop::sample::select(vec![GapPolicy::Shift, GapPolicy::Skip, GapPolicy::Before]);
    let repeat = prop::sample::select(vec![
        RepeatPolicy::First,
        RepeatPolicy::Last,
        RepeatPolicy::Both,
    ]);
    (gap, repeat).prop_map(|(gap, repeat)| DstPolicy { gap, repeat })
}

/// Zones and an instant near a change of their clock.
const PLACES: &[(&str, &str)] = &[
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Europe/Dublin", "2026-03-29T01:00:00Z"),
    ("Europe/Dublin", "2026-10-25T01:00:00Z"),
    ("Europe/London", "1968-10-26T23:00:00Z"),
    ("Europe/Berlin", "2027-03-28T01:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("America/Santiago", "2026-04-05T03:00:00Z"),
    ("America/Santiago", "2026-09-06T04:00:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),
    ("Asia/Beirut", "2026-03-28T22:00:00Z"),
    ("Asia/Beirut", "2026-10-24T21:00:00Z"),
    ("Africa/Casablanca", "2026-02-15T02:00:00Z"),
    ("Africa/Casablanca", "2026-03-22T02:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Pacific/Kwajalein", "1993-08-21T12:00:00Z"),
    ("Asia/Manila", "1978-03-21T16:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z"),
    ("America/Sao_Paulo", "2019-02-17T02:00:00Z"),
    ("Asia/Pyongyang", "2015-08-14T15:00:00Z"),
    ("Asia/Pyongyang", "2018-05-04T15:00:00Z"),
    ("Antarctica/Troll", "2026-03-29T01:00:00Z"),
    ("Antarctica/Troll", "2026-10-25T01:00:00Z"),
    ("Asia/Kathmandu", "1985-12-31T18:30:00Z"),
    ("Asia/Tehran", "2022-03-21T20:30:00Z"),
    ("Asia/Tehran", "2022-09-21T19:30:00Z"),
    ("Europe/Istanbul", "2016-03-27T01:00:00Z"),
    ("America/Caracas", "2016-05-01T07:00:00Z"),
    ("America/St_Johns", "1988-04-03T03:31:00Z"),
    ("America/Havana", "2026-03-08T05:00:00Z"),
    ("America/Havana", "2026-11-01T05:00:00Z"),
    ("Asia/Gaza", "2026-03-28T00:00:00Z"),
    ("Pacific/Chatham", "2026-09-26T14:00:00Z"),
    ("America/Scoresbysund", "2024-03-31T01:00:00Z"),
    ("Asia/Kolkata", "2026-06-01T00:00:00Z"),
    ("UTC", "2024-02-29T00:00:00Z"),
];

/// How far on each side of the change every minute is looked at.
const MINUTES_AROUND: i64 = 3 * 1440 / 2;

/// Due instants as Unix seconds, found by walking.
fn walk(model: &Model, dst: DstPolicy, minutes: &[(i64, i64)]) -> Vec<i64> {
    let mut due = Vec::new();
    let mut latest_local = i64::MIN;
    // What the local clock will still show after each minute.
    let mut earliest_later = vec![i64::MAX; minutes.len()];
    for index in (0..minutes.len() - 1).rev() {
        earliest_later[index] = earliest_later[index + 1].min(minutes[index + 1].1);
    }
    for (index, &(unix, local)) in minutes.iter().enumerate() {
        if model.is_fixed() && latest_local != i64::MIN {
            let previous = minutes[index - 1].1;
            if (previous + 1..local).any(|skipped| model.holds(skipped, unix)) {
                match dst.gap {
                    GapPolicy::Shift => due.push(unix * 60),
                    GapPolicy::Before => due.push(unix * 60 - 1),
                    GapPolicy::Skip => {}
                }
            }
        }
        let counts = !model.is_fixed()
            || match dst.repeat {
                RepeatPolicy::First => local > latest_local,
                RepeatPolicy::Last => local < earliest_later[index],
                RepeatPolicy::Both => true,
            };
        latest_local = latest_local.max(local);
        if counts && model.holds(local, unix) {
            due.push(unix * 60);
        }
    }
    due.sort_unstable();
    due.dedup();
    due
}

/// Every minute near a change: the real one and what the local clock shows.
fn minutes_around(zone: &TimeZone, middle: Timestamp) -> Vec<(i64, i64)> {
    let middle = middle.as_second().div_euclid(60);
    (middle - MINUTES_AROUND..=middle + MINUTES_AROUND)
        .map(|unix| {
            let offset = zone
                .to_offset(Timestamp::from_second(unix * 60).unwrap())
                .seconds();
            assert_eq!(offset % 60, 0, "the walk needs offsets of whole minutes");
            (unix, unix + i64::from(offset) / 60)
        })
        .collect()
}

#[track_caller]
fn check(model: &Model, dst: DstPolicy, place: (&str, &str), minutes: &[(i64, i64)]) {
    let text = model.text();
    let schedule = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(
        parse(&schedule.canonical()).as_ref(),
        Ok(&schedule),
        "normal form of {text}"
    );
    let zoned = schedule.in_zone(&find_zone(place.0).unwrap()).with_dst(dst);
    // The window's edges are left out: what a walk skips or repeats there it cannot know.
    let (from, to) = (minutes[1].0 * 60, minutes[minutes.len() - 2].0 * 60);
    let expected: Vec<i64> = walk(model, dst, minutes)
        .into_iter()
        .filter(|due| (from..=to).contains(due))
        .collect();
    let (from, to) = (
        Timestamp::from_second(from).unwrap(),
        Timestamp::from_second(to).unwrap(),
    );
    let found: Vec<i64> = zoned
        .occurrences(from, to)
        .map(Timestamp::as_second)
        .collect();
    let show = |due: &[i64]| {
        let due = due
            .iter()
            .map(|&due| Timestamp::from_second(due).unwrap().to_string());
        due.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(
        show(&found),
        show(&expected),
        "{text} with {dst:?} in {place:?}"
    );
    assert_eq!(
        zoned.count(from, to),
        expected.len() as u64,
        "count of {text} in {place:?}"
    );
    let mut backwards = Vec::new();
    let mut at = to + SignedDuration::from_secs(1);
    while let Some(due) = zoned.previous_before(at).filter(|&due| due >= from) {
        backwards.push(due.as_second());
        at = due;
    }
    backwards.reverse();
    assert_eq!(
        show(&backwards),
        show(&expected),
        "{text} backwards with {dst:?} in {place:?}"
    );
}

#[test]
fn occurrences_near_changes_of_the_clock_are_those_of_a_walk() {
    let places: Vec<_> = PLACES
        .iter()
        .map(|&(zone, middle)| {
            (
                zone,
                middle,
                minutes_around(&find_zone(zone).unwrap(), middle.parse().unwrap()),
            )
        })
        .collect();
    let config = ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(24)
    };
    for (zone, middle, minutes) in &places {
        let mut runner = proptest::test_runner::TestRunner::new(config.clone());
        runner
            .run(&(models(), policies()), |(model, dst)| {
                check(&model, dst, (zone, middle), minutes);
                Ok(())
            })
            .unwrap_or_else(|error| panic!("{error}"));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(60)
    })]

    #[test]
    fn days_over_forty_years_are_those_of_a_walk_over_every_day(
        model in models(),
        year in prop::sample::select(vec![1890_i16, 2000, 2080]),
    ) {
        let model = Model { times: TimeModel::At(vec![540]), ..model };
        let (from, to) = (jiff::civil::date(year, 1, 1), jiff::civil::date(year + 40, 1, 1));
        let mut expected = Vec::new();
        let mut date = from;
        while date < to {
            let weekend = date.weekday().to_monday_zero_offset() >= 5;
            if model.days.holds(date) && !(model.except_weekends && weekend) {
                expected.push(date);
            }
            date = date.tomorrow().unwrap();
        }
        let at = |date: Date| date.at(9, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp();
        let zoned = parse(&model.text()).unwrap().in_zone(&TimeZone::UTC);
        let found: Vec<Timestamp> = zoned.occurrences(at(from), at(to) - SignedDuration::from_secs(1)).collect();
        prop_assert_eq!(&found, &expected.iter().map(|&date| at(date)).collect::<Vec<_>>(), "{}", model.text());
        prop_assert_eq!(zoned.count(at(from), at(to) - SignedDuration::from_secs(1)), found.len() as u64);
    }
}
