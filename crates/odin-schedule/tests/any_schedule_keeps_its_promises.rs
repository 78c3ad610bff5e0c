//! What holds for every schedule that can be written, whatever the zone and the instant:
//! order, neighbours, counts, unions, normal forms, grids, and an answer for all of time.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "the walk is another test's")]
mod brute_force;
#[allow(dead_code, reason = "the bytes of fuzzing are another test's")]
mod fuzzed;

use std::sync::OnceLock;

use brute_force::clock::Clock;
use brute_force::draw::Draw;
use brute_force::{calendars, generate, text};
use jiff::{SignedDuration, Timestamp};
use odin_schedule::{
    Calendars, DstPolicy, GapPolicy, RepeatPolicy, Schedule, ScheduleError, ZonedSchedule,
    find_zone, parse_with,
};
use proptest::prelude::*;

const ZONES: [&str; 10] = [
    "UTC",
    "Europe/Dublin",
    "America/New_York",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Santiago",
    "Antarctica/Troll",
    "Africa/Monrovia",
    "Asia/Pyongyang",
];

/// 2026-01-01, and two years of days.
const FIRST_DAY: i64 = 20_454;
const DAYS: i64 = 720;

/// A random text of the whole language, with dates in and around 2026.
fn texts() -> impl Strategy<Value = String> {
    (any::<u64>(), prop::bool::weighted(0.2))
        .prop_map(|(seed, with_seconds)| text_of(seed, with_seconds))
}

