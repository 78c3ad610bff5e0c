//! Looks for the slowest search and the slowest count among random schedules, zones and
//! instants, and prints the worst.
//!
//! `cargo run --release -p odin-schedule --example worst_case -- [SEED] [SECONDS]`

#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "this measures from outside and prints what it finds"
)]
#![allow(clippy::unwrap_used)]

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use odin_schedule::{ZonedSchedule, find_zone, parse};

const ZONES: &[&str] = &[
    "UTC",
    "America/New_York",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Pacific/Apia",
    "America/Sao_Paulo",
    "Asia/Pyongyang",
    "Antarctica/Troll",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "Europe/Istanbul",
];

/// A slow answer is asked again this often, and the quickest counts: what else the
/// machine does is not ours.
const AGAIN: usize = 25;

/// SplitMix64: the same seed, the same search.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

fn cron(random: &mut Random) -> String {
    let mut field = |first: usize, last: usize, more: &[&str]| {
        let size = last - first + 1;
        match random.below(7) {
            0 | 1 => "*".to_owned(),
            2 => format!("*/{}", 2 + random.below(size)),
            3 if !more.is_empty() => random.pick(more).to_owned(),
            4 => {
                let (a, b) = (random.below(size), random.below(size));
                format!("{}-{}", first + a.min(b), first + a.max(b))
            }
            _ => format!("{}", first + random.below(size)),
        }
    };
    let month_day = ["L", "LW", "31W", "29", "30", "31", "L-30", "29W"];
    let weekday = ["1#5", "0#5", "5L", "*/7", "1"];
    format!(
        "{} {} {} {} {}",
        field(0, 59, &[]),
        field(0, 23, &[]),
        field(1, 31, &month_day),
        field(1, 12, &["2", "2", "2,4,6,9,11"]),
        field(0, 6, &weekday)
    )
}

fn clause(random: &mut Random) -> String {
    let time = format!("{:02}:{:02}", random.below(24), random.below(60));
    match random.below(8) {
        0 | 1 => format!("cron \"{}\"", cron(random)),
        2 => format!(
            "every {} at {time}",
            random.pick(&[
                "day",
                "weekday",
                "weekend",
                "Monday",
                "1st",
                "31st",
                "last day of the month",
                "5th Friday",
                "February 29th",
                "quarter",
                "last Sunday",
                "29th in February",
            ])
        ),
        3 => format!("every {} days at {time}", 1 + random.below(3000)),
        4 => format!(
            "every {} {}",
            1 + random.below(500),
            random.pick(&["seconds", "minutes", "hours"])
        ),
        5 => format!(
            "every {} minutes from {time} to {:02}:59 on {}",
            1 + random.below(59),
            random.below(24),
            random.pick(&[
                "weekdays",
                "31st",
                "5th Monday",
                "February 29th",
                "last Friday"
            ])
        ),
        6 => format!(
            "every February 29th on {} at {time}",
            random.pick(&["Mondays", "Sundays"])
        ),
        _ => format!("once on {}-02-28 at {time}", 1900 + random.below(8000)),
    }
}

fn tail(random: &mut Random) -> String {
    match random.below(6) {
        0 => format!(
            " except {}",
            random.pick(&[
                "weekends",
                "January, March, May and July",
                "Mondays, Tuesdays, Wednesdays and Thursdays",
                "February 29th",
                "2028-02-29, 2032-02-29, 2036-02-29 and 2040-02-29",
            ])
        ),
        1 => format!(" starting {}-01-31", 1900 + random.below(8000)),
        2 => format!(" until {}-01-31", 1900 + random.below(8000)),
        _ => String::new(),
    }
}

fn schedule(random: &mut Random) -> String {
    let clauses: Vec<String> = (0..1 + random.below(3)).map(|_| clause(random)).collect();
    clauses.join(" and ") + &tail(random)
}

fn instant(random: &mut Random) -> Timestamp {
    let span = match random.below(3) {
        0 => (1900, 9999),
        1 => (1990, 2110),
        _ => (2020, 2040),
    };
    let year = |year: i64| (year - 1970) * 31_556_952;
    let seconds = random.next() % (year(span.1) - year(span.0)).unsigned_abs();
    Timestamp::from_second(year(span.0) + seconds.cast_signed()).unwrap()
}

/// The slowest so far of one kind of question.
#[derive(Default)]
struct Worst {
    asked: u64,
    total: Duration,
    slowest: Duration,
    what: String,
}

impl Worst {
    fn ask(&mut self, what: impl Fn() -> String, question: impl Fn()) {
        let time = || {
            let start = Instant::now();
            question();
            start.elapsed()
        };
        let first = time();
        self.asked += 1;
        self.total += first;
        if first > self.slowest {
            let slowest = (0..AGAIN).map(|_| time()).min().unwrap_or(first).min(first);
            if slowest > self.slowest {
                self.slowest = slowest;
                self.what = what();
            }
        }
    }

    fn print(&self, name: &str) {
        let mean = self.total.as_nanos() / u128::from(self.asked.max(1));
        println!(
            "{name}: {} asked, mean {mean} ns, worst {:?}\n    {}",
            self.asked, self.slowest, self.what
        );
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default| match arguments.next() {
        Some(text) => text.parse().unwrap(),
        None => default,
    };
    let (seed, seconds) = (number(1), number(60));
    let mut random = Random(seed);
    let [mut parsing, mut next, mut previous, mut year, mut all] =
        std::array::from_fn(|_| Worst::default());
    let (mut schedules, mut refused) = (0_u64, 0_u64);
    let end = Instant::now() + Duration::from_secs(seconds);
    while Instant::now() < end {
        let text = schedule(&mut random);
        let zone = random.pick(ZONES);
        let Ok(parsed) = parse(&text) else {
            refused += 1;
            continue;
        };
        schedules += 1;
        parsing.ask(|| text.clone(), || drop(parse(&text)));
        let zoned: ZonedSchedule = parsed.in_zone(&find_zone(zone).unwrap());
        for _ in 0..20 {
            let at = instant(&mut random);
            let what = || format!("{text} [{zone}] at {at}");
            next.ask(what, || {
                std::hint::black_box(zoned.next_after(at));
            });
            previous.ask(what, || {
                std::hint::black_box(zoned.previous_before(at));
            });
        }
        let at = instant(&mut random);
        let later = at
            .checked_add(SignedDuration::from_hours(24 * 365))
            .unwrap_or(Timestamp::MAX);
        year.ask(
            || format!("{text} [{zone}] from {at}"),
            || {
                std::hint::black_box(zoned.count(at, later));
            },
        );
        if schedules.is_multiple_of(200) {
            let first = "1900-01-01T00:00:00Z".parse().unwrap();
            all.ask(
                || format!("{text} [{zone}]"),
                || {
                    std::hint::black_box(zoned.count(first, Timestamp::MAX));
                },
            );
        }
    }
    println!("seed {seed}: {schedules} schedules, {refused} refused");
    parsing.print("parse");
    next.print("next");
    previous.print("previous");
    year.print("count of a year");
    all.print("count of 1900 to 9999");
}
