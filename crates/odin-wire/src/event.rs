//! Server-sent events: the names in `event:` and what `data:` holds.

use odin_model::{JobId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// The name of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// `/events`: a run changed. Data: a `Run`.
    Run,
    /// `/events`: a run reported values. Data: a [`NewValues`](crate::NewValues).
    Value,
    /// `/events`: some changes are not told. Data: a [`Lagged`]. Ask again for what you show.
    Lagged,
    /// `/runs/{id}/output?follow=1`: something was printed. Data: an `OutputChunk`.
    Chunk,
    /// `/runs/{id}/output?follow=1`: the run is over and all its output was sent. Data: a `Run`.
    End,
}

impl EventKind {
    /// The name in `event:`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Value => "value",
            Self::Lagged => "lagged",
            Self::Chunk => "chunk",
            Self::End => "end",
        }
    }

    /// The event of a [`word`](Self::word). `None`: of a newer server; pass over it.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Run, Self::Value, Self::Lagged, Self::Chunk, Self::End]
            .into_iter()
            .find(|kind| kind.word() == word)
    }
}

/// Changes that a subscriber is not told: it read too slowly, or resumed too late.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lagged {
    /// How many changes, of all jobs. `null`: nobody can tell.
    pub missed: Option<u64>,
}

/// What `/events` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only of this job.
    #[serde(
        with = "crate::as_text::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub job: Option<JobId>,
    /// Only of this run.
    #[serde(
        with = "crate::as_text::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub run: Option<RunId>,
    /// 0 leaves `value` out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<u32>,
}
