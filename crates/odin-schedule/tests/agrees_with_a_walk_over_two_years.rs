//! Holds the calculator against the plainest one there is, on random schedules: every part
//! of the language, alone and together, in zones whose clocks are known for trouble.
//!
//! This is the bounded run. `cargo run --release -p odin-schedule --example walk_two_years`
//! looks at two years of each zone, for as many schedules as wanted, and takes the seed that
//! a failure prints.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the reader of explanations is another test's")]
mod brute_force;

use brute_force::clock::{Clock, Day};
use brute_force::compare::{Effort, Tally, case};
use brute_force::draw::Draw;
use brute_force::model::What;
use brute_force::{calendars, generate, text};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_schedule::parse_with;

/// Zones, a date some days before a jump of the clock, and how many days are looked at.
const STRETCHES: &[(&str, &str, i64)] = &[
    ("America/New_York", "2026-02-20", 40),
    ("America/New_York", "2026-10-20", 30),
    ("Europe/Dublin", "2026-03-15", 30),
    ("Europe/Dublin", "2026-10-10", 30),
    ("Australia/Lord_Howe", "2026-03-25", 20),
    ("Australia/Lord_Howe", "2026-09-25", 20),
    ("America/Santiago", "2026-03-28", 20),
    ("America/Santiago", "2026-08-28", 20),
    ("Africa/Cairo", "2026-04-15", 20),
    ("Africa/Cairo", "2026-10-20", 20),
    ("Asia/Beirut", "2026-03-20", 20),
    ("Asia/Beirut", "2026-10-15", 20),
    ("Africa/Casablanca", "2026-02-08", 50),
    ("Pacific/Apia", "2011-12-20", 20),
    ("America/Sao_Paulo", "2018-10-28", 20),
    ("America/Sao_Paulo", "2019-02-08", 20),
    ("Asia/Pyongyang", "2015-08-05", 20),
    ("Asia/Pyongyang", "2018-04-25", 20),
    ("Antarctica/Troll", "2026-03-20", 20),
    ("Antarctica/Troll", "2026-10-15", 20),
    ("Asia/Kathmandu", "1985-12-20", 20),
    ("Asia/Tehran", "2022-03-12", 20),
    ("Asia/Tehran", "2022-09-12", 20),
    ("Europe/Istanbul", "2016-03-15", 30),
    ("Pacific/Kwajalein", "1993-08-12", 20),
    ("UTC", "2096-02-15", 30),
    ("UTC", "2100-02-15", 30),
];

const CASES_EACH: u64 = 10;

#[test]
fn random_schedules_are_due_when_a_walk_over_every_minute_says() {
    let effort = Effort {
        listed_max: 700,
        seconds_percent: 3,
    };
    let mut failures = Vec::new();
    let mut tally = Tally::default();
    for (row, &(zone, from, days)) in STRETCHES.iter().enumerate() {
        let clock = Clock::of(zone, from, days);
        for number in 0..CASES_EACH {
            let seed = row as u64 * 1_000_000 + number;
            match case(seed, &clock, effort) {
                Ok(done) => tally.add(done),
                Err(difference) => failures.push(difference),
            }
        }
    }
    let first: Vec<String> = failures.iter().take(5).cloned().collect();
    assert!(
        failures.is_empty(),
        "{} failures, such as\n{}",
        failures.len(),
        first.join("\n")
    );
    // A generator that drew schedules which are never due would prove nothing.
    assert_eq!(tally.cases, STRETCHES.len() as u64 * CASES_EACH);
    assert!(tally.occurrences > tally.cases * 20, "{tally:?}");
    assert!(tally.instants > 7_000_000, "{tally:?}");
}

