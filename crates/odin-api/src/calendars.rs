//! Named calendars, and the due times that they moved.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use jiff::civil::Date;
use odin_model::calendar::{CALENDAR_DAYS_MAX, Calendar, SetCalendar, day_of};
use odin_model::{Command, JobState, Principal, Refusal};
use odin_schedule::CalendarName;
use odin_store::{JobsAfter, Reader, StoreError};
use odin_wire as wire;
use odin_wire::{
    CalendarList, CalendarUser, MovedDueList, MovedDuesQuery, Problem, RemoveCalendarQuery,
};

use crate::api::Api;
use crate::extract::{Caller, JsonBody, Params, limit};
use crate::failure::Failure;
use crate::in_path::InPath;

/// How many jobs are read at a time while those that use a calendar are looked for.
const JOBS_AT_ONCE: usize = 1000;
/// How many jobs that use a calendar are named.
const USERS_MAX: usize = 100;

/// All calendars.
#[utoipa::path(get, path = "/api/v1/calendars", tag = "calendars", operation_id = "list_calendars",
    responses((status = 200, body = CalendarList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    _caller: Caller,
) -> Result<Json<CalendarList>, Failure> {
    let calendars = api.read(Reader::calendars).await?;
    Ok(Json(CalendarList {
        calendars: calendars.iter().map(wire::Calendar::new).collect(),
        next: None,
    }))
}

/// One calendar with its days and the jobs that use it.
#[utoipa::path(get, path = "/api/v1/calendars/{name}", tag = "calendars", operation_id = "get_calendar",
    params(("name" = String, Path, description = "the calendar's name")),
    responses((status = 200, body = wire::Calendar), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Caller(caller): Caller,
    InPath(name): InPath<CalendarName>,
) -> Result<Json<wire::Calendar>, Failure> {
    in_full(&api, &caller, &name).await.map(Json)
}

/// Makes a calendar, or replaces its days. Jobs that use it come due by the new days from then on; what was decided
/// stands.
#[utoipa::path(put, path = "/api/v1/calendars/{name}", tag = "calendars", operation_id = "set_calendar",
    params(("name" = String, Path, description = "the calendar's name")),
    request_body = wire::SetCalendar,
    responses((status = 200, body = wire::Calendar), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn set(
    State(api): State<Api>,
    Caller(caller): Caller,
    InPath(name): InPath<CalendarName>,
    JsonBody(body): JsonBody<wire::SetCalendar>,
) -> Result<Json<wire::Calendar>, Failure> {
    let days = days(&body.dates)?;
    let command = Command::SetCalendar(SetCalendar {
        by: caller.clone(),
        name: name.as_str().to_owned(),
        days,
        at: api.backend().clock().wall(),
    });
    api.propose(&caller, None, command).await?;
    in_full(&api, &caller, &name).await.map(Json)
}

/// The days of dates as text, ascending, each once.
fn days(dates: &[String]) -> Result<Vec<i32>, Failure> {
    if dates.len() > CALENDAR_DAYS_MAX {
        return Err(Failure::new(
            "calendar/bad-file",
            format!(
                "{} days are too many: a calendar has at most {CALENDAR_DAYS_MAX}",
                dates.len()
            ),
        ));
    }
    let mut days = dates
        .iter()
        .map(|text| {
            text.parse::<Date>().map(day_of).map_err(|error| {
                Failure::new(
                    "calendar/bad-file",
                    format!("{text:?} is not a date: {error}"),
                )
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

/// Removes a calendar. While jobs use it, it takes `force`.
#[utoipa::path(delete, path = "/api/v1/calendars/{name}", tag = "calendars", operation_id = "remove_calendar",
    params(("name" = String, Path, description = "the calendar's name"), RemoveCalendarQuery),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Caller(caller): Caller,
    InPath(name): InPath<CalendarName>,
    Params(query): Params<RemoveCalendarQuery>,
) -> Result<StatusCode, Failure> {
    find(&api, &name).await?;
    if !query.force {
        // Whoever may see them or not: a job of somebody else's would stop just as well.
        let wanted = name.clone();
        let users = api.read(move |reader| users(reader, &wanted, None)).await?;
        if let [first, ..] = users.as_slice() {
            let count = match users.len() {
                USERS_MAX => format!("{USERS_MAX} or more jobs use"),
                1 => "a job uses".to_owned(),
                count => format!("{count} jobs use"),
            };
            let named = match caller.role {
                odin_model::owner::Role::Admin => {
                    format!(", such as `{}` ({})", first.name, first.id)
                }
                _ => String::new(),
            };
            let detail = format!("{count} the calendar `{}`{named}", name.as_str());
            return Err(Failure::new("calendar/in-use", detail));
        }
    }
    let command = Command::RemoveCalendar {
        by: caller.clone(),
        name: name.as_str().to_owned(),
    };
    api.propose(&caller, None, command).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Due times that a changed calendar, or changed time zone rules, moved.
#[utoipa::path(get, path = "/api/v1/schedule/moved", tag = "schedule", operation_id = "moved_due_times", params(MovedDuesQuery),
    responses((status = 200, body = MovedDueList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn moved(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<MovedDuesQuery>,
) -> Result<Json<MovedDueList>, Failure> {
    let limit = limit(query.limit)?;
    let before = query.before;
    let page = api
        .read(move |reader| {
            let moved = reader.moved_dues(before, limit)?;
            let next = moved
                .last()
                .filter(|_| moved.len() == limit)
                .map(|last| last.number.to_string());
            let mut seen = Vec::with_capacity(moved.len());
            for moved in moved {
                let job = reader.job(moved.job)?;
                if let Some(job) = job.filter(|job| caller.may_see(&job.owner)) {
                    seen.push(wire::MovedDue {
                        job: moved.job,
                        job_name: job.spec.name.to_string(),
                        was: moved.was,
                        is: moved.is,
                        because: moved.because,
                        moved_at: moved.moved_at,
                    });
                }
            }
            Ok(MovedDueList { moved: seen, next })
        })
        .await?;
    Ok(Json(page))
}

async fn find(api: &Api, name: &CalendarName) -> Result<Calendar, Failure> {
    let calendars = api.read(Reader::calendars).await?;
    let found = calendars
        .into_iter()
        .find(|calendar| calendar.name == name.as_str());
    found.ok_or_else(|| Refusal::NoSuchCalendar(name.as_str().to_owned()).into())
}

async fn in_full(
    api: &Api,
    caller: &Principal,
    name: &CalendarName,
) -> Result<wire::Calendar, Failure> {
    let calendar = find(api, name).await?;
    let (wanted, caller) = (name.clone(), caller.clone());
    let users = api
        .read(move |reader| users(reader, &wanted, Some(&caller)))
        .await?;
    Ok(wire::Calendar::in_full(&calendar, users))
}

/// Up to [`USERS_MAX`] jobs whose schedule uses a calendar, of those that `caller` may see.
fn users(
    reader: &Reader,
    name: &CalendarName,
    caller: Option<&Principal>,
) -> Result<Vec<CalendarUser>, StoreError> {
    let mut users = Vec::new();
    let mut after: Option<JobsAfter> = None;
    loop {
        let page = reader.jobs(None, after.as_ref(), JOBS_AT_ONCE)?;
        for job in page.jobs {
            let may_see = caller.is_none_or(|caller| caller.may_see(&job.owner));
            if may_see
                && job.state != JobState::Removed
                && odin_scheduling::due::uses_calendar(&job.spec, name)
            {
                users.push(CalendarUser {
                    id: job.id,
                    name: job.spec.name.to_string(),
                });
                if users.len() == USERS_MAX {
                    return Ok(users);
                }
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(users),
        }
    }
}
