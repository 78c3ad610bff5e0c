//! Cron text held against two oracles: the library croner, on random texts in zones whose
//! clocks jump, and what the manual of Vixie's cron says, case by case.
//!
//! Where croner differs there is a name for it, here and in `docs/reference/cron.md`, and a
//! predicate that tells when it applies: a difference without a name fails.

#![allow(clippy::unwrap_used)]

#[allow(dead_code, reason = "only the cron text of the models is used here")]
mod brute_force;

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use brute_force::cron::{Cron, Field};
use brute_force::draw::Draw;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use odin_schedule::{find_zone, parse};

/// What two calculators answered to the same question.
struct Difference<'c> {
    cron: &'c Cron,
    zone: &'c TimeZone,
    ours: Option<Timestamp>,
    theirs: Option<Timestamp>,
}

/// Its name in the reference, and when it applies.
type Named = (&'static str, fn(&Difference<'_>) -> bool);

const DIFFERENCES: [Named; 4] = [
    ("list-is-interval", list_is_interval),
    ("stepped-star-days", stepped_star_days),
    ("missing-day", missing_day),
    ("never", never),
];

/// A list of minutes or a range of hours makes it an interval for croner, so a gap drops it and
/// a repeated hour doubles it. Only on days on which the clock jumps.
fn list_is_interval(it: &Difference<'_>) -> bool {
    let several = |field: &Field| field.values.iter().any(|value| *value != field.values[0]);
    let lists = several(&it.cron.minute)
        || several(&it.cron.hour)
        || it.cron.second.as_ref().is_some_and(several);
    lists && it.cron.is_fixed() && it.jump_is_near(SignedDuration::from_hours(27))
}

/// `*/2` in a day field is a restriction like any other for croner, so either field will do.
fn stepped_star_days(it: &Difference<'_>) -> bool {
    let stepped = |field: &Field| field.star && field.text != "*";
    let (month_day, weekday) = (&it.cron.month_day, &it.cron.weekday);
    (stepped(month_day) && weekday.text != "*") || (stepped(weekday) && month_day.text != "*")
}

/// croner gives up at a gap of more than two hours.
fn missing_day(it: &Difference<'_>) -> bool {
    it.theirs.is_none()
        && it.jump_is_near(SignedDuration::from_hours(27))
        && it.largest_gap() > 7200
}

/// croner ends its search in an error where there is nothing to find.
fn never(it: &Difference<'_>) -> bool {
    it.ours.is_none() && it.theirs.is_none()
}

impl Difference<'_> {
    fn jumps(&self) -> impl Iterator<Item = (Timestamp, i32)> + '_ {
        let from = "2009-01-01T00:00:00Z".parse().unwrap();
        let jumps = self
            .zone
            .following(from)
            .take_while(|jump| jump.timestamp().as_second() < 2_000_000_000);
        jumps.map(|jump| {
            let before = self
                .zone
                .to_offset(jump.timestamp() - SignedDuration::from_secs(1));
            (jump.timestamp(), jump.offset().seconds() - before.seconds())
        })
    }

    fn jump_is_near(&self, distance: SignedDuration) -> bool {
        let near = |due: Option<Timestamp>| {
            due.is_some_and(|due| {
                self.jumps()
                    .any(|jump| jump.0.duration_since(due).abs() < distance)
            })
        };
        near(self.ours) || near(self.theirs)
    }

    fn largest_gap(&self) -> i32 {
        self.jumps().map(|jump| jump.1).max().unwrap_or(0)
    }
}

/// Zones and an instant some days before their clocks jump.
const PLACES: [(&str, &str); 14] = [
    ("UTC", "2027-06-15T10:20:30Z"),
    ("America/New_York", "2026-03-06T12:00:00Z"),
    ("America/New_York", "2026-10-30T12:00:00Z"),
    ("Europe/Dublin", "2026-03-27T12:00:00Z"),
    ("Europe/Dublin", "2026-10-23T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-03T12:00:00Z"),
    ("Australia/Lord_Howe", "2026-10-02T12:00:00Z"),
    ("America/Santiago", "2026-09-04T12:00:00Z"),
    ("America/Santiago", "2026-04-03T12:00:00Z"),
    ("Asia/Beirut", "2026-03-27T12:00:00Z"),
    ("Africa/Casablanca", "2026-02-13T12:00:00Z"),
    ("Antarctica/Troll", "2026-03-27T12:00:00Z"),
    ("Pacific/Apia", "2011-12-28T12:00:00Z"),
    ("Asia/Pyongyang", "2018-05-02T12:00:00Z"),
];

/// How many occurrences in a row are compared, where nothing differs.
const IN_A_ROW: usize = 12;

