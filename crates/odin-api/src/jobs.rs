//! Jobs: lists, one, its versions and its bundle.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use odin_model::job::Job;
use odin_model::owner::Role;
use odin_model::{JobName, Owner, Refusal, RunId, VersionNumber};
use odin_store::{JobsAfter, JobsPage, StoreError};
use odin_wire as wire;
use odin_wire::{BUNDLE_CONTENT_TYPE, JobList, JobVersionList, JobsQuery, Mistake, Problem};
use serde::Deserialize;
use tokio_util::io::ReaderStream;
use utoipa::IntoParams;

use crate::api::Api;
use crate::due::effective_zone;
use crate::extract::{Caller, JobInPath, Params, limit};
use crate::failure::Failure;
use crate::{bundles, links, seen, versions};

/// What a change of a job answers beside the job.
#[derive(Debug, Default)]
pub(crate) struct Remarks {
    /// Decided runs that keep their version.
    pub(crate) decided: Vec<RunId>,
    /// What may surprise.
    pub(crate) warnings: Vec<Mistake>,
}

/// A job in full, with its revision as the entity tag.
pub(crate) async fn answer(
    api: &Api,
    status: StatusCode,
    job: Job,
    remarks: Remarks,
) -> Result<Response, Failure> {
    let (id, uid) = (job.id, job.owner.uid);
    let (gid, links) = api
        .blocking(move |backend| {
            let gid = backend.user(uid).map(|user| user.gid);
            let links = backend.reader().links_from(&[id])?;
            Ok::<_, StoreError>((gid, links))
        })
        .await??;
    let body = wire::Job {
        timezone: effective_zone(&job.spec),
        decided: remarks.decided,
        warnings: remarks.warnings,
        ..wire::Job::in_full(&job, gid).with_successors(links::successors(&links, id))
    };
    let tag = HeaderValue::from_str(&format!("\"{}\"", job.revision)).expect("digits and quotes");
    Ok((status, [(header::ETAG, tag)], Json(body)).into_response())
}

/// The listed jobs that the asker may see.
#[utoipa::path(get, path = "/api/v1/jobs", tag = "jobs", operation_id = "list_jobs", params(JobsQuery),
    responses((status = 200, body = JobList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<JobsQuery>,
) -> Result<Json<JobList>, Failure> {
    let limit = limit(query.limit)?;
    let empty = Json(JobList {
        jobs: Vec::new(),
        next: None,
    });
    let sees_all = caller.role == Role::Admin;
    let owner = match query.owner {
        None if sees_all => None,
        None => Some(caller.user.clone()),
        Some(user) if user == caller.user.user => Some(caller.user.clone()),
        Some(user) if sees_all => match owner_named(&api, user).await? {
            Some(owner) => Some(owner),
            None => return Ok(empty),
        },
        Some(_) => return Ok(empty),
    };
    if let Some(name) = query.name {
        // What cannot be a name is no job's.
        let Ok(name) = JobName::parse(&name) else {
            return Ok(empty);
        };
        let jobs = api.read(move |reader| match owner {
            Some(owner) => Ok(reader.job_by_name(&owner, &name)?.into_iter().collect()),
            None => reader.jobs_named(&name, limit),
        });
        let jobs = JobsPage {
            jobs: jobs.await?,
            next: None,
        };
        return page(&api, &jobs).await;
    }
    let after = match query.after {
        None => None,
        Some(id) => {
            let job = seen::job(&api, &caller, id).await?;
            Some(JobsAfter {
                owner: job.owner,
                name: job.spec.name,
            })
        }
    };
    let jobs = api
        .read(move |reader| reader.jobs(owner.as_ref(), after.as_ref(), limit))
        .await?;
    page(&api, &jobs).await
}

async fn page(api: &Api, page: &JobsPage) -> Result<Json<JobList>, Failure> {
    let ids: Vec<_> = page.jobs.iter().map(|job| job.id).collect();
    let links = api.read(move |reader| reader.links_from(&ids)).await?;
    // By the job that they begin at, in the order of the page.
    let mut rest = links.as_slice();
    let jobs = page.jobs.iter().map(|job| {
        let of_job = rest.iter().take_while(|named| named.link.from == job.id);
        let (links, later) = rest.split_at(of_job.count());
        rest = later;
        wire::Job {
            timezone: effective_zone(&job.spec),
            ..wire::Job::new(job).with_successors(links::successors(links, job.id))
        }
    });
    let last = page.jobs.last().filter(|_| page.next.is_some());
    Ok(Json(JobList {
        jobs: jobs.collect(),
        next: last.map(|job| job.id.to_string()),
    }))
}

async fn owner_named(api: &Api, user: String) -> Result<Option<Owner>, Failure> {
    let found = api
        .blocking(move |backend| backend.user_named(&user))
        .await?;
    Ok(found.map(|user| Owner {
        user: user.name,
        uid: user.uid,
    }))
}

/// A job in full. Removed jobs are shown too, for their history.
#[utoipa::path(get, path = "/api/v1/jobs/{id}", tag = "jobs", operation_id = "get_job", params(("id" = String, Path, description = "the job's id")),
    responses((status = 200, body = wire::Job), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
) -> Result<Response, Failure> {
    let job = seen::job(&api, &caller, id).await?;
    answer(&api, StatusCode::OK, job, Remarks::default()).await
}

/// What `/jobs/{id}/versions` takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct VersionsQuery {
    /// How many, 1 to 1000. Default: 100.
    limit: Option<u32>,
    /// Only versions before this one: an earlier answer's `next`.
    after: Option<u32>,
}

