//! Each refused text with its code, the words it points at, and the next step.

#![allow(clippy::unwrap_used)]

use odin_schedule::{TEXT_BYTES_MAX, parse};

#[track_caller]
fn check(text: &str, code: &str, pointed_at: &str, help: &str) {
    let error = match parse(text) {
        Err(error) => error,
        Ok(schedule) => panic!("{text} was read as {schedule}"),
    };
    let place = &text[error.span.clone()];
    assert_eq!((error.code(), place), (code, pointed_at), "{text}: {error}");
    let said = error.help();
    assert!(said.contains(help), "{text}: help is {said:?}");
    assert!(said.ends_with(['.', '?']), "{text}: help is {said:?}");
    assert!(!error.to_string().is_empty());
}

#[test]
fn what_the_original_accepted_or_crashed_on() {
    for (text, code, pointed_at, help) in [
        ("", "schedule/empty", "", "every day at 09:00"),
        (" \n ", "schedule/empty", " \n ", "every day at 09:00"),
        (
            "every January at 12:00",
            "schedule/unexpected-word",
            "at",
            "4th",
        ),
        (
            "every Monday",
            "schedule/missing-at",
            "every Monday",
            "`at 09:00`",
        ),
        ("13:15", "schedule/unexpected-word", "13:15", "`every`"),
        (
            "everyday at 99:30",
            "schedule/no-such-time",
            "99:30",
            "00:00 to 23:59",
        ),
        (
            "everyday at 45:30",
            "schedule/no-such-time",
            "45:30",
            "00:00 to 23:59",
        ),
        (
            "every day at 24:00",
            "schedule/no-such-time",
            "24:00",
            "midnight is 00:00",
        ),
        (
            "every day at 12:60",
            "schedule/no-such-time",
            "12:60",
            "00:00",
        ),
        (
            "never and every minute",
            "schedule/unexpected-word",
            "and",
            "Remove what follows `never`",
        ),
        (
            "every minute and never",
            "schedule/unexpected-word",
            "never",
            "`every`",
        ),
        (
            "Failed to read file.",
            "schedule/unknown-word",
            "Failed",
            "every Monday",
        ),
    ] {
        check(text, code, pointed_at, help);
    }
}

#[test]
fn words_and_separators() {
    for (text, code, pointed_at, help) in [
        (
            "every Wendesday at 17:00",
            "schedule/unknown-word",
            "Wendesday",
            "`Wednesday`",
        ),
        (
            "evry day at 17:00",
            "schedule/unknown-word",
            "evry",
            "`every`",
        ),
        (
            "every dya at 17:00",
            "schedule/unknown-word",
            "dya",
            "`day`",
        ),
        (
            "every 5 minuts",
            "schedule/unknown-word",
            "minuts",
            "minute",
        ),
        (
            "every day at 9:00 exept weekends",
            "schedule/unknown-word",
            "exept",
            "`except`",
        ),
        (
            "every 15min",
            "schedule/unknown-word",
            "15min",
            "every 15 minutes",
        ),
        (
            "every day at 09:00 sharp",
            "schedule/unknown-word",
            "sharp",
            "every",
        ),
        ("jeden Tag um 9", "schedule/unknown-word", "jeden", "every"),
        ("täglich", "schedule/unknown-word", "täglich", "every"),
        ("everyday 21:15", "schedule/missing-at", "21:15", "at 09:00"),
        (
            "every Monday at 09:30 and Friday",
            "schedule/missing-at",
            "Friday",
            "at 09:00",
        ),
        (
            "every Monday and every hour",
            "schedule/missing-at",
            "every Monday",
            "at 09:00",
        ),
        ("everyday at", "schedule/incomplete", "", "09:30"),
        ("every", "schedule/incomplete", "", "Monday"),
        ("every 5", "schedule/incomplete", "", "minutes"),
        (
            "and every day at 09:00",
            "schedule/dangling-separator",
            "and",
            "Remove `and`",
        ),
        (
            "every day at 09:00 and",
            "schedule/dangling-separator",
            "and",
            "Remove `and`",
        ),
        (
            "every day at 09:00;",
            "schedule/dangling-separator",
            ";",
            "Remove `;`",
        ),
        ("and", "schedule/dangling-separator", "and", "Remove `and`"),
        (
            "every hour and and every day at 9am",
            "schedule/doubled-separator",
            "and",
            "Remove",
        ),
        (
            "every day at 09:00,, 10:00",
            "schedule/doubled-separator",
            ",",
            "Remove `,`",
        ),
        (
            "every day at 09:00 at 10:00",
            "schedule/said-twice",
            "at",
            "and every",
        ),
        (
            "every day at 9am until 2026-12-01 until 2026-12-02",
            "schedule/said-twice",
            "until",
            "once",
        ),
        (
            "every 5 minutes and 10 seconds",
            "schedule/unexpected-word",
            "10",
            "`every`",
        ),
        (
            "every 30 minutes at 09:00",
            "schedule/does-not-fit",
            "at 09:00",
            "and every",
        ),
        (
            "every day at 9am from 8am to 10am",
            "schedule/does-not-fit",
            "from 8am to 10am",
            "",
        ),
        ("every day at :17", "schedule/does-not-fit", "at :17", ""),
        (
            "every 3 days on Monday at 9am",
            "schedule/does-not-fit",
            "on Monday",
            "",
        ),
        (
            "every week on the 1st at 9am",
            "schedule/does-not-fit",
            "the 1st",
            "",
        ),
        (
            "every month at 9am",
            "schedule/incomplete",
            "",
            "on the 1st",
        ),
        ("once at 09:00", "schedule/incomplete", "", "2026-12-24"),
        (
            "every second Tuesday at 9am",
            "schedule/unexpected-word",
            "Tuesday",
            "2nd",
        ),
        (
            "every 3rd day at 9am",
            "schedule/unexpected-word",
            "day",
            "every 3 days",
        ),
    ] {
        check(text, code, pointed_at, help);
    }
}

