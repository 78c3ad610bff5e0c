//! Alerts and silences.

use jiff::Timestamp;
use odin_model::alert as model;
use odin_model::{JobId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An alert: what somebody should know of. One trouble is one alert however often it shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Its id.
    #[schema(example = "a17")]
    pub id: String,
    /// What it is about: `failure`, `late`, `missed`, `never_finished`, `too_fast`, `too_slow`, `value_out_of_bounds`,
    /// `disk_nearly_full`, `node_down`, `node_unwell`, `ledger_gap`, `loop_stuck`, `channel_down` or
    /// `unusual`.
    pub kind: String,
    /// `open`, `acknowledged` or `resolved`.
    pub state: String,
    /// Until when nobody is told of it. `null`: no silence covers it.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub silenced_until: Option<Timestamp>,
    /// What happened last, in words.
    pub text: String,
    /// How often it has shown.
    pub count: u64,
    /// The job that it is about. `null`: none.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, example = "a37b187f5930")]
    pub job: Option<JobId>,
    /// The job's name.
    pub job_name: Option<String>,
    /// The job's owner's user name.
    pub owner: Option<String>,
    /// The name of the node that it is about. `null`: none.
    pub node: Option<String>,
    /// What tells it apart from others of its kind, such as the name of a value or a channel. Empty: nothing.
    pub detail: String,
    /// The run that showed it last. `null`: none did.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub run: Option<RunId>,
    /// When it showed first.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// When it showed last.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// Who acknowledged it. `null`: nobody.
    pub acknowledged_by: Option<String>,
    /// When.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged_at: Option<Timestamp>,
    /// Why.
    pub acknowledged_reason: Option<String>,
    /// When it was over. `null`: it is not.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved_at: Option<Timestamp>,
}

impl Alert {
    /// An alert of the replicated state.
    #[must_use]
    pub fn new(alert: &model::Alert, silenced_until: Option<Timestamp>) -> Self {
        let job = match alert.key.subject {
            model::Subject::Job(job) => Some(job),
            model::Subject::Node(_) | model::Subject::Cluster => None,
        };
        let is_node = matches!(alert.key.subject, model::Subject::Node(_));
        let name = alert.subject_name.clone();
        let acknowledged = alert.acknowledged.as_ref();
        Self {
            id: alert.id.to_string(),
            kind: alert.key.kind.word().to_owned(),
            state: alert.state.word().to_owned(),
            silenced_until,
            text: alert.text.clone(),
            count: alert.count,
            job,
            job_name: name.clone().filter(|_| job.is_some()),
            owner: alert.owner.as_ref().map(|owner| owner.user.clone()),
            node: name.filter(|_| is_node),
            detail: alert.key.detail.clone(),
            run: alert.run,
            opened_at: alert.opened_at,
            last_at: alert.last_at,
            acknowledged_by: acknowledged.map(|it| it.by.clone()),
            acknowledged_at: acknowledged.map(|it| it.at),
            acknowledged_reason: acknowledged.map(|it| it.reason.clone()),
            resolved_at: alert.resolved_at,
        }
    }
}

/// Alerts, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AlertList {
    /// The alerts.
    pub alerts: Vec<Alert>,
    /// What to send as `after` for more. `null`: this is all.
    pub next: Option<String>,
}

/// What `GET /alerts` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct AlertsQuery {
    /// How many, 1 to 1000. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only alerts after this one: an earlier answer's `next`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// Only of this job.
    #[serde(
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub job: Option<JobId>,
    /// Only of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only in this state. Default: those that are not resolved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// What `POST /alerts/{id}/acknowledge` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Acknowledge {
    /// Why nobody need be told again.
    pub reason: String,
}

/// A time in which nobody is told of some alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    /// Its number.
    pub id: u64,
    /// Of this job. `null`: of any.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub job: Option<JobId>,
    /// Of this kind. `null`: of any.
    pub kind: Option<String>,
    /// Word to this channel. `null`: to any.
    pub channel: Option<String>,
    /// Why.
    pub reason: String,
    /// Who made it.
    pub by: String,
    /// Since when.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until when.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

impl Silence {
    /// A silence of the replicated state.
    #[must_use]
    pub fn new(silence: &odin_model::silence::Silence) -> Self {
        let scope = &silence.scope;
        Self {
            id: silence.id,
            job: scope.job,
            kind: scope.kind.map(|kind| kind.word().to_owned()),
            channel: scope.channel.as_ref().map(ToString::to_string),
            reason: silence.reason.clone(),
            by: silence.by.user.clone(),
            from: silence.from,
            until: silence.until,
        }
    }
}

/// Silences in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SilenceList {
    /// The silences.
    pub silences: Vec<Silence>,
    /// Always `null`: there are few.
    pub next: Option<String>,
}

/// What `POST /silences` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MakeSilence {
    /// Of this job. Without it an admin is needed.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub job: Option<JobId>,
    /// Of this kind.
    pub kind: Option<String>,
    /// Word to this channel.
    pub channel: Option<String>,
    /// How long, in seconds from now.
    pub seconds: u64,
    /// Why.
    pub reason: String,
}
