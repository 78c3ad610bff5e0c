//! Schedules as users write them, the normal form they print back as, and when they
//! are due.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_schedule::parse;

/// Text, its normal form, and its first occurrences after an instant in UTC.
///
/// Occurrences are written as `2026-03-01T09:30` with `..` for the parts that
/// are the same as in the one before.
#[track_caller]
fn check(text: &str, canonical: &str, after: &str, occurrences: &[&str]) {
    let schedule =
        parse(text).unwrap_or_else(|error| panic!("{text}: {error} at {:?}", error.span));
    assert_eq!(schedule.canonical(), canonical, "normal form of {text}");
    let again = parse(canonical).unwrap_or_else(|error| panic!("{canonical}: {error}"));
    assert_eq!(again, schedule, "{text} and its normal form {canonical}");
    let zoned = schedule.in_zone(&TimeZone::UTC);
    let mut at: Timestamp = after.parse().unwrap();
    for expected in occurrences {
        at = zoned
            .next_after(at)
            .unwrap_or_else(|| panic!("{text}: nothing after {at}"));
        let expected: Timestamp = expected.parse().unwrap();
        assert_eq!(at, expected, "{text}");
    }
    // And back again.
    for pair in occurrences.windows(2).rev() {
        at = zoned.previous_before(at).unwrap();
        assert_eq!(
            at,
            pair[0].parse::<Timestamp>().unwrap(),
            "{text}, backwards"
        );
    }
}

/// A Thursday.
const NEW_YEAR: &str = "2026-01-01T00:00:00Z";

#[test]
fn the_original_grammar_and_what_its_parser_got_wrong() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "everyday at 00:00",
            "every day at 00:00",
            &["2026-01-02T00:00:00Z"],
        ),
        (
            "everyday at 12:12",
            "every day at 12:12",
            &["2026-01-01T12:12:00Z"],
        ),
        (
            "everyday at 21:15",
            "every day at 21:15",
            &["2026-01-01T21:15:00Z"],
        ),
        (
            "everyday at 22:05",
            "every day at 22:05",
            &["2026-01-01T22:05:00Z"],
        ),
        (
            "everyday at 9:30",
            "every day at 09:30",
            &["2026-01-01T09:30:00Z"],
        ),
        (
            "every Saturday at 10:00",
            "every Saturday at 10:00",
            &["2026-01-03T10:00:00Z", "2026-01-10T10:00:00Z"],
        ),
        (
            "every 22nd at 10:00",
            "every 22nd at 10:00",
            &["2026-01-22T10:00:00Z", "2026-02-22T10:00:00Z"],
        ),
        (
            "every January 2nd at 10:00",
            "every January 2nd at 10:00",
            &["2026-01-02T10:00:00Z", "2027-01-02T10:00:00Z"],
        ),
        (
            "every January 22nd at 10:00",
            "every January 22nd at 10:00",
            &["2026-01-22T10:00:00Z"],
        ),
        (
            "every July 4th at 10:00",
            "every July 4th at 10:00",
            &["2026-07-04T10:00:00Z"],
        ),
        (
            "every minute and every hour",
            "every minute and every hour",
            &["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"],
        ),
        (
            "every Monday at 09:30 and Friday at 17:00",
            "every Monday at 09:30 and every Friday at 17:00",
            &[
                "2026-01-02T17:00:00Z",
                "2026-01-05T09:30:00Z",
                "2026-01-09T17:00:00Z",
            ],
        ),
        (
            "every 4th January at 10:15",
            "every January 4th at 10:15",
            &["2026-01-04T10:15:00Z", "2027-01-04T10:15:00Z"],
        ),
        (
            "every monday at 13:05",
            "every Monday at 13:05",
            &["2026-01-05T13:05:00Z"],
        ),
        (
            "every 31st at 08:00",
            "every 31st at 08:00",
            &[
                "2026-01-31T08:00:00Z",
                "2026-03-31T08:00:00Z",
                "2026-05-31T08:00:00Z",
            ],
        ),
        (
            "every 1st at 17:00 and every Friday at 17:00",
            "every 1st at 17:00 and every Friday at 17:00",
            &[
                "2026-01-01T17:00:00Z",
                "2026-01-02T17:00:00Z",
                "2026-01-09T17:00:00Z",
                "2026-01-16T17:00:00Z",
                "2026-01-23T17:00:00Z",
                "2026-01-30T17:00:00Z",
                "2026-02-01T17:00:00Z",
            ],
        ),
        (
            "every 1st at 08:00 and every 15th at 08:00",
            "every 1st at 08:00 and every 15th at 08:00",
            &[
                "2026-01-01T08:00:00Z",
                "2026-01-15T08:00:00Z",
                "2026-02-01T08:00:00Z",
            ],
        ),
        (
            "every 23rd at 13:05",
            "every 23rd at 13:05",
            &["2026-01-23T13:05:00Z"],
        ),
        ("never", "never", &[]),
    ];
    for (text, canonical, occurrences) in cases {
        check(text, canonical, NEW_YEAR, occurrences);
    }
}