#[test]
fn times_dates_and_ordinals_that_do_not_exist() {
    for (text, code, pointed_at, help) in [
        (
            "every day at 9",
            "schedule/bare-number",
            "9",
            "`9:00`, `9am` or `9pm`",
        ),
        ("every day at 17", "schedule/bare-number", "17", "`17:00`"),
        ("every day at 25", "schedule/no-such-time", "25", "23:59"),
        ("every day at 13pm", "schedule/no-such-time", "13pm", "12am"),
        ("every day at 0am", "schedule/no-such-time", "0am", "12am"),
        (
            "every day at 13:00 pm",
            "schedule/no-such-time",
            "13:00 pm",
            "12am",
        ),
        ("every day at 9:5", "schedule/no-such-time", "9:5", "00:00"),
        (
            "every day at 09:00:60",
            "schedule/no-such-time",
            "09:00:60",
            "00:00",
        ),
        ("every hour at :60", "schedule/no-such-time", ":60", "00:00"),
        (
            "every 2st at 09:00",
            "schedule/wrong-suffix",
            "2st",
            "`2nd`",
        ),
        (
            "every 11st at 09:00",
            "schedule/wrong-suffix",
            "11st",
            "`11th`",
        ),
        (
            "every 32nd at 09:00",
            "schedule/ordinal-out-of-range",
            "32nd",
            "1st to 31st",
        ),
        (
            "every 0th at 09:00",
            "schedule/ordinal-out-of-range",
            "0th",
            "1st to 31st",
        ),
        (
            "every 6th Monday at 09:00",
            "schedule/ordinal-out-of-range",
            "6th",
            "1st to 5th",
        ),
        (
            "every February 30th at 09:00",
            "schedule/no-such-day",
            "30th",
            "1 to 29",
        ),
        (
            "every 31st of April at 9am",
            "schedule/no-such-day",
            "31st of April",
            "1 to 30",
        ),
        (
            "every 31st in April and June at 9am",
            "schedule/no-such-day",
            "31st",
            "1 to 30",
        ),
        (
            "once on 2026-02-29 at 9am",
            "schedule/no-such-date",
            "2026-02-29",
            "2026-12-24",
        ),
        (
            "once on 2026-13-01 at 9am",
            "schedule/no-such-date",
            "2026-13-01",
            "2026-12-24",
        ),
        (
            "once on February 29th 2026 at 9am",
            "schedule/no-such-date",
            "February 29th 2026",
            "2026-12-24",
        ),
        (
            "once on December 24th at 9am",
            "schedule/unexpected-word",
            "at",
            "the year",
        ),
        (
            "every day at 9am starting 2026-12-02 until 2026-12-01",
            "schedule/until-before-starting",
            "until 2026-12-01",
            "Exchange",
        ),
        (
            "every 0 minutes",
            "schedule/zero-interval",
            "every 0 minutes",
            "1 or more",
        ),
        (
            "every 99999999999 days",
            "schedule/interval-too-long",
            "every 99999999999 days",
            "36500 days",
        ),
        (
            "every 30 minutes from 09:10 to 09:20",
            "schedule/empty-window",
            "from 09:10 to 09:20",
            "Widen",
        ),
        (
            "every 50 minutes from 09:10 to 09:20",
            "schedule/interval-longer-than-window",
            "from 09:10 to 09:20",
            "Widen",
        ),
        (
            "every day at 9am in Europe/Dubln",
            "schedule/unknown-zone",
            "Europe/Dubln",
            "Dublin`",
        ),
        (
            "every day at 9am in Dublin",
            "schedule/unknown-zone",
            "Dublin",
            "`Europe/Dublin`",
        ),
        (
            "every day at 9am in UTC and every Monday at 8am",
            "schedule/several-zones",
            "UTC",
            "at the end",
        ),
    ] {
        check(text, code, pointed_at, help);
    }
}

