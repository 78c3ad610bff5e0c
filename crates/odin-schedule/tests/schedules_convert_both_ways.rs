//! English as cron text and cron text as English: what is converted has the same
//! occurrences, and what is not says why.

#![allow(clippy::unwrap_used)]

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use odin_schedule::{
    CannotSay, CronDialect, CronText, Schedule, find_zone, parse, to_cron, to_english,
};
use proptest::prelude::*;

const ZONES: &[&str] = &[
    "UTC",
    "America/New_York",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Antarctica/Troll",
];

/// Instants around which occurrences are compared: each change of the zone's clock and
/// an instant every two months, 2024 to 2032.
fn probes(zone: &TimeZone) -> Vec<Timestamp> {
    let from: Timestamp = "2024-01-01T00:00:00Z".parse().unwrap();
    let to: Timestamp = "2033-01-01T00:00:00Z".parse().unwrap();
    let mut probes: Vec<Timestamp> = zone
        .following(from)
        .map(|change| change.timestamp())
        .take_while(|at| *at < to)
        .collect();
    let mut month = from;
    while month < to {
        probes.push(month);
        month += SignedDuration::from_hours(24 * 61 + 5);
    }
    probes
}

/// The occurrences near the probes of a zone.
fn near_probes(schedule: &Schedule, zone: &TimeZone) -> Vec<Timestamp> {
    let zoned = schedule.in_zone(zone);
    let mut near = Vec::new();
    for probe in probes(zone) {
        let from = probe - SignedDuration::from_hours(27);
        near.extend(
            zoned
                .occurrences(from, probe + SignedDuration::from_hours(5))
                .take(20),
        );
        near.extend(
            zoned
                .occurrences(
                    probe - SignedDuration::from_mins(90),
                    probe + SignedDuration::from_hours(3),
                )
                .take(60),
        );
        near.extend(zoned.next_after(probe + SignedDuration::from_hours(5)));
    }
    near
}

/// The union of the lines as one schedule.
fn union(text: &CronText) -> Schedule {
    let clauses: Vec<String> = text
        .lines()
        .iter()
        .map(|line| format!("cron \"{line}\""))
        .collect();
    let zone = text.zone().map(|zone| format!(" in {zone}"));
    parse(&(clauses.join(" and ") + &zone.unwrap_or_default())).unwrap()
}

#[track_caller]
fn same_occurrences(a: &Schedule, b: &Schedule) {
    same_occurrences_in(ZONES, a, b);
}

#[track_caller]
fn same_occurrences_in(zones: &[&str], a: &Schedule, b: &Schedule) {
    for zone in zones {
        let zone = find_zone(zone).unwrap();
        assert_eq!(
            near_probes(a, &zone),
            near_probes(b, &zone),
            "{} and {} in {zone:?}",
            a.canonical(),
            b.canonical()
        );
    }
}

/// No two lines name the same minute: cron would start the job twice.
#[track_caller]
fn lines_are_apart(text: &CronText) {
    let from = "2024-01-01T00:00:00Z".parse().unwrap();
    let to = "2025-01-01T00:00:00Z".parse().unwrap();
    let count = |schedule: &Schedule| schedule.in_zone(&TimeZone::UTC).count(from, to);
    let apart: u64 = text
        .lines()
        .iter()
        .map(|line| count(&parse(line).unwrap()))
        .sum();
    assert_eq!(apart, count(&union(text)), "{text}");
}

#[track_caller]
fn cron(text: &str, dialect: CronDialect, expected: &[&str]) {
    let schedule = parse(text).unwrap();
    let converted = to_cron(&schedule, dialect).unwrap_or_else(|why| panic!("{text}: {why}"));
    assert_eq!(converted.lines(), expected, "{text}");
    same_occurrences(&schedule, &union(&converted));
    lines_are_apart(&converted);
}

