//! Changes of a deployed job: edit, pause, resume, remove.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use odin_model::command::{Modify, SetJobState};
use odin_model::{Command, JobId, JobName, JobState, Principal, Reply, Revision, RunId};
use odin_wire as wire;
use odin_wire::{ModifyJob, Problem, RemovedJob};

use crate::api::Api;
use crate::due::{Zoned, calendars};
use crate::extract::{Caller, IfMatch, JobInPath, JsonBody, RequestKey};
use crate::failure::Failure;
use crate::jobs::{Remarks, answer};
use crate::{links, seen};

/// Changes name, description or schedule: a new version with the same files. `If-Match` with a revision changes
/// only what the asker saw.
#[utoipa::path(patch, path = "/api/v1/jobs/{id}", tag = "jobs", operation_id = "modify_job",
    params(("id" = String, Path, description = "the job's id"), ("If-Match" = Option<String>, Header, description = "the revision that the asker saw")),
    request_body = ModifyJob,
    responses((status = 200, body = wire::Job), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn modify(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    IfMatch(expected): IfMatch,
    JsonBody(body): JsonBody<ModifyJob>,
) -> Result<Response, Failure> {
    let ModifyJob {
        name,
        description,
        schedule,
    } = body;
    if name.is_none() && description.is_none() && schedule.is_none() {
        return Err(Failure::new("request/bad-body", "nothing is to be changed")
            .with_help("Send at least one of `name`, `description` and `schedule`."));
    }
    let name = name.map(|name| parse_name(&name)).transpose()?;
    let description = description.as_deref().map(parse_description).transpose()?;
    let job = seen::job_to_change(&api, &caller, id).await?;
    let zoned = match &schedule {
        Some(text) => {
            let calendars = calendars(&api).await?;
            let zoned = Zoned::read(text, &job.spec.timezone, job.spec.dst, &calendars)?;
            Some((text.clone(), zoned))
        }
        None => None,
    };
    let reply = api.propose_due(&caller, None, async || {
        let schedule = match &zoned {
            Some((text, zoned)) => Some((text.clone(), due_of(&api, &caller, id, zoned).await?)),
            None => None,
        };
        Ok(Command::Modify(Box::new(Modify {
            by: caller.clone(),
            job: id,
            name: name.clone(),
            description: description.clone(),
            schedule,
            expected,
            at: api.backend().clock().wall(),
        })))
    });
    let decided = decided_of(reply.await?);
    let now = api.backend().clock().wall();
    let warnings = zoned
        .map(|(_, zoned)| zoned.warnings(now))
        .unwrap_or_default();
    let job = seen::job(&api, &caller, id).await?;
    answer(&api, StatusCode::OK, job, Remarks { decided, warnings }).await
}

fn parse_name(text: &str) -> Result<JobName, Failure> {
    JobName::parse(text).map_err(|error| Failure::new("job/bad-name", error.to_string()))
}

/// A description as job files take it: one that a terminal can show.
fn parse_description(text: &str) -> Result<String, Failure> {
    match text
        .chars()
        .find(|c| c.is_control() && !matches!(c, '\n' | '\t'))
    {
        None => Ok(text.trim_end().to_owned()),
        Some(character) => Err(Failure::new(
            "job/bad-description",
            format!("the description holds the character {character:?}"),
        )),
    }
}

/// The due time after the job's last decided occurrence as it is now.
async fn due_of(
    api: &Api,
    caller: &Principal,
    id: JobId,
    zoned: &Zoned,
) -> Result<odin_model::command::DueAfter, Failure> {
    let job = seen::job(api, caller, id).await?;
    Ok(zoned.due_after(id, api.backend().clock().wall(), job.last_decided))
}

/// The decided runs that a reply names.
pub(crate) fn decided_of(reply: Reply) -> Vec<RunId> {
    match reply {
        Reply::Job { decided, .. } => decided,
        Reply::Done
        | Reply::Removed { .. }
        | Reply::Linked { .. }
        | Reply::CatchingUp(_)
        | Reply::ValuesUpTo(_)
        | Reply::Run { .. }
        | Reply::NodeUp { .. }
        | Reply::Fired(_)
        | Reply::Stepped { .. }
        | Reply::Refused(_) => Vec::new(),
    }
}

/// The job after its change, with the runs that keep what they were decided with.
async fn answer_changed(
    api: &Api,
    caller: &Principal,
    id: JobId,
    reply: Reply,
) -> Result<Response, Failure> {
    let remarks = Remarks {
        decided: decided_of(reply),
        ..Remarks::default()
    };
    let job = seen::job(api, caller, id).await?;
    answer(api, StatusCode::OK, job, remarks).await
}

/// What a request that depends on a revision says beside its path: a key is good for one request.
fn seen_revision(expected: Option<Revision>) -> Vec<u8> {
    expected.map_or_else(Vec::new, |revision| revision.0.to_be_bytes().to_vec())
}

/// Stops the schedule from counting. `If-Match` with a revision pauses only what the asker saw.
/// Decided runs that have not started are cancelled.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/pause", tag = "jobs", operation_id = "pause_job",
    params(("id" = String, Path, description = "the job's id"), ("If-Match" = Option<String>, Header, description = "the revision that the asker saw"), ("Idempotency-Key" = Option<String>, Header, description = "makes the request count once within a day")),
    responses((status = 200, body = wire::Job), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn pause(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    IfMatch(expected): IfMatch,
    parts: Parts,
) -> Result<Response, Failure> {
    let key = RequestKey::of(&parts, &seen_revision(expected))?;
    seen::job_to_change(&api, &caller, id).await?;
    let reply = api.propose_due(&caller, key.as_ref(), async || {
        Ok(Command::SetJobState(SetJobState {
            by: caller.clone(),
            job: id,
            state: JobState::Paused,
            due: None,
            expected,
            at: api.backend().clock().wall(),
        }))
    });
    answer_changed(&api, &caller, id, reply.await?).await
}

/// Makes a paused job's schedule count again, from now on: what was due in between is not replayed. `If-Match` with a
/// revision resumes only what the asker saw.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/resume", tag = "jobs", operation_id = "resume_job",
    params(("id" = String, Path, description = "the job's id"), ("If-Match" = Option<String>, Header, description = "the revision that the asker saw"), ("Idempotency-Key" = Option<String>, Header, description = "makes the request count once within a day")),
    responses((status = 200, body = wire::Job), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn resume(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    IfMatch(expected): IfMatch,
    parts: Parts,
) -> Result<Response, Failure> {
    let key = RequestKey::of(&parts, &seen_revision(expected))?;
    seen::job_to_change(&api, &caller, id).await?;
    let reply = api.propose_due(&caller, key.as_ref(), async || {
        // The schedule is read again with each try: an edit may have come in between.
        let job = seen::job(&api, &caller, id).await?;
        let zoned = Zoned::of(&job.spec, &*calendars(&api).await?)?;
        let at = api.backend().clock().wall();
        Ok(Command::SetJobState(SetJobState {
            by: caller.clone(),
            job: id,
            state: JobState::Enabled,
            due: Some(zoned.due_after(id, at, job.last_decided)),
            expected,
            at,
        }))
    });
    answer_changed(&api, &caller, id, reply.await?).await
}

/// Removes a job; its history stays. Decided runs that have not started are cancelled, and its links go; the answer
/// names them.
#[utoipa::path(delete, path = "/api/v1/jobs/{id}", tag = "jobs", operation_id = "remove_job",
    params(("id" = String, Path, description = "the job's id"), ("If-Match" = Option<String>, Header, description = "the revision that the asker saw")),
    responses((status = 200, body = RemovedJob), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    IfMatch(expected): IfMatch,
) -> Result<Json<RemovedJob>, Failure> {
    let job = seen::job_to_change(&api, &caller, id).await?;
    let reply = api.propose_due(&caller, None, async || {
        Ok(Command::Remove {
            by: caller.clone(),
            job: id,
            expected,
            at: api.backend().clock().wall(),
        })
    });
    let links = match reply.await? {
        Reply::Removed { links } => links,
        reply => {
            return Err(Failure::internal(&format!(
                "a removal was answered by {reply:?}"
            )));
        }
    };
    Ok(Json(RemovedJob {
        id,
        name: job.spec.name.to_string(),
        state: wire::JobState::Removed,
        links: links::named(&api, &caller, links).await?,
    }))
}
