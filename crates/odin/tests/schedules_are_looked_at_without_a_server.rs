//! What the schedule commands print. They ask no server.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Output, Stdio};

use expect_test::{Expect, expect};

const ODIN: &str = env!("CARGO_BIN_EXE_odin");

fn odin(directory: &Path, arguments: &[&str]) -> Output {
    odin_testbed::sealed(Path::new(ODIN))
        .args(arguments)
        .current_dir(directory)
        .env("HOME", directory)
        .env("ODIN_DATA_DIR", directory.join("no-server"))
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Everything that a person sees: stdout, stderr, and the exit code unless it is 0.
fn seen(output: &Output) -> String {
    let mut text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.stderr.is_empty() {
        text += "--- stderr\n";
        text += &String::from_utf8_lossy(&output.stderr);
    }
    match output.status.code() {
        Some(0) => text,
        code => format!("{text}--- exit {}\n", code.unwrap()),
    }
}

#[track_caller]
fn check(arguments: &[&str], expected: &Expect) {
    let directory = tempfile::tempdir().unwrap();
    expected.assert_eq(&seen(&odin(directory.path(), arguments)));
}

/// What takes the place of the machine's clock.
const FROM: [&str; 2] = ["--from", "2026-03-27T12:00:00Z"];

#[test]
fn a_schedule_is_explained() {
    let text = "every weekday at 9am and every Saturday at 11:30";
    check(
        &[
            &["schedule", "explain", text, "--timezone", "Europe/Dublin"],
            &FROM[..],
        ]
        .concat(),
        &expect![[r#"
            Runs every weekday at 09:00. Runs every Saturday at 11:30. Where several of these fall together it runs once. Times are those of the job's time zone. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time.
            normal form:   every weekday at 09:00 and every Saturday at 11:30
            timezone:      Europe/Dublin (rules of 2026e)
            kind:          fixed times
            clock changes: of fixed times, one that the clock skips is due at the first instant after the gap; one that it shows twice is due the first time

            DUE                          UTC                   AWAY
            Sat 2026-03-28 11:30:00 GMT  2026-03-28 11:30:00Z  in 23 h
            Mon 2026-03-30 09:00:00 IST  2026-03-30 08:00:00Z  in 2 d
            Tue 2026-03-31 09:00:00 IST  2026-03-31 08:00:00Z  in 3 d
        "#]],
    );
    check(
        &[
            &[
                "schedule",
                "explain",
                "every January 4th at 13:15",
                "--json",
            ],
            &FROM[..],
        ]
        .concat(),
        &expect![[r#"
            {
              "schedule": "every January 4th at 13:15",
              "words": "Runs every January 4th at 13:15. Times are those of the job's time zone. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time.",
              "kind": "fixed",
              "timezone": "UTC",
              "zone_rules": "2026e",
              "gap": "shift",
              "repeat": "first",
              "clock_changes": "of fixed times, one that the clock skips is due at the first instant after the gap; one that it shows twice is due the first time",
              "occurrences": [
                "2027-01-04T13:15:00Z",
                "2028-01-04T13:15:00Z",
                "2029-01-04T13:15:00Z"
              ],
              "calendars": [],
              "missing_calendars": [],
              "warnings": []
            }
        "#]],
    );
}

#[test]
fn what_may_surprise_in_a_schedule_is_a_warning() {
    check(
        &[&["schedule", "explain", "0 0 31 2 *"], &FROM[..]].concat(),
        &expect![[r#"
            Runs at 00:00, every 31st in February. Months without a day 31 do not have that occurrence. Times are those of the job's time zone. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time.
            normal form:   cron "0 0 31 2 *"
            timezone:      UTC (rules of 2026e)
            kind:          fixed times
            clock changes: of fixed times, one that the clock skips is due at the first instant after the gap; one that it shows twice is due the first time

            no occurrence
            --- stderr
            warning[schedule/never-fires-again]: this schedule never fires again
            help: Write `never` where the job is meant to be off.
        "#]],
    );
}

#[test]
fn the_next_due_times_are_local_for_people_and_utc_in_json() {
    let spring = [
        "schedule",
        "next",
        "everyday at 01:30 in Europe/Dublin",
        "--from",
    ];
    let from = ["2026-03-28 00:00", "--count", "3"];
    check(
        &[&spring[..], &from].concat(),
        &expect![[r#"
            DUE                          UTC                   AWAY       CLOCK
            Sat 2026-03-28 01:30:00 GMT  2026-03-28 01:30:00Z  in 90 min
            Sun 2026-03-29 02:00:00 IST  2026-03-29 01:00:00Z  in 25 h    moved: the clock jumps from 01:00 to 02:00
            Mon 2026-03-30 01:30:00 IST  2026-03-30 00:30:00Z  in 2 d
        "#]],
    );
    check(
        &[&spring[..], &from, &["--json"]].concat(),
        &expect![[r#"
            {
              "schedule": "every day at 01:30 in Europe/Dublin",
              "timezone": "Europe/Dublin",
              "from": "2026-03-28T00:00:00Z",
              "occurrences": [
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z"
              ],
              "clock_changes": [
                {
                  "at": "2026-03-29T01:00:00Z",
                  "change": "moved"
                }
              ]
            }
        "#]],
    );
}

#[test]
fn a_schedule_without_due_times_has_an_empty_list_and_no_error() {
    check(
        &[&["schedule", "next", "never", "--json"], &FROM[..]].concat(),
        &expect![[r#"
            {
              "schedule": "never",
              "timezone": "UTC",
              "from": "2026-03-27T12:00:00Z",
              "occurrences": [],
              "clock_changes": []
            }
        "#]],
    );
    check(
        &["schedule", "next", "never"],
        &expect![[r#"
        no occurrence
    "#]],
    );
    let until = [
        "schedule",
        "next",
        "every hour",
        "--from",
        "2026-01-01T00:00:00Z",
        "--until",
    ];
    check(
        &[&until[..], &["2026-01-01T02:00:00Z"]].concat(),
        &expect![[r#"
            DUE                          UTC                   AWAY
            Thu 2026-01-01 01:00:00 UTC  2026-01-01 01:00:00Z  in 60 min
            Thu 2026-01-01 02:00:00 UTC  2026-01-01 02:00:00Z  in 2 h
        "#]],
    );
}

#[test]
fn a_refused_schedule_is_underlined() {
    check(
        &["schedule", "next", "every Wendesday at 17:00"],
        &expect![[r#"
            --- stderr
            error[schedule/unknown-word]: `Wendesday` is not a word of a schedule
             --> schedule:1:7
              |
            1 | every Wendesday at 17:00
              |       ^^^^^^^^^
              |
              = help: Did you mean `Wednesday`?
            --- exit 2
        "#]],
    );
    check(
        &["schedule", "explain", "every day at 99:30", "--json"],
        &expect![[r#"
            --- stderr
            {
              "type": "urn:odin:schedule/no-such-time",
              "title": "The schedule has a mistake",
              "status": 422,
              "code": "schedule/no-such-time",
              "detail": "schedule: `99:30` is not a time of day",
              "errors": [
                {
                  "code": "schedule/no-such-time",
                  "message": "`99:30` is not a time of day",
                  "span": [
                    13,
                    18
                  ],
                  "help": "Times run from 00:00 to 23:59, or from 12am to 11:59pm; midnight is 00:00."
                }
              ]
            }
            --- exit 2
        "#]],
    );
    check(
        &[
            "schedule",
            "next",
            "every hour",
            "--timezone",
            "Europe/Dubln",
        ],
        &expect![[r#"
            --- stderr
            error[schedule/unknown-zone]: there is no time zone `Europe/Dubln`
             --> timezone:1:1
              |
            1 | Europe/Dubln
              | ^^^^^^^^^^^^
              |
              = help: Did you mean `Europe/Dublin`?
            --- exit 2
        "#]],
    );
    check(
        &["schedule", "next", "every hour", "--from", "soon"],
        &expect![[r#"
            --- stderr
            error[cli/bad-time]: `soon` is not a time
            help: Write `2026-11-21 17:00` in the job's zone, or RFC 3339 such as `2026-11-21T17:00:00Z`.
            --- exit 2
        "#]],
    );
}

#[test]
fn what_a_clock_does_to_fixed_times_can_be_chosen() {
    let daily = [
        "schedule",
        "next",
        "every day at 01:30 in Europe/Dublin",
        "--count",
        "2",
    ];
    let spring = ["--from", "2026-03-28 12:00", "--gap"];
    let autumn = ["--from", "2026-10-24 12:00", "--repeat"];
    check(
        &[&daily[..], &spring, &["skip"]].concat(),
        &expect![[r#"
        DUE                          UTC                   AWAY
        Mon 2026-03-30 01:30:00 IST  2026-03-30 00:30:00Z  in 36 h
        Tue 2026-03-31 01:30:00 IST  2026-03-31 00:30:00Z  in 2 d
    "#]],
    );
    check(
        &[&daily[..], &spring, &["before"]].concat(),
        &expect![[r#"
        DUE                          UTC                   AWAY     CLOCK
        Sun 2026-03-29 00:59:59 GMT  2026-03-29 00:59:59Z  in 12 h  moved: the clock jumps from 01:00 to 02:00
        Mon 2026-03-30 01:30:00 IST  2026-03-30 00:30:00Z  in 36 h
    "#]],
    );
    check(
        &[&daily[..], &autumn, &["last"]].concat(),
        &expect![[r#"
        DUE                          UTC                   AWAY     CLOCK
        Sun 2026-10-25 01:30:00 GMT  2026-10-25 01:30:00Z  in 14 h  the second of two times the clock shows this
        Mon 2026-10-26 01:30:00 GMT  2026-10-26 01:30:00Z  in 38 h
    "#]],
    );
    check(
        &[&daily[..], &autumn, &["both"]].concat(),
        &expect![[r#"
        DUE                          UTC                   AWAY     CLOCK
        Sun 2026-10-25 01:30:00 IST  2026-10-25 00:30:00Z  in 13 h  the first of two times the clock shows this
        Sun 2026-10-25 01:30:00 GMT  2026-10-25 01:30:00Z  in 14 h  the second of two times the clock shows this
    "#]],
    );
    check(
        &[&daily[..], &autumn, &["both", "--json"]].concat(),
        &expect![[r#"
            {
              "schedule": "every day at 01:30 in Europe/Dublin",
              "timezone": "Europe/Dublin",
              "from": "2026-10-24T11:00:00Z",
              "occurrences": [
                "2026-10-25T00:30:00Z",
                "2026-10-25T01:30:00Z"
              ],
              "clock_changes": [
                {
                  "at": "2026-10-25T00:30:00Z",
                  "change": "first_of_two"
                },
                {
                  "at": "2026-10-25T01:30:00Z",
                  "change": "second_of_two"
                }
              ]
            }
        "#]],
    );
    check(
        &[&daily[..], &autumn, &["never"]].concat(),
        &expect![[r#"
        --- stderr
        error: invalid value 'never' for '--repeat <RULE>'
          [possible values: first, last, both]

        For more information, try '--help'.
        --- exit 2
    "#]],
    );
}

#[test]
fn a_month_or_a_year_is_drawn_with_its_occurrences() {
    let calendar = ["schedule", "calendar"];
    let month = ["--month", "2026-03", "--timezone", "Europe/Dublin"];
    check(
        &[&calendar[..], &["every weekday at 9am"], &month].concat(),
        &expect![[r#"
            March 2026, Europe/Dublin: 22 occurrences on 22 days

            Mon        Tue        Wed        Thu        Fri        Sat        Sun
                                                                               1
             2 09:00    3 09:00    4 09:00    5 09:00    6 09:00    7          8
             9 09:00   10 09:00   11 09:00   12 09:00   13 09:00   14         15
            16 09:00   17 09:00   18 09:00   19 09:00   20 09:00   21         22
            23 09:00   24 09:00   25 09:00   26 09:00   27 09:00   28         29
            30 09:00   31 09:00
        "#]],
    );
    check(
        &[
            &calendar[..],
            &["every hour on weekends and every 5th at 13:15"],
            &month,
        ]
        .concat(),
        &expect![[r#"
            March 2026, Europe/Dublin: 216 occurrences on 10 days

            Mon        Tue        Wed        Thu        Fri        Sat        Sun
                                                                               1 ×24
             2          3          4          5 13:15    6          7 ×24      8 ×24
             9         10         11         12         13         14 ×24     15 ×24
            16         17         18         19         20         21 ×24     22 ×24
            23         24         25         26         27         28 ×24     29 ×23
            30         31
        "#]],
    );
    check(
        &[
            &calendar[..],
            &[
                "every 1st and last day of the month at 12:00",
                "--year",
                "2028",
                "--timezone",
                "UTC",
            ],
        ]
        .concat(),
        &expect![[r#"
            2028, UTC: 24 occurrences on 24 days

            January (2)             February (2)            March (2)
            Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su
                            1* 2        1* 2  3  4  5  6           1* 2  3  4  5
             3  4  5  6  7  8  9     7  8  9 10 11 12 13     6  7  8  9 10 11 12
            10 11 12 13 14 15 16    14 15 16 17 18 19 20    13 14 15 16 17 18 19
            17 18 19 20 21 22 23    21 22 23 24 25 26 27    20 21 22 23 24 25 26
            24 25 26 27 28 29 30    28 29*                  27 28 29 30 31*
            31*

            April (2)               May (2)                 June (2)
            Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su
                            1* 2     1* 2  3  4  5  6  7              1* 2  3  4
             3  4  5  6  7  8  9     8  9 10 11 12 13 14     5  6  7  8  9 10 11
            10 11 12 13 14 15 16    15 16 17 18 19 20 21    12 13 14 15 16 17 18
            17 18 19 20 21 22 23    22 23 24 25 26 27 28    19 20 21 22 23 24 25
            24 25 26 27 28 29 30*   29 30 31*               26 27 28 29 30*

            July (2)                August (2)              September (2)
            Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su
                            1* 2        1* 2  3  4  5  6                 1* 2  3
             3  4  5  6  7  8  9     7  8  9 10 11 12 13     4  5  6  7  8  9 10
            10 11 12 13 14 15 16    14 15 16 17 18 19 20    11 12 13 14 15 16 17
            17 18 19 20 21 22 23    21 22 23 24 25 26 27    18 19 20 21 22 23 24
            24 25 26 27 28 29 30    28 29 30 31*            25 26 27 28 29 30*
            31*

            October (2)             November (2)            December (2)
            Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su    Mo Tu We Th Fr Sa Su
                               1*          1* 2  3  4  5                 1* 2  3
             2  3  4  5  6  7  8     6  7  8  9 10 11 12     4  5  6  7  8  9 10
             9 10 11 12 13 14 15    13 14 15 16 17 18 19    11 12 13 14 15 16 17
            16 17 18 19 20 21 22    20 21 22 23 24 25 26    18 19 20 21 22 23 24
            23 24 25 26 27 28 29    27 28 29 30*            25 26 27 28 29 30 31*
            30 31*

            * one occurrence   + several
        "#]],
    );
    // Samoa left a day out.
    check(
        &[
            &calendar[..],
            &["every day at 09:00 in Pacific/Apia", "--month", "2011-12"],
        ]
        .concat(),
        &expect![[r#"
            December 2011, Pacific/Apia: 31 occurrences on 30 days

            Mon        Tue        Wed        Thu        Fri        Sat        Sun
                                              1 09:00    2 09:00    3 09:00    4 09:00
             5 09:00    6 09:00    7 09:00    8 09:00    9 09:00   10 09:00   11 09:00
            12 09:00   13 09:00   14 09:00   15 09:00   16 09:00   17 09:00   18 09:00
            19 09:00   20 09:00   21 09:00   22 09:00   23 09:00   24 09:00   25 09:00
            26 09:00   27 09:00   28 09:00   29 09:00   30 no day  31 ×2
        "#]],
    );
    check(
        &[
            &calendar[..],
            &["0 0 31 2 *", "--month", "2026-02", "--timezone", "UTC"],
        ]
        .concat(),
        &expect![[r#"
            February 2026, UTC: 0 occurrences on 0 days

            Mon        Tue        Wed        Thu        Fri        Sat        Sun
                                                                               1
             2          3          4          5          6          7          8
             9         10         11         12         13         14         15
            16         17         18         19         20         21         22
            23         24         25         26         27         28
            --- stderr
            warning[schedule/never-fires-again]: this schedule never fires again
            help: Write `never` where the job is meant to be off.
        "#]],
    );
    check(
        &[&calendar[..], &["every day at 9", "--month", "2026-02"]].concat(),
        &expect![[r#"
            --- stderr
            error[schedule/bare-number]: `9` is a number, not a time of day
             --> schedule:1:14
              |
            1 | every day at 9
              |              ^
              |
              = help: Write `9:00`, `9am` or `9pm`.
            --- exit 2
        "#]],
    );
    check(
        &[&calendar[..], &["every day at 9am", "--month", "2026-13"]].concat(),
        &expect![[r#"
            --- stderr
            error: invalid value '2026-13' for '--month <YYYY-MM>': `2026-13` is not a month from 1900-01 to 9998-12: write it as 2026-12

            For more information, try '--help'.
            --- exit 2
        "#]],
    );
}

#[test]
fn a_calendar_in_json_has_every_day_with_its_count() {
    let directory = tempfile::tempdir().unwrap();
    let text = "every hour in Europe/Dublin";
    let output = odin(
        directory.path(),
        &["schedule", "calendar", text, "--month", "2026-03", "--json"],
    );
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let days = json["days"].as_array().unwrap();
    assert_eq!(days.len(), 31);
    // The clock leaves an hour out on the 29th.
    assert_eq!(json["count"], 31 * 24 - 1);
    expect![[r#"
        [
          {
            "calendars": [],
            "count": 24,
            "date": "2026-03-28",
            "first": "2026-03-28T00:00:00Z",
            "is_missing": false,
            "name": null
          },
          {
            "calendars": [],
            "count": 23,
            "date": "2026-03-29",
            "first": "2026-03-29T00:00:00Z",
            "is_missing": false,
            "name": null
          }
        ]"#]]
    .assert_eq(&serde_json::to_string_pretty(&days[27..29]).unwrap());
}

#[test]
fn english_and_cron_text_are_said_as_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let convert = |arguments: &[&str]| {
        let output = seen(&odin(
            directory.path(),
            &[&["schedule", "convert"], arguments].concat(),
        ));
        format!("> {}\n{output}", arguments.join(" "))
    };
    let said: Vec<String> = [
        &["every weekday at 9am in Europe/Dublin"][..],
        &["every day at 9:00 and 17:30"],
        &["30 18 * * 3,5"],
        &["@daily"],
        &["0 0 13 * 5"],
        &["0 0 * * *", "--to", "cron"],
        &["every Friday at 6pm", "--to", "english"],
        &["every 2nd Tuesday at 10:00"],
        &["every 2nd Tuesday at 10:00", "--extensions"],
        &["every 2nd Tuesday at 10:00", "--seconds"],
        &["every 20 seconds"],
        &["every 20 seconds", "--seconds"],
        &["every 20 seconds", "--extensions"],
        &["every 7 minutes"],
        &["*/7 * * * *"],
        &["every day at noon until 2027-01-01"],
        &["every hour from 09:00 to 17:00 on weekdays"],
        &["never"],
    ]
    .into_iter()
    .map(convert)
    .collect();
    expect![[r#"
        > every weekday at 9am in Europe/Dublin
        CRON_TZ=Europe/Dublin 0 9 * * 1-5
        > every day at 9:00 and 17:30
        0 9 * * *
        30 17 * * *
        > 30 18 * * 3,5
        every Wednesday and Friday at 18:30
        > @daily
        every day at 00:00
        > 0 0 13 * 5
        every 13th at 00:00 and every Friday at 00:00
        > 0 0 * * * --to cron
        0 0 * * *
        > every Friday at 6pm --to english
        every Friday at 18:00
        > every 2nd Tuesday at 10:00
        --- stderr
        error[convert/nth-weekday]: cron of five fields has no nth weekday of the month
        help: If your cron reads L, # and W, as many do, give --extensions.
        --- exit 1
        > every 2nd Tuesday at 10:00 --extensions
        0 10 * * 2#2
        > every 2nd Tuesday at 10:00 --seconds
        --- stderr
        error[convert/nth-weekday]: cron of five fields has no nth weekday of the month
        help: If your cron reads L, # and W, as many do, give --extensions.
        --- exit 1
        > every 20 seconds
        --- stderr
        error[convert/seconds]: cron of five fields has no seconds
        help: If your cron reads a field for seconds, give --seconds; else choose whole minutes.
        --- exit 1
        > every 20 seconds --seconds
        */20 * * * * *
        > every 20 seconds --extensions
        --- stderr
        error[convert/seconds]: cron of five fields has no seconds
        help: If your cron reads a field for seconds, give --seconds; else choose whole minutes.
        --- exit 1
        > every 7 minutes
        --- stderr
        error[convert/uneven-interval]: cron cannot count an interval that does not divide the day
        help: Choose an interval that divides the hour or the day, such as `every 15 minutes`.
        --- exit 1
        > */7 * * * *
        --- stderr
        error[convert/uneven-step]: the steps of `*/7 * * * *` start over and are not even
        help: Keep it as cron text: `cron "..."` stands beside English clauses, or choose an interval that counts through, such as `every 7 minutes`.
        --- exit 1
        > every day at noon until 2027-01-01
        --- stderr
        error[convert/bounds]: cron has no beginning and no end
        help: Convert it without `starting` and `until`, and change the crontab on those days.
        --- exit 1
        > every hour from 09:00 to 17:00 on weekdays
        --- stderr
        error[convert/clock-change]: cron would treat this as fixed times, which differ from an interval when the clock jumps
        help: If that does not matter to you, write `0 9-17 * * 1-5`.
        --- exit 1
        > never
        --- stderr
        error[convert/never]: cron cannot say `never`
        help: Leave the line out of the crontab.
        --- exit 1
    "#]].assert_eq(&said.concat());
    expect![[r#"
        > every weekday at 9am in Europe/Dublin --json
        {
          "schedule": "every weekday at 09:00 in Europe/Dublin",
          "to": "cron",
          "timezone": "Europe/Dublin",
          "lines": [
            "CRON_TZ=Europe/Dublin 0 9 * * 1-5"
          ]
        }
    "#]]
    .assert_eq(&convert(&[
        "every weekday at 9am in Europe/Dublin",
        "--json",
    ]));
    expect![[r#"
        > every 7 minutes --json
        --- stderr
        {
          "type": "urn:odin:convert/uneven-interval",
          "title": "The schedule cannot be said in the other notation",
          "status": 500,
          "code": "convert/uneven-interval",
          "detail": "cron cannot count an interval that does not divide the day",
          "help": "Choose an interval that divides the hour or the day, such as `every 15 minutes`."
        }
        --- exit 1
    "#]]
    .assert_eq(&convert(&["every 7 minutes", "--json"]));
}

#[test]
fn the_machines_newer_time_zones_are_used_when_asked_for() {
    // What the machine has is its own; that the choice is taken is all that can be seen everywhere.
    let directory = tempfile::tempdir().unwrap();
    let next = [
        "schedule",
        "next",
        "every day at 12:00 in Europe/Dublin",
        "--json",
    ];
    let built_in = odin(directory.path(), &[&next[..], &FROM[..]].concat());
    let system = odin(
        directory.path(),
        &[&next[..], &FROM[..], &["--system-zones"]].concat(),
    );
    assert_eq!(seen(&built_in), seen(&system));
}

#[test]
fn a_jobs_own_offset_is_shown_when_the_job_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let next = [
        "schedule",
        "next",
        "every hour around :17",
        "--json",
        "--timezone",
        "UTC",
    ];
    let due = |job: &[&str]| -> Vec<String> {
        let output = odin(directory.path(), &[&next[..], &FROM[..], job].concat());
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let list = json["occurrences"].as_array().unwrap().iter();
        list.map(|due| due.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(due(&[])[0], "2026-03-27T12:17:00Z");
    let (one, other) = (
        due(&["--job", "a37b187f5930"]),
        due(&["--job", "000000000001"]),
    );
    assert_ne!(one, other);
    // Five minutes to either side at most.
    for first in [&one[0], &other[0]] {
        assert!(
            ("2026-03-27T12:12:00Z".."2026-03-27T12:22:01Z").contains(&first.as_str()),
            "{first}"
        );
    }
}

#[test]
fn calendars_are_given_as_files() {
    let directory = tempfile::tempdir().unwrap();
    let list = "2026-12-25 Christmas Day\n2026-12-26\n";
    std::fs::write(directory.path().join("ie.txt"), list).unwrap();
    std::fs::write(directory.path().join("bad.txt"), "2026-12-25\n2026-02-30\n").unwrap();
    let schedule = |arguments: &[&str]| {
        let output = seen(&odin(
            directory.path(),
            &[&["schedule"], arguments].concat(),
        ));
        format!("> {}\n{output}", arguments.join(" "))
    };
    let text = "every weekday at 9am except on holidays in Europe/Dublin";
    let december = ["--month", "2026-12", "--calendar", "holidays=ie.txt"];
    let from = ["--from", "2026-12-24T12:00:00Z", "--count", "1"];
    let said = [
        schedule(&[&["calendar", text], &december[..]].concat()),
        schedule(&[&["calendar", "every day at 9am in UTC"], &december[..]].concat()),
        schedule(&[&["next", text, "--calendar", "holidays=ie.txt"], &from[..]].concat()),
        schedule(&[&["next", text], &from[..]].concat()),
        schedule(&[&["next", text, "--calendar", "holidays=bad.txt"], &from[..]].concat()),
        schedule(
            &[
                &["next", text, "--calendar", "holidays=none.txt"],
                &from[..],
            ]
            .concat(),
        ),
        schedule(&[&["next", text, "--calendar", "ie.txt"], &from[..]].concat()),
        schedule(&["explain", text]),
        schedule(&["explain", text, "--json"]),
        schedule(&["convert", text]),
    ];
    expect![[r#"
        > calendar every weekday at 9am except on holidays in Europe/Dublin --month 2026-12 --calendar holidays=ie.txt
        December 2026, Europe/Dublin: 22 occurrences on 22 days

        Mon        Tue        Wed        Thu        Fri        Sat        Sun
                    1 09:00    2 09:00    3 09:00    4 09:00    5          6
         7 09:00    8 09:00    9 09:00   10 09:00   11 09:00   12         13
        14 09:00   15 09:00   16 09:00   17 09:00   18 09:00   19         20
        21 09:00   22 09:00   23 09:00   24 09:00   25 -       26 -       27
        28 09:00   29 09:00   30 09:00   31 09:00

        - Fri 25 December: holidays, Christmas Day
        - Sat 26 December: holidays
        > calendar every day at 9am in UTC --month 2026-12 --calendar holidays=ie.txt
        December 2026, UTC: 31 occurrences on 31 days

        Mon        Tue        Wed        Thu        Fri        Sat        Sun
                    1 09:00    2 09:00    3 09:00    4 09:00    5 09:00    6 09:00
         7 09:00    8 09:00    9 09:00   10 09:00   11 09:00   12 09:00   13 09:00
        14 09:00   15 09:00   16 09:00   17 09:00   18 09:00   19 09:00   20 09:00
        21 09:00   22 09:00   23 09:00   24 09:00   25 09:00 - 26 09:00 - 27 09:00
        28 09:00   29 09:00   30 09:00   31 09:00

        - Fri 25 December: holidays, Christmas Day
        - Sat 26 December: holidays
        > next every weekday at 9am except on holidays in Europe/Dublin --calendar holidays=ie.txt --from 2026-12-24T12:00:00Z --count 1
        DUE                          UTC                   AWAY
        Mon 2026-12-28 09:00:00 GMT  2026-12-28 09:00:00Z  in 3 d
        > next every weekday at 9am except on holidays in Europe/Dublin --from 2026-12-24T12:00:00Z --count 1
        --- stderr
        error[schedule/unknown-calendar]: there is no calendar `holidays`
         --> schedule:1:32
          |
        1 | every weekday at 9am except on holidays in Europe/Dublin
          |                                ^^^^^^^^
          |
          = help: If it is a calendar, deploy it with `odin calendar set holidays -f FILE`, or give it to the command with `--calendar holidays=FILE`.
        --- exit 2
        > next every weekday at 9am except on holidays in Europe/Dublin --calendar holidays=bad.txt --from 2026-12-24T12:00:00Z --count 1
        --- stderr
        error[calendar/no-such-date]: `2026-02-30` is not a date
         --> bad.txt:2:1
          |
        2 | 2026-02-30
          | ^^^^^^^^^^
          |
          = help: In a list write a date as 2026-12-24 or a range as 2026-12-24..2026-12-26, and a name behind it; in an iCalendar file as 20261224.
        --- exit 2
        > next every weekday at 9am except on holidays in Europe/Dublin --calendar holidays=none.txt --from 2026-12-24T12:00:00Z --count 1
        --- stderr
        error[cli/file]: none.txt: no such file or directory
        --- exit 2
        > next every weekday at 9am except on holidays in Europe/Dublin --calendar ie.txt --from 2026-12-24T12:00:00Z --count 1
        --- stderr
        error: invalid value 'ie.txt' for '--calendar <NAME=FILE>': `ie.txt` is not NAME=FILE, such as holidays=ie.ics

        For more information, try '--help'.
        --- exit 2
        > explain every weekday at 9am except on holidays in Europe/Dublin
        Runs every weekday at 09:00, except on holidays. Times are those of Europe/Dublin. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time.
        normal form:   every weekday at 09:00 except on holidays in Europe/Dublin
        timezone:      Europe/Dublin (rules of 2026e)
        kind:          fixed times
        clock changes: of fixed times, one that the clock skips is due at the first instant after the gap; one that it shows twice is due the first time

        when it is due depends on a calendar: give --calendar holidays=FILE
        > explain every weekday at 9am except on holidays in Europe/Dublin --json
        {
          "schedule": "every weekday at 09:00 except on holidays in Europe/Dublin",
          "words": "Runs every weekday at 09:00, except on holidays. Times are those of Europe/Dublin. Unless the job says otherwise, a fixed time that the clock skips runs once at the first instant after the gap, and one that the clock shows twice runs the first time.",
          "kind": "fixed",
          "timezone": "Europe/Dublin",
          "zone_rules": "2026e",
          "gap": "shift",
          "repeat": "first",
          "clock_changes": "of fixed times, one that the clock skips is due at the first instant after the gap; one that it shows twice is due the first time",
          "occurrences": null,
          "calendars": [
            "holidays"
          ],
          "missing_calendars": [
            "holidays"
          ],
          "warnings": []
        }
        > convert every weekday at 9am except on holidays in Europe/Dublin
        --- stderr
        error[convert/calendar]: cron has no calendars
        help: Choose weekdays or days of the month, and let the job look at the calendar itself.
        --- exit 1
    "#]].assert_eq(&said.concat());
}

/// A folder of four good jobs and, if asked for, a bad one.
fn folder(has_bad: bool) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    let jobs = directory.path().join("jobs");
    std::fs::create_dir(&jobs).unwrap();
    for (name, schedule, more) in [
        ("backup", "every day at 02:30", "timezone: Europe/Dublin"),
        ("off", "never", "timezone: UTC"),
        ("report", "every weekday at 09:00", "timezone: UTC"),
        ("sync", "every 6 hours", "concurrency: forbid"),
    ] {
        let text = format!("job: {{name: {name}, command: ls, schedule: {schedule}, {more}}}\n");
        std::fs::write(jobs.join(name).with_extension("yml"), text).unwrap();
    }
    std::fs::write(jobs.join("values.yml"), "a: b\n").unwrap();
    if has_bad {
        let text = "job: {name: bad, command: ls, schedule: every Wendesday at 9am}\n";
        std::fs::write(jobs.join("bad.yml"), text).unwrap();
    }
    directory
}

const DAY: [&str; 9] = [
    "schedule",
    "plan",
    "jobs",
    "--from",
    "2026-12-01",
    "--to",
    "2026-12-02",
    "--timezone",
    "UTC",
];

#[test]
fn a_folder_is_planned_with_what_overlaps_and_the_busiest_minutes() {
    let directory = folder(false);
    let durations = ["--duration", "sync=7h", "--duration", "30m"];
    let plan = |more: &[&str]| seen(&odin(directory.path(), &[&DAY[..], more].concat()));
    expect![[r#"
        4 jobs, 6 occurrences from Tue 2026-12-01 00:00:00 UTC to Wed 2026-12-02 00:00:00 UTC

        DUE                          JOB     NOTE
        Tue 2026-12-01 00:00:00 UTC  sync
        Tue 2026-12-01 02:30:00 UTC  backup
        Tue 2026-12-01 06:00:00 UTC  sync    skipped: its earlier run is running
        Tue 2026-12-01 09:00:00 UTC  report
        Tue 2026-12-01 12:00:00 UTC  sync
        Tue 2026-12-01 18:00:00 UTC  sync    skipped: its earlier run is running

        JOB     SCHEDULE                            COUNT  FIRST DUE                TAKES  OVERLAPS ITSELF
        backup  every day at 02:30 (Europe/Dublin)  1      2026-12-01 02:30:00 UTC  30m    -
        off     never (UTC)                         0      -                        30m    -
        report  every weekday at 09:00 (UTC)        1      2026-12-01 09:00:00 UTC  30m    -
        sync    every 6 hours (UTC)                 4      2026-12-01 00:00:00 UTC  7h     2 skipped

        BUSIEST MINUTES           DUE  JOBS
        Tue 2026-12-01 00:00 UTC  1    sync
        Tue 2026-12-01 02:30 UTC  1    backup
        Tue 2026-12-01 06:00 UTC  1    sync
        Tue 2026-12-01 09:00 UTC  1    report
        Tue 2026-12-01 12:00 UTC  1    sync
        Tue 2026-12-01 18:00 UTC  1    sync

        at most 2 runs at once, first at Tue 2026-12-01 02:30:00 UTC: backup, sync
        runs overlap in 1 stretch of time, 30m in all

        OVERLAP FROM                 FOR  RUNS AT MOST  JOBS
        Tue 2026-12-01 02:30:00 UTC  30m  2             backup, sync
        --- stderr
        note: jobs/values.yml is not a job file: it has no `job:`
    "#]].assert_eq(&plan(&durations));
    expect![[r#"
        4 jobs, 6 occurrences from Tue 2026-12-01 00:00:00 UTC to Wed 2026-12-02 00:00:00 UTC

        DUE                          JOB
        Tue 2026-12-01 00:00:00 UTC  sync
        Tue 2026-12-01 02:30:00 UTC  backup
        there are more: --after '2026-12-01T02:30:00Z/backup'

        JOB     SCHEDULE                            COUNT  FIRST DUE
        backup  every day at 02:30 (Europe/Dublin)  1      2026-12-01 02:30:00 UTC
        off     never (UTC)                         0      -
        and 2 more jobs

        BUSIEST MINUTES           DUE  JOBS
        Tue 2026-12-01 00:00 UTC  1    sync
        Tue 2026-12-01 02:30 UTC  1    backup
        Tue 2026-12-01 06:00 UTC  1    sync
        Tue 2026-12-01 09:00 UTC  1    report
        Tue 2026-12-01 12:00 UTC  1    sync
        Tue 2026-12-01 18:00 UTC  1    sync

        what overlaps is not known: --duration JOB=10m says how long runs take
        --- stderr
        note: jobs/values.yml is not a job file: it has no `job:`
    "#]]
    .assert_eq(&plan(&["--limit", "2"]));
    expect![[r#"
        {
          "timezone": "UTC",
          "from": "2026-12-01T00:00:00Z",
          "to": "2026-12-02T00:00:00Z",
          "complete_until": null,
          "count": 6,
          "occurrences": [
            {
              "at": "2026-12-01T06:00:00Z",
              "job": "sync",
              "file": "jobs/sync.yml",
              "overlaps": false,
              "skipped": false
            },
            {
              "at": "2026-12-01T09:00:00Z",
              "job": "report",
              "file": "jobs/report.yml",
              "overlaps": false,
              "skipped": false
            }
          ],
          "next": "2026-12-01T09:00:00Z/report",
          "jobs": [
            {
              "job": "backup",
              "file": "jobs/backup.yml",
              "schedule": "every day at 02:30",
              "timezone": "Europe/Dublin",
              "count": 1,
              "first": "2026-12-01T02:30:00Z",
              "duration_seconds": null,
              "overlapping": 0,
              "concurrency": "allow"
            },
            {
              "job": "off",
              "file": "jobs/off.yml",
              "schedule": "never",
              "timezone": "UTC",
              "count": 0,
              "first": null,
              "duration_seconds": null,
              "overlapping": 0,
              "concurrency": "allow"
            },
            {
              "job": "report",
              "file": "jobs/report.yml",
              "schedule": "every weekday at 09:00",
              "timezone": "UTC",
              "count": 1,
              "first": "2026-12-01T09:00:00Z",
              "duration_seconds": null,
              "overlapping": 0,
              "concurrency": "allow"
            },
            {
              "job": "sync",
              "file": "jobs/sync.yml",
              "schedule": "every 6 hours",
              "timezone": "UTC",
              "count": 4,
              "first": "2026-12-01T00:00:00Z",
              "duration_seconds": null,
              "overlapping": 0,
              "concurrency": "forbid"
            }
          ],
          "refused": [],
          "busiest": [
            {
              "at": "2026-12-01T00:00:00Z",
              "count": 1,
              "jobs": [
                "sync"
              ]
            },
            {
              "at": "2026-12-01T02:30:00Z",
              "count": 1,
              "jobs": [
                "backup"
              ]
            },
            {
              "at": "2026-12-01T06:00:00Z",
              "count": 1,
              "jobs": [
                "sync"
              ]
            },
            {
              "at": "2026-12-01T09:00:00Z",
              "count": 1,
              "jobs": [
                "report"
              ]
            },
            {
              "at": "2026-12-01T12:00:00Z",
              "count": 1,
              "jobs": [
                "sync"
              ]
            },
            {
              "at": "2026-12-01T18:00:00Z",
              "count": 1,
              "jobs": [
                "sync"
              ]
            }
          ],
          "peak": null,
          "overlaps": {
            "count": 0,
            "seconds": 0,
            "first": []
          }
        }
        --- stderr
        note: jobs/values.yml is not a job file: it has no `job:`
    "#]]
    .assert_eq(&plan(&[
        "--limit",
        "2",
        "--after",
        "2026-12-01T02:30:00Z/backup",
        "--json",
    ]));
}

#[test]
fn bad_files_of_a_folder_are_told_and_the_others_planned() {
    let directory = folder(true);
    expect![[r#"
        4 jobs, 6 occurrences from Tue 2026-12-01 00:00:00 UTC to Wed 2026-12-02 00:00:00 UTC

        DUE                          JOB
        Tue 2026-12-01 00:00:00 UTC  sync
        Tue 2026-12-01 02:30:00 UTC  backup
        there are more: --after '2026-12-01T02:30:00Z/backup'

        JOB     SCHEDULE                            COUNT  FIRST DUE
        backup  every day at 02:30 (Europe/Dublin)  1      2026-12-01 02:30:00 UTC
        off     never (UTC)                         0      -
        and 2 more jobs

        BUSIEST MINUTES           DUE  JOBS
        Tue 2026-12-01 00:00 UTC  1    sync
        Tue 2026-12-01 02:30 UTC  1    backup
        Tue 2026-12-01 06:00 UTC  1    sync
        Tue 2026-12-01 09:00 UTC  1    report
        Tue 2026-12-01 12:00 UTC  1    sync
        Tue 2026-12-01 18:00 UTC  1    sync

        what overlaps is not known: --duration JOB=10m says how long runs take
        --- stderr
        note: jobs/values.yml is not a job file: it has no `job:`
        error[schedule/unknown-word]: `Wendesday` is not a word of a schedule
         --> jobs/bad.yml:1:47
          |
        1 | job: {name: bad, command: ls, schedule: every Wendesday at 9am}
          |                                               ^^^^^^^^^
          |
          = help: Did you mean `Wednesday`?
        --- exit 2
    "#]]
    .assert_eq(&seen(&odin(
        directory.path(),
        &[&DAY[..], &["--limit", "2"]].concat(),
    )));
}

#[test]
fn what_a_plan_cannot_use_is_refused() {
    let directory = folder(false);
    std::fs::write(
        directory.path().join("durations"),
        "# known\nsync = 10m\nreport=soon # unknown\n",
    )
    .unwrap();
    let plan = |more: &[&str]| seen(&odin(directory.path(), &[&DAY[..], more].concat()));
    expect![[r#"
        --- stderr
        note: jobs/values.yml is not a job file: it has no `job:`
        error[cli/no-such-job]: no job file of the folder has the job `snyc`
        help: A duration is given by the job's `name`.
        --- exit 2
    "#]]
    .assert_eq(&plan(&["--duration", "snyc=10m"]));
    expect![[r#"
        --- stderr
        error: invalid value 'sync=-10m' for '--duration <[JOB=]TIME>': `-10m` is not a duration: write `30s`, `5m` or `1h30m`

        For more information, try '--help'.
        --- exit 2
    "#]].assert_eq(&plan(&["--duration", "sync=-10m"]));
    expect![[r#"
        --- stderr
        error[cli/bad-duration]: `soon` is not a duration: write `30s`, `5m` or `1h30m`
         --> durations:3:1
          |
        3 | report=soon # unknown
          | ^^^^^^^^^^^
          |
          = help: Write a line `JOB=10m` for each job, or `10m` for all others.
        --- exit 2
    "#]]
    .assert_eq(&plan(&["--durations", "durations"]));
    expect![[r#"
        --- stderr
        note: jobs/values.yml is not a job file: it has no `job:`
        error[cli/bad-time]: `2026-12-01` is not the end of a page
        help: Copy it from the end of an earlier page: an instant, `/`, and a job's name.
        --- exit 2
    "#]]
    .assert_eq(&plan(&["--after", "2026-12-01"]));
    let other = |arguments: &[&str]| seen(&odin(directory.path(), arguments));
    expect![[r#"
        --- stderr
        error[cli/bad-time]: the plan ends at 2026-11-01 00:00:00 UTC before it begins at 2026-12-01 00:00:00 UTC
        help: Give a --to that is after --from.
        --- exit 2
    "#]].assert_eq(&other(&[
        "schedule",
        "plan",
        "jobs",
        "--from",
        "2026-12-01",
        "--to",
        "2026-11-01",
        "--timezone",
        "UTC",
    ]));
    expect![[r#"
        --- stderr
        error[cli/not-a-file]: jobs/sync.yml is not a directory
        --- exit 2
    "#]]
    .assert_eq(&other(&["schedule", "plan", "jobs/sync.yml"]));
    expect![[r#"
        --- stderr
        error[cli/not-a-file]: . is a directory without job files
        --- exit 2
    "#]]
    .assert_eq(&other(&["schedule", "plan", "."]));
}