#[test]
fn english_becomes_cron_text() {
    let vixie: &[(&str, &[&str])] = &[
        ("every day at 09:00", &["0 9 * * *"]),
        ("every weekday at 9am", &["0 9 * * 1-5"]),
        ("every weekend at noon", &["0 12 * * 0,6"]),
        ("every Wednesday and Friday at 18:30", &["30 18 * * 3,5"]),
        ("every day at 06:00, 12:00 and 18:00", &["0 6,12,18 * * *"]),
        (
            "every day at 06:00 and 12:30",
            &["0 6 * * *", "30 12 * * *"],
        ),
        ("every day at 06:10 and 06:40", &["10,40 6 * * *"]),
        ("every 1st and 15th at 12:00", &["0 12 1,15 * *"]),
        ("every January 4th at 13:15", &["15 13 4 1 *"]),
        ("every quarter at 06:00", &["0 6 1 1-10/3 *"]),
        ("every minute", &["* * * * *"]),
        ("every 15 minutes", &["*/15 * * * *"]),
        ("every hour", &["0 * * * *"]),
        ("every hour at :17", &["17 * * * *"]),
        ("every 2 hours", &["0 */2 * * *"]),
        ("every hour at :05 and every hour at :35", &["5,35 * * * *"]),
        (
            "every 30 minutes from 09:00 to 16:30 on weekdays",
            &["*/30 9-16 * * 1-5"],
        ),
        ("every minute from 09:00 to 09:59", &["* 9 * * *"]),
        (
            "every 15 minutes from 22:00 to 01:45",
            &["*/15 0,1,22,23 * * *"],
        ),
        (
            "every 15 minutes from 22:00 to 01:45 on Fridays",
            &["*/15 0,1 * * 6", "*/15 22,23 * * 5"],
        ),
        ("every day at 09:00 except weekends", &["0 9 * * 1-5"]),
        ("every day at 09:00 except August", &["0 9 * 1-7,9-12 *"]),
        ("every day at 09:00 in June and July", &["0 9 * 6,7 *"]),
        // One line for both, by cron's rule that either day field will do.
        (
            "every 13th at 00:00 and every Friday at 00:00",
            &["0 0 13 * 5"],
        ),
        // The day both clauses name is in one line only.
        (
            "every day at 09:00 and every Friday at 09:00",
            &["0 9 * * *"],
        ),
        (
            "every day at 09:00 and every Friday at 09:00 and 17:00",
            &["0 9 * * *", "0 17 * * 5"],
        ),
        (
            "every Monday at 09:00 and every 1st in June at 09:00",
            &["0 9 * 1-5,7-12 1", "0 9 1 6 1"],
        ),
        (
            "every 15 minutes and every 20 minutes",
            &["0,15,20,30,40,45 * * * *"],
        ),
        // Fixed times in every hour are still fixed: no star.
        (
            "every day at 00:00, 01:00, 02:00, 03:00, 04:00, 05:00, 06:00, 07:00, 08:00, 09:00, \
             10:00, 11:00, 12:00, 13:00, 14:00, 15:00, 16:00, 17:00, 18:00, 19:00, 20:00, 21:00, \
             22:00 and 23:00",
            &["0 0-23 * * *"],
        ),
        ("30 18 * * 3,5", &["30 18 * * 3,5"]),
        ("0 0 */2 * 1", &["0 0 */2 * 1"]),
        ("0 */10 * * * *", &["*/10 * * * *"]),
        ("@hourly", &["0 * * * *"]),
        ("@every 20m", &["*/20 * * * *"]),
    ];
    for (text, expected) in vixie {
        cron(text, CronDialect::Vixie, expected);
    }
    let extended: &[(&str, &[&str])] = &[
        ("every 20 seconds", &["*/20 * * * * *"]),
        ("every second", &["* * * * * *"]),
        ("every day at 09:00:30", &["30 0 9 * * *"]),
        ("every 2nd Tuesday at 10:00", &["0 10 * * 2#2"]),
        ("every last Friday at 16:00", &["0 16 * * 5L"]),
        ("every last day of the month at 23:00", &["0 23 L * *"]),
        ("every 1st and 3rd Sunday at 10:00", &["0 10 * * 0#1,0#3"]),
        (
            "every 15th and last day of the month at 8am",
            &["0 8 15,L * *"],
        ),
        ("0 9 15W,LW * *", &["0 9 15W,LW * *"]),
        (
            "cron \"0 9 15W,L-2 * *\" and every Monday at 9am",
            &["0 9 15W,L-2 * 1"],
        ),
    ];
    for (text, expected) in extended {
        cron(text, CronDialect::Extended, expected);
    }
    let zoned = to_cron(
        &parse("every day at 9am in Asia/Tokyo").unwrap(),
        CronDialect::Vixie,
    );
    let zoned = zoned.unwrap();
    assert_eq!(zoned.to_string(), "CRON_TZ=Asia/Tokyo 0 9 * * *");
    assert_eq!(
        parse(&zoned.to_string()).unwrap().zone(),
        Some("Asia/Tokyo")
    );
}

