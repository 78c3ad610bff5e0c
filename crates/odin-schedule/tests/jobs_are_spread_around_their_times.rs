//! `around`: each job at a time of its own near the one that is written.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_schedule::parse;

#[track_caller]
fn check(text: &str, canonical: &str, within_seconds: i64) {
    let schedule =
        parse(text).unwrap_or_else(|error| panic!("{text}: {error} at {:?}", error.span));
    assert_eq!(schedule.canonical(), canonical, "normal form of {text}");
    assert_eq!(parse(canonical).unwrap(), schedule, "{text}");
    assert!(
        schedule.explain().contains("an offset of its own"),
        "{text}"
    );

    let plain = schedule.in_zone(&TimeZone::UTC);
    let from: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let to: Timestamp = "2026-12-04T00:00:00Z".parse().unwrap();
    let base: Vec<i64> = plain
        .occurrences(from, to)
        .map(Timestamp::as_second)
        .collect();
    let mut offsets = Vec::new();
    for seed in 0..200 {
        let job = schedule.in_zone(&TimeZone::UTC).with_spread(seed);
        let first = job.next_after(Timestamp::from_second(base[1] - within_seconds - 1).unwrap());
        let offset = first.unwrap().as_second() - base[1];
        assert!(offset.abs() <= within_seconds, "{text}: {offset}");
        let moved = |&second: &i64| Timestamp::from_second(second + offset).unwrap();
        let expected: Vec<Timestamp> = base.iter().map(moved).collect();
        let (first, last) = (expected[0], expected[expected.len() - 1]);
        assert_eq!(
            job.occurrences(first, last).collect::<Vec<_>>(),
            expected,
            "{text}"
        );
        assert_eq!(job.count(first, last), base.len() as u64, "{text}");
        assert_eq!(
            job.previous_before(expected[1]),
            Some(expected[0]),
            "{text}"
        );
        offsets.push(offset);
    }
    // Two hundred jobs reach most of the way to both sides.
    let reach = within_seconds * 9 / 10;
    let (least, most) = (offsets.iter().min().unwrap(), offsets.iter().max().unwrap());
    assert!(
        *least <= -reach && *most >= reach,
        "{text}: {least} to {most}"
    );
}

#[test]
fn each_job_keeps_its_own_offset() {
    check("every hour around :17", "every hour around :17", 300);
    check(
        "every hour around :17 (spread)",
        "every hour around :17",
        300,
    );
    check("every hour (spread)", "every hour around :00", 300);
    check(
        "every 6 hours around :30 within 2 hours",
        "every 6 hours around :30 within 2 hours",
        7200,
    );
    check("every day around 09:00", "every day around 09:00", 300);
    check(
        "every day at 9am and 5pm (spread) within 10 minutes",
        "every day around 09:00 and 17:00 within 10 minutes",
        600,
    );
    check(
        "every day around noon within 12 hours",
        "every day around 12:00 within 12 hours",
        43_200,
    );
    check(
        "every day around 9:00 and 9:04",
        "every day around 09:00 and 09:04",
        120,
    );
    check(
        "every 15 minutes (spread)",
        "every 15 minutes (spread)",
        300,
    );
    check("every minute (spread)", "every minute (spread)", 30);
    check(
        "every 7 minutes (spread) within 90 seconds",
        "every 7 minutes (spread) within 90 seconds",
        90,
    );
    check(
        "cron \"0 9 * * *\" (spread)",
        "cron \"0 9 * * *\" (spread)",
        300,
    );
    check(
        "every 20 minutes from 9am to 5pm on weekdays (spread) within 10 minutes",
        "every 20 minutes from 09:00 to 17:00 on weekdays (spread) within 10 minutes",
        600,
    );
}

#[test]
fn offsets_are_the_same_in_every_release() {
    let daily = parse("every day around 09:00 within 1 hour").unwrap();
    let after: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
    let times: Vec<String> = [0, 1, 42, u64::MAX]
        .into_iter()
        .map(|seed| daily.in_zone(&TimeZone::UTC).with_spread(seed))
        .map(|job| job.next_after(after).unwrap().to_string())
        .collect();
    assert_eq!(
        times,
        [
            "2026-12-01T09:46:00Z",
            "2026-12-01T09:07:59Z",
            "2026-12-01T09:29:00Z",
            "2026-12-01T09:47:17Z"
        ]
    );
}

#[test]
fn an_offset_is_elapsed_time_and_bounds_are_those_of_the_base() {
    // 09:00 of a day that is left out is left out, wherever its offset leads.
    let text = "every day around 23:58 within 1 hour except 2026-12-02 until 2026-12-03";
    let schedule = parse(text).unwrap();
    let late = (0..).find(|&seed| {
        let job = schedule.in_zone(&TimeZone::UTC).with_spread(seed);
        let first = job
            .next_after("2026-12-01T12:00:00Z".parse().unwrap())
            .unwrap();
        first > "2026-12-02T00:30:00Z".parse().unwrap()
    });
    let job = schedule.in_zone(&TimeZone::UTC).with_spread(late.unwrap());
    let from = "2026-12-01T12:00:00Z".parse().unwrap();
    let days: Vec<String> = job
        .occurrences(from, "2027-01-01T00:00:00Z".parse().unwrap())
        .map(|at| at.to_string()[..10].to_owned())
        .collect();
    assert_eq!(days, ["2026-12-02", "2026-12-04"]);
}

#[test]
fn the_ends_of_time_are_kept() {
    for seed in 0..50 {
        let schedule = parse("every minute (spread)").unwrap();
        let job = schedule.in_zone(&TimeZone::UTC).with_spread(seed);
        let first = job.next_after(Timestamp::MIN).unwrap();
        let last = job.previous_before(Timestamp::MAX).unwrap();
        assert!(first > Timestamp::MIN && last < Timestamp::MAX);
        assert_eq!(job.next_after(last).filter(|&next| next <= last), None);
    }
}
