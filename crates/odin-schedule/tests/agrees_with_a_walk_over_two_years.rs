//! Holds the calculator against the plainest one there is, on random schedules: every part
//! of the language, alone and together, in zones whose clocks are known for trouble.
//!
//! This is the bounded run. `cargo run --release -p odin-schedule --example walk_two_years`
//! looks at two years of each zone, for as many schedules as wanted, and takes the seed that
//! a failure prints.

#[allow(dead_code, reason = "the reader of explanations is another test's")]
mod brute_force;

use brute_force::clock::Clock;
use brute_force::compare::{Effort, Tally, case};
use brute_force::draw::Draw;
use brute_force::{generate, text};

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
