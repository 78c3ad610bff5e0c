//! Alerts and silences: listed, answered.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use odin_model::alert::{AlertChange, AlertRefusal, AlertState, Subject};
use odin_model::owner::Role;
use odin_model::silence::{Silence, SilenceScope};
use odin_model::{AlertId, AlertKind, ChannelName, Command, Principal, Refusal};
use odin_store::AlertsOf;
use odin_wire as wire;
use odin_wire::{Acknowledge, AlertList, AlertsQuery, MakeSilence, Problem, SilenceList};

use crate::api::Api;
use crate::extract::{Caller, JsonBody, Params, limit};
use crate::failure::Failure;
use crate::in_path::{InPath, Named};

pub(crate) fn parse_kind(text: &str) -> Result<AlertKind, Failure> {
    AlertKind::from_word(text).ok_or_else(|| {
        let words: Vec<_> = AlertKind::ALL.iter().map(|kind| kind.word()).collect();
        let shown: String = text.chars().take(60).collect();
        let meant = odin_job_file::nearest(text, words.iter().copied());
        let meant = meant.map_or(String::new(), |it| format!("; did you mean `{it}`?"));
        Failure::new(
            "alert/bad-kind",
            format!("`{shown}` is not a kind of alert{meant}"),
        )
        .with_help(format!("The kinds are {}.", words.join(", ")))
    })
}

