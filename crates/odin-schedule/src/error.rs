//! Why a schedule was refused, and where in its text.

use std::ops::Range;

use crate::cron::CronMistake;

/// The longest schedule text that is read, in bytes.
pub const TEXT_BYTES_MAX: usize = 4096;

/// The longest interval, in days: about a hundred years.
pub(crate) const INTERVAL_DAYS_MAX: u32 = 36_500;

/// Why a schedule was refused, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ScheduleError {
    /// What is wrong.
    pub kind: ScheduleErrorKind,
    /// Where: a byte range in the text that was given, on character boundaries.
    /// Empty at the end of the text where something is missing there.
    pub span: Range<usize>,
}

impl ScheduleError {
    pub(crate) fn new(kind: ScheduleErrorKind, span: Range<usize>) -> Self {
        Self { kind, span }
    }

    /// The stable code of [`ScheduleErrorKind::code`].
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The next step of [`ScheduleErrorKind::help`].
    pub fn help(&self) -> String {
        self.kind.help()
    }
}

/// What is wrong with a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScheduleErrorKind {
    /// Nothing but white space.
    #[error("the schedule is empty")]
    Empty,
    /// Longer than [`TEXT_BYTES_MAX`].
    #[error("the schedule is {bytes} bytes long; at most {TEXT_BYTES_MAX} are read")]
    TooLong {
        /// The length of the text.
        bytes: usize,
    },
    /// Longer than [`TEXT_BYTES_MAX`] once it is written out in the normal form.
    #[error("written out, the schedule is {bytes} bytes long; at most {TEXT_BYTES_MAX} are read")]
    NormalFormTooLong {
        /// The length of the normal form.
        bytes: usize,
    },
    /// A word that no schedule has.
    #[error("`{word}` is not a word of a schedule")]
    UnknownWord {
        /// The word as written, cut to a readable length.
        word: String,
        /// The known word that is nearest, if one is near.
        suggestion: Option<&'static str>,
    },
    /// A known word in a place where it means nothing.
    #[error("`{found}` cannot stand here; expected {expected}")]
    Unexpected {
        /// The word as written, cut to a readable length.
        found: String,
        /// What could have stood here.
        expected: &'static str,
    },
    /// Something after `never`.
    #[error("`{found}` cannot follow `never`, which stands alone")]
    AfterNever {
        /// The word as written, cut to a readable length.
        found: String,
    },
    /// The text ends too early.
    #[error("the schedule ends where {expected} is missing")]
    Incomplete {
        /// What is missing.
        expected: &'static str,
    },
    /// Days without a time.
    #[error("these days have no time: `at` is missing")]
    MissingAt,
    /// A separator (`and`, `,`, `;`) with nothing before or after it.
    #[error("`{separator}` joins nothing")]
    DanglingSeparator {
        /// The separator as written.
        separator: String,
    },
    /// Two separators in a row.
    #[error("`{separator}` follows another separator")]
    DoubledSeparator {
        /// The second separator as written.
        separator: String,
    },
    /// A part such as `at` or `until` that the clause already has.
    #[error("`{part}` is said twice")]
    SaidTwice {
        /// The part's word.
        part: &'static str,
    },
    /// Parts that do not fit each other.
    #[error("`{part}` does not go with {subject}")]
    DoesNotFit {
        /// The part's word.
        part: &'static str,
        /// What the clause is about.
        subject: &'static str,
    },
    /// A time that no clock shows, such as 24:00 or 13pm.
    #[error("`{text}` is not a time of day")]
    NoSuchTime {
        /// The time as written.
        text: String,
    },
    /// A number where a time belongs.
    #[error("`{text}` is a number, not a time of day")]
    BareNumber {
        /// The number as written.
        text: String,
        /// Its value, 0 to 23.
        hour: u32,
    },
    /// A date that no calendar has.
    #[error("there is no such date as `{text}`")]
    NoSuchDate {
        /// The date as written.
        text: String,
    },
    /// A day that the month never has.
    #[error("{month} never has a day {day}")]
    NoSuchDay {
        /// The month's name.
        month: &'static str,
        /// The day that was asked for.
        day: u32,
        /// The most days the month can have.
        days_in_month: u8,
    },
    /// An ordinal outside 1st to 31st, or outside 1st to 5th before a weekday.
    #[error("`{text}` is out of range: {range}")]
    OrdinalOutOfRange {
        /// The ordinal as written.
        text: String,
        /// The ordinals that exist here.
        range: &'static str,
    },
    /// An ordinal with another number's ending, such as `2st`.
    #[error("`{text}` has the wrong ending")]
    WrongSuffix {
        /// The ordinal as written.
        text: String,
        /// The ordinal with its own ending.
        right: String,
    },
    /// An interval of nothing.
    #[error("an interval of zero never ends")]
    ZeroInterval,
    /// An interval beyond what is counted.
    #[error("an interval of more than {INTERVAL_DAYS_MAX} days is too long")]
    IntervalTooLong,
    /// No time of the interval lies in its window.
    #[error("no time of this interval lies in its window")]
    EmptyWindow,
    /// An interval that does not divide the day and is longer than its window.
    #[error("an interval that does not divide the day may miss so short a window for ever")]
    IntervalLongerThanWindow,
    /// A spread of nothing, or one that could change the order of occurrences.
    #[error("{seconds} seconds is too far or too little to spread this")]
    SpreadOutOfRange {
        /// The spread that was asked for, to either side.
        seconds: u64,
        /// The furthest: half of the shortest time between occurrences.
        seconds_max: u32,
    },
    /// `until` lies before `starting`.
    #[error("`until` lies before `starting`")]
    UntilBeforeStarting,
    /// A zone that the time zone database does not have.
    #[error("there is no time zone `{name}`")]
    UnknownZone {
        /// The name as written, cut to a readable length.
        name: String,
        /// Names that are near, the nearest first; at most three.
        suggestions: Vec<String>,
    },
    /// A calendar that is not there.
    #[error("there is no calendar `{name}`")]
    UnknownCalendar {
        /// The name, in lower case.
        name: String,
        /// Names that are near, the nearest first; at most three.
        suggestions: Vec<String>,
    },
    /// One schedule with several zones, or a zone that only some clauses name.
    #[error("a schedule has one time zone")]
    SeveralZones,
    /// A mistake in cron text.
    #[error(transparent)]
    Cron(#[from] CronMistake),
    /// Words that people read in two ways.
    #[error("this can be read in two ways")]
    Ambiguous {
        /// What to write to say which.
        instead: &'static str,
    },
}

