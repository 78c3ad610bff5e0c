//! Runs for due times that had none, on request.

use jiff::Timestamp;
use odin_model::command::CatchUpAnswer;
use odin_model::{JobId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ledger::LedgerOutcome;

/// How many due times one request starts when it names no limit; the largest limit is
/// [`LIMIT_MAX`](crate::LIMIT_MAX).
pub const CATCH_UP_DEFAULT: u32 = 100;

/// What `POST /jobs/{id}/catch-up` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CatchUpJob {
    /// The first instant of the window.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Its last instant.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// How many due times at most, 1 to 1000. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Show only what would be started.
    #[serde(default)]
    pub dry_run: bool,
}

/// What became of a request to catch up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CaughtUp {
    /// The job.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub job: JobId,
    /// Its name now.
    pub job_name: String,
    /// The zone in which its schedule is read.
    pub timezone: String,
    /// Whether nothing was started.
    pub dry_run: bool,
    /// The due times of the window that its schedule did not start, oldest first.
    pub occurrences: Vec<CatchUpOccurrence>,
    /// How many due times of the window have a run by the schedule: they are not in the list.
    pub on_schedule: u64,
    /// Whether the window has more than the limit let start: ask again.
    pub more: bool,
}

/// One due time that the schedule did not start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CatchUpOccurrence {
    /// The due time.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// What the ledger says of it. `null`: nothing, the job was paused or had another schedule.
    pub outcome: Option<LedgerOutcome>,
    /// What becomes of it now.
    pub state: CatchUpState,
    /// Its run. `null` while it has none.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub run: Option<RunId>,
}

/// What becomes of a due time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUpState {
    /// A dry run: it would be started, or wait for room.
    WouldStart,
    /// Its run was made.
    Started,
    /// Its run will be made once others of the job are over.
    Waiting,
    /// It was caught up before.
    HasRun,
    /// It was asked for before, and waits.
    AskedBefore,
    /// The ledger of then is no longer kept, so that it may have had its run.
    NotKept,
}

impl CatchUpState {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::WouldStart => "would_start",
            Self::Started => "started",
            Self::Waiting => "waiting",
            Self::HasRun => "has_run",
            Self::AskedBefore => "asked_before",
            Self::NotKept => "not_kept",
        }
    }

    /// What apply answered for a due time, with the run.
    #[must_use]
    pub fn of(answer: CatchUpAnswer) -> (Self, Option<RunId>) {
        match answer {
            CatchUpAnswer::Started { run } => (Self::Started, Some(run)),
            CatchUpAnswer::Waiting => (Self::Waiting, None),
            CatchUpAnswer::HasRun { run } => (Self::HasRun, Some(run)),
            CatchUpAnswer::AskedBefore => (Self::AskedBefore, None),
            CatchUpAnswer::NotKept => (Self::NotKept, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_json_are_those_that_are_printed() {
        for state in [
            CatchUpState::WouldStart,
            CatchUpState::Started,
            CatchUpState::Waiting,
            CatchUpState::HasRun,
            CatchUpState::AskedBefore,
            CatchUpState::NotKept,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }
}
