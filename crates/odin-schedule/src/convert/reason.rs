//! Why a schedule cannot be said in the other notation.

/// Why a schedule cannot be said in the other notation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CannotSay {
    /// `never`.
    #[error("cron cannot say `never`")]
    Never,
    /// Dates with a year.
    #[error("cron has no year, so it cannot run once")]
    Once,
    /// `starting` or `until`.
    #[error("cron has no beginning and no end")]
    Bounds,
    /// Days left out that are not whole weekdays of weekdays, or whole months.
    #[error("cron cannot leave out these days")]
    Except,
    /// An interval that does not divide the day.
    #[error("cron cannot count an interval that does not divide the day")]
    UnevenInterval,
    /// `every 3 days`.
    #[error("cron cannot count days")]
    DayInterval,
    /// Every so many weeks, months, quarters or years.
    #[error("cron cannot count weeks, months or years")]
    Period,
    /// The days of a calendar, left out or alone.
    #[error("cron has no calendars")]
    Calendar,
    /// Business days, every one or counted in the month.
    #[error("cron has no business days")]
    BusinessDays,
    /// Days that move to a business day.
    #[error("cron cannot move a day")]
    Moved,
    /// `around`.
    #[error("cron starts every job at the same second")]
    Spread,
    /// A window that goes on after midnight, on days of the month.
    #[error("cron cannot say a window that goes on after midnight on days of the month")]
    WindowPastMidnight,
    /// Times with seconds, for a cron of five fields.
    #[error("cron of five fields has no seconds")]
    Seconds,
    /// The second Tuesday or the last Friday, for a cron of five fields.
    #[error("cron of five fields has no nth weekday of the month")]
    NthWeekday,
    /// The last day of the month, or a day counted from it, for a cron of five fields.
    #[error("cron of five fields has no last day of the month")]
    LastDay,
    /// The weekday nearest a day, for a cron of five fields.
    #[error("cron of five fields has no nearest weekday")]
    NearestWeekday,
    /// Days of the month that have to be certain weekdays as well.
    #[error("cron takes either of two restricted day fields, and here both have to hold")]
    BothDays,
    /// Only the treatment of a jumping clock differs.
    #[error(
        "cron would treat this as fixed times, which differ from an interval when the clock jumps"
    )]
    ClockChange {
        /// The cron text that has the same times on all other days, one for each line.
        nearly: Vec<String>,
    },
    /// Clauses that fall together and treat a jumping clock differently.
    #[error("an interval and fixed times fall together, and cron would start both")]
    Coincide,
    /// More lines of cron text than anyone would read.
    #[error("cron would need more than {max} lines")]
    TooManyLines {
        /// How many lines are written.
        max: usize,
    },
    /// A step that starts over each hour or minute without dividing it, as in `*/7`.
    #[error("the steps of `{cron}` start over and are not even")]
    UnevenStep {
        /// The cron text.
        cron: String,
    },
    /// More times of day than anyone would read.
    #[error("`{cron}` has more than {max} times a day")]
    TooManyTimes {
        /// The cron text.
        cron: String,
        /// How many times are listed.
        max: usize,
    },
    /// Something that only cron text can say.
    #[error("English has no words for {what}")]
    CronOnly {
        /// The thing, as a noun.
        what: &'static str,
    },
    /// English that is longer than a schedule may be.
    #[error("in English this is longer than a schedule may be")]
    TooLong,
}

impl CannotSay {
    /// Stable across releases: interfaces return it, and the reference lists it.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Never => "convert/never",
            Self::Once => "convert/once",
            Self::Bounds => "convert/bounds",
            Self::Except => "convert/except",
            Self::UnevenInterval => "convert/uneven-interval",
            Self::DayInterval => "convert/day-interval",
            Self::Period => "convert/period",
            Self::Calendar => "convert/calendar",
            Self::BusinessDays => "convert/business-days",
            Self::Moved => "convert/moved",
            Self::Spread => "convert/spread",
            Self::WindowPastMidnight => "convert/window-past-midnight",
            Self::Seconds => "convert/seconds",
            Self::NthWeekday => "convert/nth-weekday",
            Self::LastDay => "convert/last-day",
            Self::NearestWeekday => "convert/nearest-weekday",
            Self::BothDays => "convert/both-days",
            Self::ClockChange { .. } => "convert/clock-change",
            Self::Coincide => "convert/coincide",
            Self::TooManyLines { .. } => "convert/too-many-lines",
            Self::UnevenStep { .. } => "convert/uneven-step",
            Self::TooManyTimes { .. } => "convert/too-many-times",
            Self::CronOnly { .. } => "convert/cron-only",
            Self::TooLong => "convert/too-long",
        }
    }

    /// The next thing the user can do, as one sentence.
    pub fn help(&self) -> String {
        const KEEP_CRON: &str =
            "Keep it as cron text: `cron \"...\"` stands beside English clauses";
        match self {
            Self::Never => "Leave the line out of the crontab.".into(),
            Self::Once => "Give the job to `at`, or remove the line after the day.".into(),
            Self::Bounds => {
                "Convert it without `starting` and `until`, and change the crontab on those days."
                    .into()
            }
            Self::Except => "Name the days on which it should run instead.".into(),
            Self::UnevenInterval => {
                "Choose an interval that divides the hour or the day, such as `every 15 minutes`."
                    .into()
            }
            Self::DayInterval => {
                "Choose weekdays or days of the month, such as `every 1st and 15th`.".into()
            }
            Self::Period => {
                "Name the weeks or months, such as `in January and July`, or let the job count."
                    .into()
            }
            Self::Calendar | Self::BusinessDays | Self::Moved => {
                "Choose weekdays or days of the month, and let the job look at the calendar itself."
                    .into()
            }
            Self::Spread => "Write `at` for `around`, with a minute of your own choice.".into(),
            Self::WindowPastMidnight => {
                "Split the window at midnight into two clauses with their own days.".into()
            }
            Self::Seconds => {
                "Ask for extended cron text, which has a field for seconds, or choose whole minutes."
                    .into()
            }
            Self::NthWeekday => {
                "Ask for extended cron text, which has `5#2` and `5L`, if your cron reads it.".into()
            }
            Self::LastDay => {
                "Ask for extended cron text, which has `L`, if your cron reads it.".into()
            }
            Self::NearestWeekday => {
                "Ask for extended cron text, which has `15W`, if your cron reads it.".into()
            }
            Self::BothDays => {
                "Let the job look at the weekday itself, or choose one kind of days.".into()
            }
            Self::ClockChange { nearly } => format!(
                "If that does not matter to you, write `{}`.",
                nearly.join("` and `")
            ),
            Self::Coincide => {
                "Remove the fixed times that the interval has anyway, or convert the clauses one \
                 by one."
                    .into()
            }
            Self::TooManyLines { .. } => {
                "Convert its clauses one by one, or choose times on the same minutes.".into()
            }
            Self::UnevenStep { .. } => format!(
                "{KEEP_CRON}, or choose an interval that counts through, such as `every 7 minutes`."
            ),
            Self::TooManyTimes { .. } => format!(
                "{KEEP_CRON}, or choose an interval with a window, such as `every 30 minutes from \
                 09:00 to 17:00`."
            ),
            Self::CronOnly { .. } => format!("{KEEP_CRON}."),
            Self::TooLong => "Split it into several jobs.".into(),
        }
    }
}
