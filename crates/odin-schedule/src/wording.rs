//! The words of a schedule whose calendars need not be at hand.

use crate::calendars::CalendarName;
use crate::error::ScheduleError;
use crate::explain::{CalendarDays, explain};
use crate::parse::Known;
use crate::schedule::{Schedule, ScheduleKind, read};

/// A schedule of which only the words were read: it may refer to any calendar, and so
/// cannot say when it is due. [`parse_with`](crate::parse_with) gives a schedule that can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// With calendars that have no days.
    schedule: Schedule,
}

/// Reads the words of a schedule, taking any name for that of a calendar.
///
/// # Errors
/// As [`parse`](crate::parse), but for calendars that are not there.
///
/// ```
/// let wording = odin_schedule::read_words("every day at 9am except on Trading-Days")?;
/// assert_eq!(wording.canonical(), "every day at 09:00 except on trading-days");
/// assert_eq!(wording.required_calendars()[0].as_str(), "trading-days");
/// # Ok::<(), odin_schedule::ScheduleError>(())
/// ```
pub fn read_words(text: &str) -> Result<Wording, ScheduleError> {
    read(text, Known::AnyName).map(|schedule| Wording { schedule })
}

impl Wording {
    /// As [`Schedule::canonical`].
    pub fn canonical(&self) -> String {
        self.schedule.canonical()
    }

    /// As [`Schedule::explain`], but for what calendars that are not at hand decide.
    pub fn explain(&self) -> String {
        explain(&self.schedule, CalendarDays::Open)
    }

    /// As [`Schedule::calendars`].
    pub fn calendars(&self) -> Vec<CalendarName> {
        self.schedule.calendars()
    }

    /// The calendars that the text names: without them the schedule is refused.
    pub fn required_calendars(&self) -> Vec<CalendarName> {
        self.schedule.required_calendars()
    }

    /// As [`Schedule::kind`].
    pub fn kind(&self) -> ScheduleKind {
        self.schedule.kind()
    }

    /// As [`Schedule::zone`].
    pub fn zone(&self) -> Option<&str> {
        self.schedule.zone()
    }

    /// As [`Schedule::is_never`].
    pub fn is_never(&self) -> bool {
        self.schedule.is_never()
    }
}

impl std::fmt::Display for Wording {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.schedule.fmt(f)
    }
}
