//! Any schedule in any zone at any instant has answers that agree with each other.

use jiff::Timestamp;
use odin_schedule::{
    CronDialect, DstPolicy, GapPolicy, RepeatPolicy, Schedule, ZonedSchedule, find_zone,
    parse_with, to_cron, to_english,
};

use super::calendars;

/// Zones with every kind of clock change that the database has.
const ZONES: [&str; 24] = [
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
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Pyongyang",
    "Asia/Tehran",
    "Europe/Istanbul",
    "Pacific/Kwajalein",
    "Asia/Manila",
    "America/Caracas",
    "Asia/Gaza",
    "Pacific/Chatham",
    "America/Nuuk",
    "Europe/London",
];

/// Words of which a byte chooses one, so that most inputs are nearly a schedule.
const WORDS: &[&str] = &[
    "every",
    "every day",
    "everyday at",
    "never",
    "once on",
    "cron",
    "and",
    "at",
    "on",
    "in",
    "of",
    "the",
    "from",
    "to",
    "between",
    "starting",
    "until",
    "except",
    "last",
    "first",
    "weekday",
    "weekends",
    "day",
    "days",
    "minute",
    "minutes",
    "hours",
    "hour",
    "second",
    "seconds",
    "week",
    "month",
    "quarter",
    "year",
    "weeks",
    "months",
    "years",
    "Monday",
    "Friday",
    "Sat-Mon",
    "Tue-Thu",
    "January",
    "February",
    "July",
    "December",
    "1st",
    "2nd",
    "3rd",
    "4th",
    "5th",
    "15th",
    "29th",
    "30th",
    "31st",
    "1",
    "2",
    "3",
    "5",
    "7",
    "11",
    "15",
    "20",
    "30",
    "45",
    "50",
    "90",
    "100",
    "365",
    "366",
    "400",
    "09:30",
    "9am",
    "00:00",
    "01:30",
    "02:30",
    "23:59:59",
    "noon",
    "midnight",
    ":15",
    ":59",
    "2026-12-24",
    "2024-02-29",
    "2011-12-30",
    "1900-01-01",
    "9999-12-31",
    "2026",
    ",",
    ";",
    "last day of the month",
    "of the month",
    "business day",
    "next business day",
    "or",
    "following",
    "previous",
    "nearest",
    "around",
    "within",
    "other",
    "fortnight",
    "rolled forward",
    "rolled back",
    "daily",
    "weekly",
    "monthly",
    "yearly",
    "\"0 9 * * 1\"",
    "\"*/7 1-5 1,15 * *\"",
    "\"0 0 29 2 *\"",
    "\"30 2 L * 5#2\"",
    "\"59 59 23 31 12 6\"",
    "\"*/20 * * * * *\"",
    "\"0 2 15W * *\"",
    "\"0 0 LW * *\"",
    "\"0 0 */2 * 1\"",
    "\"0 0 29 2 1\"",
    "@daily",
    "@hourly",
    "@yearly",
    "business day",
    "next business day",
    "last business day",
    "or next business day",
    "or previous business day of closed",
    "or nearest weekday",
    "of closed",
    "on holidays",
    "in calendar trading-days",
    "every 2 weeks on",
    "every 3 months on the",
    "every other",
    "every 2 years on",
    "every 2 quarters at",
    "fortnight",
    "around",
    "within 10 minutes",
    "(spread)",
];

/// How many occurrences are walked for one input.
const WALKED_MAX: usize = 60;

/// Zone, policies, two instants, then the text: raw, or as choices from the words.
pub(crate) fn check(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_at_checked(18) else {
        return;
    };
    let number = |at: usize| {
        let bytes: [u8; 8] = head[at..at + 8].try_into().expect("the head has 18 bytes");
        u64::from_le_bytes(bytes)
    };
    let (zone, choice) = (head[0], head[1]);
    let text = if choice & 0x80 == 0 {
        let words: Vec<&str> = rest
            .iter()
            .map(|&byte| WORDS[usize::from(byte) % WORDS.len()])
            .collect();
        words.join(" ")
    } else {
        String::from_utf8_lossy(rest).into_owned()
    };
    let Ok(schedule) = parse_with(&text, calendars()) else {
        return;
    };
    let zone = find_zone(ZONES[usize::from(zone) % ZONES.len()]).expect("a zone of the database");
    let zoned = schedule.in_zone(&zone).with_dst(policy(choice));
    for at in [instant(number(2)), instant(number(10))] {
        neighbours_agree(&text, &zoned, at);
        lists_and_counts_agree(&text, &zoned, at);
        conversions_are_due_at_the_same_times(&text, &schedule, (&zoned, policy(choice)), at);
    }
}

fn policy(choice: u8) -> DstPolicy {
    DstPolicy {
        gap: [GapPolicy::Shift, GapPolicy::Skip, GapPolicy::Before][usize::from(choice & 3) % 3],
        repeat: [RepeatPolicy::First, RepeatPolicy::Last, RepeatPolicy::Both]
            [usize::from(choice >> 2 & 3) % 3],
    }
}