/// The first difference between the two, if there is one.
fn compare(
    cron: &Cron,
    zone: &TimeZone,
    from: &str,
) -> Option<(Option<Timestamp>, Option<Timestamp>, Timestamp)> {
    let text = cron.text();
    let ours = parse(&text)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .in_zone(zone);
    let theirs = croner::Cron::from_str(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let mut at: Timestamp = from.parse().unwrap();
    for _ in 0..IN_A_ROW {
        let found = ours.next_after(at);
        let expected = theirs.find_next_occurrence(&at.to_zoned(zone.clone()), false);
        let expected = expected.map(|due| due.timestamp()).ok();
        match (found, expected) {
            (Some(due), Some(expected)) if due == expected => at = due,
            _ => return Some((found, expected, at)),
        }
    }
    None
}

#[test]
fn random_texts_agree_or_differ_by_name() {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let mut unnamed = Vec::new();
    let mut agree = 0;
    for (row, (name, from)) in PLACES.into_iter().enumerate() {
        let zone = find_zone(name).unwrap();
        for number in 0..60 {
            let seed = row as u64 * 1000 + number;
            let cron = Cron::draw(&mut Draw::new(seed), number % 10 == 0);
            let Some((ours, theirs, at)) = compare(&cron, &zone, from) else {
                agree += 1;
                continue;
            };
            let difference = Difference {
                cron: &cron,
                zone: &zone,
                ours,
                theirs,
            };
            match DIFFERENCES.iter().find(|named| named.1(&difference)) {
                Some(named) => *counts.entry(named.0).or_default() += 1,
                None => unnamed.push(format!(
                    "seed {seed}: {} in {name} after {at}: {ours:?}, croner {theirs:?}",
                    cron.text()
                )),
            }
        }
    }
    assert!(
        unnamed.is_empty(),
        "{} without a name:\n{}",
        unnamed.len(),
        unnamed.join("\n")
    );
    assert!(agree > 400, "{agree} agree; {counts:?}");
}

#[test]
fn each_named_difference_is_there() {
    for (name, text, zone, from) in [
        (
            "list-is-interval",
            "0,30 2 * * *",
            "America/New_York",
            "2026-03-07T12:00:00Z",
        ),
        (
            "list-is-interval",
            "0 1-3 * * *",
            "America/New_York",
            "2026-10-31T12:00:00Z",
        ),
        (
            "stepped-star-days",
            "0 9 */2 * 1",
            "UTC",
            "2026-01-01T00:00:00Z",
        ),
        (
            "missing-day",
            "0 9 * * *",
            "Pacific/Apia",
            "2011-12-29T20:00:00Z",
        ),
        ("never", "0 0 30 2 *", "UTC", "2026-01-01T00:00:00Z"),
    ] {
        let zone = find_zone(zone).unwrap();
        let field = |index: usize, first: i64, last: i64| {
            let text = text.split(' ').nth(index).unwrap();
            let mut values: Vec<i64> = text
                .split(['-', ','])
                .filter_map(|value| value.parse().ok())
                .collect();
            if values.is_empty() {
                values = (first..=last).collect();
            }
            Field {
                text: text.to_owned(),
                values,
                star: text.starts_with('*'),
            }
        };
        let cron = Cron {
            second: None,
            minute: field(0, 0, 59),
            hour: field(1, 0, 23),
            month_day: field(2, 1, 31),
            month: field(3, 1, 12),
            weekday: field(4, 0, 6),
            last_day: false,
            nth: None,
            nearest: None,
            before_last: None,
        };
        let (ours, theirs, _) =
            compare(&cron, &zone, from).unwrap_or_else(|| panic!("{text} is the same"));
        let difference = Difference {
            cron: &cron,
            zone: &zone,
            ours,
            theirs,
        };
        let named = DIFFERENCES
            .iter()
            .find(|named| named.1(&difference))
            .unwrap();
        assert_eq!(named.0, name, "{text}: {ours:?}, croner {theirs:?}");
    }
}

/// The reference names each difference, and no other.
#[test]
fn the_reference_names_the_same_differences() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cron.md");
    let page = std::fs::read_to_string(&page)
        .unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let section = page
        .split("## Differences from croner")
        .nth(1)
        .expect("the page has the section");
    let section = section.split("\n## ").next().unwrap();
    let named: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| "))
        .filter_map(|line| line.split(" |").next())
        .filter(|name| !["name", "---"].contains(name))
        .collect();
    assert_eq!(named, DIFFERENCES.map(|difference| difference.0));
}

