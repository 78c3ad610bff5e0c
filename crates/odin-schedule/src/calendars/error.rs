//! Why a calendar or its name was refused.

use super::days::CALENDAR_DAYS_MAX;
use crate::error::quote;

/// The longest calendar text that is read, in bytes.
pub const CALENDAR_BYTES_MAX: usize = 1 << 20;

/// Why a calendar or its name was refused, and in which line of its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{kind}", line.map_or_else(String::new, |line| format!("line {line}: ")))]
pub struct CalendarError {
    /// What is wrong.
    pub kind: CalendarErrorKind,
    /// The line of the text, counted from 1; `None` where no single line is at fault.
    pub line: Option<u32>,
}

impl CalendarError {
    pub(super) fn at(kind: CalendarErrorKind, line: u32) -> Self {
        Self {
            kind,
            line: Some(line),
        }
    }

    pub(super) fn whole(kind: CalendarErrorKind) -> Self {
        Self { kind, line: None }
    }

    /// The stable code of [`CalendarErrorKind::code`].
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The next step of [`CalendarErrorKind::help`].
    pub fn help(&self) -> String {
        self.kind.help()
    }
}

/// What is wrong with a calendar or its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CalendarErrorKind {
    /// Longer than [`CALENDAR_BYTES_MAX`].
    #[error("the calendar is {bytes} bytes long; at most {CALENDAR_BYTES_MAX} are read")]
    TooLong {
        /// The length of the text.
        bytes: usize,
    },
    /// More distinct days than a calendar holds.
    #[error("a calendar has at most {CALENDAR_DAYS_MAX} days")]
    TooManyDays,
    /// The rules of its events take more steps than are taken.
    #[error("the repeating events of this calendar take too long to lay out")]
    TooMuchRepetition,
    /// Not a date, in a list or in an event.
    #[error("`{text}` is not a date")]
    NoSuchDate {
        /// The date as written, cut to a readable length.
        text: String,
    },
    /// A date outside the years that calendars cover.
    #[error("`{text}` lies outside the years 1900 to 2199")]
    OutOfYears {
        /// The date.
        text: String,
    },
    /// A range or an event that ends before it begins.
    #[error("this ends on {end}, before it begins on {begin}")]
    EndsBeforeItBegins {
        /// The first day.
        begin: String,
        /// The last day.
        end: String,
    },
    /// A line of an iCalendar file without a name and a value.
    #[error("`{text}` is not a line of an iCalendar file")]
    NotALine {
        /// The line, cut to a readable length.
        text: String,
    },
    /// `BEGIN` and `END` that do not match, or a file that ends inside an event.
    #[error("`BEGIN` and `END` do not match: {what}")]
    Unbalanced {
        /// What is open or closed wrongly.
        what: String,
    },
    /// An event without `DTSTART`.
    #[error("this event has no `DTSTART`")]
    NoStart,
    /// A duration that is not one of RFC 5545.
    #[error("`{text}` is not a duration")]
    NoSuchDuration {
        /// The duration as written.
        text: String,
    },
    /// A part of iCalendar that is not read, where leaving it out would change the days.
    #[error("`{part}` is not supported in a calendar")]
    Unsupported {
        /// The part as written.
        part: String,
    },
    /// A repetition rule that cannot be read.
    #[error("`{part}` is not a part of a repetition rule")]
    BadRule {
        /// The part as written.
        part: String,
    },
    /// A repeating event whose first day its own rule does not give: RFC 5545 leaves
    /// open what that means.
    #[error("the first day of this event, {start}, is none that its rule gives")]
    StartOffRule {
        /// The first day.
        start: String,
    },
    /// A time zone that is needed and not known.
    #[error("there is no time zone `{name}`")]
    UnknownZone {
        /// The name as written.
        name: String,
    },
    /// A calendar's name with characters that names do not have, or too many of them.
    #[error("`{name}` is not a name of a calendar")]
    BadName {
        /// The name, cut to a readable length.
        name: String,
    },
    /// A calendar's name that schedules would read, or have to suspect, as another word.
    #[error("`{name}` cannot be told from the word `{word}` of schedules")]
    NameIsAWord {
        /// The name.
        name: String,
        /// The word.
        word: String,
    },
}

impl CalendarErrorKind {
    pub(super) fn no_such_date(text: &str) -> Self {
        Self::NoSuchDate { text: quote(text) }
    }

    /// Stable across releases: interfaces return it, and the reference lists it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong { .. } => "calendar/too-long",
            Self::TooManyDays => "calendar/too-many-days",
            Self::TooMuchRepetition => "calendar/too-much-repetition",
            Self::NoSuchDate { .. } => "calendar/no-such-date",
            Self::OutOfYears { .. } => "calendar/out-of-years",
            Self::EndsBeforeItBegins { .. } => "calendar/ends-before-it-begins",
            Self::NotALine { .. } => "calendar/not-a-line",
            Self::Unbalanced { .. } => "calendar/unbalanced",
            Self::NoStart => "calendar/no-start",
            Self::NoSuchDuration { .. } => "calendar/no-such-duration",
            Self::Unsupported { .. } => "calendar/unsupported",
            Self::BadRule { .. } => "calendar/bad-rule",
            Self::StartOffRule { .. } => "calendar/start-off-rule",
            Self::UnknownZone { .. } => "calendar/unknown-zone",
            Self::BadName { .. } => "calendar/bad-name",
            Self::NameIsAWord { .. } => "calendar/name-is-a-word",
        }
    }

    /// The next thing the user can do, as one sentence.
    pub fn help(&self) -> String {
        match self {
            Self::TooLong { .. } | Self::TooManyDays => {
                "Leave out past years, or split it into several calendars.".into()
            }
            Self::TooMuchRepetition => {
                "Give the rules an end with `UNTIL` or `COUNT`, or list the dates.".into()
            }
            Self::NoSuchDate { .. } => {
                "In a list write a date as 2026-12-24 or a range as 2026-12-24..2026-12-26, and a \
                 name behind it; in an iCalendar file as 20261224."
                    .into()
            }
            Self::OutOfYears { .. } => "Remove the date.".into(),
            Self::EndsBeforeItBegins { .. } => "Exchange the two dates.".into(),
            Self::NotALine { .. } => {
                "A line is `NAME:value`; one that goes on begins with a space.".into()
            }
            Self::Unbalanced { .. } => "Export the calendar again: this file is cut.".into(),
            Self::NoStart => "Add `DTSTART;VALUE=DATE:20261224`.".into(),
            Self::NoSuchDuration { .. } => "Write it as in `P1D`, `P1W` or `PT12H`.".into(),
            Self::Unsupported { .. } => {
                "List the dates of this event instead, one line each.".into()
            }
            Self::BadRule { .. } => {
                "Read are FREQ (DAILY to YEARLY), INTERVAL, COUNT, UNTIL, BYMONTH, BYMONTHDAY, \
                 BYDAY, BYSETPOS and WKST."
                    .into()
            }
            Self::StartOffRule { .. } => "Move `DTSTART` to the first day of the rule.".into(),
            Self::UnknownZone { .. } => {
                "Write a name of the IANA database, such as `Europe/Dublin`.".into()
            }
            Self::BadName { .. } => {
                "A name has 1 to 64 letters, digits, `-` and `_` and begins with a letter.".into()
            }
            Self::NameIsAWord { name, .. } => {
                format!("Choose a longer name, such as `{name}-days`.")
            }
        }
    }
}
