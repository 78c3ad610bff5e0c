//! Whom a job tells of what, and what it expects of its numbers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whom a job tells of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobNotify {
    /// Of what: `failure`, `recovered`, `late`, `missed`, `never_finished`, `too_fast`, `too_slow` or `unusual`.
    pub on: Vec<String>,
    /// The names of the channels.
    pub to: Vec<String>,
    /// At how many failures in a row.
    pub failures: u32,
    /// How long what goes on is not told again, in milliseconds.
    pub repeat_ms: u64,
}

/// What the numbers of one name should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobValueBounds {
    /// The name that runs report.
    pub name: String,
    /// At least this, in the digits of the job file. `null`: however small.
    pub min: Option<String>,
    /// At most this, in the digits of the job file. `null`: however large.
    pub max: Option<String>,
}

pub(crate) fn notify(alerting: &odin_model::Alerting) -> Option<JobNotify> {
    let is_there = !alerting.on.is_empty() || !alerting.to.is_empty();
    let on = alerting.on.iter().map(|it| it.word().to_owned());
    is_there.then(|| JobNotify {
        on: on.collect(),
        to: alerting.to.iter().map(ToString::to_string).collect(),
        failures: alerting.failures,
        repeat_ms: u64::try_from(alerting.repeat.as_millis()).unwrap_or(u64::MAX),
    })
}

pub(crate) fn bounds(of: &odin_model::ValueBounds) -> JobValueBounds {
    JobValueBounds {
        name: of.name.clone(),
        min: of.min.clone(),
        max: of.max.clone(),
    }
}
