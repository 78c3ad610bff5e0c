//! Parsing and `next`, common and worst cases, beside croner in the same run.

#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::str::FromStr;

use criterion::{Criterion, criterion_group, criterion_main};
use croner::Cron;
use jiff::Timestamp;
use odin_schedule::{CronDialect, find_zone, parse, to_cron, to_english};

fn parsing(c: &mut Criterion) {
    let mut group = c.benchmark_group("parse");
    for text in [
        "every weekday at 09:00",
        "every 1st at 12:00 and every 15th at 12:00 and every Friday at 17:00",
        "every 30 minutes from 09:00 to 17:00 on weekdays except 2026-12-25 in Europe/Dublin",
        "0 9 * * 1-5",
    ] {
        group.bench_function(text, |b| b.iter(|| parse(black_box(text)).unwrap()));
    }
    group.bench_function("croner: 0 9 * * 1-5", |b| {
        b.iter(|| Cron::from_str(black_box("0 9 * * 1-5")).unwrap());
    });
}

fn next(c: &mut Criterion) {
    let mut group = c.benchmark_group("next");
    let summer = "2026-07-01T10:20:30Z";
    let before_the_end_of_summer = "2026-10-24T22:30:00Z";
    for (text, zone, from) in [
        ("every weekday at 09:00", "UTC", summer),
        ("every weekday at 09:00", "Europe/Dublin", summer),
        (
            "every weekday at 09:00",
            "Europe/Dublin",
            before_the_end_of_summer,
        ),
        ("every 15 minutes", "Europe/Dublin", summer),
        ("every 7 minutes", "Europe/Dublin", summer),
        (
            "every 1st at 08:00 and every Friday at 17:00",
            "America/New_York",
            summer,
        ),
        ("0 9 * * 1-5", "Europe/Dublin", summer),
        // Worst cases: rare dates, a year without them, and never.
        (
            "every February 29th at 02:30",
            "America/New_York",
            "2096-03-01T00:00:00Z",
        ),
        ("0 0 29 2 */7", "America/Santiago", "2072-03-01T00:00:00Z"),
        ("0 0 31 2 *", "Europe/Dublin", summer),
        (
            "every 365 days at 09:00 except January, March, April and May",
            "Europe/Dublin",
            summer,
        ),
        (
            "every 7 days at 09:00 except Thursdays",
            "Europe/Dublin",
            summer,
        ),
        (
            "every 59 minutes from 09:00 to 09:59 on 31st",
            "Europe/Dublin",
            summer,
        ),
    ] {
        let zoned = parse(text).unwrap().in_zone(&find_zone(zone).unwrap());
        let from: Timestamp = from.parse().unwrap();
        group.bench_function(format!("{text} [{zone} {from}]"), |b| {
            b.iter(|| zoned.next_after(black_box(from)));
        });
    }
    for (text, zone, from) in [
        ("0 9 * * 1-5", "UTC", summer),
        ("0 9 * * 1-5", "Europe/Dublin", summer),
        ("*/15 * * * *", "Europe/Dublin", summer),
        ("30 2 29 2 *", "America/New_York", "2096-03-01T00:00:00Z"),
        ("0 0 31 2 *", "Europe/Dublin", summer),
    ] {
        let cron = Cron::from_str(text).unwrap();
        let from: Timestamp = from.parse().unwrap();
        let from = from.to_zoned(find_zone(zone).unwrap());
        group.bench_function(format!("croner: {text} [{zone}]"), |b| {
            b.iter(|| cron.find_next_occurrence(black_box(&from), false));
        });
    }
}

fn previous(c: &mut Criterion) {
    let mut group = c.benchmark_group("previous");
    let zone = find_zone("Europe/Dublin").unwrap();
    let from: Timestamp = "2026-07-01T10:20:30Z".parse().unwrap();
    for text in ["every weekday at 09:00", "every 15 minutes", "0 9 * * 1-5"] {
        let zoned = parse(text).unwrap().in_zone(&zone);
        group.bench_function(text, |b| {
            b.iter(|| zoned.previous_before(black_box(from)));
        });
    }
    let cron = Cron::from_str("0 9 * * 1-5").unwrap();
    let from = from.to_zoned(zone);
    group.bench_function("croner: 0 9 * * 1-5", |b| {
        b.iter(|| cron.find_previous_occurrence(black_box(&from), false));
    });
}

fn count(c: &mut Criterion) {
    let zone = find_zone("Europe/Dublin").unwrap();
    let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let to: Timestamp = "2036-01-01T00:00:00Z".parse().unwrap();
    for text in [
        "every second",
        "every weekday at 09:00",
        "every 15 minutes and every weekday at 09:05",
        "every 7 minutes and every 20 seconds from 09:00 to 17:00 on weekdays",
    ] {
        let zoned = parse(text).unwrap().in_zone(&zone);
        c.bench_function(&format!("count over ten years: {text}"), |b| {
            b.iter(|| zoned.count(black_box(from), black_box(to)));
        });
    }
}

fn conversion(c: &mut Criterion) {
    let mut group = c.benchmark_group("convert");
    let english = parse("every weekday at 09:00").unwrap();
    group.bench_function("to cron", |b| {
        b.iter(|| to_cron(black_box(&english), CronDialect::Vixie));
    });
    let cron = parse("0 9 * * 1-5").unwrap();
    group.bench_function("to English", |b| b.iter(|| to_english(black_box(&cron))));
}

criterion_group!(benches, parsing, next, previous, count, conversion);
criterion_main!(benches);
