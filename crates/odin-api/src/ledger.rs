//! The ledger: what became of a due time, and why.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};
use odin_model::job::Job;
use odin_model::ledger::LedgerRow;
use odin_model::{JobId, JobSpec};
use odin_schedule::Calendars;
use odin_wire::{LedgerEntry, LedgerList, LedgerQuery, Problem};

use crate::api::Api;
use crate::due::{Zoned, calendars};
use crate::extract::{Caller, Params, limit};
use crate::failure::Failure;
use crate::seen;

/// A job's ledger: one entry with `at`, else a list, oldest first.
#[utoipa::path(get, path = "/api/v1/ledger", tag = "ledger", operation_id = "get_ledger", params(LedgerQuery),
    responses((status = 200, description = "with `at` a bare entry", body = LedgerList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<LedgerQuery>,
) -> Result<Response, Failure> {
    let limit = limit(query.limit)?;
    let job = seen::job(&api, &caller, query.job).await?;
    match query.at {
        Some(_) if query.from.is_some() || query.to.is_some() => Err(Failure::new(
            "request/bad-query",
            "`at` stands alone, or `from` and `to` do",
        )),
        Some(at) => Ok(Json(one(&api, &job, at).await?).into_response()),
        None => {
            let from = query.from.unwrap_or(Timestamp::MIN);
            let to = query.to.unwrap_or(Timestamp::MAX);
            let id = job.id;
            let rows = api
                .read(move |reader| reader.ledger(id, from, to, limit))
                .await?;
            let next = rows.last().filter(|_| rows.len() == limit).map(|last| {
                let next = last.from.saturating_add(SignedDuration::from_micros(1));
                next.unwrap_or(Timestamp::MAX).to_string()
            });
            let ledger = rows.iter().map(LedgerEntry::of_row).collect();
            Ok(Json(LedgerList { ledger, next }).into_response())
        }
    }
}

async fn one(api: &Api, job: &Job, at: Timestamp) -> Result<LedgerEntry, Failure> {
    let id = job.id;
    let calendars = calendars(api).await?;
    let found = api.read(move |reader| {
        let Some(row) = reader.ledger_at(id, at)? else {
            return Ok(None);
        };
        let version = reader.version(id, row.version)?;
        Ok(Some((row, version.map(|version| version.spec))))
    });
    if let Some((row, spec)) = found.await?
        && (is_bound(&row, at) || spec.is_some_and(|spec| is_due(&spec, id, at, &calendars)))
    {
        return Ok(LedgerEntry::of_occurrence(&row, at));
    }
    let kept_from = api.read(move |reader| reader.ledger_from(id)).await?;
    if let Some(from) = kept_from.filter(|from| at < *from) {
        return Err(Failure::new(
            "ledger/not-kept",
            format!("the ledger of job {id} goes back to {from}"),
        ));
    }
    Err(not_there(job, at, &calendars))
}

/// Whether `at` is the row's first or last occurrence, whatever the schedule says today.
fn is_bound(row: &LedgerRow, at: Timestamp) -> bool {
    at == row.from || at == row.to
}

/// Whether a schedule is due at an instant. One that cannot be read any more answers for every instant: the row
/// that covers it is the better witness.
fn is_due(spec: &JobSpec, job: JobId, at: Timestamp, calendars: &Calendars) -> bool {
    Zoned::of(spec, calendars).map_or(true, |zoned| zoned.is_due_at(job, at))
}

fn not_there(job: &Job, at: Timestamp, calendars: &Calendars) -> Failure {
    let zoned = Zoned::of(&job.spec, calendars);
    let is_due = zoned
        .as_ref()
        .is_ok_and(|zoned| zoned.is_due_at(job.id, at));
    if is_due && job.next_due.is_some_and(|next| next <= at) {
        return Failure::new(
            "ledger/not-yet",
            format!("job {} is due at {at}, which is not decided yet", job.id),
        );
    }
    let failure = Failure::new(
        "ledger/not-due",
        format!("job {} was not due at {at}", job.id),
    );
    let Ok(zoned) = zoned else { return failure };
    let calculator = zoned.calculator(Some(job.id));
    let near = [calculator.previous_before(at), calculator.next_after(at)];
    let near: Vec<_> = near
        .into_iter()
        .flatten()
        .map(|at| at.to_string())
        .collect();
    match near.is_empty() {
        true => failure,
        false => failure.with_help(format!(
            "By its present schedule it is due at {}.",
            near.join(" and at ")
        )),
    }
}
