//! What must hold for any input: the fuzz targets under `fuzz/` call these functions with
//! bytes of their own making, and a test calls them with every input that was kept.

pub(crate) mod calendar;
pub(crate) mod engine;
pub(crate) mod text;

use std::sync::OnceLock;

use odin_schedule::{Calendar, CalendarName, Calendars};

/// Calendars that schedules may refer to: some holidays, some days of trading, and one with
/// no business day for months.
pub(crate) fn calendars() -> &'static Calendars {
    static CALENDARS: OnceLock<Calendars> = OnceLock::new();
    CALENDARS.get_or_init(|| {
        let mut calendars = Calendars::default();
        for (name, days) in LISTS {
            let name = CalendarName::new(name).expect("a name that calendars may have");
            calendars.insert(name, Calendar::parse(days).expect("a list of days"));
        }
        calendars
    })
}

const LISTS: [(&str, &str); 3] = [
    (
        "holidays",
        "2026-01-01\n2026-03-17\n2026-04-06\n2026-10-26\n2026-12-24..2026-12-29\n2027-01-01\n2011-12-30\n",
    ),
    (
        "trading-days",
        "1900-01-01\n2026-03-06..2026-03-10\n2026-11-27\n2026-11-30\n2199-12-31\n",
    ),
    ("closed", "2026-11-14..2027-03-31\n"),
];
