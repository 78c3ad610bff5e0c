//! How the words of the model are written in columns. The numbers are a format and never change.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::instant::{from_micros, to_micros};
use odin_model::job::Visibility;
use odin_model::ledger::LedgerReason;
use odin_model::node::NodeState;
use odin_model::run::{Cause, Outcome, RunState};
use odin_model::{
    AttemptNumber, Concurrency, Epoch, JobId, JobState, LedgerOutcome, Missed, NodeId, Revision,
    RunId, VersionNumber,
};

use crate::{CancelWhen, StoreError};

pub(crate) fn job_id(id: JobId) -> i64 {
    id.to_bits().cast_signed()
}

pub(crate) fn to_job_id(bits: i64) -> JobId {
    JobId::from_bits(bits.cast_unsigned())
}

pub(crate) fn run_id(id: RunId) -> i64 {
    id.to_bits().cast_signed()
}

pub(crate) fn to_run_id(bits: i64) -> RunId {
    RunId::from_bits(bits.cast_unsigned())
}

pub(crate) fn node_id(id: NodeId) -> i64 {
    id.0.cast_signed()
}

pub(crate) fn to_node_id(bits: i64) -> NodeId {
    NodeId(bits.cast_unsigned())
}

pub(crate) fn epoch(epoch: Epoch) -> i64 {
    epoch.0.cast_signed()
}

pub(crate) fn to_epoch(bits: i64) -> Epoch {
    Epoch(bits.cast_unsigned())
}

pub(crate) fn revision(revision: Revision) -> i64 {
    revision.0.cast_signed()
}

pub(crate) fn to_revision(bits: i64) -> Revision {
    Revision(bits.cast_unsigned())
}

pub(crate) fn to_version(number: u32) -> VersionNumber {
    VersionNumber(number)
}

pub(crate) fn at(at: Timestamp) -> i64 {
    to_micros(at)
}

pub(crate) fn at_option(instant: Option<Timestamp>) -> Option<i64> {
    instant.map(at)
}

pub(crate) fn to_at(micros: i64) -> Timestamp {
    from_micros(micros)
}

pub(crate) fn to_at_option(micros: Option<i64>) -> Option<Timestamp> {
    micros.map(to_at)
}

/// Whole microseconds; longer than 292,000 years is cut to that.
pub(crate) fn duration(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

pub(crate) fn to_duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

/// A count of bytes or occurrences; more than a signed number holds is cut to that.
pub(crate) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn to_count(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

/// How many rows are asked for.
pub(crate) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}

pub(crate) fn job_state(state: JobState) -> i64 {
    match state {
        JobState::Enabled => 0,
        JobState::Paused => 1,
        JobState::Removed => 2,
    }
}

pub(crate) fn to_job_state(number: i64) -> Result<JobState, StoreError> {
    match number {
        0 => Ok(JobState::Enabled),
        1 => Ok(JobState::Paused),
        2 => Ok(JobState::Removed),
        _ => Err(StoreError::damaged("a job's state")),
    }
}

pub(crate) fn visibility(visibility: Visibility) -> i64 {
    match visibility {
        Visibility::Listed => 0,
        Visibility::Hidden => 1,
    }
}

pub(crate) fn to_visibility(number: i64) -> Result<Visibility, StoreError> {
    match number {
        0 => Ok(Visibility::Listed),
        1 => Ok(Visibility::Hidden),
        _ => Err(StoreError::damaged("a job's visibility")),
    }
}

/// -1 is `once`, 0 is `skip`, another number is `all` with that limit.
pub(crate) fn missed(missed: Missed) -> i64 {
    match missed {
        Missed::Once => -1,
        Missed::Skip => 0,
        Missed::All { limit } => i64::from(limit),
    }
}

pub(crate) fn to_missed(number: i64) -> Result<Missed, StoreError> {
    match number {
        -1 => Ok(Missed::Once),
        0 => Ok(Missed::Skip),
        limit => u16::try_from(limit)
            .map(|limit| Missed::All { limit })
            .map_err(|_| StoreError::damaged("a job's policy for what it missed")),
    }
}

pub(crate) fn concurrency(concurrency: Concurrency) -> i64 {
    match concurrency {
        Concurrency::Allow => 0,
        Concurrency::Forbid => 1,
    }
}

pub(crate) fn to_concurrency(number: i64) -> Result<Concurrency, StoreError> {
    match number {
        0 => Ok(Concurrency::Allow),
        1 => Ok(Concurrency::Forbid),
        _ => Err(StoreError::damaged("a job's concurrency policy")),
    }
}

pub(crate) fn outcome(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Succeeded => 0,
        Outcome::Warning => 1,
        Outcome::Failed => 2,
        Outcome::Signalled => 3,
        Outcome::TimedOut => 4,
        Outcome::Cancelled => 5,
        Outcome::OutOfMemory => 6,
        Outcome::NotStartable => 7,
        Outcome::Lost => 8,
    }
}