#[test]
fn what_cron_cannot_say_has_a_reason() {
    for (text, code, help) in [
        ("never", "convert/never", "Leave"),
        ("once on 2027-01-01 at 9am", "convert/once", "at"),
        (
            "every day at 9am starting 2027-01-01",
            "convert/bounds",
            "starting",
        ),
        (
            "every day at 9am until 2027-01-01",
            "convert/bounds",
            "until",
        ),
        (
            "every day at 9am except December 25th",
            "convert/except",
            "instead",
        ),
        (
            "every 1st at 9am except Mondays",
            "convert/except",
            "instead",
        ),
        (
            "every 7 minutes",
            "convert/uneven-interval",
            "every 15 minutes",
        ),
        (
            "every 2 weeks on Monday at 9am",
            "convert/period",
            "let the job count",
        ),
        ("every day around 9am", "convert/spread", "`at`"),
        (
            "every 1st business day at 9am",
            "convert/business-days",
            "calendar itself",
        ),
        (
            "every 1st or next business day at 9am",
            "convert/moved",
            "calendar itself",
        ),
        (
            "every 3 days at 9am",
            "convert/day-interval",
            "1st and 15th",
        ),
        ("every 20 seconds", "convert/seconds", "extended"),
        ("every 2nd Tuesday at 10:00", "convert/nth-weekday", "`5#2`"),
        (
            "every last day of the month at 10:00",
            "convert/last-day",
            "`L`",
        ),
        ("0 9 L-2 * *", "convert/last-day", "`L`"),
        ("0 9 15W * *", "convert/nearest-weekday", "`15W`"),
        (
            "every 13th on Fridays at 9am",
            "convert/both-days",
            "weekday",
        ),
        (
            "every hour from 09:00 to 17:00 on weekdays",
            "convert/clock-change",
            "`0 9-17 * * 1-5`",
        ),
        (
            "every 30 minutes from 09:00 to 17:00",
            "convert/clock-change",
            "`*/30 9-16 * * *` and `0 17 * * *`",
        ),
        (
            "every 90 minutes",
            "convert/clock-change",
            "`0 */3 * * *` and `30 1-22/3 * * *`",
        ),
        (
            "every 15 minutes and every day at 09:00",
            "convert/coincide",
            "Remove",
        ),
        (
            "every 30 minutes from 22:00 to 2:00 on the 1st",
            "convert/window-past-midnight",
            "midnight",
        ),
    ] {
        let why = to_cron(&parse(text).unwrap(), CronDialect::Vixie).unwrap_err();
        assert_eq!(why.code(), code, "{text}: {why}");
        assert!(why.help().contains(help), "{text}: {}", why.help());
    }
}

#[track_caller]
fn english(text: &str, expected: &str) {
    let schedule = parse(text).unwrap();
    let converted = to_english(&schedule).unwrap_or_else(|why| panic!("{text}: {why}"));
    assert_eq!(converted.canonical(), expected, "{text}");
    assert_eq!(parse(expected).unwrap(), converted, "{text}");
    same_occurrences(&schedule, &converted);
}

