//! Schedules that refer to calendars, count business days, or count weeks and months.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use odin_schedule::{
    Calendar, CalendarName, Calendars, ScheduleWarning, parse, parse_with, read_words,
};

/// Irish public holidays around the end of 2026, under two names, and a few trading days.
fn calendars() -> Calendars {
    let mut calendars = Calendars::default();
    let holidays = "2026-10-26 October holiday\n2026-12-25..2026-12-28\n2027-01-01\n2027-02-01\n";
    let holidays = std::sync::Arc::new(Calendar::parse(holidays).unwrap());
    let mut add = |name: &str, calendar| {
        calendars.insert(CalendarName::new(name).unwrap(), calendar);
    };
    add("holidays", std::sync::Arc::clone(&holidays));
    add("ireland", holidays);
    let trading = "2026-11-27\n2026-11-30\n2026-12-05\n2027-01-04";
    add("trading-days", Calendar::parse(trading).unwrap().into());
    // Every day from the middle of November to the end of January.
    let closed = "2026-11-14..2027-01-31";
    add("closed", Calendar::parse(closed).unwrap().into());
    calendars
}

/// A Sunday.
const NOVEMBER: &str = "2026-11-01T00:00:00Z";

/// Text, its normal form, and the first days on which it is due after an instant, each
/// at 09:00 UTC where it has no time of its own.
#[track_caller]
fn check(text: &str, canonical: &str, days: &[&str]) {
    let calendars = calendars();
    let schedule =
        parse_with(text, &calendars).unwrap_or_else(|e| panic!("{text}: {e} at {:?}", e.span));
    assert_eq!(schedule.canonical(), canonical, "normal form of {text}");
    let again = parse_with(canonical, &calendars).unwrap_or_else(|e| panic!("{canonical}: {e}"));
    assert_eq!(again, schedule, "{text} and its normal form");
    let wording = read_words(text).unwrap();
    assert_eq!(wording.canonical(), canonical, "words of {text}");
    assert_eq!(wording.calendars(), schedule.calendars());

    let zoned = schedule.in_zone(&TimeZone::UTC);
    let mut at: Timestamp = NOVEMBER.parse().unwrap();
    let mut found = Vec::new();
    for _ in days {
        at = zoned
            .next_after(at)
            .unwrap_or_else(|| panic!("{text}: nothing after {at}"));
        found.push(at);
    }
    let dates: Vec<String> = found
        .iter()
        .map(|at| at.to_string()[..10].to_owned())
        .collect();
    assert_eq!(dates, days, "{text}");
    for pair in found.windows(2) {
        assert_eq!(
            zoned.previous_before(pair[1]),
            Some(pair[0]),
            "{text}, backwards"
        );
        assert_eq!(zoned.count(pair[0], pair[1]), 2, "{text}, counted");
    }
}

#[track_caller]
fn refuse(text: &str, code: &str, pointed_at: &str, help: &str) {
    let error = match parse_with(text, &calendars()) {
        Err(error) => error,
        Ok(schedule) => panic!("{text} was read as {schedule}"),
    };
    let found = (error.code(), &text[error.span.clone()]);
    assert_eq!(found, (code, pointed_at), "{text}: {error}");
    assert!(
        error.help().contains(help),
        "{text}: help is {:?}",
        error.help()
    );
}