fn text_of(seed: u64, with_seconds: bool) -> String {
    // Only the dates of the clock matter to the generator: one minute a day is enough.
    let minutes = (0..DAYS)
        .map(|day| ((FIRST_DAY + day) * 1440, (FIRST_DAY + day) * 1440))
        .collect();
    let clock = Clock {
        zone: "UTC",
        minutes,
    };
    let mut draw = Draw::new(seed);
    let model = generate::model(&mut draw, &clock, with_seconds);
    text::text(&model, &mut draw)
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

fn zoned() -> impl Strategy<Value = (String, ZonedSchedule)> {
    (texts(), prop::sample::select(ZONES.to_vec()), policies()).prop_map(|(text, zone, dst)| {
        let schedule = read(&text);
        let zoned = schedule.in_zone(&find_zone(zone).unwrap()).with_dst(dst);
        (text, zoned)
    })
}

fn read(text: &str) -> Schedule {
    try_read(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn try_read(text: &str) -> Result<Schedule, ScheduleError> {
    static CALENDARS: OnceLock<Calendars> = OnceLock::new();
    let calendars = CALENDARS.get_or_init(|| calendars::around(FIRST_DAY, FIRST_DAY + DAYS));
    parse_with(text, calendars)
}

fn instants() -> impl Strategy<Value = Timestamp> {
    let within = |from: &str, to: &str| {
        let second = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        (second(from)..=second(to)).prop_map(|second| Timestamp::from_second(second).unwrap())
    };
    prop_oneof![
        6 => within("2025-12-01T00:00:00Z", "2028-02-01T00:00:00Z"),
        2 => within("1900-01-01T00:00:00Z", "2200-01-01T00:00:00Z"),
        1 => within("1900-01-01T00:00:00Z", "9999-12-30T00:00:00Z"),
    ]
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(cases)
    }
}

/// The first occurrences from an instant on, by asking for one after another.
fn some(zoned: &ZonedSchedule, from: Timestamp, count: usize) -> Vec<Timestamp> {
    let before = from - SignedDuration::from_nanos(1);
    std::iter::successors(zoned.next_after(before), |due| zoned.next_after(*due))
        .take(count)
        .collect()
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn neighbours_lists_and_counts_agree((text, zoned) in zoned(), at in instants()) {
        fuzzed::engine::neighbours_agree(&text, &zoned, at);
        fuzzed::engine::lists_and_counts_agree(&text, &zoned, at);
    }

    #[test]
    fn the_normal_form_is_its_own_and_has_the_same_occurrences((text, zoned) in zoned(), at in instants()) {
        let schedule = read(&text);
        prop_assert_eq!(&read(&schedule.canonical()), &schedule, "{}", text);
        prop_assert_eq!(read(&schedule.canonical()).canonical(), schedule.canonical());
        let again = read(&schedule.canonical())
            .in_zone(zoned.time_zone())
            .with_dst(DstPolicy::default());
        let zoned = zoned.with_dst(DstPolicy::default());
        prop_assert_eq!(some(&again, at, 20), some(&zoned, at, 20), "{}", text);
    }

    #[test]
    fn a_union_is_the_merge_of_its_parts_without_doubles(
        one in texts(), other in texts(), zone in prop::sample::select(ZONES.to_vec()), at in instants(),
    ) {
        // A limit at the very end would govern both: each gets one of its own first.
        let limited = |text: &str| {
            let canonical = read(text).canonical();
            (!canonical.contains(" until ") && !canonical.contains(" starting ") && !canonical.contains(" except "))
                .then_some(canonical)
        };
        let (Some(one), Some(other)) = (limited(&one), limited(&other)) else { return Ok(()) };
        let zone = find_zone(zone).unwrap();
        let bind = |text: &str| read(text).in_zone(&zone);
        let union = format!("{one} and {other}");
        let mut merged = some(&bind(&one), at, 40);
        merged.extend(some(&bind(&other), at, 40));
        merged.sort_unstable();
        merged.dedup();
        let first = merged.len().min(40);
        prop_assert_eq!(&some(&bind(&union), at, first)[..], &merged[..first], "{}", union);
    }

    #[test]
    fn what_is_due_does_not_depend_on_where_the_search_begins(
        (text, zoned) in zoned(), at in instants(), restarts in prop::collection::vec(0_i64..400_000, 1..6),
    ) {
        // A restart, or a clock asked at any other second, keeps to the same grid.
        let listed = some(&zoned, at, 60);
        let Some(&last) = listed.last() else { return Ok(()) };
        for seconds in restarts {
            let Ok(from) = at.checked_add(SignedDuration::from_secs(seconds)) else { continue };
            let rest: Vec<Timestamp> = listed.iter().copied().filter(|&due| due >= from).collect();
            let again = some(&zoned, from, rest.len());
            prop_assert_eq!(&again, &rest, "{} from {}, which ends at {}", text, from, last);
        }
    }

    #[test]
    fn a_spread_is_one_offset_for_all_occurrences(
        (text, zoned) in zoned(), at in instants(), seed in any::<u64>(),
    ) {
        let canonical = read(&text).canonical();
        // Of one clause without limits, since a limit at the end would follow the spread.
        if [" and every", " and once", " and cron", " except", " starting", " until"].iter().any(|word| canonical.contains(word)) {
            return Ok(());
        }
        let plain = zoned.clone().with_dst(DstPolicy::default());
        let base = some(&plain, at, 20);
        let Some(&first) = base.first() else { return Ok(()) };
        let spread = match try_read(&format!("{canonical} (spread)")) {
            Ok(spread) => spread.in_zone(zoned.time_zone()).with_spread(seed),
            Err(error) => {
                // Between times that are a second apart there is no room.
                let tight = base.windows(2).any(|pair| pair[1].duration_since(pair[0]).as_secs() < 2);
                prop_assert!(tight && error.code().contains("spread"), "{}: {}", canonical, error);
                return Ok(());
            }
        };
        // No offset is longer than half of what lies between two occurrences.
        let before = first - SignedDuration::from_mins(5);
        let near = spread.occurrences(before, first + SignedDuration::from_mins(5));
        let offsets: Vec<SignedDuration> = near.map(|due| due.duration_since(first)).collect();
        let is_offset = |offset: &&SignedDuration| {
            let moved: Vec<Timestamp> = base.iter().map(|&due| due + **offset).collect();
            some(&spread, first + **offset, base.len()) == moved
        };
        prop_assert!(offsets.iter().any(|offset| is_offset(&offset)), "{}: {:?}", canonical, offsets);
    }

    #[test]
    fn an_edit_never_brings_back_the_past(
        (_, before) in zoned(), (text, after) in zoned(), at in instants(),
    ) {
        // Whenever the old schedule was last due, the new one begins after the instant of
        // the edit, with what it would have had at that time anyway.
        let edited = before.next_after(at).unwrap_or(at);
        let next = after.next_after(edited);
        prop_assert!(next.is_none_or(|next| next > edited), "{}: {:?} after {}", text, next, edited);
        if let Some(next) = next {
            let earlier = edited - SignedDuration::from_hours(2);
            let listed = after.occurrences(earlier, next).last();
            prop_assert_eq!(listed, Some(next), "{}", text);
        }
    }

    #[test]
    fn there_is_an_answer_for_all_of_time((text, zoned) in zoned()) {
        for at in ["1900-01-01T00:00:00Z", "2100-02-28T23:59:59Z", "9998-12-31T23:59:59Z"] {
            fuzzed::engine::neighbours_agree(&text, &zoned, at.parse().unwrap());
        }
        for at in [Timestamp::MIN, Timestamp::MAX] {
            fuzzed::engine::neighbours_agree(&text, &zoned, at);
        }
        prop_assert_eq!(zoned.previous_before(Timestamp::MIN), None);
        prop_assert_eq!(zoned.next_after(Timestamp::MAX), None);
    }
}

/// Elapsed time in a row of real instants: no jump of a clock stretches or shrinks a step.
#[test]
fn an_interval_that_does_not_divide_the_day_keeps_its_step_through_every_jump() {
    for zone in ZONES {
        let zone = find_zone(zone).unwrap();
        for (text, step) in [
            ("every 7 minutes", 420),
            ("every 50 minutes", 3000),
            ("every 25 hours", 90_000),
        ] {
            let zoned = read(text).in_zone(&zone);
            for from in [
                "2011-12-28T00:00:00Z",
                "2026-03-06T00:00:00Z",
                "2026-10-22T00:00:00Z",
            ] {
                let listed = some(&zoned, from.parse().unwrap(), 100);
                let steps = listed
                    .windows(2)
                    .map(|pair| pair[1].duration_since(pair[0]).as_secs());
                assert!(
                    steps.clone().all(|found| found == step),
                    "{text} in {zone:?}"
                );
                assert_eq!(listed[0].as_second() % step, 0, "{text} in {zone:?}");
            }
        }
    }
}
