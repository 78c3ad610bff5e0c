//! Clock changes by hand: what a person expects of each kind of schedule, zone by zone.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use odin_schedule::{DstPolicy, GapPolicy, RepeatPolicy, find_zone, parse};

const DEFAULT: DstPolicy = DstPolicy {
    gap: GapPolicy::Shift,
    repeat: RepeatPolicy::First,
};

/// The occurrences from one local date to another, both whole, on the local clock
/// with the offset: `03-08 03:00-04`.
#[track_caller]
fn check(text: &str, zone: &str, dst: DstPolicy, from: &str, to: &str, expected: &[&str]) {
    let zone = find_zone(zone).unwrap();
    let zoned = parse(text).unwrap().in_zone(&zone).with_dst(dst);
    let from: Timestamp = from.parse().unwrap();
    let to: Timestamp = to.parse().unwrap();
    let found: Vec<String> = zoned
        .occurrences(from, to)
        .map(|due| {
            due.to_zoned(zone.clone())
                .strftime("%m-%d %H:%M:%S%:z")
                .to_string()
        })
        .map(|due| due.replace(":00+", "+").replace(":00-", "-"))
        .collect();
    assert_eq!(found, expected, "{text}");
    assert_eq!(zoned.count(from, to), expected.len() as u64);
}

#[test]
fn a_fixed_time_that_does_not_exist_runs_once_at_the_end_of_the_gap() {
    let new_york = "America/New_York";
    let (from, to) = ("2026-03-07T12:00:00Z", "2026-03-10T00:00:00Z");
    let daily = "every day at 02:30";
    check(
        daily,
        new_york,
        DEFAULT,
        from,
        to,
        &["03-08 03:00-04:00", "03-09 02:30-04:00"],
    );
    let skip = DstPolicy {
        gap: GapPolicy::Skip,
        ..DEFAULT
    };
    check(daily, new_york, skip, from, to, &["03-09 02:30-04:00"]);
    let before = DstPolicy {
        gap: GapPolicy::Before,
        ..DEFAULT
    };
    check(
        daily,
        new_york,
        before,
        from,
        to,
        &["03-08 01:59:59-05:00", "03-09 02:30-04:00"],
    );
    // Two in one gap, and one that is due at its end anyway, are one occurrence.
    check(
        "every day at 02:00, 02:45 and 03:00",
        new_york,
        DEFAULT,
        from,
        "2026-03-08T23:00:00Z",
        &["03-08 03:00-04:00"],
    );
    check(
        "0,30 2 * * *",
        new_york,
        DEFAULT,
        from,
        "2026-03-08T23:00:00Z",
        &["03-08 03:00-04:00"],
    );
}

#[test]
fn a_fixed_time_that_exists_twice_runs_the_first_time() {
    let (from, to) = ("2026-11-01T04:00:00Z", "2026-11-01T12:00:00Z");
    let daily = "every day at 01:30";
    let new_york = "America/New_York";
    check(daily, new_york, DEFAULT, from, to, &["11-01 01:30-04:00"]);
    let last = DstPolicy {
        repeat: RepeatPolicy::Last,
        ..DEFAULT
    };
    check(daily, new_york, last, from, to, &["11-01 01:30-05:00"]);
    let both = DstPolicy {
        repeat: RepeatPolicy::Both,
        ..DEFAULT
    };
    check(
        daily,
        new_york,
        both,
        from,
        to,
        &["11-01 01:30-04:00", "11-01 01:30-05:00"],
    );
    // A range of hours is fixed by Vixie's rule: it has no star.
    check(
        "0 1-2 * * *",
        new_york,
        DEFAULT,
        from,
        to,
        &["11-01 01:00-04:00", "11-01 02:00-05:00"],
    );
}

#[test]
fn intervals_follow_real_time() {
    let new_york = "America/New_York";
    check(
        "every 30 minutes",
        new_york,
        DEFAULT,
        "2026-11-01T05:00:00Z",
        "2026-11-01T07:00:00Z",
        &[
            "11-01 01:00-04:00",
            "11-01 01:30-04:00",
            "11-01 01:00-05:00",
            "11-01 01:30-05:00",
            "11-01 02:00-05:00",
        ],
    );
    check(
        "30 * * * *",
        new_york,
        DEFAULT,
        "2026-03-08T06:00:00Z",
        "2026-03-08T08:00:00Z",
        &["03-08 01:30-05:00", "03-08 03:30-04:00"],
    );
    check(
        "*/30 2 * * *",
        new_york,
        DEFAULT,
        "2026-03-08T06:00:00Z",
        "2026-03-09T06:00:00Z",
        &["03-09 02:00-04:00"],
    );
    check(
        "every 45 minutes from 01:00 to 03:00",
        "Europe/Dublin",
        DEFAULT,
        "2026-03-29T00:00:00Z",
        "2026-03-29T06:00:00Z",
        &["03-29 02:15+01:00", "03-29 03:00+01:00"],
    );
}