#[test]
fn days_of_a_calendar_are_left_out_or_alone_count() {
    check(
        "every day in December at 9am except holidays",
        "every day in December at 09:00 except on holidays",
        &["2026-12-01", "2026-12-02"],
    );
    check(
        "every Friday at 9am except on holidays",
        "every Friday at 09:00 except on holidays",
        &[
            "2026-11-06",
            "2026-11-13",
            "2026-11-20",
            "2026-11-27",
            "2026-12-04",
            "2026-12-11",
            "2026-12-18",
            "2027-01-08",
        ],
    );
    check(
        "every Friday at 9am except calendar Ireland, 2026-11-06 and Sundays",
        "every Friday at 09:00 except Sundays, 2026-11-06 and on ireland",
        &["2026-11-13", "2026-11-20"],
    );
    check(
        "every day in calendar trading-days at 09:00",
        "every day at 09:00 in calendar trading-days",
        &["2026-11-27", "2026-11-30", "2026-12-05", "2027-01-04"],
    );
    check(
        "every weekday at 9am in calendar trading-days except on holidays",
        "every weekday at 09:00 in calendar trading-days except on holidays",
        &["2026-11-27", "2026-11-30", "2027-01-04"],
    );
    check(
        "cron \"0 9 * * 5\" except on holidays",
        "cron \"0 9 * * 5\" except on holidays",
        &["2026-11-06", "2026-11-13"],
    );
    check(
        "every 3 hours from 9am to 10am in calendar trading-days and once on 2026-12-01 at 9am",
        "every 3 hours from 09:00 to 10:00 in calendar trading-days and once on 2026-12-01 at 09:00",
        &[],
    );
}

#[test]
fn business_days_are_weekdays_that_are_no_holidays() {
    check(
        "every business day at 9am starting 2026-12-23",
        "every business day at 09:00 starting 2026-12-23",
        &[
            "2026-12-23",
            "2026-12-24",
            "2026-12-29",
            "2026-12-30",
            "2026-12-31",
            "2027-01-04",
        ],
    );
    check(
        "every working day of trading-days at 9am",
        "every business day of trading-days at 09:00",
        &["2026-11-02", "2026-11-03"],
    );
    check(
        "every 1st business day of the month at 9am",
        "every 1st business day at 09:00",
        &["2026-11-02", "2026-12-01", "2027-01-04", "2027-02-02"],
    );
    check(
        "every first and last business day of the month of Ireland at 9am",
        "every 1st business day and last business day of ireland at 09:00",
        &[
            "2026-11-02",
            "2026-11-30",
            "2026-12-01",
            "2026-12-31",
            "2027-01-04",
        ],
    );
    check(
        "every 2nd last business day of December at 9am",
        "every 2nd last business day in December at 09:00",
        &["2026-12-30", "2027-12-30"],
    );
    check(
        "every last weekday of the month at 9am",
        "every last weekday at 09:00",
        &["2026-11-30", "2026-12-31", "2027-01-29"],
    );
    check(
        "every 23rd business day at 9am",
        "every 23rd business day at 09:00",
        &["2027-03-31", "2027-12-31", "2028-03-31"],
    );
    check(
        "every 1st business day and 15th of the month at 9am",
        "every 1st business day at 09:00 and every 15th at 09:00",
        &["2026-11-02", "2026-11-15", "2026-12-01"],
    );
    check(
        "every month on the last business day at 9am",
        "every last business day at 09:00",
        &["2026-11-30", "2026-12-31"],
    );
    check(
        "every 12 hours on business days in December except on trading-days",
        "every 12 hours on business day in December except on trading-days",
        &["2026-12-01", "2026-12-01", "2026-12-02"],
    );
}