impl ScheduleErrorKind {
    /// Stable across releases: interfaces return it, and the reference lists it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "schedule/empty",
            Self::TooLong { .. } | Self::NormalFormTooLong { .. } => "schedule/too-long",
            Self::UnknownWord { .. } => "schedule/unknown-word",
            Self::Unexpected { .. } | Self::AfterNever { .. } => "schedule/unexpected-word",
            Self::Incomplete { .. } => "schedule/incomplete",
            Self::MissingAt => "schedule/missing-at",
            Self::DanglingSeparator { .. } => "schedule/dangling-separator",
            Self::DoubledSeparator { .. } => "schedule/doubled-separator",
            Self::SaidTwice { .. } => "schedule/said-twice",
            Self::DoesNotFit { .. } => "schedule/does-not-fit",
            Self::NoSuchTime { .. } => "schedule/no-such-time",
            Self::BareNumber { .. } => "schedule/bare-number",
            Self::NoSuchDate { .. } => "schedule/no-such-date",
            Self::NoSuchDay { .. } => "schedule/no-such-day",
            Self::OrdinalOutOfRange { .. } => "schedule/ordinal-out-of-range",
            Self::WrongSuffix { .. } => "schedule/wrong-suffix",
            Self::ZeroInterval => "schedule/zero-interval",
            Self::IntervalTooLong => "schedule/interval-too-long",
            Self::EmptyWindow => "schedule/empty-window",
            Self::IntervalLongerThanWindow => "schedule/interval-longer-than-window",
            Self::SpreadOutOfRange { .. } => "schedule/spread-out-of-range",
            Self::UntilBeforeStarting => "schedule/until-before-starting",
            Self::UnknownZone { .. } => "schedule/unknown-zone",
            Self::UnknownCalendar { .. } => "schedule/unknown-calendar",
            Self::SeveralZones => "schedule/several-zones",
            Self::Cron(mistake) => mistake.code(),
            Self::Ambiguous { .. } => "schedule/ambiguous",
        }
    }

    /// The next thing the user can do, as one sentence.
    pub fn help(&self) -> String {
        match self {
            Self::Empty => "Write a schedule, such as `every day at 09:00`, or `never`.".into(),
            Self::TooLong { .. } | Self::NormalFormTooLong { .. } => {
                "Split it into several jobs.".into()
            }
            Self::UnknownWord {
                suggestion: Some(word),
                ..
            } => format!("Did you mean `{word}`?"),
            Self::UnknownWord {
                suggestion: None, ..
            } => "Schedules look like `every Monday at 09:30` or `every 15 minutes`.".into(),
            Self::Unexpected { expected, .. } | Self::Incomplete { expected } => {
                format!("Write {expected} here.")
            }
            Self::AfterNever { .. } => "Remove what follows `never`, or `never` itself.".into(),
            Self::MissingAt => "Add a time, such as `at 09:00`.".into(),
            Self::DanglingSeparator { separator } => {
                format!("Remove `{separator}`, or write a clause on both of its sides.")
            }
            Self::DoubledSeparator { separator } => format!("Remove `{separator}`."),
            Self::SaidTwice { part } => {
                format!("Say `{part}` once in a clause; begin another clause with `and every`.")
            }
            Self::DoesNotFit { .. } => {
                "Remove it, or begin another clause with `and every`.".into()
            }
            Self::NoSuchTime { .. } => {
                "Times run from 00:00 to 23:59, or from 12am to 11:59pm; midnight is 00:00.".into()
            }
            Self::BareNumber { text, hour: 1..=12 } => {
                format!("Write `{text}:00`, `{text}am` or `{text}pm`.")
            }
            Self::BareNumber { text, .. } => format!("Write `{text}:00`."),
            Self::NoSuchDate { .. } => {
                "Write a date of the calendar as year-month-day, such as 2026-12-24.".into()
            }
            Self::NoSuchDay { days_in_month, .. } => {
                format!("Choose a day from 1 to {days_in_month}.")
            }
            Self::OrdinalOutOfRange { range, .. } => format!("Choose one of {range}."),
            Self::WrongSuffix { right, .. } => format!("Write `{right}`."),
            Self::ZeroInterval => {
                "Choose an interval of 1 or more; `never` turns a job off.".into()
            }
            Self::IntervalTooLong => {
                format!("Choose at most {INTERVAL_DAYS_MAX} days, or name the dates.")
            }
            Self::EmptyWindow => {
                "Widen the window: an interval counts from midnight, not from the window.".into()
            }
            Self::IntervalLongerThanWindow => {
                "Widen the window, or choose an interval that divides 24 hours.".into()
            }
            Self::SpreadOutOfRange { seconds_max: 0, .. } => {
                "Choose a longer interval, or remove the spread.".into()
            }
            Self::SpreadOutOfRange { seconds_max, .. } => {
                let most = crate::english::duration(*seconds_max);
                format!("Choose at most {most}: half of what lies between two occurrences.")
            }
            Self::UntilBeforeStarting => "Exchange the two dates.".into(),
            Self::UnknownZone { suggestions, .. } if suggestions.is_empty() => {
                "Write a name of the IANA database, such as `Europe/Dublin` or `UTC`.".into()
            }
            Self::UnknownZone { suggestions, .. } => {
                format!("Did you mean `{}`?", suggestions.join("` or `"))
            }
            Self::UnknownCalendar { name, suggestions } => {
                let deploy = format!(
                    "deploy it with `odin calendar set {name} -f FILE`, or give it to the command \
                     with `--calendar {name}=FILE`."
                );
                if suggestions.is_empty() {
                    format!("If it is a calendar, {deploy}")
                } else {
                    format!(
                        "Did you mean `{}`? If not, {deploy}",
                        suggestions.join("` or `")
                    )
                }
            }
            Self::SeveralZones => "Write `in ZONE` once, at the end.".into(),
            Self::Cron(mistake) => mistake.help(),
            Self::Ambiguous { instead } => format!("Write {instead}."),
        }
    }
}

/// Cuts what a user wrote to a length that fits a message.
pub(crate) fn quote(text: &str) -> String {
    const CHARACTERS_MAX: usize = 40;
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
