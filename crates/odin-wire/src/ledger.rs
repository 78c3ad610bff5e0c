//! The ledger's answers: what became of a due time, and why.

use jiff::Timestamp;
use odin_model::ledger as model;
use odin_model::ledger::LedgerReason;
use odin_model::{JobId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What became of an occurrence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerOutcome {
    /// A run answers it.
    Started,
    /// The job's policy let it pass while it was on time.
    Skipped,
    /// It was missed, and a later occurrence's run answers it too.
    Coalesced,
    /// It was missed, and nothing answers it.
    Misfired,
}

impl From<model::LedgerOutcome> for LedgerOutcome {
    fn from(outcome: model::LedgerOutcome) -> Self {
        match outcome {
            model::LedgerOutcome::Started => Self::Started,
            model::LedgerOutcome::Skipped => Self::Skipped,
            model::LedgerOutcome::Coalesced => Self::Coalesced,
            model::LedgerOutcome::Misfired => Self::Misfired,
        }
    }
}

impl From<LedgerOutcome> for model::LedgerOutcome {
    fn from(outcome: LedgerOutcome) -> Self {
        match outcome {
            LedgerOutcome::Started => Self::Started,
            LedgerOutcome::Skipped => Self::Skipped,
            LedgerOutcome::Coalesced => Self::Coalesced,
            LedgerOutcome::Misfired => Self::Misfired,
        }
    }
}

/// Neighbouring occurrences of a job with one outcome and reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerEntry {
    /// The occurrence that was asked for; in a list, the first of the entry.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// What became of it.
    pub outcome: LedgerOutcome,
    /// Why, in words.
    pub reason: String,
    /// The run that answers it, for `started` and `coalesced`.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub run: Option<RunId>,
    /// The last occurrence of the entry; the same as `due_at` where there is one.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// How many occurrences the entry stands for.
    pub count: u64,
    /// The job's version that they were decided with.
    pub version: u32,
    /// When they were decided: the leader's wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
}

impl LedgerEntry {
    /// A row of the ledger.
    #[must_use]
    pub fn of_row(row: &model::LedgerRow) -> Self {
        Self {
            due_at: row.from,
            outcome: row.outcome.into(),
            reason: reason_in_words(row.reason),
            run: row.run,
            to: row.to,
            count: row.count,
            version: row.version.0,
            decided_at: row.decided_at,
        }
    }

    /// The answer for one occurrence of a row, whatever its neighbours.
    #[must_use]
    pub fn of_occurrence(row: &model::LedgerRow, due_at: Timestamp) -> Self {
        Self {
            due_at,
            to: due_at,
            count: 1,
            ..Self::of_row(row)
        }
    }
}

/// The ledger's reason as people read it.
#[must_use]
pub fn reason_in_words(reason: LedgerReason) -> String {
    match reason {
        LedgerReason::OnTime => "on time".to_owned(),
        LedgerReason::CatchUp => "missed, and started late as `missed` asks".to_owned(),
        LedgerReason::StillActive { run } => {
            format!("`concurrency: forbid`, and {run} was still active")
        }
        LedgerReason::CoalescedInto { run: Some(run) } => {
            format!("missed, and {run} answers it too: `missed: once`")
        }
        LedgerReason::CoalescedInto { run: None } => {
            "missed, and the latest missed one stands for it: `missed: once`".to_owned()
        }
        LedgerReason::QueueFull => {
            "as many runs waited for their turn as `concurrency` lets wait".to_owned()
        }
        LedgerReason::Quarantined => {
            "the job could not be planned, and was paused or removed before that was mended"
                .to_owned()
        }
        LedgerReason::MissedSkipped => "later than its grace, and `missed: skip`".to_owned(),
        LedgerReason::BeyondLimit => {
            "later than its grace, and beyond the limit of `missed: all`".to_owned()
        }
    }
}

/// A job's ledger, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LedgerList {
    /// The entries.
    pub ledger: Vec<LedgerEntry>,
    /// What to send as `from` for more. `null`: this is all.
    pub next: Option<String>,
}

/// What `/ledger` takes: `at` alone for one answer, or a range for a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct LedgerQuery {
    /// The job.
    #[serde(with = "crate::as_text")]
    #[param(value_type = String)]
    pub job: JobId,
    /// The due time to answer for.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub at: Option<Timestamp>,
    /// Only entries that begin at this instant or later.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Only entries that begin at this instant or before.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// How many entries, 1 to 1000. Default: 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