#[test]
fn days_that_do_not_say_how_often() {
    for (text, code, pointed_at, help) in [
        (
            "on Monday at 9am",
            "schedule/ambiguous",
            "on Monday",
            "`once on`",
        ),
        (
            "on January 4th at 9am",
            "schedule/ambiguous",
            "on January 4th",
            "`every`",
        ),
        (
            "on the 1st at 9am",
            "schedule/ambiguous",
            "on the 1st",
            "`every`",
        ),
        (
            "Monday at 9am",
            "schedule/unexpected-word",
            "Monday",
            "`every`",
        ),
        ("daily", "schedule/missing-at", "daily", "at 09:00"),
        ("weekly at 9am", "schedule/incomplete", "", "weekdays"),
        ("monthly", "schedule/incomplete", "", "on the 1st"),
        ("at 09:00", "schedule/incomplete", "", "`every`"),
        (
            "at 9am every Monday at 10am",
            "schedule/said-twice",
            "at",
            "once",
        ),
        ("on Mondays at 9", "schedule/bare-number", "9", "`9am`"),
        (
            "every hour at minute 60",
            "schedule/no-such-time",
            "60",
            "00:00",
        ),
        (
            "every day in June to 9am",
            "schedule/unexpected-word",
            "9am",
            "month",
        ),
    ] {
        check(text, code, pointed_at, help);
    }
}

#[test]
fn words_that_people_read_in_two_ways() {
    for (text, pointed_at, help) in [
        (
            "every 15th and 2nd Tuesday at 9am",
            "15th and 2nd Tuesday",
            "of the month",
        ),
        (
            "every 4th January and 5th at 9am",
            "4th January and 5th",
            "behind each day",
        ),
        (
            "every January 4th and last Friday at 9am",
            "January 4th and last Friday",
            "behind each day",
        ),
    ] {
        check(text, "schedule/ambiguous", pointed_at, help);
    }
}

#[test]
fn spreads_that_are_none() {
    for (text, code, pointed_at, help) in [
        (
            "every 30 minutes (spread) within 16 minutes",
            "schedule/spread-out-of-range",
            "within 16 minutes",
            "15 minutes",
        ),
        (
            "every day around 9am within 0 seconds",
            "schedule/spread-out-of-range",
            "within 0 seconds",
            "12 hours",
        ),
        (
            "every second (spread)",
            "schedule/spread-out-of-range",
            "(spread)",
            "longer interval",
        ),
        (
            "every day at 9am within 5 minutes",
            "schedule/does-not-fit",
            "within 5 minutes",
            "",
        ),
        (
            "every 15 minutes around 9am",
            "schedule/does-not-fit",
            "around 9am",
            "",
        ),
        (
            "every day around 9am at 10am",
            "schedule/said-twice",
            "at",
            "once",
        ),
        (
            "every day around 9am within 5",
            "schedule/incomplete",
            "",
            "`minutes`",
        ),
        (
            "every hour around 17",
            "schedule/bare-number",
            "17",
            "17:00",
        ),
    ] {
        check(text, code, pointed_at, help);
    }
}