/// What the manual pages crontab(5) and cron(8) of Vixie's cron and its Debian version say.
#[test]
fn the_manual_of_vixies_cron_is_followed() {
    let new_year = "2025-12-31T23:59:59Z";
    let new_york = "America/New_York";
    for (rule, text, zone, from, expected) in [
        (
            "five minutes after midnight, every day",
            "5 0 * * *",
            "UTC",
            new_year,
            "01-01 00:05, 01-02 00:05",
        ),
        (
            "at 14:15 on the first of every month",
            "15 14 1 * *",
            "UTC",
            new_year,
            "01-01 14:15, 02-01 14:15",
        ),
        (
            "at 22:00 on weekdays",
            "0 22 * * 1-5",
            "UTC",
            new_year,
            "01-01 22:00, 01-02 22:00, 01-05 22:00",
        ),
        (
            "23 minutes after midnight, 2am, 4am, everyday",
            "23 0-23/2 * * *",
            "UTC",
            new_year,
            "01-01 00:23, 01-01 02:23, 01-01 04:23",
        ),
        (
            "at 5 after 4 every Sunday",
            "5 4 * * sun",
            "UTC",
            new_year,
            "01-04 04:05, 01-11 04:05",
        ),
        (
            "1st and 15th of each month, plus every Friday",
            "30 4 1,15 * 5",
            "UTC",
            new_year,
            "01-01 04:30, 01-02 04:30, 01-09 04:30, 01-15 04:30",
        ),
        (
            "8-11 in the hours is 8, 9, 10 and 11",
            "0 8-11 * * *",
            "UTC",
            new_year,
            "01-01 08:00, 01-01 09:00, 01-01 10:00, 01-01 11:00, 01-02 08:00",
        ),
        (
            "lists hold ranges",
            "0 0-1,8-9 * * *",
            "UTC",
            new_year,
            "01-01 00:00, 01-01 01:00, 01-01 08:00, 01-01 09:00, 01-02 00:00",
        ),
        (
            "*/2 in the hours is every two hours",
            "0 */2 * * *",
            "UTC",
            new_year,
            "01-01 00:00, 01-01 02:00",
        ),
        (
            "0 and 7 are Sunday",
            "0 0 * * 7",
            "UTC",
            new_year,
            "01-04 00:00, 01-11 00:00",
        ),
        (
            "names have no case",
            "0 0 1 FeB *",
            "UTC",
            new_year,
            "02-01 00:00",
        ),
        (
            "a field that begins with * is not restricted",
            "0 0 */7 * 1",
            "UTC",
            new_year,
            "06-01 00:00, 06-08 00:00, 06-15 00:00",
        ),
        (
            "a job of a skipped hour runs soon after the change",
            "30 2 * * *",
            new_york,
            "2026-03-08T06:00:00Z",
            "03-08 07:00, 03-09 06:30",
        ),
        (
            "a job of a repeated hour runs once",
            "30 1 * * *",
            new_york,
            "2026-11-01T04:00:00Z",
            "11-01 05:30, 11-02 06:30",
        ),
        (
            "jobs with * or */n run by the new time at once: skipped",
            "*/30 2 * * *",
            new_york,
            "2026-03-08T06:00:00Z",
            "03-09 06:00, 03-09 06:30",
        ),
        (
            "jobs with * or */n run by the new time at once: repeated",
            "30 * * * *",
            new_york,
            "2026-11-01T04:40:00Z",
            "11-01 05:30, 11-01 06:30, 11-01 07:30",
        ),
        (
            "a list is no wildcard",
            "0,30 2 * * *",
            new_york,
            "2026-03-08T06:00:00Z",
            "03-08 07:00, 03-09 06:00",
        ),
        (
            "a range is no wildcard",
            "0 1-2 * * *",
            new_york,
            "2026-11-01T04:00:00Z",
            "11-01 05:00, 11-01 07:00, 11-02 06:00",
        ),
        (
            "@monthly is 0 0 1 * *",
            "@monthly",
            "UTC",
            new_year,
            "01-01 00:00, 02-01 00:00",
        ),
        (
            "@yearly is 0 0 1 1 *",
            "@annually",
            "UTC",
            new_year,
            "01-01 00:00, 01-01 00:00",
        ),
        (
            "CRON_TZ names the zone of the table",
            "CRON_TZ=Japan 0 9 * * *",
            "UTC",
            new_year,
            "01-01 00:00, 01-02 00:00",
        ),
    ] {
        let zoned = parse(text)
            .unwrap_or_else(|error| panic!("{text}: {error}"))
            .in_zone(&find_zone(zone).unwrap());
        let expected: Vec<&str> = expected.split(", ").collect();
        let mut at: Timestamp = from.parse().unwrap();
        for expected in expected {
            at = zoned
                .next_after(at)
                .unwrap_or_else(|| panic!("{rule}: nothing after {at}"));
            assert_eq!(
                at.strftime("%m-%d %H:%M").to_string(),
                expected,
                "{rule}: {text}"
            );
        }
    }
}