#[test]
fn days_that_are_no_business_days_move() {
    check(
        "every 15th or next business day at 09:00",
        "every 15th at 09:00 or next business day",
        &["2026-11-16", "2026-12-15", "2027-01-15", "2027-02-15"],
    );
    check(
        "every 25th and 28th or the following business day at 9am",
        "every 25th and 28th at 09:00 or next business day",
        &[
            "2026-11-25",
            "2026-11-30",
            "2026-12-29",
            "2027-01-25",
            "2027-01-28",
        ],
    );
    check(
        "every 1st at 9am, or the preceding business day",
        "every 1st at 09:00 or previous business day",
        &["2026-12-01", "2026-12-31", "2027-01-29", "2027-03-01"],
    );
    check(
        "every last day of the month rolled forward at 9am",
        "every last day of the month at 09:00 or next business day",
        &["2026-11-02", "2026-11-30", "2026-12-31", "2027-02-02"],
    );
    check(
        "every 26th in December or nearest business day at 9am",
        "every December 26th at 09:00 or nearest business day",
        &["2026-12-24", "2027-12-27"],
    );
    // Of Friday 27 and Tuesday 1 no one is in reach: within the month Thursday 24 is nearest.
    check(
        "every last day of the month or nearest weekday at 9am",
        "every last day of the month at 09:00 or nearest weekday",
        &["2026-11-30", "2026-12-31", "2027-01-29", "2027-02-26"],
    );
    check(
        "every Friday or previous business day of Ireland at 9am starting 2026-12-20",
        "every Friday at 09:00 or previous business day of ireland starting 2026-12-20",
        &["2026-12-24", "2026-12-31", "2027-01-08"],
    );
    check(
        "once on 2026-12-26 or next business day at 9am",
        "once on 2026-12-26 at 09:00 or next business day",
        &["2026-12-29"],
    );
    // Nothing is open from mid-November to the end of January.
    check(
        "every 20th or next business day of closed at 9am",
        "every 20th at 09:00 or next business day of closed",
        &["2027-02-01", "2027-02-22"],
    );
    check(
        "every 10th or previous business day of closed at 9am",
        "every 10th at 09:00 or previous business day of closed",
        &["2026-11-10", "2026-11-13", "2027-02-10"],
    );
    check(
        "every 10th or nearest business day of closed at 9am",
        "every 10th at 09:00 or nearest business day of closed",
        &["2026-11-10", "2027-02-10"],
    );
    check(
        "cron \"0 9 15 * *\" or next business day",
        "cron \"0 9 15 * *\" or next business day",
        &["2026-11-16", "2026-12-15"],
    );
}

#[test]
fn moved_days_of_rare_stretches_are_found() {
    check(
        "every 5 weeks on Sunday or next business day of closed at 9am",
        "every 5 weeks on Sunday at 09:00 or next business day of closed",
        &["2026-11-09", "2027-02-01", "2027-02-22"],
    );
    check(
        "every 1200 months on the 31st or nearest weekday at 9am",
        "every 1200 months on the 31st at 09:00 or nearest weekday",
        &["2070-01-31", "2170-01-31"],
    );
    check(
        "every 40 days at 9am or previous business day of closed starting 2026-11-01",
        "every 40 days at 09:00 or previous business day of closed starting 2026-11-01",
        &["2026-11-13", "2027-03-01"],
    );
}

#[test]
fn weeks_months_quarters_and_years_are_counted_from_their_origin() {
    check(
        "every 2 weeks on Monday at 09:00",
        "every 2 weeks on Monday at 09:00",
        &["2026-11-09", "2026-11-23"],
    );
    check(
        "every other Friday and Monday at 9am starting 2026-12-02",
        "every 2 weeks on Monday and Friday at 09:00 starting 2026-12-02",
        &["2026-12-04", "2026-12-07", "2026-12-18", "2026-12-21"],
    );
    check(
        "every fortnight on weekdays at 9am starting 2026-12-07",
        "every 2 weeks on weekdays at 09:00 starting 2026-12-07",
        &[
            "2026-12-07",
            "2026-12-08",
            "2026-12-09",
            "2026-12-10",
            "2026-12-11",
            "2026-12-21",
        ],
    );
    check(
        "every 3 months on the 1st at 9am",
        "every 3 months on the 1st at 09:00",
        &["2027-01-01", "2027-04-01"],
    );
    check(
        "every 3 months on the 1st and last Friday at 9am starting 2026-11-15",
        "every 3 months on the 1st Friday and last Friday at 09:00 starting 2026-11-15",
        &["2026-11-27", "2027-02-05", "2027-02-26"],
    );
    check(
        "every other month on the last business day at 9am",
        "every 2 months on the last business day at 09:00",
        &["2026-11-30", "2027-01-29"],
    );
    check(
        "every 2 months on the 1st or previous business day at 9am",
        "every 2 months on the 1st at 09:00 or previous business day",
        &["2026-12-31", "2027-03-01", "2027-04-30"],
    );
    check(
        "every 2 years on January 4th at 9am",
        "every 2 years on January 4th at 09:00",
        &["2028-01-04", "2030-01-04"],
    );
    check(
        "every other year on the 1st of January and July at 9am starting 2027-06-01",
        "every 2 years on the 1st in January and July at 09:00 starting 2027-06-01",
        &["2027-07-01", "2029-01-01"],
    );
    check(
        "every 2 quarters at 9am starting 2026-11-15",
        "every 2 quarters at 09:00 starting 2026-11-15",
        &["2027-04-01", "2027-10-01"],
    );
    check(
        "every other day at 9am",
        "every 2 days at 09:00",
        &["2026-11-01", "2026-11-03"],
    );
    check("every other hour", "every 2 hours", &["2026-11-01"]);
    check(
        "every 1 week on Monday at 9am",
        "every Monday at 09:00",
        &["2026-11-02"],
    );
    check(
        "every 100 years on February 29th at 9am starting 2000-01-01",
        "every 100 years on February 29th at 09:00 starting 2000-01-01",
        &["2400-02-29", "2800-02-29"],
    );
}