pub(crate) fn to_outcome(number: i64) -> Result<Outcome, StoreError> {
    Outcome::ALL
        .into_iter()
        .find(|&candidate| outcome(candidate) == number)
        .ok_or_else(|| StoreError::damaged("a run's outcome"))
}

pub(crate) fn run_state(state: RunState) -> i64 {
    match state {
        RunState::Queued => 0,
        RunState::Assigned { .. } => 1,
        RunState::Running { .. } => 2,
        RunState::Unreachable { .. } => 3,
        RunState::Finished(_) => 4,
    }
}

/// The state of its columns.
pub(crate) fn to_run_state(
    state: i64,
    result: Option<i64>,
    attempt: Option<u32>,
    node: Option<i64>,
    life: Option<i64>,
) -> Result<RunState, StoreError> {
    if let Some(number) = result {
        return Ok(RunState::Finished(to_outcome(number)?));
    }
    if state == 0 {
        return Ok(RunState::Queued);
    }
    let (Some(attempt), Some(node), Some(life)) = (attempt, node, life) else {
        return Err(StoreError::damaged("a run's attempt"));
    };
    let (attempt, node, epoch) = (AttemptNumber(attempt), to_node_id(node), to_epoch(life));
    match state {
        1 => Ok(RunState::Assigned {
            attempt,
            node,
            epoch,
        }),
        2 => Ok(RunState::Running {
            attempt,
            node,
            epoch,
        }),
        3 => Ok(RunState::Unreachable {
            attempt,
            node,
            epoch,
        }),
        _ => Err(StoreError::damaged("a run's state")),
    }
}

/// The number of a cause, with the person.
pub(crate) fn cause(cause: &Cause) -> (i64, Option<&str>) {
    match cause {
        Cause::Schedule => (0, None),
        Cause::Manual { by } => (1, Some(by)),
    }
}

pub(crate) fn to_cause(number: i64, by: Option<String>) -> Result<Cause, StoreError> {
    match (number, by) {
        (0, None) => Ok(Cause::Schedule),
        (1, Some(by)) => Ok(Cause::Manual { by }),
        _ => Err(StoreError::damaged("a run's cause")),
    }
}

pub(crate) fn cancel_when(when: CancelWhen) -> i64 {
    match when {
        CancelWhen::BeforeStart => 0,
        CancelWhen::AnyTime => 1,
    }
}

pub(crate) fn to_cancel_when(number: i64) -> Result<CancelWhen, StoreError> {
    match number {
        0 => Ok(CancelWhen::BeforeStart),
        1 => Ok(CancelWhen::AnyTime),
        _ => Err(StoreError::damaged("a run's cancel request")),
    }
}

pub(crate) fn ledger_outcome(outcome: LedgerOutcome) -> i64 {
    match outcome {
        LedgerOutcome::Started => 0,
        LedgerOutcome::Skipped => 1,
        LedgerOutcome::Coalesced => 2,
        LedgerOutcome::Misfired => 3,
    }
}

pub(crate) fn to_ledger_outcome(number: i64) -> Result<LedgerOutcome, StoreError> {
    LedgerOutcome::ALL
        .into_iter()
        .find(|&candidate| ledger_outcome(candidate) == number)
        .ok_or_else(|| StoreError::damaged("a ledger row's outcome"))
}

/// The number of a reason, with the run that it names.
pub(crate) fn ledger_reason(reason: LedgerReason) -> (i64, Option<i64>) {
    match reason {
        LedgerReason::OnTime => (0, None),
        LedgerReason::CatchUp => (1, None),
        LedgerReason::StillActive { run } => (2, Some(run_id(run))),
        LedgerReason::CoalescedInto { run } => (3, run.map(run_id)),
        LedgerReason::MissedSkipped => (4, None),
        LedgerReason::BeyondLimit => (5, None),
    }
}

pub(crate) fn to_ledger_reason(number: i64, run: Option<i64>) -> Result<LedgerReason, StoreError> {
    match (number, run.map(to_run_id)) {
        (0, None) => Ok(LedgerReason::OnTime),
        (1, None) => Ok(LedgerReason::CatchUp),
        (2, Some(run)) => Ok(LedgerReason::StillActive { run }),
        (3, run) => Ok(LedgerReason::CoalescedInto { run }),
        (4, None) => Ok(LedgerReason::MissedSkipped),
        (5, None) => Ok(LedgerReason::BeyondLimit),
        _ => Err(StoreError::damaged("a ledger row's reason")),
    }
}

pub(crate) fn node_state(state: NodeState) -> i64 {
    match state {
        NodeState::Up => 0,
        NodeState::Down => 1,
    }
}

pub(crate) fn to_node_state(number: i64) -> Result<NodeState, StoreError> {
    match number {
        0 => Ok(NodeState::Up),
        1 => Ok(NodeState::Down),
        _ => Err(StoreError::damaged("a node's state")),
    }
}