/// A job's versions, newest first.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/versions", tag = "jobs", operation_id = "list_versions",
    params(("id" = String, Path, description = "the job's id"), VersionsQuery),
    responses((status = 200, body = JobVersionList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn versions(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    Params(query): Params<VersionsQuery>,
) -> Result<Json<JobVersionList>, Failure> {
    let limit = limit(query.limit)?;
    seen::job(&api, &caller, id).await?;
    let before = query.after.map(VersionNumber);
    let found = api
        .read(move |reader| reader.versions(id, before, limit))
        .await?;
    let next = found
        .last()
        .filter(|_| found.len() == limit)
        .map(|last| last.number.to_string());
    let versions = found.into_iter().map(versions::to_wire);
    Ok(Json(JobVersionList {
        versions: versions.collect(),
        next,
    }))
}

/// What `/jobs/{id}/bundle` takes.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct BundleQuery {
    /// Which version. Default: the current one.
    version: Option<u32>,
}

/// The files of a job, as they were deployed: a canonical tar, compressed with zstd. For its owner and admins.
#[utoipa::path(get, path = "/api/v1/jobs/{id}/bundle", tag = "jobs", operation_id = "get_bundle",
    params(("id" = String, Path, description = "the job's id"), BundleQuery),
    responses((status = 200, body = crate::openapi::Archive, content_type = "application/zstd"), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn bundle(
    State(api): State<Api>,
    Caller(caller): Caller,
    JobInPath(id): JobInPath,
    Params(query): Params<BundleQuery>,
) -> Result<Response, Failure> {
    let job = seen::job(&api, &caller, id).await?;
    // Whoever may only look at the job (a later role) does not get its code.
    if caller.role != Role::Admin && caller.user != job.owner {
        return Err(Refusal::NotPermitted {
            job: id,
            owner: job.owner.user,
        }
        .into());
    }
    let hash = match query.version {
        None => job.bundle,
        Some(number) => {
            let version = api
                .read(move |reader| reader.version(id, VersionNumber(number)))
                .await?;
            let version = version.ok_or_else(|| {
                Failure::new(
                    "job/no-such-version",
                    format!("job {id} has no version {number}"),
                )
            })?;
            version.bundle
        }
    };
    let file = bundles::open(api.backend().bundles_dir(), hash).await?;
    let body = Body::from_stream(ReaderStream::new(file));
    let tag = HeaderValue::from_str(&format!("\"{hash}\"")).expect("hexadecimal digits and quotes");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(BUNDLE_CONTENT_TYPE),
        ),
        (header::ETAG, tag),
    ];
    Ok((headers, body).into_response())
}
