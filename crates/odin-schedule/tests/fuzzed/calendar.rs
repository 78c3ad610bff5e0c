//! Any text is read as a calendar or refused with its line, and what was read is whole.

use jiff::civil::Date;
use odin_schedule::{CALENDAR_DAYS_MAX, Calendar, CalendarError};

/// A list or an iCalendar file, told apart by the first byte or by the text itself.
pub(crate) fn check(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    whole(&text, Calendar::parse(&text));
    whole(&text, Calendar::parse_list(&text));
    whole(&text, Calendar::parse_ics(&text));
}

fn whole(text: &str, read: Result<Calendar, CalendarError>) {
    let calendar = match read {
        Ok(calendar) => calendar,
        Err(error) => {
            assert!(error.code().starts_with("calendar/"), "{error:?}");
            assert!(!error.to_string().is_empty());
            assert!(error.help().ends_with(['.', '?']), "{}", error.help());
            let lines = text.split('\n').count();
            let line = error.line.map_or(0, |line| line as usize);
            assert!(line <= lines, "line {line} of {lines}: {error:?}");
            assert!(error.line != Some(0), "lines are counted from 1: {error:?}");
            return;
        }
    };
    let dates: Vec<Date> = calendar.dates().collect();
    assert!(
        dates.is_sorted_by(|a, b| a < b),
        "days are there once and in order"
    );
    assert_eq!(dates.len(), calendar.len());
    assert_eq!(dates.is_empty(), calendar.is_empty());
    assert!(dates.len() <= CALENDAR_DAYS_MAX);
    assert!(dates.iter().all(|&date| calendar.contains(date)));
    // The plain list of the same days is the same calendar, but for its names.
    let list: String = dates.iter().map(|date| format!("{date}\n")).collect();
    let again = Calendar::parse_list(&list).expect("a list of days that a calendar has");
    assert!(again.dates().eq(dates.iter().copied()));
    for name in dates.iter().filter_map(|&date| calendar.name_of(date)) {
        assert!(!name.is_empty(), "a day without a name has none");
    }
}