#[test]
fn cron_text_becomes_english() {
    for (text, expected) in [
        ("30 18 * * 3,5", "every Wednesday and Friday at 18:30"),
        ("0 9 * * 1-5", "every weekday at 09:00"),
        ("0 9 * * mon-fri", "every weekday at 09:00"),
        ("@daily", "every day at 00:00"),
        ("@hourly", "every hour"),
        ("@weekly", "every Sunday at 00:00"),
        ("@monthly", "every 1st at 00:00"),
        ("@yearly", "every January 1st at 00:00"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("0-59/15 * * * *", "every 15 minutes"),
        ("0 */2 * * *", "every 2 hours"),
        ("17 * * * *", "every hour at :17"),
        ("17 */6 * * *", "every 6 hours at :17"),
        ("5,35 * * * *", "every hour at :05 and every hour at :35"),
        (
            "*/15 9-17 * * 1-5",
            "every 15 minutes from 09:00 to 17:45 on weekdays",
        ),
        (
            "*/30 8,20 * * *",
            "every 30 minutes from 08:00 to 08:30 and every 30 minutes from 20:00 to 20:30",
        ),
        ("* 9 * * *", "every minute from 09:00 to 09:59"),
        (
            "0 9-12 * * 1",
            "every Monday at 09:00, 10:00, 11:00 and 12:00",
        ),
        (
            "0 0 13 * 5",
            "every 13th at 00:00 and every Friday at 00:00",
        ),
        ("0 0 13 * ?", "every 13th at 00:00"),
        (
            "0 0 */15 * 1",
            "every 1st, 16th and 31st on Mondays at 00:00",
        ),
        ("0 0 1-31 * *", "every day at 00:00"),
        ("0 0 * 6-8 *", "every day in June, July and August at 00:00"),
        ("0 0 1 6-8 *", "every 1st in June, July and August at 00:00"),
        ("0 0 L * *", "every last day of the month at 00:00"),
        (
            "0 0 * * 5#2,5L",
            "every 2nd Friday and last Friday at 00:00",
        ),
        (
            "0 0 30,31 2,4 *",
            "every 30th in February and April at 00:00",
        ),
        ("0 0 31 2 *", "never"),
        ("*/20 * * * * *", "every 20 seconds"),
        ("*/20 * 9 * * *", "every 20 seconds from 09:00 to 09:59:40"),
        ("30 0 9 * * *", "every day at 09:00:30"),
        (
            "CRON_TZ=Asia/Tokyo 0 9 * * *",
            "every day at 09:00 in Asia/Tokyo",
        ),
        (
            "cron \"0 9 * * *\" until 2027-01-01 and every Monday at 9am",
            "every day at 09:00 until 2027-01-01 and every Monday at 09:00",
        ),
        ("every Monday at 9am", "every Monday at 09:00"),
    ] {
        english(text, expected);
    }
}

#[test]
fn what_english_cannot_say_has_a_reason() {
    for (text, code, help) in [
        ("*/7 * * * *", "convert/uneven-step", "every 7 minutes"),
        (
            "cron \"0 9 15 * *\" or next business day",
            "convert/cron-only",
            "cron \"...\"",
        ),
        ("*/7 * * * * *", "convert/uneven-step", "every 7 minutes"),
        ("0-59 9-17 * * *", "convert/too-many-times", "window"),
        ("*/20 */5 * * * *", "convert/cron-only", "cron \"...\""),
        ("0 9 15W * *", "convert/cron-only", "cron \"...\""),
        ("0 9 L-3 * *", "convert/cron-only", "cron \"...\""),
        ("*/15 0-22/3 * * *", "convert/too-many-times", "window"),
        ("* * */2 * 1", "convert/cron-only", "cron \"...\""),
    ] {
        let why = to_english(&parse(text).unwrap()).unwrap_err();
        assert_eq!(why.code(), code, "{text}: {why}");
        assert!(why.help().contains(help), "{text}: {}", why.help());
    }
}

fn cron_field(first: u32, last: u32) -> impl Strategy<Value = String> {
    let item = prop_oneof![
        4 => (first..=last).prop_map(|value| value.to_string()),
        2 => (first..=last, first..=last).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
    ];
    prop_oneof![
        4 => Just("*".to_owned()),
        2 => (2_u32..=last).prop_map(|step| format!("*/{step}")),
        1 => (2_u32..=last).prop_map(move |step| format!("{first}-{last}/{step}")),
        4 => prop::collection::vec(item, 1..3).prop_map(|items| items.join(",")),
    ]
}

fn cron_text() -> impl Strategy<Value = String> {
    let month_day = prop_oneof![
        4 => cron_field(1, 31),
        1 => prop::sample::select(vec!["L", "LW", "15W", "L-3", "1,L", "31"]).prop_map(str::to_owned),
    ];
    let weekday = prop_oneof![
        4 => cron_field(0, 6),
        1 => prop::sample::select(vec!["5#2", "1L", "7", "1#1,3#5"]).prop_map(str::to_owned),
    ];
    (
        prop_oneof![6 => Just(String::new()), 1 => cron_field(0, 59).prop_map(|it| it + " ")],
        cron_field(0, 59),
        cron_field(0, 23),
        month_day,
        cron_field(1, 12),
        weekday,
    )
        .prop_map(|(second, minute, hour, month_day, month, weekday)| {
            format!("{second}{minute} {hour} {month_day} {month} {weekday}")
        })
}

fn english_text() -> impl Strategy<Value = String> {
    let days = prop::sample::select(vec![
        "day",
        "weekday",
        "weekend",
        "Monday",
        "Monday and Friday",
        "1st",
        "1st and 15th",
        "last day of the month",
        "2nd Tuesday",
        "last Friday",
        "January 4th",
        "31st",
        "13th and Friday",
        "1st in June and July",
        "quarter",
    ]);
    let times = prop::collection::vec(
        (0_u32..24, prop::sample::select(vec![0, 15, 30, 45, 59])),
        1..4,
    )
    .prop_map(|times| {
        let times: Vec<String> = times
            .iter()
            .map(|(h, m)| format!("{h:02}:{m:02}"))
            .collect();
        times.join(", ")
    });
    let fixed = (days, times).prop_map(|(days, times)| format!("every {days} at {times}"));
    let interval = (
        prop::sample::select(vec![
            "minute",
            "5 minutes",
            "10 minutes",
            "15 minutes",
            "30 minutes",
            "hour",
            "2 hours",
            "3 hours",
            "90 minutes",
            "hour at :20",
            "20 seconds",
        ]),
        prop_oneof![
            2 => Just(String::new()),
            1 => (0_u32..24, 0_u32..24).prop_map(|(a, b)| format!(" from {a}:00 to {b}:55")),
            1 => (0_u32..24, 0_u32..24).prop_map(|(a, b)| format!(" from {a}:00 to {b}:00")),
        ],
        prop::sample::select(vec![
            "",
            " on weekdays",
            " on Fridays",
            " on the 1st",
            " in March",
        ]),
    )
        .prop_map(|(every, window, on)| format!("every {every}{window}{on}"));
    let clause = prop_oneof![fixed, interval];
    (
        prop::collection::vec(clause, 1..3),
        prop::sample::select(vec!["", "", "", " except weekends", " except August"]),
    )
        .prop_map(|(clauses, tail)| clauses.join(" and ") + tail)
}

fn two_zones() -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(ZONES, 2)
}

/// Converts to cron and compares; what may not be converted is not.
fn check_to_cron(
    zones: &[&str],
    schedule: &Schedule,
    dialect: CronDialect,
) -> Result<(), CannotSay> {
    let converted = to_cron(schedule, dialect)?;
    same_occurrences_in(zones, schedule, &union(&converted));
    lines_are_apart(&converted);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        ..ProptestConfig::with_cases(80)
    })]

    #[test]
    fn random_cron_text_means_the_same_in_english(text in cron_text(), zones in two_zones()) {
        let Ok(schedule) = parse(&text) else { return Ok(()) };
        if let Ok(english) = to_english(&schedule) {
            same_occurrences_in(&zones, &schedule, &english);
            prop_assert_eq!(parse(&english.canonical()).unwrap(), english.clone());
            let _ = check_to_cron(&zones, &english, CronDialect::Extended);
        }
    }

    #[test]
    fn random_english_means_the_same_in_cron_text(text in english_text(), zones in two_zones()) {
        let Ok(schedule) = parse(&text) else { return Ok(()) };
        for dialect in [CronDialect::Vixie, CronDialect::Extended] {
            let _ = check_to_cron(&zones, &schedule, dialect);
        }
    }
}