/// The same for days alone, with one time each: far more of what months and years hold.
#[test]
fn days_of_random_schedules_are_those_of_a_walk_over_every_day() {
    let mut failures = Vec::new();
    let mut due_days = 0;
    // 2026-01-01, and 2099-06-01: 2100 is no leap year.
    for first in [20_454, 47_268] {
        let days: Vec<Day> = (first..first + 1000).map(Day::at).collect();
        let last = first + 999;
        let calendars = calendars::around(first, last);
        let minutes = days
            .iter()
            .map(|day| (day.number * 1440, day.number * 1440))
            .collect();
        let clock = Clock {
            zone: "UTC",
            minutes,
        };
        for seed in 0..800 {
            let mut draw = Draw::new(seed);
            let mut model = generate::model(&mut draw, &clock, false);
            model.clauses.retain_mut(|clause| match &mut clause.what {
                What::Fixed { times, .. }
                | What::Period { times, .. }
                | What::EachNthDay { times, .. }
                | What::Once { times, .. } => {
                    *times = vec![NINE];
                    true
                }
                What::Interval(_) | What::Cron(_) => false,
            });
            if model.clauses.is_empty() {
                continue;
            }
            let text = text::text(&model, &mut draw);
            let is_due = |day: &&Day| {
                let at = day.number * 86_400 + NINE;
                let clauses = model.clauses.iter().enumerate();
                clauses.into_iter().any(|(index, clause)| {
                    let tail = model.tail_of(index);
                    clause.holds_day(tail, day) && clause.holds(tail, (at, at, 0), |_| true)
                })
            };
            let expected: Vec<i64> = days.iter().filter(is_due).map(|day| day.number).collect();
            due_days += expected.len();
            let schedule =
                parse_with(&text, &calendars).unwrap_or_else(|error| panic!("{text}: {error}"));
            let at = |day: i64| Timestamp::from_second(day * 86_400).unwrap();
            let zoned = schedule.in_zone(&TimeZone::UTC);
            let due = zoned.occurrences(at(first), at(last + 1));
            let found: Vec<i64> = due.map(|due| due.as_second().div_euclid(86_400)).collect();
            if found != expected {
                let odd = |a: &[i64], b: &[i64]| -> Vec<String> {
                    let rest = a.iter().filter(|day| !b.contains(day));
                    rest.take(3)
                        .map(|&day| Day::date(day).to_string())
                        .collect()
                };
                failures.push(format!(
                    "seed {seed} from day {first}: {text}\n  walked only {:?}, listed only {:?}",
                    odd(&expected, &found),
                    odd(&found, &expected)
                ));
            }
        }
    }
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures.join("\n")
    );
    assert!(due_days > 40_000, "{due_days} days are due");
}

/// Nine o'clock, in seconds.
const NINE: i64 = 9 * 3600;

#[test]
fn random_schedules_have_every_part_of_the_language() {
    let clock = Clock::of("America/New_York", "2026-02-20", 40);
    let texts: Vec<String> = (0..1500)
        .map(|seed| {
            let mut draw = Draw::new(seed);
            let model = generate::model(&mut draw, &clock, seed % 5 == 0);
            text::text(&model, &mut draw)
        })
        .collect();
    for part in [
        "every day",
        "weekday",
        "Mon-Fri",
        "weekend",
        "Mondays",
        "1st",
        "of the month",
        "31st",
        "last day of",
        "last Friday",
        "2nd Tuesday",
        "February 29th",
        "quarter",
        "business day",
        "last business day",
        "23rd business day",
        "or next business day",
        "rolled back",
        "or nearest business day",
        "in calendar trading-days",
        "except holidays",
        "every other",
        "3 weeks",
        "months on",
        "quarters at",
        "years",
        "every 7 minutes",
        "every 2 hours at :",
        "from",
        "between",
        "until",
        "starting",
        "except",
        "once on",
        "once at",
        "every 3 days at",
        "noon",
        "midnight",
        "am",
        " pm",
        "cron \"",
        ",L-3",
        "15W",
        ",LW",
        "#2",
        "5L",
        "*/",
        ";",
        " and ",
    ] {
        let count = texts.iter().filter(|text| text.contains(part)).count();
        assert!(count > 0, "no schedule of {} says `{part}`", texts.len());
    }
}
