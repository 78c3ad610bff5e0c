//! Whatever the text and whatever the instant: an answer or a refusal, no panic, and
//! answers that agree with each other.

#![allow(clippy::unwrap_used)]

use jiff::{SignedDuration, Timestamp};
use odin_schedule::{Schedule, find_zone, parse};
use proptest::prelude::*;

const ZONES: [&str; 12] = [
    "UTC",
    "Europe/Dublin",
    "America/New_York",
    "Pacific/Apia",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/Santiago",
    "Asia/Kathmandu",
    "Africa/Monrovia",
    "Pacific/Kiritimati",
    "Antarctica/Troll",
    "America/Sao_Paulo",
];

const TEXTS: [&str; 26] = [
    "every minute",
    "every second",
    "every 7 minutes",
    "every 50 hours",
    "every 36500 days",
    "every 366 days at 09:00 except March and weekends",
    "every 7 days at 09:00 except Thursdays",
    "every 59 minutes from 09:00 to 10:00 on 31st",
    "every 30 minutes from 22:00 to 04:00 on Fridays except weekends",
    "every day at 00:00 and 02:30",
    "every 29th in February at 02:30",
    "every 5th Monday in February at 02:30",
    "every last day of the month at 23:59:59",
    "every last Sunday at 01:30",
    "every quarter at 06:00 starting 1950-06-01 until 2500-01-01",
    "every 1st at 12:00 and every 15th at 12:00 and every Friday at 17:00",
    "every 3 hours starting 2026-12-01 at 01:30 until 2030-01-01",
    "once on 2011-12-30 at 09:00",
    "once on 9999-12-31 at 23:59",
    "0 0 29 2 1",
    "0 0 29 2 */7",
    "0 0 31 2 *",
    "59 59 23 31 12 6",
    "*/7 */5 * * *",
    "every Saturday at 09:00 except weekends",
    "never",
];

fn instants() -> impl Strategy<Value = Timestamp> {
    let range = |from: &str, to: &str| {
        let (from, to): (Timestamp, Timestamp) = (from.parse().unwrap(), to.parse().unwrap());
        (from.as_second()..=to.as_second(), 0_i32..1_000_000_000)
            .prop_map(|(second, nanosecond)| Timestamp::new(second, nanosecond).unwrap())
    };
    prop_oneof![
        3 => range("1900-01-01T00:00:00Z", "9999-12-30T21:59:59Z"),
        3 => range("1960-01-01T00:00:00Z", "2040-12-31T00:00:00Z"),
        1 => Just(Timestamp::MIN),
        1 => Just(Timestamp::MAX),
    ]
}

fn agree(schedule: &Schedule, zone: &str, at: Timestamp) {
    let zone = find_zone(zone).unwrap();
    let zoned = schedule.in_zone(&zone);
    let context = || format!("{schedule} in {:?} at {at}", zone.iana_name());
    let next = zoned.next_after(at);
    let previous = zoned.previous_before(at);
    if let Some(next) = next {
        assert!(next > at, "{}", context());
        assert_eq!(next.subsec_nanosecond(), 0);
        // Between two neighbours there is nothing, from either side.
        if let Some(after) = zoned.next_after(next) {
            assert!(after > next, "{}", context());
            assert_eq!(zoned.previous_before(after), Some(next), "{}", context());
        }
        let before = zoned.previous_before(next);
        assert!(before.is_none_or(|before| before <= at), "{}", context());
    }
    if let Some(previous) = previous {
        assert!(previous < at, "{}", context());
        let after = zoned.next_after(previous);
        assert!(after.is_none_or(|after| after >= at), "{}", context());
        assert!(after.is_some() || next.is_none(), "{}", context());
    }
    let (Ok(from), Ok(to)) = (
        at.checked_sub(SignedDuration::from_hours(1)),
        at.checked_add(SignedDuration::from_hours(2)),
    ) else {
        return;
    };
    let listed: Vec<Timestamp> = zoned.occurrences(from, to).collect();
    assert!(listed.is_sorted_by(|a, b| a < b), "{}", context());
    assert_eq!(zoned.count(from, to), listed.len() as u64, "{}", context());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(1500)
    })]

    #[test]
    fn next_and_previous_are_total_and_agree(
        text in prop::sample::select(TEXTS.to_vec()),
        zone in prop::sample::select(ZONES.to_vec()),
        at in instants(),
    ) {
        agree(&parse(text).unwrap(), zone, at);
    }

    #[test]
    fn text_made_of_the_languages_words_is_read_or_refused(words in prop::collection::vec(
        prop::sample::select(vec![
            "every", "everyday", "never", "once", "cron", "and", "at", "on", "in", "of", "the",
            "from", "to", "between", "starting", "until", "except", "last", "first", "weekday",
            "weekends", "day", "days", "minute", "hours", "second", "week", "month", "quarter",
            "year", "Monday", "Fri", "Sat-Mon", "January", "feb", "1st", "2st", "31st", "15", "0",
            "09:30", "9am", "12", "pm", "noon", "24:00", ":15", "2026-12-24", "2026-02-30", "2026",
            ",", ";", "\"0 9 * * 1\"", "\"", "UTC", "Europe/Dublin", "*", "*/5", "@daily", "é",
        ]),
        0..12,
    )) {
        let text = words.join(" ");
        match parse(&text) {
            Ok(schedule) => {
                let canonical = schedule.canonical();
                prop_assert_eq!(parse(&canonical), Ok(schedule.clone()), "{} as {}", text, canonical);
                prop_assert!(!schedule.explain().is_empty());
                agree(&schedule, "Europe/Dublin", "2026-03-29T00:30:00Z".parse().unwrap());
            }
            Err(error) => {
                prop_assert!(text.get(error.span.clone()).is_some(), "{}: {:?}", text, error);
                prop_assert!(!error.help().is_empty());
            }
        }
    }

    #[test]
    fn text_without_sense_is_refused(text in "\\PC{0,40}") {
        if let Err(error) = parse(&text) {
            prop_assert!(text.get(error.span.clone()).is_some(), "{}: {:?}", text, error);
        }
    }
}

