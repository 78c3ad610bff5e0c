//! The long form of the test `agrees_with_a_walk_over_two_years`: every minute of two years in
//! each zone, for random schedules.
//!
//! `cargo run --release -p odin-schedule --example walk_two_years -- --cases 10000 --seed 1`
//!
//! A case has the seed `seed + number`; a failure prints it, and `--seed N --cases 1 --zone Z`
//! shows that case alone.
#![expect(clippy::print_stdout, reason = "a program for people")]

#[path = "../tests/brute_force/mod.rs"]
#[allow(dead_code, reason = "the reader of explanations is a test's")]
mod brute_force;

use std::process::ExitCode;

use brute_force::clock::Clock;
use brute_force::compare::{Effort, Tally, case};

/// Zones and the first of the two years.
const PLACES: &[(&str, &str)] = &[
    ("America/New_York", "2026-01-01"),
    ("America/New_York", "2099-06-01"),
    ("Europe/Dublin", "2023-06-01"),
    ("Europe/Dublin", "2027-06-01"),
    ("Australia/Lord_Howe", "2026-01-01"),
    ("America/Santiago", "2026-01-01"),
    ("Africa/Cairo", "2023-01-01"),
    ("Africa/Cairo", "2026-01-01"),
    ("Asia/Beirut", "2022-06-01"),
    ("Africa/Casablanca", "2026-01-01"),
    ("Africa/Casablanca", "2018-06-01"),
    ("Pacific/Apia", "2011-01-01"),
    ("America/Sao_Paulo", "2018-01-01"),
    ("Asia/Pyongyang", "2014-06-01"),
    ("Asia/Pyongyang", "2017-06-01"),
    ("Antarctica/Troll", "2026-01-01"),
    ("Asia/Kathmandu", "1985-01-01"),
    ("Asia/Tehran", "2021-06-01"),
    ("Europe/Istanbul", "2015-06-01"),
    ("Pacific/Kwajalein", "1993-01-01"),
    ("America/Caracas", "2015-06-01"),
    ("Asia/Gaza", "2026-01-01"),
    ("Pacific/Chatham", "2026-01-01"),
    ("America/Havana", "2026-01-01"),
    ("Europe/London", "1968-01-01"),
    ("UTC", "1900-01-01"),
    ("UTC", "1999-06-01"),
    ("UTC", "2103-01-01"),
];

const DAYS: i64 = 730;

struct Options {
    seed: u64,
    cases: u64,
    zone: Option<String>,
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(usage) => {
            println!("{usage}");
            return ExitCode::from(2);
        }
    };
    let places: Vec<_> = PLACES
        .iter()
        .filter(|place| options.zone.as_deref().is_none_or(|zone| zone == place.0))
        .collect();
    if places.is_empty() {
        println!("no such zone in the list; it has {PLACES:?}");
        return ExitCode::from(2);
    }
    let effort = Effort {
        listed_max: 150_000,
        seconds_percent: 0,
    };
    let with_seconds = Effort {
        seconds_percent: 100,
        ..effort
    };
    let mut failures = 0;
    let mut all = Tally::default();
    for place in &places {
        let clock = Clock::of(place.0, place.1, DAYS);
        let short = near_a_jump(&clock);
        let mut tally = Tally::default();
        for number in 0..options.cases.div_ceil(places.len() as u64) {
            let seed = options.seed + number;
            // Every second of twenty days about a jump, in one case of ten.
            let found = if number % 10 == 9 {
                case(seed, &short, with_seconds)
            } else {
                case(seed, &clock, effort)
            };
            match found {
                Ok(done) => tally.add(done),
                Err(difference) => {
                    failures += 1;
                    println!("{difference}\n  days from {}", place.1);
                }
            }
        }
        println!(
            "{} from {}: {} cases, {} instants, {} occurrences",
            place.0, place.1, tally.cases, tally.instants, tally.occurrences
        );
        all.add(tally);
    }
    println!(
        "seed {}: {} cases agree, {failures} differ; {} instants were looked at, {} occurrences found",
        options.seed, all.cases, all.instants, all.occurrences
    );
    ExitCode::from(u8::from(failures > 0))
}

/// Twenty days around the first jump, or the first twenty.
fn near_a_jump(clock: &Clock) -> Clock {
    let middle = clock.jumps().first().copied().unwrap_or(0);
    let index = clock.minutes.partition_point(|minute| minute.0 < middle);
    let from = index.saturating_sub(10 * 1440);
    let to = (from + 20 * 1440).min(clock.minutes.len());
    Clock {
        zone: clock.zone,
        minutes: clock.minutes[from..to].to_vec(),
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    const USAGE: &str = "usage: walk_two_years [--seed N] [--cases N] [--zone NAME]";
    let mut options = Options {
        seed: 1,
        cases: 1000,
        zone: None,
    };
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or(USAGE)?;
        match name.as_str() {
            "--seed" => options.seed = value.parse().map_err(|_| USAGE)?,
            "--cases" => options.cases = value.parse().map_err(|_| USAGE)?,
            "--zone" => options.zone = Some(value),
            _ => return Err(USAGE.to_owned()),
        }
    }
    Ok(options)
}
