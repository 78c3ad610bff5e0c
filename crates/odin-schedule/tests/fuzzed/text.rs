//! Any text is read or refused, and either answer is whole.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_schedule::{Schedule, ScheduleError, parse};

/// Bytes as a text: what is not UTF-8 becomes replacement characters.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    match parse(&text) {
        Ok(schedule) => check_read(&text, &schedule),
        Err(error) => check_refused(&text, &error),
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
    let again =
        parse(&canonical).unwrap_or_else(|error| panic!("{text:?} as {canonical:?}: {error}"));
    assert_eq!(again, *schedule, "{text:?} as {canonical:?}");
    assert_eq!(again.canonical(), canonical, "{text:?}");
    assert!(schedule.explain().ends_with('.'), "{text:?}");
    let new_year = Timestamp::from_second(1_767_225_600).expect("2026 is in range");
    for after in [Timestamp::MIN, new_year, Timestamp::MAX] {
        for warning in schedule.warnings(after, &TimeZone::UTC) {
            assert!(!warning.to_string().is_empty(), "{text:?}");
        }
    }
}
