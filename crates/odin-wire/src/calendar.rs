//! Named calendars, and the due times that changes move.

use jiff::Timestamp;
use jiff::civil::Date;
use odin_model::JobId;
use odin_model::calendar as model;
use odin_model::calendar::date_of;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A named set of days, to which schedules refer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Calendar {
    /// Its name.
    pub name: String,
    /// The user name of whoever set it first.
    pub owner: String,
    /// How many days it has.
    pub days: u32,
    /// Its first day. `null`: it has none.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = Date)]
    pub first: Option<Date>,
    /// Its last day. `null`: it has none.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = Date)]
    pub last: Option<Date>,
    /// When it was last changed.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
    /// Its days, ascending. Absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<Vec<String>>,
    /// The jobs that use it, as far as the asker may see them. Absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_by: Option<Vec<CalendarUser>>,
}

/// A job that uses a calendar.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarUser {
    /// Its id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub id: JobId,
    /// Its name.
    pub name: String,
}

/// Calendars, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CalendarList {
    /// The calendars.
    pub calendars: Vec<Calendar>,
    /// Always `null`: this is all.
    pub next: Option<String>,
}

/// What `PUT /calendars/{name}` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetCalendar {
    /// Its days as `2026-12-25`, in any order.
    pub dates: Vec<String>,
}

/// What `DELETE /calendars/{name}` takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RemoveCalendarQuery {
    /// Remove it although jobs use it: they are not due until it is back.
    pub force: bool,
}

/// A due time that a changed calendar, or changed time zone rules, moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MovedDue {
    /// The job's id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub job: JobId,
    /// The job's name.
    pub job_name: String,
    /// When it was due. `null`: it was not.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub was: Option<Timestamp>,
    /// When it is due. `null`: it is not.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub is: Option<Timestamp>,
    /// What changed, in words.
    pub because: String,
    /// When it was moved.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub moved_at: Timestamp,
}

/// Moved due times, the latest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MovedDueList {
    /// The moved due times.
    pub moved: Vec<MovedDue>,
    /// What to send as `before` for more. `null`: this is all.
    pub next: Option<String>,
}

/// What `GET /schedule/moved` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct MovedDuesQuery {
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// How many, 1 to 1000; 100 by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

impl Calendar {
    /// A calendar as lists show it.
    #[must_use]
    pub fn new(calendar: &model::Calendar) -> Self {
        Self {
            name: calendar.name.clone(),
            owner: calendar.owner.user.clone(),
            days: u32::try_from(calendar.days.len()).unwrap_or(u32::MAX),
            first: calendar.days.first().map(|&day| date_of(day)),
            last: calendar.days.last().map(|&day| date_of(day)),
            set_at: calendar.set_at,
            dates: None,
            used_by: None,
        }
    }

    /// A calendar in full.
    #[must_use]
    pub fn in_full(calendar: &model::Calendar, used_by: Vec<CalendarUser>) -> Self {
        let dates = calendar.days.iter().map(|&day| date_of(day).to_string());
        Self {
            dates: Some(dates.collect()),
            used_by: Some(used_by),
            ..Self::new(calendar)
        }
    }
}
