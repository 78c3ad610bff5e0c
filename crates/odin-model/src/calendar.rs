//! Named calendars, and due times that a changed calendar or changed zone rules move.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use crate::id::{JobId, Revision};
use crate::owner::{Owner, Principal};

/// How many days one calendar holds at most.
pub const CALENDAR_DAYS_MAX: usize = 10_000;
/// The longest name of a calendar, in bytes.
pub const CALENDAR_NAME_BYTES_MAX: usize = 64;
/// How many calendars there are at most: every node keeps them in memory.
pub const CALENDARS_MAX: u64 = 1_000;
/// How many due times one [`Recompute`] moves at most.
pub const RECOMPUTE_MAX: usize = 2_000;
/// How many moved due times are kept, the latest.
pub const MOVED_DUES_MAX: u64 = 10_000;

/// A named set of days as the replicated state holds it. Every job may refer to it by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Its name.
    pub name: String,
    /// Who set it first, and may change it beside admins.
    pub owner: Owner,
    /// Its days, counted from 1970-01-01, ascending.
    pub days: Vec<i32>,
    /// Its last change.
    pub revision: Revision,
    /// When that was: the leader's wall clock.
    pub set_at: Timestamp,
}

const EPOCH: Date = jiff::civil::date(1970, 1, 1);

/// The date of a day counted from 1970-01-01. A number that no date has gives the last date there is.
#[must_use]
pub fn date_of(day: i32) -> Date {
    let days = Span::new().try_days(day);
    days.and_then(|days| EPOCH.checked_add(days))
        .unwrap_or(Date::MAX)
}

/// The day of a date, counted from 1970-01-01.
#[must_use]
pub fn day_of(date: Date) -> i32 {
    (date - EPOCH).get_days()
}

/// Makes a calendar, or replaces its days.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetCalendar {
    /// Who asks; the owner of a new one.
    pub by: Principal,
    /// Its name, checked by the handler.
    pub name: String,
    /// Its days, counted from 1970-01-01, ascending, each once.
    pub days: Vec<i32>,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// What next due times were computed with, beside the schedules: when it changes, they are computed anew.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DueRules {
    /// The version of the time zone database, such as `2026a`.
    pub zone_rules: String,
    /// The log index of the latest change of a calendar; 0 before the first.
    pub calendars: u64,
}

/// Next due times computed anew.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recompute {
    /// Each job at most once; at most [`RECOMPUTE_MAX`].
    pub items: Vec<RecomputeItem>,
    /// What changed, in words.
    pub because: String,
    /// With the last items of a sweep over all jobs: what they were computed with.
    pub done: Option<DueRules>,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// One next due time. It counts only if the job's revision and next due time are still what the leader saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecomputeItem {
    /// Which job.
    pub job: JobId,
    /// The job's revision that the leader saw.
    pub revision: Revision,
    /// Its next due time that the leader saw.
    #[serde(with = "crate::instant::option")]
    pub was: Option<Timestamp>,
    /// Its next due time by the new rules.
    #[serde(with = "crate::instant::option")]
    pub is: Option<Timestamp>,
}

/// A due time that was moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedDue {
    /// Orders them: later ones have larger numbers.
    pub number: u64,
    /// Which job.
    pub job: JobId,
    /// When it was due.
    pub was: Option<Timestamp>,
    /// When it is due.
    pub is: Option<Timestamp>,
    /// What changed, in words.
    pub because: String,
    /// When that was: the leader's wall clock.
    pub moved_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_the_same() {
        for (text, day) in [
            ("1970-01-01", 0),
            ("2026-12-25", 20_812),
            ("1969-12-31", -1),
        ] {
            let date: Date = text.parse().unwrap();
            assert_eq!(day_of(date), day);
            assert_eq!(date_of(day), date);
        }
        assert_eq!(date_of(i32::MAX), Date::MAX);
    }
}
