//! What jobs did, counted.

use axum::Json;
use axum::extract::State;
use jiff::{SignedDuration, Timestamp};
use odin_model::owner::Role;
use odin_store::Scope;
use odin_wire::{Problem, Statistics, StatisticsQuery};

use crate::api::Api;
use crate::extract::{Caller, JobInPath, Params};
use crate::failure::Failure;
use crate::seen;

/// What was counted of a job in a period: its runs, its due times, how long and how late.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/statistics", tag = "jobs", operation_id = "job_statistics",
    params(("id" = String, Path, description = "the job's id"), StatisticsQuery),
    responses((status = 200, body = Statistics), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn of_job(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    Params(query): Params<StatisticsQuery>,
) -> Result<Json<Statistics>, Failure> {
    seen::job(&api, &caller, id).await?;
    answer(&api, Scope::Job(id), query).await
}

/// The same of all jobs that the asker may see: an admin's answer is of all, that of others of their own.
#[utoipa::path(get, path = "/api/v1/statistics", tag = "jobs", operation_id = "statistics", params(StatisticsQuery),
    responses((status = 200, body = Statistics), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn of_all(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<StatisticsQuery>,
) -> Result<Json<Statistics>, Failure> {
    let scope = match caller.role {
        Role::Admin => Scope::All,
        Role::Viewer | Role::Operator => Scope::Owner(caller.user.uid),
    };
    answer(&api, scope, query).await
}

async fn answer(
    api: &Api,
    scope: Scope,
    query: StatisticsQuery,
) -> Result<Json<Statistics>, Failure> {
    let to = query.to.unwrap_or_else(|| api.backend().clock().wall());
    let day_before = to.checked_sub(SignedDuration::from_hours(24));
    let from = query
        .from
        .unwrap_or_else(|| day_before.unwrap_or(Timestamp::MIN));
    if from > to {
        return Err(Failure::new(
            "request/bad-query",
            "`from` is later than `to`",
        ));
    }
    let counted = api.read(move |reader| reader.statistics(scope, from, to));
    Ok(Json(Statistics::of(&counted.await?, (from, to))))
}
