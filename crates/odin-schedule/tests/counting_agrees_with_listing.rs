//! A count is the length of the list, for unions of everything, over changes of the clock.

#![allow(clippy::unwrap_used)]

use jiff::{SignedDuration, Timestamp};
use odin_schedule::{DstPolicy, GapPolicy, RepeatPolicy, find_zone, parse};
use proptest::prelude::*;

const CLAUSES: &[&str] = &[
    "every 30 seconds",
    "every minute",
    "every 7 minutes",
    "every 11 minutes from 22:00 to 03:00",
    "every 13 minutes on weekdays starting 2026-03-28 at 12:34:56",
    "every 50 hours",
    "every 15 minutes from 21:30 to 04:15 on Fridays and Saturdays",
    "every 20 seconds from 01:00 to 03:00",
    "every hour at :17",
    "every day at 00:00, 01:30, 02:15, 02:30 and 02:45",
    "every 1st and last day of the month at 02:00",
    "every 2nd Sunday at 02:30",
    "every 3 days at 02:30",
    "once on 2026-03-29 and 2026-10-25 at 01:30",
    "cron \"*/5 1-3 * * *\"",
    "cron \"30 2 13 * 0\"",
    "cron \"*/17 * * * *\"",
    "every day at 01:30 except 2026-10-25 and 2026-03-08",
    "every 10 minutes until 2026-10-25 at 01:20",
    "every hour around :17",
    "every day around 01:30 within 3 hours",
    "every business day at 02:30",
    "every 15th or next business day at 02:30",
    "every 2 weeks on Sunday at 01:30 and Monday at 00:00",
    "every day at 23:59:59 starting 2026-03-08 until 2026-11-02",
];

/// Changes of the clock and a plain day, with their zones.
const PLACES: &[(&str, &str)] = &[
    ("Europe/Dublin", "2026-03-29T01:00:00Z"),
    ("Europe/Dublin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-03-08T07:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
    ("Africa/Cairo", "2026-04-23T22:00:00Z"),
    ("Africa/Cairo", "2026-10-29T21:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("UTC", "2026-06-30T12:00:00Z"),
];

fn policy() -> impl Strategy<Value = DstPolicy> {
    let gap = prop::sample::select(vec![GapPolicy::Shift, GapPolicy::Skip, GapPolicy::Before]);
    let repeat = prop::sample::select(vec![
        RepeatPolicy::First,
        RepeatPolicy::Last,
        RepeatPolicy::Both,
    ]);
    (gap, repeat).prop_map(|(gap, repeat)| DstPolicy { gap, repeat })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(150)
    })]

    #[test]
    fn a_union_counts_each_instant_once(
        clauses in prop::sample::subsequence(CLAUSES, 1..5),
        (zone, around) in prop::sample::select(PLACES),
        dst in policy(),
        before in 0_i64..200_000,
        after in 0_i64..200_000,
        seed in prop::option::of(0_u64..4),
    ) {
        // What limits the last clause limits all, which some of them do not take.
        let Ok(schedule) = parse(&clauses.join(" and ")) else { return Ok(()) };
        let mut zoned = schedule.in_zone(&find_zone(zone).unwrap()).with_dst(dst);
        if let Some(seed) = seed {
            zoned = zoned.with_spread(seed);
        }
        let around: Timestamp = around.parse().unwrap();
        let from = around - SignedDuration::from_secs(before);
        let to = around + SignedDuration::from_secs(after);
        let listed = zoned.occurrences(from, to).count();
        prop_assert_eq!(zoned.count(from, to), listed as u64, "{}", schedule);
    }
}

#[test]
fn counting_all_years_is_the_sum_of_its_parts() {
    let zone = find_zone("Europe/Dublin").unwrap();
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    for (text, end) in [
        (
            "every second and every day at 09:00",
            "9999-12-30T22:00:00Z",
        ),
        (
            "every 7 minutes and every 11 minutes from 09:00 to 17:00 on weekdays",
            "2060-01-01T00:00:00Z",
        ),
        (
            "every 2nd Tuesday at 10:00 and every February 29th at 02:30 and every 50 hours",
            "2300-01-01T00:00:00Z",
        ),
    ] {
        let zoned = parse(text).unwrap().in_zone(&zone);
        let count = |from, to| zoned.count(at(from), at(to));
        let whole = count("1900-01-01T00:00:00Z", end);
        let parts = count("1900-01-01T00:00:00Z", "1971-10-31T02:29:59Z")
            + count("1971-10-31T02:30:00Z", "2026-03-29T00:59:59Z")
            + count("2026-03-29T01:00:00Z", "2030-07-01T12:34:56Z")
            + count("2030-07-01T12:34:57Z", end);
        assert_eq!(whole, parts, "{text}");
        if text.starts_with("every second") {
            let seconds = at(end).as_second() - at("1900-01-01T00:00:00Z").as_second();
            assert_eq!(whole, seconds.unsigned_abs() + 1);
        }
    }
    let nothing = parse("never").unwrap().in_zone(&zone);
    assert_eq!(nothing.count(Timestamp::MIN, Timestamp::MAX), 0);
    let minutely = parse("every minute and every hour").unwrap().in_zone(&zone);
    assert_eq!(
        minutely.count(at("2026-01-02T00:00:00Z"), at("2026-01-01T00:00:00Z")),
        0
    );
}
