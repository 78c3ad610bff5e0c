//! Any text is read or refused, and either answer is whole.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_schedule::{
    CronDialect, Schedule, ScheduleError, parse, parse_with, read_words, to_cron, to_english,
};

use super::calendars;

/// Bytes as a text: what is not UTF-8 becomes replacement characters.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match parse_with(&text, calendars()) {
        Ok(schedule) => {
            check_read(&text, &schedule);
            let words = read_words(&text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            assert_eq!(words.canonical(), schedule.canonical(), "{text:?}");
            assert_eq!(words.calendars(), schedule.calendars(), "{text:?}");
            assert!(words.explain().ends_with('.'), "{text:?}");
        }
        Err(error) => check_refused(&text, &error),
    }
    if let Err(error) = parse(&text) {
        check_refused(&text, &error);
    }
}

/// The place lies in the text, and the message and its next step are there.
pub(crate) fn check_refused(text: &str, error: &ScheduleError) {
    assert!(
        text.get(error.span.clone()).is_some(),
        "{text:?}: {:?} is no place in it",
        error.span
    );
    assert!(error.code().starts_with("schedule/"), "{text:?}: {error:?}");
    assert!(!error.to_string().is_empty(), "{text:?}: {error:?}");
    assert!(
        error.help().ends_with(['.', '?']),
        "{text:?}: {}",
        error.help()
    );
}

/// The normal form reads back as the same schedule and is its own normal form, and
/// everything that is said of a schedule can be said of this one.
pub(crate) fn check_read(text: &str, schedule: &Schedule) {
    let canonical = schedule.canonical();
    let read = |text: &str| {
        let read = parse_with(text, calendars());
        read.unwrap_or_else(|error| panic!("{canonical:?} as {text:?}: {error}"))
    };
    let again = read(&canonical);
    assert_eq!(again, *schedule, "{text:?} as {canonical:?}");
    assert_eq!(again.canonical(), canonical, "{text:?}");
    assert!(schedule.explain().ends_with('.'), "{text:?}");
    let new_year = Timestamp::from_second(1_767_225_600).expect("2026 is in range");
    for after in [Timestamp::MIN, new_year, Timestamp::MAX] {
        for warning in schedule.warnings(after, &TimeZone::UTC) {
            assert!(!warning.to_string().is_empty(), "{text:?}");
        }
    }
    for dialect in [CronDialect::Vixie, CronDialect::Extended] {
        match to_cron(schedule, dialect) {
            Ok(cron) => cron.texts().for_each(|line| drop(read(&line))),
            Err(reason) => assert!(
                reason.code().starts_with("convert/"),
                "{text:?}: {reason:?}"
            ),
        }
    }
    if let Ok(english) = to_english(schedule) {
        assert_eq!(read(&english.canonical()), english, "{text:?}");
    }
}
