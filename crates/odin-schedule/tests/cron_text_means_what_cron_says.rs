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

/// Due times in UTC from the start of 2026 on, as `MM-DD HH:MM`.
#[track_caller]
fn due(text: &str, expected: &str) {
    let schedule = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let zoned = schedule.in_zone(&jiff::tz::TimeZone::UTC);
    let from = "2026-01-01T00:00:00Z".parse().unwrap();
    let to = "2030-01-01T00:00:00Z".parse().unwrap();
    let expected: Vec<&str> = expected.split(", ").collect();
    let found: Vec<String> = zoned
        .occurrences(from, to)
        .take(expected.len())
        .map(|due| due.strftime("%m-%d %H:%M").to_string())
        .collect();
    assert_eq!(found, expected, "{text}");
    let again = parse(&schedule.canonical()).unwrap();
    assert_eq!(again, schedule, "{text} as {}", schedule.canonical());
}

#[test]
fn days_that_are_told_from_others_fall_where_they_should() {
    // 2026: 1 January is a Thursday, 31 January a Saturday, 1 February a Sunday.
    due("0 9 L * *", "01-31 09:00, 02-28 09:00, 03-31 09:00");
    due("0 9 L-3 * *", "01-28 09:00, 02-25 09:00, 03-28 09:00");
    due("0 9 l-30 * *", "01-01 09:00, 03-01 09:00, 05-01 09:00");
    due(
        "0 9 15W * *",
        "01-15 09:00, 02-16 09:00, 03-16 09:00, 04-15 09:00",
    );
    // 15 August 2026 is a Saturday, and 1 August too: that one may not leave its month.
    due("0 9 1W,15w 8 ?", "08-03 09:00, 08-14 09:00");
    // 31 May 2026 is a Sunday; February has no 31st.
    due("0 9 31W 1-5 *", "01-30 09:00, 03-31 09:00, 05-29 09:00");
    due(
        "0 9 LW * *",
        "01-30 09:00, 02-27 09:00, 03-31 09:00, 04-30 09:00, 05-29 09:00",
    );
    due(
        "0 9 LW,L-1 5 *",
        "05-29 09:00, 05-30 09:00, 05-30 09:00, 05-31 09:00",
    );
    due("0 9 ? * 5#2", "01-09 09:00, 02-13 09:00");
    due("0 9 ? * fri#5", "01-30 09:00, 05-29 09:00");
    due("0 9 * * 5L", "01-30 09:00, 02-27 09:00");
    due("0 9 * * FRI#L", "01-30 09:00, 02-27 09:00");
    due(
        "0 9 * * 1#1,3#1",
        "01-05 09:00, 01-07 09:00, 02-02 09:00, 02-04 09:00",
    );
}

#[test]
fn either_day_field_will_do_unless_one_begins_with_a_star() {
    due(
        "0 0 13 * 5",
        "01-02 00:00, 01-09 00:00, 01-13 00:00, 01-16 00:00",
    );
    due("0 0 13 * ?", "01-13 00:00, 02-13 00:00");
    due("0 0 */10 * 5", "05-01 00:00, 07-31 00:00, 08-21 00:00");
    due("0 0 13 * */7", "09-13 00:00, 12-13 00:00");
    due(
        "0 0 15W * 0",
        "01-04 00:00, 01-11 00:00, 01-15 00:00, 01-18 00:00",
    );
    due("0 0 L * 1#1", "01-05 00:00, 01-31 00:00, 02-02 00:00");
    // A full range is no star: either will do, and each day is in one of them.
    due("0 0 1-31 * 5", "01-01 00:00, 01-02 00:00, 01-03 00:00");
}

#[test]
fn sunday_has_two_numbers_and_names_have_no_case() {
    for text in [
        "0 0 * * 0",
        "0 0 * * 7",
        "0 0 * * sUn",
        "@weekly",
        "@WEEKLY",
    ] {
        due(text, "01-04 00:00, 01-11 00:00");
    }
    due(
        "0 0 * * 5-7",
        "01-02 00:00, 01-03 00:00, 01-04 00:00, 01-09 00:00",
    );
    due("0 0 * * 0-7", "01-01 00:00, 01-02 00:00");
    due("0 0 1 FEB-apr/2 *", "02-01 00:00, 04-01 00:00, 02-01 00:00");
}

#[test]
fn nicknames_are_short_for_fields_and_every_is_an_interval() {
    for (nickname, text) in [
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
        ("@monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@Hourly", "0 * * * *"),
        ("@every 1h30m", "every 90 minutes"),
        ("@every 15m", "every 15 minutes"),
        ("@every 7m", "every 7 minutes"),
        ("@every 2h", "every 2 hours"),
        ("cron \"@every 45s\"", "every 45 seconds"),
        (
            "CRON_TZ=Europe/Dublin @daily",
            "cron \"0 0 * * *\" in Europe/Dublin",
        ),
        ("TZ=Asia/Tokyo 30 9 * * *", "CRON_TZ=Asia/Tokyo 30 9 * * *"),
        ("CRON_TZ=UTC @every 36h", "every 36 hours in UTC"),
    ] {
        assert_eq!(parse(nickname).unwrap(), parse(text).unwrap(), "{nickname}");
    }
}

/// What the reference calls a difference from croner is one: its name, and a text with a
/// zone and an instant after which the two disagree.
const DIFFERENCES: &[(&str, &str, &str, &str)] = &[
    (
        "list-is-interval",
        "0,30 2 * * *",
        "America/New_York",
        "2026-03-08T01:00:00Z",
    ),
    (
        "stepped-star-days",
        "0 0 */2 * 1",
        "UTC",
        "2026-01-01T12:00:00Z",
    ),
    (
        "missing-day",
        "0 9 * * *",
        "Pacific/Apia",
        "2011-12-29T19:00:00Z",
    ),
];

#[test]
fn the_differences_from_croner_that_the_reference_names_are_there() {
    let page = include_str!("../../../docs/reference/cron.md");
    for (name, text, zone, after) in DIFFERENCES {
        assert!(
            page.contains(&format!("| {name} |")),
            "{name} is not told of"
        );
        let zone = find_zone(zone).unwrap();
        let after: Timestamp = after.parse().unwrap();
        let ours = parse(text).unwrap().in_zone(&zone).next_after(after);
        let theirs = Cron::from_str(text)
            .unwrap()
            .find_next_occurrence(&after.to_zoned(zone.clone()), false)
            .map(|due| due.timestamp())
            .ok();
        assert_ne!(ours, theirs, "{name}: both agree by now");
    }
}
