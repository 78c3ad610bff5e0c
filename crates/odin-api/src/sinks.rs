//! Sinks: set up, tried and looked at by admins.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use odin_model::job::JobState;
use odin_model::sink::{
    JOBS_OF_SINK_MAX, METRICS_EVERY_SECONDS_DEFAULT, Sink, SinkChange, SinkName, SinkRefusal,
    SinkSpec, SinkTarget,
};
use odin_model::{Command, JobId, Refusal, SecretName, ValueKind};
use odin_store::Reader;
use odin_wire as wire;
use odin_wire::{Problem, SetSink, SinkList, SinkTest};

use crate::api::Api;
use crate::extract::{Admin, JsonBody};
use crate::failure::Failure;
use crate::in_path::{InPath, Named};

/// Lists the sinks, and how they get on. For admins. Secrets are named, never shown.
#[utoipa::path(get, path = "/api/v1/sinks", tag = "sinks", operation_id = "list_sinks",
    responses((status = 200, body = SinkList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Admin(_caller): Admin,
) -> Result<Json<SinkList>, Failure> {
    let sinks = api.read(Reader::sinks).await?;
    Ok(Json(SinkList {
        sinks: sinks.iter().map(to_wire).collect(),
        next: None,
    }))
}

/// One sink, and how it gets on. For admins.
#[utoipa::path(get, path = "/api/v1/sinks/{name}", tag = "sinks", operation_id = "get_sink",
    params(("name" = String, Path, description = "the sink's name")),
    responses((status = 200, body = wire::Sink), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Admin(_caller): Admin,
    InPath(name): InPath<SinkName>,
) -> Result<Json<wire::Sink>, Failure> {
    Ok(Json(to_wire(&one(&api, &name).await?)))
}

/// Sets a sink up, or changes it. A new one gets what comes after it; one that is changed goes on where it was.
#[utoipa::path(put, path = "/api/v1/sinks/{name}", tag = "sinks", operation_id = "set_sink",
    params(("name" = String, Path, description = "the sink's name")),
    request_body = SetSink,
    responses((status = 200, body = wire::Sink), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn set(
    State(api): State<Api>,
    Admin(caller): Admin,
    InPath(name): InPath<SinkName>,
    JsonBody(body): JsonBody<SetSink>,
) -> Result<Json<wire::Sink>, Failure> {
    let spec = to_spec(body)?;
    odin_sinks::check(&spec).map_err(|error| bad(error.to_string()))?;
    check_here(&api, &spec).await?;
    let change = SinkChange::Set {
        by: caller.clone(),
        name: name.clone(),
        spec,
        token: api.backend().draw_bits(),
        at: api.backend().clock().wall(),
    };
    let command = Command::Sink(Box::new(change));
    api.propose(&caller, None, command).await?;
    tracing::info!(by = caller.user.user, sink = %name, "a sink was set");
    Ok(Json(to_wire(&one(&api, &name).await?)))
}

/// Removes a sink; what it has not sent is not sent.
#[utoipa::path(delete, path = "/api/v1/sinks/{name}", tag = "sinks", operation_id = "remove_sink",
    params(("name" = String, Path, description = "the sink's name")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn remove(
    State(api): State<Api>,
    Admin(caller): Admin,
    InPath(name): InPath<SinkName>,
) -> Result<StatusCode, Failure> {
    let change = SinkChange::Remove {
        by: caller.clone(),
        name: name.clone(),
    };
    let command = Command::Sink(Box::new(change));
    api.propose(&caller, None, command).await?;
    tracing::info!(by = caller.user.user, sink = %name, "a sink was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// Sends one record to a sink now, a value `odin_sink_test` of a job `odin-sink-test` that there is not, and the metrics
/// where it takes these.
#[utoipa::path(post, path = "/api/v1/sinks/{name}/test", tag = "sinks", operation_id = "test_sink",
    params(("name" = String, Path, description = "the sink's name")),
    responses((status = 200, body = SinkTest), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn test(
    State(api): State<Api>,
    Admin(_caller): Admin,
    InPath(name): InPath<SinkName>,
) -> Result<Json<SinkTest>, Failure> {
    let sink = one(&api, &name).await?;
    let error = api.backend().try_sink(sink).await.err();
    Ok(Json(SinkTest {
        taken: error.is_none(),
        error,
    }))
}

async fn one(api: &Api, name: &SinkName) -> Result<Sink, Failure> {
    let asked = name.clone();
    let found = api.read(move |reader| reader.sink(&asked)).await?;
    found.ok_or_else(|| Refusal::Sink(SinkRefusal::NoSuchSink(name.clone())).into())
}

/// What only this node can tell: whether the jobs are there, and what is where the file is to be.
async fn check_here(api: &Api, spec: &SinkSpec) -> Result<(), Failure> {
    let spec = spec.clone();
    let checked = api.read(move |reader| {
        for id in &spec.jobs {
            let job = reader.job(*id)?;
            if job.is_none_or(|job| job.state == JobState::Removed) {
                return Ok(Err(bad(format!(
                    "there is no job {id}: `odin list` shows the ids of those there are"
                ))));
            }
        }
        let checked = odin_sinks::check_file(&spec, reader.directory());
        Ok(checked.map_err(|fault| bad(fault.to_string())))
    });
    checked.await?
}

fn bad(detail: impl Into<String>) -> Failure {
    Failure::new("sink/bad-target", detail)
}

fn to_spec(body: SetSink) -> Result<SinkSpec, Failure> {
    let secret = body.secret.as_deref().map(SecretName::named).transpose()?;
    let records = &body.records;
    if let Some(other) = records
        .iter()
        .find(|it| !["values", "runs", "metrics"].contains(&it.as_str()))
    {
        return Err(bad(format!(
            "{other:?} are no records: `values`, `runs` and `metrics` are"
        )));
    }
    let takes = |word: &str| records.is_empty() || records.iter().any(|it| it == word);
    let every = body.metrics_every_seconds;
    if every.is_some() && !takes("metrics") {
        return Err(bad(
            "it says how often metrics go there, and `metrics` is not among its records",
        ));
    }
    let kinds: Result<Vec<_>, _> = body
        .kinds
        .iter()
        .map(|word| {
            let words = ValueKind::ALL.map(ValueKind::word).join(", ");
            ValueKind::of_word(word)
                .ok_or_else(|| bad(format!("{word:?} is no kind of value; those are {words}")))
        })
        .collect();
    if body.jobs.len() > JOBS_OF_SINK_MAX {
        let count = body.jobs.len();
        return Err(bad(format!(
            "{count} jobs are too many: a sink names at most {JOBS_OF_SINK_MAX}"
        )));
    }
    let jobs: Result<Vec<JobId>, _> = body.jobs.iter().map(|text| text.parse()).collect();
    Ok(SinkSpec {
        target: to_target(body.target),
        secret,
        values: takes("values"),
        runs: takes("runs"),
        metrics_every_seconds: takes("metrics")
            .then(|| every.unwrap_or(METRICS_EVERY_SECONDS_DEFAULT)),
        kinds: kinds?,
        jobs: jobs.map_err(|error| bad(format!("a job's id: {error}")))?,
    })
}

fn to_target(target: wire::SinkTarget) -> SinkTarget {
    use wire::SinkTarget as W;
    match target {
        W::InfluxdbV2 { url, org, bucket } => SinkTarget::InfluxV2 { url, org, bucket },
        W::InfluxdbV3 { url, database } => SinkTarget::InfluxV3 { url, database },
        W::RemoteWrite { url, user } => SinkTarget::RemoteWrite { url, user },
        W::Otlp { url, header } => SinkTarget::Otlp { url, header },
        W::Postgres { url } => SinkTarget::Postgres { url },
        W::File {
            path,
            rotate_bytes,
            keep,
        } => SinkTarget::File {
            path,
            rotate_bytes,
            keep,
        },
    }
}

fn target_to_wire(target: SinkTarget) -> wire::SinkTarget {
    use wire::SinkTarget as W;
    match target {
        SinkTarget::InfluxV2 { url, org, bucket } => W::InfluxdbV2 { url, org, bucket },
        SinkTarget::InfluxV3 { url, database } => W::InfluxdbV3 { url, database },
        SinkTarget::RemoteWrite { url, user } => W::RemoteWrite { url, user },
        SinkTarget::Otlp { url, header } => W::Otlp { url, header },
        SinkTarget::Postgres { url } => W::Postgres { url },
        SinkTarget::File {
            path,
            rotate_bytes,
            keep,
        } => W::File {
            path,
            rotate_bytes,
            keep,
        },
    }
}

fn to_wire(sink: &Sink) -> wire::Sink {
    let spec = &sink.spec;
    let records = [
        ("values", spec.values),
        ("runs", spec.runs),
        ("metrics", spec.metrics_every_seconds.is_some()),
    ];
    let (failing_since, error) = sink.failing.clone().unzip();
    let (metrics_failing_since, metrics_error) = sink.metrics_failing.clone().unzip();
    let state = match sink.behind.entries {
        _ if error.is_some() || metrics_error.is_some() => "failing",
        0 => "ok",
        _ => "behind",
    };
    wire::Sink {
        name: sink.name.to_string(),
        target: target_to_wire(spec.target.clone()),
        secret: spec.secret.as_ref().map(ToString::to_string),
        records: records
            .into_iter()
            .filter(|(_, goes)| *goes)
            .map(|(word, _)| word.to_owned())
            .collect(),
        metrics_every_seconds: spec.metrics_every_seconds,
        kinds: spec.kinds.iter().map(|it| it.word().to_owned()).collect(),
        jobs: spec.jobs.iter().map(ToString::to_string).collect(),
        owner: sink.owner.user.clone(),
        set_at: sink.set_at,
        state: state.to_owned(),
        behind: sink.behind.entries,
        behind_values: sink.behind.values,
        behind_runs: sink.behind.runs,
        behind_since: sink.behind.since,
        sent: sink.sent,
        skipped: sink.skipped,
        last_skipped: sink.last_skipped.clone(),
        dropped: sink.dropped,
        sent_at: sink.sent_at,
        failing_since,
        error,
        metrics_failing_since,
        metrics_error,
    }
}
