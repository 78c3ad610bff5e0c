//! iCalendar events and the days that they cover.

use super::*;

/// Reads one event of the given lines, from line 2 on.
fn read_event(lines: &str) -> Result<Calendar, CalendarError> {
    let lines = lines.replace(" / ", "\r\n");
    let text =
        format!("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n{lines}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
    assert!(looks_like_ics(&text));
    Calendar::parse(&text)
}

#[track_caller]
fn check(lines: &str, expected: &[&str]) {
    let calendar = read_event(lines).unwrap_or_else(|error| panic!("{lines}: {error}"));
    let dates: Vec<_> = calendar.dates().map(|date| date.to_string()).collect();
    assert_eq!(dates, expected, "{lines}");
}

/// How many days, and the last of them.
#[track_caller]
fn check_many(lines: &str, count: usize, last: &str) {
    let calendar = read_event(lines).unwrap_or_else(|error| panic!("{lines}: {error}"));
    let found = calendar.dates().last().map(|date| date.to_string());
    assert_eq!(
        (calendar.len(), found.as_deref()),
        (count, Some(last)),
        "{lines}"
    );
}

#[track_caller]
fn refuse(lines: &str, code: &str, line: u32) {
    let error = read_event(lines).unwrap_err();
    assert_eq!(
        (error.code(), error.line),
        (code, Some(line)),
        "{lines}: {error}"
    );
    assert!(error.help().ends_with('.'));
}

#[test]
fn an_event_covers_the_days_from_its_start_to_its_end() {
    check("DTSTART;VALUE=DATE:20261225", &["2026-12-25"]);
    check(
        "DTSTART;VALUE=DATE:20261225 / DTEND;VALUE=DATE:20261227",
        &["2026-12-25", "2026-12-26"],
    );
    check("DTSTART:20261225 / DTEND:20261225", &["2026-12-25"]);
    check(
        "DTSTART;VALUE=DATE:20261231 / DURATION:P2D",
        &["2026-12-31", "2027-01-01"],
    );
    check("DTSTART:20261225T090000Z", &["2026-12-25"]);
    check(
        "DTSTART;TZID=Europe/Dublin:20261225T220000 / DTEND;TZID=Europe/Dublin:20261226T000000",
        &["2026-12-25"],
    );
    check(
        "DTSTART:20261225T220000 / DURATION:PT2H1S",
        &["2026-12-25", "2026-12-26"],
    );
    check(
        "dtstart;x-note=\"a;b:c\":202612 / \t25 / SUMMARY:Day\\, of / BEGIN:VALARM / DURATION:PT15M / END:VALARM",
        &["2026-12-25"],
    );
    check("DTSTART:20261225 / STATUS:CANCELLED", &[]);
}

#[test]
fn rules_repeat_as_the_standard_has_it() {
    check_many("DTSTART:20261225 / RRULE:FREQ=YEARLY", 75, "2100-12-25");
    check(
        "DTSTART:20240229 / RRULE:FREQ=YEARLY;COUNT=3",
        &["2024-02-29", "2028-02-29", "2032-02-29"],
    );
    check(
        "DTSTART:20260131 / RRULE:FREQ=MONTHLY;UNTIL=20260531",
        &["2026-01-31", "2026-03-31", "2026-05-31"],
    );
    check(
        "DTSTART:20261126 / RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH;COUNT=3",
        &["2026-11-26", "2027-11-25", "2028-11-23"],
    );
    check(
        "DTSTART:20260525 / RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=-1MO;COUNT=2",
        &["2026-05-25", "2027-05-31"],
    );
    check(
        "DTSTART:20260529 / RRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2",
        &["2026-05-29", "2026-06-30"],
    );
    check(
        "DTSTART:20261120 / RRULE:FREQ=MONTHLY;BYMONTHDAY=-11,-1;COUNT=3",
        &["2026-11-20", "2026-11-30", "2026-12-21"],
    );
    check(
        "DTSTART:20260213 / RRULE:FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13;COUNT=3",
        &["2026-02-13", "2026-03-13", "2026-11-13"],
    );
    // The standard's own example of what the start of the week decides.
    check(
        "DTSTART:19970805T090000 / RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=MO",
        &["1997-08-05", "1997-08-10", "1997-08-19", "1997-08-24"],
    );
    check(
        "DTSTART:19970805T090000 / RRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;BYDAY=TU,SU;WKST=SU",
        &["1997-08-05", "1997-08-17", "1997-08-19", "1997-08-31"],
    );
    check(
        "DTSTART:19970519 / RRULE:FREQ=YEARLY;BYDAY=20MO;COUNT=2",
        &["1997-05-19", "1998-05-18"],
    );
    check(
        "DTSTART:20260101 / RRULE:FREQ=DAILY;INTERVAL=10;BYMONTH=1,3;UNTIL=20260401",
        &[
            "2026-01-01",
            "2026-01-11",
            "2026-01-21",
            "2026-01-31",
            "2026-03-02",
            "2026-03-12",
            "2026-03-22",
        ],
    );
    check_many(
        "DTSTART:16040704 / RRULE:FREQ=YEARLY;COUNT=300",
        4,
        "1903-07-04",
    );
    check(
        "DTSTART:20261225 / RRULE:FREQ=YEARLY;COUNT=3 / EXDATE:20271225 / RDATE:20271227,20281226",
        &["2026-12-25", "2027-12-27", "2028-12-25", "2028-12-26"],
    );
    check(
        "DTSTART:20261231 / DURATION:P2D / RRULE:FREQ=YEARLY;COUNT=2",
        &["2026-12-31", "2027-01-01", "2027-12-31", "2028-01-01"],
    );
}

#[test]
fn an_end_in_utc_is_held_against_the_clock_of_the_start() {
    let start = "DTSTART;TZID=America/New_York:20261223T200000 / RRULE:FREQ=DAILY;UNTIL=";
    // 20:00 in New York is 01:00 UTC of the next day.
    check(
        &format!("{start}20261225T010000Z"),
        &["2026-12-23", "2026-12-24"],
    );
    check(&format!("{start}20261225T005959Z"), &["2026-12-23"]);
    check(&format!("{start}20261224"), &["2026-12-23", "2026-12-24"]);
    refuse(
        "DTSTART;TZID=Some Office:20261223T200000 / RRULE:FREQ=DAILY;UNTIL=20261225T010000Z",
        "calendar/unknown-zone",
        4,
    );
}

#[test]
fn an_instance_that_was_moved_or_cancelled_is_not_where_it_was() {
    let series = "UID:a / DTSTART:20261201 / RRULE:FREQ=DAILY;COUNT=3 / END:VEVENT / BEGIN:VEVENT / UID:a / RECURRENCE-ID:20261202 / ";
    check(
        &format!("{series}DTSTART:20261210"),
        &["2026-12-01", "2026-12-03", "2026-12-10"],
    );
    check(
        &format!("{series}DTSTART:20261202 / STATUS:CANCELLED"),
        &["2026-12-01", "2026-12-03"],
    );
}

#[test]
fn what_is_not_read_is_refused_with_its_line() {
    refuse("SUMMARY:nothing", "calendar/no-start", 2);
    refuse("DTSTART:20260229", "calendar/no-such-date", 3);
    refuse("DTSTART:tomorrow", "calendar/no-such-date", 3);
    refuse("DTSTART:20261225T250000", "calendar/no-such-date", 3);
    refuse("DTSTART:18991225", "calendar/out-of-years", 2);
    refuse(
        "DTSTART:20261225 / DTEND:20261224",
        "calendar/ends-before-it-begins",
        4,
    );
    refuse(
        "DTSTART:20261225 / DURATION:1D",
        "calendar/no-such-duration",
        4,
    );
    refuse(
        "DTSTART:20261225 / DURATION:PT",
        "calendar/no-such-duration",
        4,
    );
    refuse("DTSTART 20261225", "calendar/not-a-line", 3);
    refuse("END:VCALENDAR", "calendar/unbalanced", 3);
    refuse(
        "DTSTART:20261225 / EXRULE:FREQ=DAILY",
        "calendar/unsupported",
        4,
    );
    for (rule, code) in [
        ("FREQ=HOURLY", "calendar/unsupported"),
        ("FREQ=YEARLY;BYWEEKNO=20", "calendar/unsupported"),
        ("FREQ=YEARLY;BYYEARDAY=1", "calendar/unsupported"),
        ("FREQ=DAILY;BYHOUR=9", "calendar/unsupported"),
        ("FREQ=WEEKLY;BYDAY=2MO", "calendar/unsupported"),
        ("FREQ=YEARLY;COUNT=1;UNTIL=20270101", "calendar/unsupported"),
        ("INTERVAL=2", "calendar/bad-rule"),
        ("FREQ=SOMETIMES", "calendar/bad-rule"),
        ("FREQ=YEARLY;INTERVAL=0", "calendar/bad-rule"),
        ("FREQ=YEARLY;BYMONTH=13", "calendar/bad-rule"),
        ("FREQ=YEARLY;BYDAY=XX", "calendar/bad-rule"),
        ("FREQ=YEARLY;BYDAY=\u{e9}", "calendar/bad-rule"),
        ("FREQ=YEARLY;UNTIL=20261301", "calendar/no-such-date"),
        ("FREQ=YEARLY;BYMONTH=7", "calendar/start-off-rule"),
        (
            "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
            "calendar/start-off-rule",
        ),
    ] {
        refuse(&format!("DTSTART:20261225 / RRULE:{rule}"), code, 4);
    }
    refuse(
        "DTSTART:20261225 / RRULE:FREQ=DAILY",
        "calendar/too-many-days",
        2,
    );
}

#[test]
fn a_file_of_many_rules_ends() {
    let event = "BEGIN:VEVENT\nDTSTART:16040101\nRRULE:FREQ=DAILY;BYMONTHDAY=1\nEND:VEVENT\n";
    let text = format!("BEGIN:VCALENDAR\n{}END:VCALENDAR\n", event.repeat(10_000));
    let error = Calendar::parse(&text).unwrap_err();
    assert_eq!(error.code(), "calendar/too-much-repetition");
}
