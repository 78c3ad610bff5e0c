//! How often a number that is nothing out of the ordinary is called unusual, on series of the shapes that jobs report.
//! The figures are those of docs/guides/values.md.

use std::fmt::Write as _;
use std::time::Duration;

use expect_test::expect;
use odin_model::Alerting;
use odin_model::statistics::{Statistics, TypicalDuration};
use odin_scheduling::alerting::{Learned, bounds};
use odin_scheduling::unusual::{HISTORY_RUNS_MAX, HISTORY_RUNS_MIN, judge};

/// Runs of each series, and how many series of each shape.
const RUNS: usize = 500;
const SERIES: usize = 40;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    /// Between 0 and 1, and neither of them.
    fn unit(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let bits = u32::try_from(self.0 >> 33).expect("31 bits are left");
        (f64::from(bits) + 0.5) / f64::from(1u32 << 31)
    }

    /// With a mean of 0 and a deviation of 1, after Box and Muller.
    fn normal(&mut self) -> f64 {
        let (one, other) = (self.unit(), self.unit());
        (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * other).cos()
    }

    /// How many of so many things happen that are this likely.
    fn count(&mut self, of: u32, likely: f64) -> f64 {
        (0..of)
            .map(|_| f64::from(u8::from(self.unit() < likely)))
            .sum()
    }
}