#[test]
fn cron_text() {
    for (text, code, pointed_at, help) in [
        (
            "30 18 * *",
            "schedule/cron-field-count",
            "30 18 * *",
            "day-of-week",
        ),
        (
            "0 0 0 1 1 * 2026",
            "schedule/cron-field-count",
            "0 0 0 1 1 * 2026",
            "starting 2027-01-01",
        ),
        ("60 * * * *", "schedule/cron-field", "60", "0 to 59"),
        ("0 24 * * *", "schedule/cron-field", "24", "0 to 23"),
        ("0 0 0 * *", "schedule/cron-field", "0", "1 to 31"),
        ("0 0 1,32 * *", "schedule/cron-field", "32", "1 to 31"),
        ("0 0 * 13 *", "schedule/cron-field", "13", "JAN to DEC"),
        ("0 0 * * 8", "schedule/cron-field", "8", "0 to 7"),
        (
            "0 0 * * fri-mon",
            "schedule/cron-wraps-around",
            "fri-mon",
            "`5-7,1`",
        ),
        ("*/0 * * * *", "schedule/cron-zero-step", "*/0", "1 or more"),
        ("*/x * * * *", "schedule/cron-field", "*/x", "0 to 59"),
        ("*5 * * * *", "schedule/cron-field", "*5", "0 to 59"),
        (
            "2/4 * * * *",
            "schedule/cron-step-without-range",
            "2/4",
            "`2-59/4`",
        ),
        (
            "0 0 * * 2/3",
            "schedule/cron-step-without-range",
            "2/3",
            "`2-6/3`",
        ),
        (
            "0 0 1/5 * *",
            "schedule/cron-step-without-range",
            "1/5",
            "`1-31/5`",
        ),
        (
            "0 22-6 * * *",
            "schedule/cron-wraps-around",
            "22-6",
            "`22-23,0-6`",
        ),
        (
            "0 0 1 nov-feb *",
            "schedule/cron-wraps-around",
            "nov-feb",
            "`11-12,1-2`",
        ),
        (
            "0 0 * * fri-sun",
            "schedule/cron-wraps-around",
            "fri-sun",
            "`5-7`",
        ),
        (
            "0 0 * * sat-tue",
            "schedule/cron-wraps-around",
            "sat-tue",
            "`6-7,1-2`",
        ),
        (
            "0 20-4/3 * * *",
            "schedule/cron-wraps-around",
            "20-4/3",
            "`20,23,2`",
        ),
        ("0~30 2 * * *", "schedule/cron-by-chance", "0~30", "around"),
        ("~ 2 * * *", "schedule/cron-by-chance", "~", "around"),
        ("H H * * *", "schedule/cron-by-chance", "H", "around"),
        ("H/15 * * * *", "schedule/cron-by-chance", "H/15", "around"),
        ("1,,2 * * * *", "schedule/cron-field", "", "0 to 59"),
        ("0 0 32W * *", "schedule/cron-field", "32W", "1 to 31"),
        ("0 0 1-5W * *", "schedule/cron-field", "1-5W", "15W"),
        ("0 0 L-31 * *", "schedule/cron-field", "L-31", "L-3"),
        ("0 0 L-0 * *", "schedule/cron-field", "L-0", "L-3"),
        ("0 0 * * L", "schedule/cron-field", "L", "5L"),
        ("0 0 *,15W * *", "schedule/cron-field", "15W", "1 to 31"),
        ("0 L * * *", "schedule/cron-field", "L", "0 to 23"),
        ("0 ? * * *", "schedule/cron-field", "?", "0 to 23"),
        (
            "0 0 */2 * 5#2",
            "schedule/cron-days-do-not-combine",
            "*/2 * 5#2",
            "on Fridays",
        ),
        (
            "0 0 12 * * ? 2027",
            "schedule/cron-field-count",
            "0 0 12 * * ? 2027",
            "starting 2027-01-01",
        ),
        (
            "0 5 * * * /usr/bin/backup --all",
            "schedule/cron-command",
            "/usr/bin/backup --all",
            "belongs to the job",
        ),
        (
            "0 5 * * * root /usr/bin/backup",
            "schedule/cron-command",
            "root /usr/bin/backup",
            "belongs to the job",
        ),
        (
            "@daily /usr/bin/backup",
            "schedule/cron-command",
            "/usr/bin/backup",
            "belongs to the job",
        ),
        ("@reboot", "schedule/cron-reboot", "@reboot", "service"),
        ("@every 1d", "schedule/cron-every", "1d", "1h30m"),
        ("@every", "schedule/cron-every", "@every", "1h30m"),
        ("@every 0s", "schedule/zero-interval", "0s", "1 or more"),
        (
            "@every 999999999h",
            "schedule/interval-too-long",
            "999999999h",
            "36500",
        ),
        (
            "CRON_TZ=Europe/Dubln 0 9 * * *",
            "schedule/unknown-zone",
            "Europe/Dubln",
            "`Europe/Dublin`",
        ),
        ("0 0 * * 5#6", "schedule/cron-field", "5#6", "5#2"),
        (
            "cron \"61 * * * *\"",
            "schedule/cron-field",
            "61",
            "0 to 59",
        ),
        ("cron 0 9 * * *", "schedule/unexpected-word", "0", "quotes"),
        (
            "@fortnightly",
            "schedule/cron-nickname",
            "@fortnightly",
            "@weekly",
        ),
        (
            "CRON_TZ=Mars/Base 0 9 * * *",
            "schedule/unknown-zone",
            "Mars/Base",
            "IANA",
        ),
    ] {
        check(text, code, pointed_at, help);
    }
}

