//! What is wrong with cron text, and what to write instead.

use crate::error::quote;

/// What is wrong with cron text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CronMistake {
    /// Neither five nor six fields.
    #[error("cron text has five or six fields, not {fields}")]
    FieldCount {
        /// How many fields were found.
        fields: usize,
    },
    /// Something that the field does not take.
    #[error("`{text}` is not a {field} of cron text")]
    Field {
        /// The field's name.
        field: &'static str,
        /// The piece as written, cut to a readable length.
        text: String,
        /// What the field takes.
        takes: &'static str,
    },
    /// A range that ends before it begins, such as `22-6`.
    #[error("the range `{text}` ends before it begins")]
    WrapsAround {
        /// The range as written, cut to a readable length.
        text: String,
        /// The same values in ascending order.
        instead: String,
    },
    /// A step with a single value before it, such as `2/4`.
    #[error("`{text}` has a step and no range to step through")]
    StepWithoutRange {
        /// The item as written, cut to a readable length.
        text: String,
        /// The range up to the field's end, with the same step.
        instead: String,
    },
    /// A step of zero.
    #[error("`{text}` has a step of zero, which never ends")]
    ZeroStep {
        /// The item as written, cut to a readable length.
        text: String,
    },
    /// A value by chance: `~` of OpenBSD's cron and of cronie, `H` of Jenkins.
    #[error("`{text}` asks for a value by chance")]
    ByChance {
        /// The item as written, cut to a readable length.
        text: String,
    },
    /// A stepped day of the month and an nth weekday, which would both have to hold.
    #[error("`{month_days}` and `{weekdays}` would both have to hold, which cannot be said here")]
    DaysDoNotCombine {
        /// The day-of-month field.
        month_days: String,
        /// The day-of-week field.
        weekdays: String,
    },
    /// A line of a crontab with its command.
    #[error("`{text}` looks like the command of a crontab")]
    Command {
        /// What follows the fields, cut to a readable length.
        text: String,
    },
    /// An `@word` that is not known.
    #[error("`{name}` is not a schedule")]
    Nickname {
        /// The word as written, cut to a readable length.
        name: String,
    },
    /// `@reboot`, which is no time.
    #[error("`@reboot` is not a time: it says when a machine starts")]
    Reboot,
    /// `@every` with something that is not a length of time in whole seconds.
    #[error("`{text}` is not a length of time in whole seconds")]
    Every {
        /// What follows `@every`, cut to a readable length.
        text: String,
    },
}

impl CronMistake {
    /// Stable across releases: interfaces return it, and the reference lists it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::FieldCount { .. } => "schedule/cron-field-count",
            Self::Field { .. } => "schedule/cron-field",
            Self::WrapsAround { .. } => "schedule/cron-wraps-around",
            Self::StepWithoutRange { .. } => "schedule/cron-step-without-range",
            Self::ZeroStep { .. } => "schedule/cron-zero-step",
            Self::ByChance { .. } => "schedule/cron-by-chance",
            Self::DaysDoNotCombine { .. } => "schedule/cron-days-do-not-combine",
            Self::Command { .. } => "schedule/cron-command",
            Self::Nickname { .. } => "schedule/cron-nickname",
            Self::Reboot => "schedule/cron-reboot",
            Self::Every { .. } => "schedule/cron-every",
        }
    }

    /// The next thing the user can do, as one sentence.
    pub fn help(&self) -> String {
        match self {
            Self::FieldCount { fields: 7 } => {
                "A field for the year is not taken; bounds are written in English: \
                 `cron \"0 9 * * 1-5\" starting 2027-01-01 until 2027-12-31`."
                    .into()
            }
            Self::FieldCount { .. } => {
                "The fields are: [second] minute hour day-of-month month day-of-week.".into()
            }
            Self::Field { takes, .. } => format!("This field takes {takes}."),
            Self::WrapsAround { instead, .. } | Self::StepWithoutRange { instead, .. } => {
                format!("Write `{instead}`.")
            }
            Self::ZeroStep { .. } => "Choose a step of 1 or more.".into(),
            Self::ByChance { .. } => {
                "Write a value; to spread jobs over time write for example `every day around \
                 02:30` or `every hour around :17`."
                    .into()
            }
            Self::DaysDoNotCombine { .. } => {
                "Write the days in English, such as `every 9th, 11th and 13th on Fridays at 00:00`."
                    .into()
            }
            Self::Command { .. } => {
                "Leave the command out: it belongs to the job, not to its schedule.".into()
            }
            Self::Nickname { .. } => {
                "Known are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and \
                 `@every 1h30m`."
                    .into()
            }
            Self::Reboot => {
                "Start it as a service of the machine, or give the job a schedule with times."
                    .into()
            }
            Self::Every { .. } => {
                "Write it like `@every 1h30m` or `@every 90s`, or in English: `every 90 minutes`."
                    .into()
            }
        }
    }

    pub(super) fn by_chance(text: &str) -> Self {
        Self::ByChance { text: quote(text) }
    }
}