#[test]
fn what_calendars_and_counting_cannot_be_is_refused() {
    for (text, code, pointed_at, help) in [
        (
            "every day at 9am except on irland",
            "schedule/unknown-calendar",
            "irland",
            "`ireland`",
        ),
        (
            "every day at 9am except on bank",
            "schedule/unknown-calendar",
            "bank",
            "odin calendar set bank -f FILE",
        ),
        (
            "every day at 9am in calendar bank",
            "schedule/unknown-calendar",
            "bank",
            "--calendar bank=FILE",
        ),
        (
            "every business day of bank at 9am",
            "schedule/unknown-calendar",
            "bank",
            "--calendar",
        ),
        (
            "every day at 9am except weekand",
            "schedule/unknown-word",
            "weekand",
            "`weekend`",
        ),
        (
            "every day at 9am except on",
            "schedule/incomplete",
            "",
            "calendar",
        ),
        (
            "every day at 9am except on calendar monday",
            "schedule/unexpected-word",
            "monday",
            "calendar",
        ),
        (
            "every 24th business day at 9am",
            "schedule/ordinal-out-of-range",
            "24th",
            "1st to 23rd",
        ),
        (
            "every business Monday at 9am",
            "schedule/unexpected-word",
            "Monday",
            "`day`",
        ),
        (
            "every Monday of ireland at 9am",
            "schedule/unexpected-word",
            "of",
            "business day",
        ),
        (
            "every day or next business day at 9am",
            "schedule/does-not-fit",
            "or next business day",
            "",
        ),
        (
            "every 5 minutes or next business day",
            "schedule/does-not-fit",
            "or next business day",
            "",
        ),
        (
            "every 15th or Monday at 9am",
            "schedule/unexpected-word",
            "Monday",
            "`next`",
        ),
        (
            "every 15th or next Monday at 9am",
            "schedule/unexpected-word",
            "Monday",
            "business day",
        ),
        (
            "every 15th rolled up at 9am",
            "schedule/unknown-word",
            "up",
            "",
        ),
        (
            "every 2 weeks at 9am",
            "schedule/incomplete",
            "",
            "weekdays",
        ),
        (
            "every 2 weeks on the 1st at 9am",
            "schedule/does-not-fit",
            "the 1st",
            "",
        ),
        (
            "every 2 months on Monday at 9am",
            "schedule/does-not-fit",
            "Monday",
            "",
        ),
        (
            "every 0 weeks on Monday at 9am",
            "schedule/zero-interval",
            "every 0 weeks",
            "1 or more",
        ),
        (
            "every 9999 weeks on Monday at 9am",
            "schedule/interval-too-long",
            "every 9999 weeks",
            "36500",
        ),
        (
            "every 99999999999 years on May 1st at 9am",
            "schedule/interval-too-long",
            "every 99999999999 years",
            "36500",
        ),
        (
            "every other 1st at 9am",
            "schedule/unexpected-word",
            "1st",
            "every other day",
        ),
        (
            "every other weekday at 9am",
            "schedule/unexpected-word",
            "weekday",
            "every other Friday",
        ),
        (
            "every second Tuesday at 9am",
            "schedule/unexpected-word",
            "Tuesday",
            "2nd",
        ),
    ] {
        refuse(text, code, pointed_at, help);
    }
}