#[test]
fn zones_that_other_schedulers_stumble_over() {
    let midnight = "every day at 00:00";
    for (text, zone, from, to, expected) in [
        // Santiago: midnight does not exist on the day that summer time begins.
        (
            midnight,
            "America/Santiago",
            "2026-09-05T05:00:00Z",
            "2026-09-07T05:00:00Z",
            &["09-06 01:00-03:00", "09-07 00:00-03:00"][..],
        ),
        (
            midnight,
            "Asia/Beirut",
            "2026-03-28T12:00:00Z",
            "2026-03-30T00:00:00Z",
            &["03-29 01:00+03:00", "03-30 00:00+03:00"],
        ),
        // Lord Howe moves by half an hour.
        (
            "every day at 02:15",
            "Australia/Lord_Howe",
            "2026-10-03T12:00:00Z",
            "2026-10-04T12:00:00Z",
            &["10-04 02:30+11:00"],
        ),
        (
            "every day at 01:45",
            "Australia/Lord_Howe",
            "2026-04-04T12:00:00Z",
            "2026-04-05T12:00:00Z",
            &["04-05 01:45+11:00"],
        ),
        // Dublin: standard time is the summer's; winter has the negative saving.
        (
            "every day at 01:30",
            "Europe/Dublin",
            "2026-03-28T12:00:00Z",
            "2026-03-30T12:00:00Z",
            &["03-29 02:00+01:00", "03-30 01:30+01:00"],
        ),
        // Troll moves by two hours.
        (
            "every day at 01:30 and 02:30",
            "Antarctica/Troll",
            "2026-03-28T12:00:00Z",
            "2026-03-29T12:00:00Z",
            &["03-29 03:00+02:00"],
        ),
        // Apia has no 30 December 2011: its occurrences are one, as the 31st begins.
        (
            "every day at 09:00 and 12:00",
            "Pacific/Apia",
            "2011-12-29T12:00:00Z",
            "2011-12-31T00:00:00Z",
            &[
                "12-29 09:00-10:00",
                "12-29 12:00-10:00",
                "12-31 00:00+14:00",
                "12-31 09:00+14:00",
                "12-31 12:00+14:00",
            ],
        ),
        (
            "0 9 * * *",
            "Pacific/Apia",
            "2011-12-29T20:00:00Z",
            "2011-12-31T00:00:00Z",
            &["12-31 00:00+14:00", "12-31 09:00+14:00"],
        ),
        (
            "every 6 hours",
            "Pacific/Apia",
            "2011-12-30T00:00:00Z",
            "2011-12-30T16:00:00Z",
            &[
                "12-29 18:00-10:00",
                "12-31 00:00+14:00",
                "12-31 06:00+14:00",
            ],
        ),
    ] {
        check(text, zone, DEFAULT, from, to, expected);
    }
}

#[test]
fn a_whole_missing_day_can_be_skipped() {
    let skip = DstPolicy {
        gap: GapPolicy::Skip,
        ..DEFAULT
    };
    check(
        "every Friday at 09:00",
        "Pacific/Apia",
        skip,
        "2011-12-23T00:00:00Z",
        "2012-01-06T00:00:00Z",
        &["12-23 09:00-10:00", "01-06 09:00+14:00"],
    );
}

#[test]
fn the_end_of_a_gap_is_found_from_the_very_second_before_it() {
    let zone = find_zone("America/New_York").unwrap();
    let daily = parse("every day at 02:30").unwrap().in_zone(&zone);
    let at = |text: &str| -> Timestamp { text.parse().unwrap() };
    let end = at("2026-03-08T07:00:00Z");
    assert_eq!(daily.next_after(at("2026-03-08T06:59:59Z")), Some(end));
    assert_eq!(daily.next_after(at("2026-03-08T06:59:59.999Z")), Some(end));
    assert_eq!(daily.previous_before(at("2026-03-08T07:00:01Z")), Some(end));
    assert_eq!(daily.count(end, end), 1);
    assert_eq!(daily.occurrences(end, end).collect::<Vec<_>>(), [end]);
    // One that is due there by itself is not counted twice.
    let both = parse("every day at 02:30 and 03:00")
        .unwrap()
        .in_zone(&zone);
    assert_eq!(both.count(end, end), 1);
}

#[test]
fn a_search_from_any_second_about_a_change_finds_the_same_occurrences() {
    let second = jiff::SignedDuration::from_secs(1);
    for (zone, change) in [
        ("Europe/Dublin", "2026-03-29T01:00:00Z"),
        ("Europe/Dublin", "2026-10-25T01:00:00Z"),
        ("Australia/Lord_Howe", "2026-10-03T15:30:00Z"),
        ("Africa/Cairo", "2026-04-23T22:00:00Z"),
        ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ] {
        for text in ["every day at 00:30, 01:30 and 02:15", "every 10 minutes"] {
            for gap in [GapPolicy::Shift, GapPolicy::Skip, GapPolicy::Before] {
                for repeat in [RepeatPolicy::First, RepeatPolicy::Last, RepeatPolicy::Both] {
                    let zoned = parse(text)
                        .unwrap()
                        .in_zone(&find_zone(zone).unwrap())
                        .with_dst(DstPolicy { gap, repeat });
                    let change: Timestamp = change.parse().unwrap();
                    let end = change + second * 86_400;
                    let all: Vec<Timestamp> =
                        zoned.occurrences(change - second * 7200, end).collect();
                    for seconds in -5..=5 {
                        let from = change + second * seconds;
                        let rest: Vec<Timestamp> =
                            all.iter().copied().filter(|due| *due >= from).collect();
                        let found: Vec<Timestamp> = zoned.occurrences(from, end).collect();
                        assert_eq!(found, rest, "{text} in {zone} from {from}, {gap:?}");
                        assert_eq!(
                            zoned.count(from, end),
                            rest.len() as u64,
                            "{text} from {from}"
                        );
                        let before = all.iter().copied().rfind(|due| *due < from);
                        if before.is_some() {
                            assert_eq!(zoned.previous_before(from), before, "{text} at {from}");
                        }
                    }
                }
            }
        }
    }
}
