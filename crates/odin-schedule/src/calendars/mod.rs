//! Calendars that schedules refer to by name: holidays, trading days, closures.

mod days;
mod error;
mod ics;
mod list_text;
mod name;
mod recurrence;
mod set;

pub use days::{CALENDAR_DAYS_MAX, Calendar};
pub(crate) use days::{FIRST_YEAR, LAST_YEAR};
pub use error::{CALENDAR_BYTES_MAX, CalendarError, CalendarErrorKind};
pub use name::CalendarName;
pub use set::Calendars;

/// A calendar under the name by which a schedule refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CalendarUse {
    pub(crate) name: CalendarName,
    /// Empty where only the words of a schedule are read.
    pub(crate) calendar: std::sync::Arc<Calendar>,
}