/// Clauses that read, so that random unions of them do.
fn clauses() -> impl Strategy<Value = String> {
    let subject = prop::sample::select(vec![
        "every day at 09:00",
        "every Monday and Friday at 09:30, 5pm and 23:59:30",
        "every 1st, 15th and last day of the month at noon",
        "every January 4th and July 5th at 9am",
        "every 2nd Tuesday and last Friday in March at 10:00",
        "every 1st on weekdays at 09:00",
        "every quarter at 06:00",
        "every 3 days at 08:00",
        "every 15 minutes",
        "every 7 hours",
        "every 11 minutes from 08:00 to 20:00 on weekends in May",
        "every 2 hours at :17 from 22:00 to 06:00",
        "once on 2026-12-24 and 2027-12-24 at 09:00",
        "cron \"*/5 9-17 * jan mon-fri\"",
        "cron \"30 0 9 1 * 5#2\"",
    ]);
    let except = prop::sample::select(vec![
        "",
        " except weekends",
        " except Mondays and 2026-12-25",
        " except January 4th, August",
    ]);
    let bounds = prop::sample::select(vec![
        "",
        " starting 2026-06-01",
        " until 2030-01-01",
        " starting 2026-06-01 at 10:00 until 2030-01-01 at 11:00:05",
    ]);
    (subject, except, bounds).prop_map(|(subject, except, bounds)| {
        // An interval of a week or more with exceptions is refused; none is here.
        format!("{subject}{except}{bounds}")
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(400)
    })]

    #[test]
    fn unions_print_back_and_are_the_merge_of_their_clauses(
        clauses in prop::collection::vec(clauses(), 1..4),
        join in prop::sample::select(vec![" and ", "; ", ", and "]),
    ) {
        let text = clauses.join(join);
        let schedule = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
        prop_assert_eq!(parse(&schedule.canonical()), Ok(schedule.clone()), "{}", text);
        // Each clause with a tail of its own is a schedule of its own.
        if clauses.iter().any(|clause| !clause.contains("except") && !clause.contains("until")) {
            return Ok(());
        }
        let zone = find_zone("Europe/Dublin").unwrap();
        let (from, to) = ("2026-10-24T00:00:00Z".parse().unwrap(), "2026-10-27T00:00:00Z".parse().unwrap());
        let mut merged: Vec<Timestamp> = clauses
            .iter()
            .flat_map(|clause| parse(clause).unwrap().in_zone(&zone).occurrences(from, to).collect::<Vec<_>>())
            .collect();
        merged.sort_unstable();
        merged.dedup();
        let zoned = schedule.in_zone(&zone);
        prop_assert_eq!(zoned.occurrences(from, to).collect::<Vec<_>>(), merged.clone(), "{}", text);
        prop_assert_eq!(zoned.count(from, to), merged.len() as u64, "{}", text);
    }
}