/// Any instant; every second one lies in the years in which clocks change.
fn instant(number: u64) -> Timestamp {
    let (from, to) = match number & 3 {
        0 => (Timestamp::MIN.as_second(), Timestamp::MAX.as_second()),
        1 => (1_700_000_000, 1_900_000_000),
        2 => (-2_300_000_000, 4_200_000_000),
        _ if number & 4 == 0 => {
            return [Timestamp::MIN, Timestamp::MAX][(number >> 3 & 1) as usize];
        }
        _ => (253_300_000_000, Timestamp::MAX.as_second()),
    };
    let second = from + ((number >> 3) % (to - from).unsigned_abs()) as i64;
    let nanosecond = [0, 1, 999_999_999][(number >> 61) as usize % 3];
    Timestamp::new(second, nanosecond).unwrap_or(Timestamp::MAX)
}

/// Between an instant's two neighbours there is nothing, seen from either side.
pub(crate) fn neighbours_agree(text: &str, zoned: &ZonedSchedule, at: Timestamp) {
    let context = || format!("{text:?} in {:?} at {at}", zoned.time_zone().iana_name());
    let (next, previous) = (zoned.next_after(at), zoned.previous_before(at));
    if let Some(next) = next {
        assert!(next > at, "{}: {next}", context());
        assert_eq!(next.subsec_nanosecond(), 0, "{}", context());
        let before = zoned.previous_before(next);
        assert!(
            before.is_none_or(|before| before <= at),
            "{}: {before:?}",
            context()
        );
        if let Some(after) = zoned.next_after(next) {
            assert!(after > next, "{}: {next} then {after}", context());
            assert_eq!(zoned.previous_before(after), Some(next), "{}", context());
        }
    }
    if let Some(previous) = previous {
        assert!(previous < at, "{}: {previous}", context());
        assert_eq!(previous.subsec_nanosecond(), 0, "{}", context());
        let after = zoned.next_after(previous);
        assert!(
            after.is_none_or(|after| after >= at),
            "{}: {after:?}",
            context()
        );
        assert!(after.is_some() || next.is_none(), "{}", context());
        if let Some(before) = zoned.previous_before(previous) {
            assert_eq!(zoned.next_after(before), Some(previous), "{}", context());
        }
    }
}

/// What is listed is what `next_after` repeats, and as many as are counted.
pub(crate) fn lists_and_counts_agree(text: &str, zoned: &ZonedSchedule, from: Timestamp) {
    let context = || {
        format!(
            "{text:?} in {:?} from {from}",
            zoned.time_zone().iana_name()
        )
    };
    let listed: Vec<Timestamp> = zoned
        .occurrences(from, Timestamp::MAX)
        .take(WALKED_MAX)
        .collect();
    assert!(
        listed.is_sorted_by(|a, b| a < b),
        "{}: {listed:?}",
        context()
    );
    for pair in listed.windows(2) {
        assert_eq!(zoned.next_after(pair[0]), Some(pair[1]), "{}", context());
    }
    if let (Some(&first), Some(&last)) = (listed.first(), listed.last()) {
        assert_eq!(
            zoned.count(first, last),
            listed.len() as u64,
            "{}",
            context()
        );
        assert_eq!(
            zoned.count(from, last),
            listed.len() as u64,
            "{}",
            context()
        );
        assert_eq!(
            zoned.count(last, first),
            u64::from(first == last),
            "{}",
            context()
        );
    } else {
        assert_eq!(zoned.count(from, Timestamp::MAX), 0, "{}", context());
    }
}

/// What cron says of a schedule, and what English says of cron text, is the same schedule.
fn conversions_are_due_at_the_same_times(
    text: &str,
    schedule: &Schedule,
    (zoned, dst): (&ZonedSchedule, DstPolicy),
    at: Timestamp,
) {
    const COMPARED: usize = 12;
    let bind = |schedule: &Schedule| schedule.in_zone(zoned.time_zone()).with_dst(dst);
    let expected: Vec<Timestamp> = zoned
        .occurrences(at, Timestamp::MAX)
        .take(COMPARED)
        .collect();
    if let Ok(english) = to_english(schedule) {
        let found: Vec<Timestamp> = bind(&english)
            .occurrences(at, Timestamp::MAX)
            .take(COMPARED)
            .collect();
        assert_eq!(found, expected, "{text:?} as {english} from {at}");
    }
    if let Ok(cron) = to_cron(schedule, CronDialect::Extended) {
        let mut found: Vec<Timestamp> = Vec::new();
        for line in cron.texts() {
            let line = parse_with(&line, calendars()).expect("cron text that was just made");
            found.extend(bind(&line).occurrences(at, Timestamp::MAX).take(COMPARED));
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(COMPARED);
        assert_eq!(found, expected, "{text:?} as {cron} from {at}");
    }
}
