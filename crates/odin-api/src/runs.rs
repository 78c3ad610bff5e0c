//! Runs: lists, one, starting one by hand, stopping one.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use odin_model::owner::Role;
use odin_model::{Command, JobId, Principal, Refusal, Reply, RunId, RunState};
use odin_store::{RunsOf, RunsPage};
use odin_wire as wire;
use odin_wire::{Chain, Problem, RunList, RunQuery, RunsAfter, RunsQuery};

use crate::api::Api;
use crate::extract::{Caller, JobInPath, Params, RequestKey, RunInPath, limit};
use crate::failure::Failure;
use crate::feed::Position;
use crate::run_filter::Wanted;
use crate::run_search::{RUNS_MAX, Search};
use crate::seen::{self, Names, SeenRun};
use crate::values_filter;

/// The longest wait of `GET /runs/{id}?wait=`, in seconds.
const WAIT_SECONDS_MAX: u32 = 60;
/// How many runs of a chain are answered.
const CHAIN_RUNS_MAX: usize = 1000;

/// The runs that the asker may see, newest first. A page may hold fewer than asked for, and even none, while there is
/// a next one.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", operation_id = "list_runs", params(RunsQuery),
    responses((status = 200, body = RunList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<RunsQuery>,
) -> Result<Json<RunList>, Failure> {
    page(&api, caller, None, query).await
}

/// A job's runs, newest first.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/runs", tag = "runs", operation_id = "list_runs_of_job",
    params(("id" = String, Path, description = "the job's id"), RunsQuery),
    responses((status = 200, body = RunList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list_of_job(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    Params(query): Params<RunsQuery>,
) -> Result<Json<RunList>, Failure> {
    seen::job(&api, &caller, id).await?;
    page(&api, caller, Some(id), query).await
}

async fn page(
    api: &Api,
    caller: Principal,
    job: Option<JobId>,
    query: RunsQuery,
) -> Result<Json<RunList>, Failure> {
    let wanted = Wanted::of(&query)?;
    let search = query.text.as_deref().map(Search::of).transpose()?;
    let limit = limit(query.limit)?;
    let limit = search.as_ref().map_or(limit, |_| limit.min(RUNS_MAX));
    let after = query.after;
    // A run in which an earlier search stopped comes first again.
    let before = after.map(|after| match after.output_from {
        None => after.run,
        Some(_) => RunId::from_bits(after.run.to_bits().saturating_add(1)),
    });
    let values = query.values.as_deref().map(values_filter::read);
    let values = values.transpose()?;
    let list = api.read(move |reader| {
        let of = match job {
            Some(job) => RunsOf::Job(job),
            None if caller.role == Role::Admin => RunsOf::All,
            None => RunsOf::Owner(&caller.user),
        };
        // No run was on a node that never was.
        let Some(filter) = wanted.filter(reader)? else {
            return Ok((RunsPage::default(), Vec::new()));
        };
        let page = match &values {
            Some(values) => values_filter::page(reader, of, &filter, values, before, limit)?,
            None => reader.runs_that(of, &filter, before, limit)?,
        };
        let mut names = Names::default();
        let mut runs = Vec::with_capacity(page.runs.len());
        for run in &page.runs {
            runs.extend(names.wire_run(reader, &caller, run)?);
        }
        Ok((page, runs))
    });
    let (page, mut runs) = list.await?;
    let mut next = page.next.map(RunsAfter::from);
    if let Some(search) = search {
        let searched = search.through(api, page.runs, after).await?;
        runs.retain(|run| searched.found.contains(&run.id));
        next = searched.stopped.or(next);
    }
    Ok(Json(RunList {
        runs,
        next: next.map(|next| next.to_string()),
        incomplete: page.is_incomplete,
    }))
}

/// A run. With `wait`, when it is over or after so many seconds.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", operation_id = "get_run",
    params(("id" = String, Path, description = "the run's id"), RunQuery),
    responses((status = 200, body = wire::Run), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Caller(caller): Caller,
    RunInPath(id): RunInPath,
    Params(query): Params<RunQuery>,
) -> Result<Json<wire::Run>, Failure> {
    let seconds = query.wait.unwrap_or(0);
    if seconds > WAIT_SECONDS_MAX {
        return Err(Failure::new(
            "request/bad-query",
            format!("`wait` is at most {WAIT_SECONDS_MAX} seconds"),
        ));
    }
    let deadline = tokio::time::Instant::now() + Duration::from_secs(u64::from(seconds));
    loop {
        // Taken before the run is read, so that no change falls between.
        let position = api.feed().now();
        let seen = seen::run(&api, &caller, id).await?;
        if is_over(&seen) {
            return Ok(Json(seen.to_wire()));
        }
        tokio::select! {
            () = tokio::time::sleep_until(deadline) => return Ok(Json(seen.to_wire())),
            () = api.stopping().cancelled() => return Ok(Json(seen.to_wire())),
            () = changed(&api, id, position) => {}
        }
    }
}

pub(crate) fn is_over(seen: &SeenRun) -> bool {
    matches!(seen.run.state, RunState::Finished(_))
}

/// Waits until the run changed after `position`, or until nobody can tell.
pub(crate) async fn changed(api: &Api, id: RunId, mut position: Position) {
    loop {
        api.feed().wait(position).await;
        match api.feed().changed_after(position, id) {
            Some(next) => position = next,
            None => return,
        }
    }
}

/// The whole chain that a run belongs to: the run with which it began, and all that the ends of runs started after
/// it, oldest first; at most 1000.
#[utoipa::path(get, path = "/api/v1/runs/{id}/chain", tag = "runs", operation_id = "get_chain",
    params(("id" = String, Path, description = "the run's id")),
    responses((status = 200, body = Chain), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn chain(
    State(api): State<Api>,
    Caller(caller): Caller,
    RunInPath(id): RunInPath,
) -> Result<Json<Chain>, Failure> {
    seen::run(&api, &caller, id).await?;
    let chain = api.read(move |reader| {
        let found = reader.chain(id, CHAIN_RUNS_MAX + 1)?;
        let mut names = Names::default();
        let mut runs = Vec::with_capacity(found.len());
        for run in found.iter().take(CHAIN_RUNS_MAX) {
            runs.extend(names.wire_run(reader, &caller, run)?);
        }
        Ok(Chain {
            runs,
            more: found.len() > CHAIN_RUNS_MAX,
        })
    });
    Ok(Json(chain.await?))
}

/// Starts a run now, whatever the schedule says.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/run", tag = "runs", operation_id = "run_job",
    params(("id" = String, Path, description = "the job's id"), ("Idempotency-Key" = Option<String>, Header, description = "makes the request count once within a day")),
    responses((status = 201, body = wire::Run), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn run_now(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    parts: Parts,
) -> Result<(StatusCode, Json<wire::Run>), Failure> {
    let key = RequestKey::of(&parts, &[])?;
    let job = seen::job_to_change(&api, &caller, id).await?;
    let command = Command::RunNow {
        by: caller.clone(),
        job: id,
        node: api.backend().node_for(&job),
        at: api.backend().clock().wall(),
    };
    match api.propose(&caller, key.as_ref(), command).await? {
        Reply::Run { id } => {
            let seen = seen::run(&api, &caller, id).await?;
            Ok((StatusCode::CREATED, Json(seen.to_wire())))
        }
        reply => Err(Failure::internal(&format!(
            "a run was answered by {reply:?}"
        ))),
    }
}

/// Stops a run: TERM to its processes, KILL after the job's grace.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs", operation_id = "cancel_run",
    params(("id" = String, Path, description = "the run's id"), ("Idempotency-Key" = Option<String>, Header, description = "makes the request count once within a day")),
    responses((status = 200, body = wire::Run), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn cancel(
    State(api): State<Api>,
    Caller(caller): Caller,
    RunInPath(id): RunInPath,
    parts: Parts,
) -> Result<Json<wire::Run>, Failure> {
    let key = RequestKey::of(&parts, &[])?;
    let command = Command::Cancel {
        by: caller.clone(),
        run: id,
        at: api.backend().clock().wall(),
    };
    let proposed = api.propose(&caller, key.as_ref(), command).await;
    let seen = seen::run(&api, &caller, id).await?;
    match proposed {
        // Apply knows nothing of runs that are in files of history: all of them are over.
        Err(failure) if failure.code() == Refusal::NoSuchRun(id).code() && is_over(&seen) => {
            Err(Refusal::RunOver(id).into())
        }
        proposed => proposed.map(|_| Json(seen.to_wire())),
    }
}