#[test]
fn text_beyond_the_bound_is_refused_before_it_is_read() {
    let text = "every minute and ".repeat(100_000 / 17);
    let error = parse(&text).unwrap_err();
    assert_eq!(error.code(), "schedule/too-long");
    let longest = "every minute and ".repeat(TEXT_BYTES_MAX / 17) + "every hour";
    assert!(longest.len() <= TEXT_BYTES_MAX);
    assert_eq!(
        parse(&longest).unwrap().canonical(),
        "every minute and every hour"
    );
}

#[test]
fn words_of_other_schedulers_and_of_speech_have_a_translation() {
    for (text, word, translation) in [
        ("every 5 mins", "mins", "`minutes`"),
        ("every 30 Secs", "Secs", "`seconds`"),
        ("every 2 hrs", "hrs", "`hours`"),
        ("every half hour", "half", "`30 minutes`"),
        ("nightly", "nightly", "`every day at"),
        ("biweekly on Monday at 9am", "biweekly", "`every 2 weeks`"),
        ("every morning", "morning", "`day at 08:00`"),
        ("every 5 minutes during 9am to 5pm", "during", "`from`"),
        ("every day at 9am but Sundays", "but", "`except`"),
    ] {
        check(text, "schedule/unknown-word", word, translation);
    }
}

#[test]
fn a_message_says_nothing_that_was_not_written() {
    for (text, message) in [
        (
            "every 99999999999 minutes",
            "an interval of more than 36500 days is too long",
        ),
        (
            "never and every minute",
            "`and` cannot follow `never`, which stands alone",
        ),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), message, "{text}");
    }
}

#[test]
fn a_text_whose_normal_form_would_not_read_back_is_refused() {
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let days = months.map(|month| format!("{month} 1")).join(", ");
    // Each month becomes a clause of its own with all the times.
    let text = |times: u32| {
        let times: Vec<String> = (0..times)
            .map(|n| format!("{}:{:02}", n / 60, n % 60))
            .collect();
        // The day of January differs, so that the months are not one group.
        format!(
            "every {} at {}",
            days.replace("Jan 1", "Jan 2"),
            times.join(",")
        )
    };
    let short = parse(&text(20)).unwrap();
    assert_eq!(parse(&short.canonical()).as_ref(), Ok(&short));
    let error = parse(&text(200)).unwrap_err();
    assert!(text(200).len() < TEXT_BYTES_MAX);
    assert_eq!(error.code(), "schedule/too-long");
    assert!(error.to_string().contains("written out"), "{error}");
}