#[test]
fn business_days_without_holidays_are_weekdays_and_that_is_said() {
    let schedule = parse("every 1st business day at 9am").unwrap();
    let after = "2026-12-31T00:00:00Z".parse().unwrap();
    let next = schedule.in_zone(&TimeZone::UTC).next_after(after).unwrap();
    assert_eq!(next.to_string(), "2027-01-01T09:00:00Z");
    let warnings = schedule.warnings(after, &TimeZone::UTC);
    assert_eq!(warnings, [ScheduleWarning::NoHolidays]);
    assert_eq!(warnings[0].code(), "schedule/no-holidays");
    assert!(schedule.explain().contains("there is no calendar holidays"));
    assert_eq!(schedule.calendars()[0].as_str(), "holidays");
    let wording = read_words("every 1st business day at 9am").unwrap();
    assert!(wording.required_calendars().is_empty());
    assert!(wording.explain().contains("where there is one"));
    let known = parse_with("every 1st business day at 9am", &calendars()).unwrap();
    assert_eq!(known.warnings(after, &TimeZone::UTC), []);
}

#[test]
fn what_can_never_come_is_known_at_once() {
    let calendars = calendars();
    let after: Timestamp = "2027-06-01T00:00:00Z".parse().unwrap();
    for text in [
        "every day at 9am in calendar trading-days",
        "every Tuesday at 9am in calendar trading-days",
        "every last business day at 9am except weekdays",
        "every 2 years on February 29th at 9am starting 2029-01-01",
        "every 23rd business day in February at 9am",
        "every 12 months on the 1st at 9am in January except January",
    ] {
        let zoned = parse_with(text, &calendars)
            .unwrap()
            .in_zone(&TimeZone::UTC);
        assert_eq!(zoned.next_after(after), None, "{text}");
    }
}

/// Reads a rolled schedule the plain way, day by day.
#[test]
fn moved_days_agree_with_a_walk_over_every_day() {
    let calendars = calendars();
    let closed = calendars
        .get(&CalendarName::new("closed").unwrap())
        .unwrap();
    let is_open = |date: Date| date.weekday().to_monday_zero_offset() < 5 && !closed.contains(date);
    let first: Date = "2026-01-01".parse().unwrap();
    let days: Vec<Date> = (0..900)
        .map(|n| first + jiff::Span::new().days(n))
        .collect();
    for (text, named) in [("every 20th", 20), ("every 1st", 1), ("every 31st", 31)] {
        for (to, step) in [("next", 1), ("previous", -1)] {
            let text = format!("{text} at 12:00 or {to} business day of closed");
            let zoned = parse_with(&text, &calendars)
                .unwrap()
                .in_zone(&TimeZone::UTC);
            let mut expected: Vec<Date> = days
                .iter()
                .filter(|day| day.day() == named)
                .map(|&day| {
                    let mut day = day;
                    while !is_open(day) {
                        day += jiff::Span::new().days(step);
                    }
                    day
                })
                .collect();
            expected.dedup();
            let inner = |date: &Date| (days[100]..days[700]).contains(date);
            expected.retain(inner);
            let instant = |date: Date| date.to_zoned(TimeZone::UTC).unwrap().timestamp();
            let found: Vec<Date> = zoned
                .occurrences(instant(days[100]), instant(days[700]))
                .map(|at| at.to_zoned(TimeZone::UTC).date())
                .collect();
            assert_eq!(found, expected, "{text}");
            let counted = zoned.count(instant(days[100]), instant(days[700]));
            assert_eq!(counted, expected.len() as u64, "{text}");
        }
    }
}