#[test]
fn every_form_of_the_language() {
    let cases: &[(&str, &str, &[&str])] = &[
        (
            "every minute",
            "every minute",
            &["2026-01-01T00:01:00Z", "2026-01-01T00:02:00Z"],
        ),
        (
            "every hour",
            "every hour",
            &["2026-01-01T01:00:00Z", "2026-01-01T02:00:00Z"],
        ),
        (
            "every 15 minutes",
            "every 15 minutes",
            &["2026-01-01T00:15:00Z"],
        ),
        (
            "every 20 seconds",
            "every 20 seconds",
            &["2026-01-01T00:00:20Z"],
        ),
        ("every 1 second", "every second", &["2026-01-01T00:00:01Z"]),
        (
            "every 2 hours",
            "every 2 hours",
            &["2026-01-01T02:00:00Z", "2026-01-01T04:00:00Z"],
        ),
        // 11 minutes do not divide the day: counted from 1970-01-01T00:00Z.
        (
            "every 11 minutes",
            "every 11 minutes",
            &["2026-01-01T00:05:00Z", "2026-01-01T00:16:00Z"],
        ),
        (
            "every 2 days",
            "every 48 hours",
            &["2026-01-03T00:00:00Z", "2026-01-05T00:00:00Z"],
        ),
        (
            "every 1 day",
            "every 24 hours",
            &["2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z"],
        ),
        (
            "every 3 days at 09:00 starting 2026-01-05",
            "every 3 days at 09:00 starting 2026-01-05",
            &["2026-01-05T09:00:00Z", "2026-01-08T09:00:00Z"],
        ),
        (
            "every 7 hours starting 2026-01-05 at 01:00",
            "every 7 hours starting 2026-01-05 at 01:00",
            &["2026-01-05T01:00:00Z", "2026-01-05T08:00:00Z"],
        ),
        (
            "every Wednesday at 17:00",
            "every Wednesday at 17:00",
            &["2026-01-07T17:00:00Z"],
        ),
        (
            "every Monday and Friday at 18:30",
            "every Monday and Friday at 18:30",
            &["2026-01-02T18:30:00Z", "2026-01-05T18:30:00Z"],
        ),
        (
            "every weekday at 9am",
            "every weekday at 09:00",
            &[
                "2026-01-01T09:00:00Z",
                "2026-01-02T09:00:00Z",
                "2026-01-05T09:00:00Z",
            ],
        ),
        (
            "every weekend at noon",
            "every weekend at 12:00",
            &[
                "2026-01-03T12:00:00Z",
                "2026-01-04T12:00:00Z",
                "2026-01-10T12:00:00Z",
            ],
        ),
        (
            "every 1st at 12:00 and every 15th at 12:00 and every Friday at 17:00",
            "every 1st at 12:00 and every 15th at 12:00 and every Friday at 17:00",
            &[
                "2026-01-01T12:00:00Z",
                "2026-01-02T17:00:00Z",
                "2026-01-09T17:00:00Z",
                "2026-01-15T12:00:00Z",
            ],
        ),
        (
            "every January 4th at 13:15",
            "every January 4th at 13:15",
            &["2026-01-04T13:15:00Z"],
        ),
        (
            "every 4th of January at 13:15",
            "every January 4th at 13:15",
            &["2026-01-04T13:15:00Z"],
        ),
        (
            "every last day of the month at 23:00",
            "every last day of the month at 23:00",
            &["2026-01-31T23:00:00Z", "2026-02-28T23:00:00Z"],
        ),
        (
            "every 2nd Tuesday at 10:00",
            "every 2nd Tuesday at 10:00",
            &["2026-01-13T10:00:00Z", "2026-02-10T10:00:00Z"],
        ),
        (
            "every last Friday at 16:00",
            "every last Friday at 16:00",
            &["2026-01-30T16:00:00Z", "2026-02-27T16:00:00Z"],
        ),
        (
            "every first monday of the month at 16:00",
            "every 1st Monday at 16:00",
            &["2026-01-05T16:00:00Z"],
        ),
        (
            "every 5th Friday at 16:00",
            "every 5th Friday at 16:00",
            &["2026-01-30T16:00:00Z", "2026-05-29T16:00:00Z"],
        ),
        (
            "every month on the 1st at 08:00",
            "every 1st at 08:00",
            &["2026-01-01T08:00:00Z", "2026-02-01T08:00:00Z"],
        ),
        (
            "every quarter at 06:00",
            "every quarter at 06:00",
            &[
                "2026-01-01T06:00:00Z",
                "2026-04-01T06:00:00Z",
                "2026-07-01T06:00:00Z",
                "2026-10-01T06:00:00Z",
            ],
        ),
        (
            "every quarter on the 15th at 06:00",
            "every 15th in January, April, July and October at 06:00",
            &["2026-01-15T06:00:00Z", "2026-04-15T06:00:00Z"],
        ),
        (
            "every week on Tuesday at 06:00",
            "every Tuesday at 06:00",
            &["2026-01-06T06:00:00Z"],
        ),
        (
            "every year on March 3rd at 06:00",
            "every March 3rd at 06:00",
            &["2026-03-03T06:00:00Z"],
        ),
        (
            "every 30 minutes from 09:00 to 17:00 on weekdays",
            "every 30 minutes from 09:00 to 17:00 on weekdays",
            &["2026-01-01T09:00:00Z", "2026-01-01T09:30:00Z"],
        ),
        (
            "every 2 hours from 22:00 to 2:00 on Friday",
            "every 2 hours from 22:00 to 02:00 on Fridays",
            &[
                "2026-01-02T22:00:00Z",
                "2026-01-03T00:00:00Z",
                "2026-01-03T02:00:00Z",
                "2026-01-09T22:00:00Z",
            ],
        ),
        (
            "every day at 06:00, 12:00 and 18:00",
            "every day at 06:00, 12:00 and 18:00",
            &[
                "2026-01-01T06:00:00Z",
                "2026-01-01T12:00:00Z",
                "2026-01-01T18:00:00Z",
                "2026-01-02T06:00:00Z",
            ],
        ),
        (
            "every day at 02:30 in europe/dublin",
            "every day at 02:30 in Europe/Dublin",
            &["2026-01-01T02:30:00Z"],
        ),
        (
            "every day at 9am except weekends",
            "every day at 09:00 except weekends",
            &[
                "2026-01-01T09:00:00Z",
                "2026-01-02T09:00:00Z",
                "2026-01-05T09:00:00Z",
            ],
        ),
        (
            "every day at 9am except Sundays, January 2nd, 2026-01-03 and February",
            "every day at 09:00 except Sundays, January 2nd, February and 2026-01-03",
            &["2026-01-01T09:00:00Z", "2026-01-05T09:00:00Z"],
        ),
        (
            "every Monday at 9:00 starting 2026-12-01 until 2026-12-14",
            "every Monday at 09:00 starting 2026-12-01 until 2026-12-14",
            &["2026-12-07T09:00:00Z", "2026-12-14T09:00:00Z"],
        ),
        (
            "once on 2026-12-24 at 09:00",
            "once on 2026-12-24 at 09:00",
            &["2026-12-24T09:00:00Z"],
        ),
        (
            "once on December 24th 2026 at 9am",
            "once on 2026-12-24 at 09:00",
            &["2026-12-24T09:00:00Z"],
        ),
        (
            "once at noon on 24 December 2026",
            "once on 2026-12-24 at 12:00",
            &["2026-12-24T12:00:00Z"],
        ),
        (
            "every hour at :17",
            "every hour at :17",
            &["2026-01-01T00:17:00Z", "2026-01-01T01:17:00Z"],
        ),
        (
            "cron \"30 18 * * 3,5\"",
            "cron \"30 18 * * 3,5\"",
            &["2026-01-02T18:30:00Z", "2026-01-07T18:30:00Z"],
        ),
        (
            "30 18 * * WED,fri",
            "cron \"30 18 * * 3,5\"",
            &["2026-01-02T18:30:00Z"],
        ),
        ("@daily", "cron \"0 0 * * *\"", &["2026-01-02T00:00:00Z"]),
        ("@hourly", "cron \"0 * * * *\"", &["2026-01-01T01:00:00Z"]),
        (
            "*/20 * * * * *",
            "cron \"*/20 * * * * *\"",
            &["2026-01-01T00:00:20Z"],
        ),
        (
            "0 9 1 * 1",
            "cron \"0 9 1 * 1\"",
            &["2026-01-01T09:00:00Z", "2026-01-05T09:00:00Z"],
        ),
        (
            "0 9 */2 * 1",
            "cron \"0 9 */2 * 1\"",
            &["2026-01-05T09:00:00Z", "2026-01-19T09:00:00Z"],
        ),
        (
            "0 9 * * 5L",
            "cron \"0 9 * * 5L\"",
            &["2026-01-30T09:00:00Z"],
        ),
        (
            "0 9 ? * 5#2",
            "cron \"0 9 * * 5#2\"",
            &["2026-01-09T09:00:00Z"],
        ),
        ("0 9 L * *", "cron \"0 9 L * *\"", &["2026-01-31T09:00:00Z"]),
        (
            "CRON_TZ=Asia/Tokyo 0 9 * * *",
            "cron \"0 9 * * *\" in Asia/Tokyo",
            &["2026-01-02T00:00:00Z"],
        ),
        (
            "0 0 29 2 *",
            "cron \"0 0 29 2 *\"",
            &["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z"],
        ),
    ];
    for (text, canonical, occurrences) in cases {
        check(text, canonical, NEW_YEAR, occurrences);
    }
}