type Shape = (&'static str, fn(&mut Dice, usize) -> f64);

const SHAPES: [Shape; 12] = [
    ("normal, 100 give or take 1", |dice, _| {
        100.0 + dice.normal()
    }),
    ("normal, 100 give or take 10", |dice, _| {
        100.0 + 10.0 * dice.normal()
    }),
    ("constant", |_, _| 200.0),
    ("normal around 0", |dice, _| dice.normal()),
    ("lognormal, deviation 0.3", |dice, _| {
        (0.3 * dice.normal()).exp()
    }),
    ("lognormal, deviation 1", |dice, _| dice.normal().exp()),
    ("waiting times (exponential)", |dice, _| -dice.unit().ln()),
    ("counts around 3 (Poisson)", |dice, _| dice.count(100, 0.03)),
    ("mostly 0, at times 1", |dice, _| dice.count(1, 0.05)),
    ("1000 on weekdays, 100 at weekends", |dice, run| {
        match run % 7 {
            5 | 6 => 100.0 + 10.0 * dice.normal(),
            _ => 1000.0 + 50.0 * dice.normal(),
        }
    }),
    ("growing by 1 % a run", |dice, run| {
        let runs = i32::try_from(run).expect("some hundred runs");
        100.0 * 1.01f64.powi(runs) * (1.0 + 0.05 * dice.normal())
    }),
    ("ten times as much once a month", |dice, run| {
        let usual = 1000.0 + 50.0 * dice.normal();
        match run % 30 {
            29 => usual * 10.0,
            _ => usual,
        }
    }),
];

/// How many of so many numbers were flagged, while the history fills and after.
fn flagged(shape: fn(&mut Dice, usize) -> f64) -> [(usize, usize); 2] {
    let mut counts = [(0, 0); 2];
    let mut dice = Dice(20_261_122);
    for series in 0..SERIES {
        let mut history: Vec<String> = Vec::new();
        for run in 0..RUNS {
            let number = format!("{:?}", shape(&mut dice, run + series));
            if history.len() >= HISTORY_RUNS_MIN {
                let of = &mut counts[usize::from(history.len() == HISTORY_RUNS_MAX)];
                of.0 += usize::from(judge(&number, &history).is_some());
                of.1 += 1;
            }
            if history.len() == HISTORY_RUNS_MAX {
                history.remove(0);
            }
            history.push(number);
        }
    }
    counts
}

#[test]
fn few_usual_numbers_are_flagged() {
    let mut table = String::new();
    for (name, shape) in SHAPES {
        let [early, late] = flagged(shape);
        let _ = writeln!(
            table,
            "{name}: {} of {} while 20 to 99 runs are known, {} of {} after",
            early.0, early.1, late.0, late.1
        );
    }
    expect![[r#"
        normal, 100 give or take 1: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        normal, 100 give or take 10: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        constant: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        normal around 0: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        lognormal, deviation 0.3: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        lognormal, deviation 1: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        waiting times (exponential): 1 of 3200 while 20 to 99 runs are known, 5 of 16000 after
        counts around 3 (Poisson): 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        mostly 0, at times 1: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        1000 on weekdays, 100 at weekends: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        growing by 1 % a run: 0 of 3200 while 20 to 99 runs are known, 0 of 16000 after
        ten times as much once a month: 100 of 3200 while 20 to 99 runs are known, 0 of 16000 after
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_number_ten_times_too_large_or_gone_is_flagged_where_numbers_are_not_skewed() {
    for (name, shape) in &SHAPES[..3] {
        let mut dice = Dice(7);
        let history: Vec<String> = (0..HISTORY_RUNS_MAX)
            .map(|run| format!("{:?}", shape(&mut dice, run)))
            .collect();
        let usual = shape(&mut dice, 0);
        for number in [usual * 10.0, 0.0, -usual] {
            let judged = judge(&format!("{number:?}"), &history);
            assert!(judged.is_some(), "{name}: {number}");
        }
    }
}

/// How many of so many runs would be too fast and too slow, where a run takes so many minutes times what the shape says.
fn of_odd_length(shape: fn(&mut Dice, usize) -> f64, minutes: f64) -> (usize, usize, usize) {
    let mut counts = (0, 0, 0);
    let mut dice = Dice(20_261_122);
    for series in 0..SERIES {
        let mut earlier = Statistics::default();
        for run in 0..RUNS {
            let took = Duration::from_secs_f64(shape(&mut dice, run + series) * minutes * 60.0);
            let learned = TypicalDuration::of(&earlier).map(|it| Learned {
                short: Duration::from_micros(it.short),
                p50: Duration::from_micros(it.p50),
                p95: Duration::from_micros(it.p95),
                count: it.count,
            });
            let bounds = bounds(&Alerting::default(), learned);
            counts.0 += usize::from(bounds.min.is_some_and(|min| took < min));
            counts.1 += usize::from(bounds.max.is_some_and(|max| took > max));
            counts.2 += usize::from(bounds.max.is_some());
            let micros = u64::try_from(took.as_micros()).expect("some minutes");
            earlier.durations.add(micros);
        }
    }
    counts
}

#[test]
fn few_runs_of_usual_length_are_flagged() {
    let shapes: [Shape; 10] = [
        ("always the same", |_, _| 1.0),
        ("normal, give or take a tenth", |dice, _| {
            1.0 + 0.1 * dice.normal()
        }),
        ("lognormal, deviation 0.3", SHAPES[4].1),
        ("lognormal, deviation 1", SHAPES[5].1),
        ("waiting times (exponential)", SHAPES[6].1),
        ("a tenth as long at weekends", |dice, run| {
            SHAPES[9].1(dice, run) / 1000.0
        }),
        ("growing by 1 % a run", |dice, run| {
            SHAPES[10].1(dice, run) / 100.0
        }),
        ("ten times as long once a month", |dice, run| {
            SHAPES[11].1(dice, run) / 1000.0
        }),
        ("nothing to do one time in ten", |dice, _| {
            match dice.count(1, 0.1) > 0.0 {
                true => 0.001,
                false => 1.0 + 0.1 * dice.normal(),
            }
        }),
        ("nothing to do one time in fifty", |dice, _| {
            match dice.count(1, 0.02) > 0.0 {
                true => 0.001,
                false => 1.0 + 0.1 * dice.normal(),
            }
        }),
    ];
    let mut table = String::new();
    for (name, shape) in shapes {
        let (fast, slow, of) = of_odd_length(shape, 10.0);
        let _ = writeln!(table, "{name}: {fast} too fast and {slow} too slow of {of}");
    }
    expect![[r#"
        always the same: 0 too fast and 0 too slow of 19200
        normal, give or take a tenth: 0 too fast and 0 too slow of 19200
        lognormal, deviation 0.3: 0 too fast and 0 too slow of 19200
        lognormal, deviation 1: 0 too fast and 61 too slow of 19200
        waiting times (exponential): 0 too fast and 3 too slow of 19200
        a tenth as long at weekends: 0 too fast and 0 too slow of 19200
        growing by 1 % a run: 0 too fast and 0 too slow of 19200
        ten times as long once a month: 0 too fast and 640 too slow of 19200
        nothing to do one time in ten: 77 too fast and 0 too slow of 19200
        nothing to do one time in fifty: 405 too fast and 0 too slow of 19200
    "#]]
    .assert_eq(&table);
}