/// Lists alerts of the asker's jobs, or all to an admin; the newest first.
#[utoipa::path(get, path = "/api/v1/alerts", tag = "alerts", operation_id = "list_alerts",
    params(AlertsQuery),
    responses((status = 200, body = AlertList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn list(
    State(api): State<Api>,
    Caller(caller): Caller,
    Params(query): Params<AlertsQuery>,
) -> Result<Json<AlertList>, Failure> {
    let limit = limit(query.limit)?;
    let state = query.state.as_deref().map(|word| {
        AlertState::from_word(word).ok_or_else(|| {
            Failure::new(
                "request/bad-query",
                "`state` is open, acknowledged or resolved",
            )
        })
    });
    let of = AlertsOf {
        owner: (caller.role != Role::Admin).then(|| caller.user.clone()),
        job: query.job,
        kind: query.kind.as_deref().map(parse_kind).transpose()?,
        state: state.transpose()?,
    };
    let before = query.after.as_deref().map(AlertId::named).transpose()?;
    let now = api.backend().clock().wall();
    let (alerts, silences) = api
        .read(move |reader| Ok((reader.alerts(&of, before, limit)?, reader.silences(now)?)))
        .await?;
    let next = alerts.last().filter(|_| alerts.len() == limit);
    let next = next.map(|last| last.id.to_string());
    let alerts = alerts.iter().map(|alert| to_wire(alert, &silences));
    Ok(Json(AlertList {
        alerts: alerts.collect(),
        next,
    }))
}

fn to_wire(alert: &odin_model::alert::Alert, silences: &[Silence]) -> wire::Alert {
    let job = match alert.key.subject {
        Subject::Job(job) => Some(job),
        Subject::Node(_) | Subject::Cluster => None,
    };
    let covering = silences
        .iter()
        .filter(|silence| silence.scope.covers(job, alert.key.kind, None));
    wire::Alert::new(alert, covering.map(|silence| silence.until).max())
}

/// One alert.
#[utoipa::path(get, path = "/api/v1/alerts/{id}", tag = "alerts", operation_id = "get_alert",
    params(("id" = String, Path, description = "the alert's id")),
    responses((status = 200, body = wire::Alert), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn get(
    State(api): State<Api>,
    Caller(caller): Caller,
    InPath(id): InPath<AlertId>,
) -> Result<Json<wire::Alert>, Failure> {
    one(&api, &caller, id).await.map(Json)
}

async fn one(api: &Api, caller: &Principal, id: AlertId) -> Result<wire::Alert, Failure> {
    let now = api.backend().clock().wall();
    let (found, silences) = api
        .read(move |reader| Ok((reader.alert(id)?, reader.silences(now)?)))
        .await?;
    let sees = |alert: &odin_model::alert::Alert| match &alert.owner {
        Some(owner) => caller.may_see(owner),
        None => caller.role == Role::Admin,
    };
    match found.filter(sees) {
        Some(alert) => Ok(to_wire(&alert, &silences)),
        None => Err(Refusal::Alert(AlertRefusal::NoSuchAlert(id)).into()),
    }
}

/// Says that somebody knows of an alert: until it is over, repeats are counted and nobody is told.
#[utoipa::path(post, path = "/api/v1/alerts/{id}/acknowledge", tag = "alerts", operation_id = "acknowledge_alert",
    params(("id" = String, Path, description = "the alert's id")),
    request_body = Acknowledge,
    responses((status = 200, body = wire::Alert), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn acknowledge(
    State(api): State<Api>,
    Caller(caller): Caller,
    InPath(id): InPath<AlertId>,
    JsonBody(body): JsonBody<Acknowledge>,
) -> Result<Json<wire::Alert>, Failure> {
    // Whether it may be seen is told before whether it may be answered.
    one(&api, &caller, id).await?;
    let change = AlertChange::Acknowledge {
        by: caller.clone(),
        alert: id,
        reason: body.reason,
        at: api.backend().clock().wall(),
    };
    propose(&api, &caller, change).await?;
    one(&api, &caller, id).await.map(Json)
}

async fn propose(api: &Api, caller: &Principal, change: AlertChange) -> Result<(), Failure> {
    let command = Command::Alert(Box::new(change));
    api.propose(caller, None, command).await.map(|_| ())
}

/// The silences in force that the asker may see: their own, those of their jobs, all to an admin.
async fn seen(api: &Api, caller: &Principal) -> Result<Vec<Silence>, Failure> {
    let now = api.backend().clock().wall();
    let mut silences = api.read(move |reader| reader.silences(now)).await?;
    silences.retain(|silence| {
        let of_job = silence.owner.as_ref();
        caller.may_see(&silence.by) || of_job.is_some_and(|owner| caller.may_see(owner))
    });
    Ok(silences)
}

/// Lists the silences in force.
#[utoipa::path(get, path = "/api/v1/silences", tag = "alerts", operation_id = "list_silences",
    responses((status = 200, body = SilenceList), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn silences(
    State(api): State<Api>,
    Caller(caller): Caller,
) -> Result<Json<SilenceList>, Failure> {
    let silences = seen(&api, &caller).await?;
    Ok(Json(SilenceList {
        silences: silences.iter().map(wire::Silence::new).collect(),
        next: None,
    }))
}

/// Begins a silence: alerts that it covers are listed and nobody is told.
#[utoipa::path(post, path = "/api/v1/silences", tag = "alerts", operation_id = "make_silence",
    request_body = MakeSilence,
    responses((status = 201, body = wire::Silence), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn silence(
    State(api): State<Api>,
    Caller(caller): Caller,
    JsonBody(body): JsonBody<MakeSilence>,
) -> Result<(StatusCode, Json<wire::Silence>), Failure> {
    let scope = SilenceScope {
        job: body.job,
        kind: body.kind.as_deref().map(parse_kind).transpose()?,
        channel: body
            .channel
            .as_deref()
            .map(ChannelName::named)
            .transpose()?,
    };
    let at = api.backend().clock().wall();
    let until = until(at, body.seconds)?;
    let change = AlertChange::Silence {
        by: caller.clone(),
        scope: scope.clone(),
        reason: body.reason,
        until,
        at,
    };
    propose(&api, &caller, change).await?;
    let silences = seen(&api, &caller).await?;
    let made = silences
        .iter()
        .rev()
        .find(|it| it.scope == scope && it.by == caller.user);
    match made {
        Some(silence) => Ok((StatusCode::CREATED, Json(wire::Silence::new(silence)))),
        // It was short, and is over already.
        None => Err(Refusal::Alert(AlertRefusal::BadSilence).into()),
    }
}

fn until(at: Timestamp, seconds: u64) -> Result<Timestamp, Failure> {
    SignedDuration::try_from(Duration::from_secs(seconds))
        .ok()
        .and_then(|lasts| at.checked_add(lasts).ok())
        .ok_or_else(|| Refusal::Alert(AlertRefusal::BadSilence).into())
}

/// Ends a silence before its time.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", tag = "alerts", operation_id = "remove_silence",
    params(("id" = u64, Path, description = "the silence's number")),
    responses((status = 204), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub(crate) async fn unsilence(
    State(api): State<Api>,
    Caller(caller): Caller,
    path: Result<Path<u64>, axum::extract::rejection::PathRejection>,
) -> Result<StatusCode, Failure> {
    let Ok(Path(silence)) = path else {
        return Err(Failure::new(
            "silence/not-found",
            "that is no silence's number",
        ));
    };
    let change = AlertChange::Unsilence {
        by: caller.clone(),
        silence,
        at: api.backend().clock().wall(),
    };
    propose(&api, &caller, change).await?;
    Ok(StatusCode::NO_CONTENT)
}