#[test]
fn lists_and_clauses_are_read_the_natural_way() {
    let cases: &[(&str, &str)] = &[
        (
            "every Monday and every Friday at 18:30",
            "every Monday and Friday at 18:30",
        ),
        ("every Mon-Fri at 7:00", "every weekday at 07:00"),
        (
            "every Saturday to Monday at 7:00",
            "every Monday, Saturday and Sunday at 07:00",
        ),
        ("every 1st, 15th at 7:00", "every 1st and 15th at 07:00"),
        (
            "every 1st and 15th of January at 7:00",
            "every 1st and 15th in January at 07:00",
        ),
        (
            "every January 4th and 15th at 7:00",
            "every 4th and 15th in January at 07:00",
        ),
        (
            "every January 4th and July 5th at 7:00",
            "every January 4th at 07:00 and every July 5th at 07:00",
        ),
        (
            "every 1st of January and July at 7:00",
            "every 1st in January and July at 07:00",
        ),
        (
            "every Monday at 09:00 and at 17:00",
            "every Monday at 09:00 and 17:00",
        ),
        (
            "every day at 06:00, 12:00, and 18:00; every Monday at 7pm, Friday at 8 PM",
            "every day at 06:00, 12:00 and 18:00 and every Monday at 19:00 and every Friday at 20:00",
        ),
        ("EVERY DAY AT MIDNIGHT", "every day at 00:00"),
        ("every day at 12am", "every day at 00:00"),
        ("every day at 12pm", "every day at 12:00"),
        ("every day at 11:59:30pm", "every day at 23:59:30"),
        (
            "every Monday at 9:00 and every Friday at 17:00 except 2026-12-25",
            "every Monday at 09:00 and every Friday at 17:00 except 2026-12-25",
        ),
        (
            "every Monday at 9:00 until 2026-12-01 and every Friday at 17:00 starting 2026-12-01",
            "every Monday at 09:00 until 2026-12-01 and every Friday at 17:00 starting 2026-12-01",
        ),
        (
            "every 30 minutes from 9:00 to 17:00 on weekdays and every hour on weekends",
            "every 30 minutes from 09:00 to 17:00 on weekdays and every hour on weekends",
        ),
        (
            "every day starting 2026-12-01 at 09:00",
            "every day at 09:00 starting 2026-12-01",
        ),
        (
            "every day in January at 9:00",
            "every day in January at 09:00",
        ),
        (
            "every 15 minutes in May and June",
            "every 15 minutes in May and June",
        ),
        (
            "every 1st on weekdays at 9:00",
            "every 1st on weekdays at 09:00",
        ),
        (
            "every Monday at 9:00 and every Monday at 9:00",
            "every Monday at 09:00",
        ),
        (
            "every 2nd and 4th Tuesday at 9am",
            "every 2nd Tuesday and 4th Tuesday at 09:00",
        ),
        (
            "every first and last Friday of January at 9am",
            "every 1st Friday and last Friday in January at 09:00",
        ),
        (
            "every 15th of the month and 2nd Tuesday at 9am",
            "every 15th of the month and 2nd Tuesday at 09:00",
        ),
        (
            "every Monday and Friday of May at 9am",
            "every Monday and Friday in May at 09:00",
        ),
        (
            "every Monday and 1st of January at 9am",
            "every Monday at 09:00 and every January 1st at 09:00",
        ),
        (
            "every day at 9am and Monday at 5pm until 2030-01-01 and Monday at 5pm until 2030-01-01",
            "every day at 09:00 and every Monday at 17:00 until 2030-01-01",
        ),
        (
            "every Monday, at 9am, except 2026-12-28, in Europe/Dublin",
            "every Monday at 09:00 except 2026-12-28 in Europe/Dublin",
        ),
        ("every second", "every second"),
        ("daily at 9am", "every day at 09:00"),
        ("hourly at :17", "every hour at :17"),
        ("hourly", "every hour"),
        ("weekly on Monday at 9am", "every Monday at 09:00"),
        (
            "fortnightly on Friday at 9am",
            "every 2 weeks on Friday at 09:00",
        ),
        ("monthly on the 1st at 9am", "every 1st at 09:00"),
        ("quarterly at noon", "every quarter at 12:00"),
        (
            "annually on January 1st at 9am",
            "every January 1st at 09:00",
        ),
        ("yearly on May 5th at 9am", "every May 5th at 09:00"),
        ("each Monday at 9am", "every Monday at 09:00"),
        ("weekdays at 9am", "every weekday at 09:00"),
        (
            "Mondays at 9am and Fridays at midday",
            "every Monday at 09:00 and every Friday at 12:00",
        ),
        (
            "on Mondays and Fridays at 9am",
            "every Monday and Friday at 09:00",
        ),
        (
            "on the 1st and 15th of every month at 9am",
            "every 1st and 15th at 09:00",
        ),
        (
            "on the first Monday of each month at 9am",
            "every 1st Monday at 09:00",
        ),
        ("at 09:00 every Monday", "every Monday at 09:00"),
        (
            "at 9am and 5pm on weekdays",
            "every weekday at 09:00 and 17:00",
        ),
        ("at noon daily", "every day at 12:00"),
        ("at :30 every 2 hours", "every 2 hours at :30"),
        ("at 9am once on 2026-12-24", "once on 2026-12-24 at 09:00"),
        (
            "at 9am every Monday and at 5pm every Friday",
            "every Monday at 09:00 and every Friday at 17:00",
        ),
        ("every hour at minute 17", "every hour at :17"),
        ("every two hours", "every 2 hours"),
        (
            "every fifteen minutes between 9am and 5pm",
            "every 15 minutes from 09:00 to 17:00",
        ),
        ("every hour from Monday to Friday", "every hour on weekdays"),
        (
            "every Monday through Friday at 9am",
            "every weekday at 09:00",
        ),
        (
            "every weekday except Friday at 9am",
            "every weekday at 09:00 except Fridays",
        ),
        (
            "every day at 9am except for the weekends",
            "every day at 09:00 except weekends",
        ),
        (
            "every day at 9am excluding 2026-12-25",
            "every day at 09:00 except 2026-12-25",
        ),
        (
            "every day at 9am in November through February",
            "every day in January, February, November and December at 09:00",
        ),
        (
            "every day at 9am beginning 2026-12-01 till 2026-12-31",
            "every day at 09:00 starting 2026-12-01 until 2026-12-31",
        ),
        (
            "cron \"0 9 * * *\" except weekends",
            "cron \"0 9 * * *\" except weekends",
        ),
        (
            "cron \"0 9 * * *\" and every Friday at 17:00 in UTC",
            "cron \"0 9 * * *\" and every Friday at 17:00 in UTC",
        ),
    ];
    for (text, canonical) in cases {
        check(text, canonical, NEW_YEAR, &[]);
    }
}
