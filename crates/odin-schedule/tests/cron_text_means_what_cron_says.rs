//! Cron text held against croner where both follow Vixie's cron.
//!
//! Known differences, left out here: croner skips fixed times with a list of minutes
//! in a gap, treats a range of hours as an interval, and gives up at a missing day.
//! So occurrences are compared in UTC, and in other zones away from clock changes.

#![allow(clippy::unwrap_used)]

use std::str::FromStr;

use croner::Cron;
use jiff::Timestamp;
use odin_schedule::{find_zone, parse};
use proptest::prelude::*;

fn field(first: u32, last: u32) -> impl Strategy<Value = String> {
    let item = prop_oneof![
        3 => (first..=last).prop_map(|value| value.to_string()),
        2 => (first..=last, first..=last).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (first..=last, first..=last, 1_u32..9)
            .prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
    ];
    prop_oneof![
        2 => Just("*".to_owned()),
        1 => (2_u32..=7).prop_map(|step| format!("*/{step}")),
        3 => prop::collection::vec(item, 1..4).prop_map(|items| items.join(",")),
    ]
}

fn cron_text() -> impl Strategy<Value = String> {
    (
        field(0, 59),
        field(0, 23),
        field(1, 28),
        field(1, 12),
        field(0, 6),
    )
        .prop_map(|(minute, hour, month_day, month, weekday)| {
            // A star with a step in one day field and a restricted other one is where
            // croner departs from Vixie's cron.
            let weekday = if month_day.starts_with("*/") {
                "*".to_owned()
            } else {
                weekday
            };
            let month_day = if weekday.starts_with("*/") {
                "*".to_owned()
            } else {
                month_day
            };
            format!("{minute} {hour} {month_day} {month} {weekday}")
        })
}

#[track_caller]
fn check(text: &str, zone: &str, from: &str, occurrences: usize) {
    let zone = find_zone(zone).unwrap();
    let ours = parse(text).unwrap().in_zone(&zone);
    let theirs = Cron::from_str(text).unwrap();
    let mut at: Timestamp = from.parse().unwrap();
    for _ in 0..occurrences {
        let expected = theirs.find_next_occurrence(&at.to_zoned(zone.clone()), false);
        let expected = expected.map(|due| due.timestamp()).ok();
        assert_eq!(ours.next_after(at), expected, "{text} after {at}");
        let Some(due) = expected else { return };
        assert_eq!(
            ours.previous_before(due + jiff::SignedDuration::from_secs(1)),
            Some(due)
        );
        at = due;
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(300)
    })]

    #[test]
    fn random_text_agrees_with_another_implementation(text in cron_text()) {
        check(&text, "UTC", "2027-06-15T10:20:30Z", 20);
    }
}

#[test]
fn the_usual_texts_agree_in_a_zone() {
    for text in [
        "0 9 * * 1-5",
        "*/15 * * * *",
        "0 0 29 2 *",
        "0 0 1 1 *",
        "30 18 * * 3,5",
        "0 12 1,15 * FRI",
        "5 4 * * sun",
        "0 0 L * *",
        "0 22 * * 1-5",
        "23 0-20/2 * * *",
    ] {
        check(text, "Europe/Dublin", "2026-04-10T10:20:30Z", 30);
    }
}
