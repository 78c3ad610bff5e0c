//! A job's versions: one in full, and going back to one.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use odin_model::command::Deploy;
use odin_model::job::Job;
use odin_model::{Command, JobId, VersionNumber};
use odin_store::Version;
use odin_wire as wire;
use odin_wire::{JobVersion, Mistake, Problem, RollBack};

use crate::api::Api;
use crate::bundles;
use crate::changes::decided_of;
use crate::due::{Zoned, calendars, effective_zone};
use crate::extract::{Caller, IfMatch, JobInPath, JsonBody};
use crate::failure::Failure;
use crate::jobs::{Remarks, answer};
use crate::seen;

/// The job and the version in the path.
pub(crate) struct VersionInPath(JobId, VersionNumber);

impl<S: Send + Sync> FromRequestParts<S> for VersionInPath {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let (id, version) = path.map_or_else(|_| Default::default(), |Path(both)| both);
        let id = id.parse()?;
        let version = version.parse().map_err(|_| {
            Failure::new(
                "request/bad-query",
                format!("`{version}` is not the number of a version"),
            )
        })?;
        Ok(Self(id, VersionNumber(version)))
    }
}

/// A version as lists show it.
pub(crate) fn to_wire(version: Version) -> JobVersion {
    JobVersion {
        version: version.number.0,
        by: version.by.user,
        at: version.deployed_at,
        timezone: effective_zone(&version.spec),
        name: version.spec.name.to_string(),
        language: version.spec.program.language().to_owned(),
        file: version.spec.program.file().map(str::to_owned),
        description: version.spec.description,
        schedule: version.spec.schedule,
        bundle: version.bundle.to_string(),
        settings: None,
    }
}

async fn find(api: &Api, id: JobId, number: VersionNumber) -> Result<Version, Failure> {
    let version = api.read(move |reader| reader.version(id, number)).await?;
    version.ok_or_else(|| {
        Failure::new(
            "job/no-such-version",
            format!("job {id} has no version {number}"),
        )
    })
}

/// A version of a job in full.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/versions/{version}", tag = "jobs", operation_id = "get_version",
    params(("id" = String, Path, description = "the job's id"), ("version" = u32, Path, description = "the version's number")),
    responses((status = 200, body = JobVersion), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Caller(caller): Caller,
    VersionInPath(id, number): VersionInPath,
) -> Result<Json<JobVersion>, Failure> {
    let job = seen::job(&api, &caller, id).await?;
    let version = find(&api, id, number).await?;
    let uid = job.owner.uid;
    let gid = api
        .blocking(move |backend| backend.user(uid).map(|user| user.gid))
        .await?;
    let then = Job {
        version: version.number,
        spec: version.spec.clone(),
        bundle: version.bundle,
        deployed_at: version.deployed_at,
        ..job
    };
    Ok(Json(JobVersion {
        settings: wire::Job::in_full(&then, gid).settings,
        ..to_wire(version)
    }))
}

/// Makes a new version that equals an earlier one: history is never rewritten. Its due times are computed anew.
/// `If-Match` with a revision changes only what the asker saw.
#[utoipa::path(post, path = "/api/v1/jobs/{id}/rollback", tag = "jobs", operation_id = "roll_back",
    params(("id" = String, Path, description = "the job's id"), ("If-Match" = Option<String>, Header, description = "the revision that the asker saw")),
    request_body = RollBack,
    responses((status = 200, body = wire::Job), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn roll_back(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    IfMatch(expected): IfMatch,
    JsonBody(body): JsonBody<RollBack>,
) -> Result<Response, Failure> {
    let job = seen::job_to_change(&api, &caller, id).await?;
    let version = find(&api, id, VersionNumber(body.to)).await?;
    if version.number == job.version {
        let message = format!("job {id} is at version {} already", body.to);
        return Err(Failure::new("job/already", message));
    }
    // A version without its files could not run.
    bundles::hold(&api, version.bundle).await?;
    let zoned = Zoned::of(&version.spec, &*calendars(&api).await?)?;
    // What the asker saw, or else what was seen here: between the two nobody's change is overwritten unseen.
    let expected = expected.unwrap_or(job.revision);
    let reply = api.propose_due(&caller, None, async || {
        let job = seen::job(&api, &caller, id).await?;
        let at = api.backend().clock().wall();
        Ok(Command::Deploy(Box::new(Deploy {
            by: caller.clone(),
            id: Some(id),
            fresh_id: id,
            spec: version.spec.clone(),
            bundle: version.bundle,
            visibility: job.visibility,
            due: zoned.due_after(id, at, job.last_decided),
            expected: Some(expected),
            at,
        })))
    });
    let decided = decided_of(reply.await?);
    let mut warnings = zoned.warnings(api.backend().clock().wall());
    let (program, env) = (version.spec.program, version.spec.env);
    let missing = api
        .blocking(move |backend| backend.interpreter_missing(&program, &env))
        .await?;
    warnings.extend(missing.map(|message| Mistake {
        code: "job/interpreter-missing".to_owned(),
        message,
        ..Mistake::default()
    }));
    let job = seen::job(&api, &caller, id).await?;
    answer(&api, StatusCode::OK, job, Remarks { decided, warnings }).await
}
