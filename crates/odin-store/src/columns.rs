//! How the words of the model are written in columns. The numbers are a format and never change.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::alert::{AlertKey, AlertKind, AlertState, Subject, Watch};
use odin_model::concurrency::Bounds;
use odin_model::delivery::DeliveryState;
use odin_model::instant::{from_micros, to_micros};
use odin_model::job::Visibility;
use odin_model::job_change::JobChangeKind;
use odin_model::ledger::LedgerReason;
use odin_model::link::SuccessorFate;
use odin_model::node::NodeState;
use odin_model::run::{Cause, Outcome, RunState};
use odin_model::{
    AttemptNumber, Concurrency, Epoch, JobId, JobState, Lane, LedgerOutcome, Link, LinkOn, Missed,
    NodeId, Overlap, Priority, Revision, RunId, ValueKind, VersionNumber,
};
use rusqlite::Row;

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

pub(crate) fn job_change_kind(kind: JobChangeKind) -> i64 {
    place(&JobChangeKind::ALL, &kind)
}

pub(crate) fn to_job_change_kind(number: i64) -> Result<JobChangeKind, StoreError> {
    at_place(&JobChangeKind::ALL, number, "the kind of a job's change")
}

/// Its place in the model, which never changes.
pub(crate) fn value_kind(kind: ValueKind) -> i64 {
    match kind {
        ValueKind::Watch => 0,
        ValueKind::Condition => 1,
        ValueKind::Result => 2,
        ValueKind::Progress => 3,
        ValueKind::Metric => 4,
        ValueKind::Artifact => 5,
        ValueKind::Span => 6,
        ValueKind::Unreadable => 7,
        ValueKind::Dropped => 8,
    }
}

pub(crate) fn to_value_kind(number: i64) -> Result<ValueKind, StoreError> {
    let mut kinds = ValueKind::ALL.into_iter();
    kinds
        .find(|kind| value_kind(*kind) == number)
        .ok_or_else(|| StoreError::damaged("a value's kind"))
}

/// The place of a word in the list of all: the lists are only added to.
fn place<T: PartialEq>(all: &[T], word: &T) -> i64 {
    let place = all.iter().position(|it| it == word);
    let place = place.expect("the list has every word");
    i64::try_from(place).expect("lists of words are short")
}

/// The word of a place.
fn at_place<T: Copy>(all: &[T], place: i64, what: &str) -> Result<T, StoreError> {
    let place = usize::try_from(place).ok();
    place
        .and_then(|place| all.get(place).copied())
        .ok_or_else(|| StoreError::damaged(what))
}

pub(crate) fn alert_kind(kind: AlertKind) -> i64 {
    place(&AlertKind::ALL, &kind)
}

pub(crate) fn to_alert_kind(number: i64) -> Result<AlertKind, StoreError> {
    at_place(&AlertKind::ALL, number, "an alert's kind")
}

pub(crate) fn alert_state(state: AlertState) -> i64 {
    place(&AlertState::ALL, &state)
}

pub(crate) fn to_alert_state(number: i64) -> Result<AlertState, StoreError> {
    at_place(&AlertState::ALL, number, "an alert's state")
}

pub(crate) fn delivery_state(state: DeliveryState) -> i64 {
    place(&DeliveryState::ALL, &state)
}

pub(crate) fn to_delivery_state(number: i64) -> Result<DeliveryState, StoreError> {
    at_place(&DeliveryState::ALL, number, "a message's state")
}

const WATCHES: [Watch; 3] = [Watch::Late, Watch::TooSlow, Watch::NeverFinished];

pub(crate) fn watch(watch: Watch) -> i64 {
    place(&WATCHES, &watch)
}

pub(crate) fn to_watch(number: i64) -> Result<Watch, StoreError> {
    at_place(&WATCHES, number, "what a run is watched for")
}

/// Two columns: which sort of subject, and which one of it.
pub(crate) fn subject(subject: &Subject) -> (i64, i64) {
    match subject {
        Subject::Job(job) => (0, job_id(*job)),
        Subject::Node(node) => (1, node_id(*node)),
        Subject::Cluster => (2, 0),
    }
}

pub(crate) fn to_alert_key(
    kind: i64,
    (sort, id): (i64, i64),
    detail: String,
) -> Result<AlertKey, StoreError> {
    let subject = match sort {
        0 => Subject::Job(to_job_id(id)),
        1 => Subject::Node(to_node_id(id)),
        2 => Subject::Cluster,
        _ => return Err(StoreError::damaged("whom an alert is about")),
    };
    Ok(AlertKey {
        kind: to_alert_kind(kind)?,
        subject,
        detail,
    })
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

pub(crate) fn overlap(overlap: Overlap) -> i64 {
    match overlap {
        Overlap::Allow => 0,
        Overlap::Forbid => 1,
        Overlap::Queue => 2,
        Overlap::Replace => 3,
    }
}

pub(crate) fn to_concurrency(
    number: i64,
    max: Option<u32>,
    waiting: Option<u32>,
) -> Result<Concurrency, StoreError> {
    let overlap = Overlap::ALL
        .into_iter()
        .find(|&candidate| overlap(candidate) == number)
        .ok_or_else(|| StoreError::damaged("a job's concurrency policy"))?;
    Ok(Concurrency {
        overlap,
        bounds: Bounds { max, waiting },
    })
}

pub(crate) fn to_priority(number: i64) -> Result<Priority, StoreError> {
    Priority::new(number).ok_or_else(|| StoreError::damaged("a priority"))
}

pub(crate) fn lane(lane: Lane) -> i64 {
    match lane {
        Lane::Live => 0,
        Lane::CatchUp => 1,
    }
}

pub(crate) fn to_lane(number: i64) -> Result<Lane, StoreError> {
    match number {
        0 => Ok(Lane::Live),
        1 => Ok(Lane::CatchUp),
        _ => Err(StoreError::damaged("a run's lane")),
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
        RunState::Waiting => 5,
        RunState::Retrying { .. } => 6,
    }
}

/// The word of a state's number.
pub(crate) fn run_state_word(state: i64) -> Result<&'static str, StoreError> {
    let words = [
        "queued",
        "assigned",
        "running",
        "unreachable",
        "finished",
        "waiting",
        "retrying",
    ];
    let word = usize::try_from(state)
        .ok()
        .and_then(|state| words.get(state));
    word.copied()
        .ok_or_else(|| StoreError::damaged("a run's state"))
}

/// The state of its columns.
pub(crate) fn to_run_state(
    state: i64,
    result: Option<i64>,
    attempt: Option<u32>,
    node: Option<i64>,
    life: Option<i64>,
    ready_at: i64,
) -> Result<RunState, StoreError> {
    if let Some(number) = result {
        return Ok(RunState::Finished(to_outcome(number)?));
    }
    match (state, attempt) {
        (0, _) => return Ok(RunState::Queued),
        (5, _) => return Ok(RunState::Waiting),
        (6, Some(attempt)) => {
            return Ok(RunState::Retrying {
                attempt: AttemptNumber(attempt),
                at: to_at(ready_at),
            });
        }
        _ => {}
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

/// A cause in its columns.
pub(crate) struct CauseColumns<'c> {
    pub(crate) number: i64,
    /// The person.
    pub(crate) by: Option<&'c str>,
    /// The run before it.
    pub(crate) run: Option<i64>,
    /// The run with which its chain began.
    pub(crate) root: Option<i64>,
}

pub(crate) fn cause(cause: &Cause) -> CauseColumns<'_> {
    let (number, by, run, root) = match cause {
        Cause::Schedule => (0, None, None, None),
        Cause::Manual { by } => (1, Some(by.as_str()), None, None),
        Cause::Link { run, root } => (2, None, Some(run_id(*run)), Some(run_id(*root))),
        Cause::CatchUp { by } => (3, Some(by.as_str()), None, None),
    };
    CauseColumns {
        number,
        by,
        run,
        root,
    }
}

pub(crate) fn to_cause(
    number: i64,
    by: Option<String>,
    run: Option<i64>,
    root: Option<i64>,
) -> Result<Cause, StoreError> {
    match (number, by, run, root) {
        (0, None, None, None) => Ok(Cause::Schedule),
        (1, Some(by), None, None) => Ok(Cause::Manual { by }),
        (2, None, Some(run), Some(root)) => Ok(Cause::Link {
            run: to_run_id(run),
            root: to_run_id(root),
        }),
        (3, Some(by), None, None) => Ok(Cause::CatchUp { by }),
        _ => Err(StoreError::damaged("a run's cause")),
    }
}

pub(crate) fn link_on(on: LinkOn) -> i64 {
    match on {
        LinkOn::Success => 0,
        LinkOn::Failure => 1,
        LinkOn::Always => 2,
    }
}

pub(crate) fn to_link_on(number: i64) -> Result<LinkOn, StoreError> {
    LinkOn::ALL
        .into_iter()
        .find(|&on| link_on(on) == number)
        .ok_or_else(|| StoreError::damaged("the end at which a link counts"))
}

/// A link of its columns: from, to, end, instant, user.
pub(crate) fn to_link(row: &Row<'_>) -> Result<Link, StoreError> {
    Ok(Link {
        from: to_job_id(row.get(0)?),
        to: to_job_id(row.get(1)?),
        on: to_link_on(row.get(2)?)?,
        at: to_at(row.get(3)?),
        by: row.get(4)?,
    })
}

/// The number of a successor's fate, with the run that it names.
pub(crate) fn fate(fate: SuccessorFate) -> (i64, Option<i64>) {
    match fate {
        SuccessorFate::Started { run } => (0, Some(run_id(run))),
        SuccessorFate::StillActive { run } => (1, Some(run_id(run))),
        SuccessorFate::Paused => (2, None),
        SuccessorFate::QueueFull => (3, None),
    }
}

pub(crate) fn to_fate(number: i64, run: Option<i64>) -> Result<SuccessorFate, StoreError> {
    match (number, run.map(to_run_id)) {
        (0, Some(run)) => Ok(SuccessorFate::Started { run }),
        (1, Some(run)) => Ok(SuccessorFate::StillActive { run }),
        (2, None) => Ok(SuccessorFate::Paused),
        (3, None) => Ok(SuccessorFate::QueueFull),
        _ => Err(StoreError::damaged("what became of a successor")),
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
        LedgerReason::QueueFull => (6, None),
        LedgerReason::Quarantined => (7, None),
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
        (6, None) => Ok(LedgerReason::QueueFull),
        (7, None) => Ok(LedgerReason::Quarantined),
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

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// The numbers are stored: a change here is a change of the format.
    #[test]
    fn the_numbers_of_words_stay() {
        let mut table = String::new();
        for word in Outcome::ALL {
            assert_eq!(to_outcome(outcome(word)).unwrap(), word);
            table += &format!("{} {}, ", outcome(word), word.word());
        }
        table += "\n";
        for word in LedgerOutcome::ALL {
            assert_eq!(to_ledger_outcome(ledger_outcome(word)).unwrap(), word);
            table += &format!("{} {}, ", ledger_outcome(word), word.word());
        }
        table += "\n";
        for word in [JobState::Enabled, JobState::Paused, JobState::Removed] {
            assert_eq!(to_job_state(job_state(word)).unwrap(), word);
            table += &format!("{} {}, ", job_state(word), word.word());
        }
        table += "\n";
        expect![[r#"
            0 succeeded, 1 warning, 2 failed, 3 signalled, 4 timed_out, 5 cancelled, 6 out_of_memory, 7 not_startable, 8 lost, 
            0 started, 1 skipped, 2 coalesced, 3 misfired, 
            0 enabled, 1 paused, 2 removed, 
        "#]]
        .assert_eq(&table);
    }

    #[test]
    fn what_is_written_reads_back() {
        let run = RunId::new(127, 9, 3);
        for reason in [
            LedgerReason::OnTime,
            LedgerReason::CatchUp,
            LedgerReason::StillActive { run },
            LedgerReason::CoalescedInto { run: Some(run) },
            LedgerReason::CoalescedInto { run: None },
            LedgerReason::MissedSkipped,
            LedgerReason::BeyondLimit,
            LedgerReason::QueueFull,
            LedgerReason::Quarantined,
        ] {
            let (number, run) = ledger_reason(reason);
            assert_eq!(to_ledger_reason(number, run).unwrap(), reason);
        }
        for policy in [Missed::Skip, Missed::Once, Missed::All { limit: 1000 }] {
            assert_eq!(to_missed(missed(policy)).unwrap(), policy);
        }
        for word in Overlap::ALL {
            let bounds = Bounds {
                max: Some(3),
                waiting: None,
            };
            let read = to_concurrency(overlap(word), Some(3), None).unwrap();
            assert_eq!((read.overlap, read.bounds), (word, bounds));
        }
        for word in [Lane::Live, Lane::CatchUp] {
            assert_eq!(to_lane(lane(word)).unwrap(), word);
        }
        for when in [CancelWhen::BeforeStart, CancelWhen::AnyTime] {
            assert_eq!(to_cancel_when(cancel_when(when)).unwrap(), when);
        }
        for word in [NodeState::Up, NodeState::Down] {
            assert_eq!(to_node_state(node_state(word)).unwrap(), word);
        }
        for word in [Visibility::Listed, Visibility::Hidden] {
            assert_eq!(to_visibility(visibility(word)).unwrap(), word);
        }
        let (run, root, by) = (RunId::new(0, 2, 0), RunId::new(0, 1, 0), "ann".to_owned());
        for word in [
            Cause::Schedule,
            Cause::Manual { by: by.clone() },
            Cause::Link { run, root },
            Cause::CatchUp { by },
        ] {
            let columns = cause(&word);
            let by = columns.by.map(str::to_owned);
            let read = to_cause(columns.number, by, columns.run, columns.root);
            assert_eq!(read.unwrap(), word);
        }
        for word in LinkOn::ALL {
            assert_eq!(to_link_on(link_on(word)).unwrap(), word);
        }
        for word in [
            SuccessorFate::Started { run },
            SuccessorFate::StillActive { run },
            SuccessorFate::Paused,
            SuccessorFate::QueueFull,
        ] {
            let (number, run) = fate(word);
            assert_eq!(to_fate(number, run).unwrap(), word);
        }
        let (attempt, node, life) = (AttemptNumber(2), NodeId(u64::MAX), Epoch(7));
        for state in [
            RunState::Queued,
            RunState::Assigned {
                attempt,
                node,
                epoch: life,
            },
            RunState::Running {
                attempt,
                node,
                epoch: life,
            },
            RunState::Unreachable {
                attempt,
                node,
                epoch: life,
            },
            RunState::Finished(Outcome::Lost),
            RunState::Waiting,
            RunState::Retrying {
                attempt,
                at: to_at(9),
            },
        ] {
            let number = run_state(state);
            let result = match state {
                RunState::Finished(word) => Some(outcome(word)),
                _ => None,
            };
            let read = to_run_state(number, result, Some(2), Some(node_id(node)), Some(7), 9);
            assert_eq!(read.unwrap(), state);
        }
    }

    #[test]
    fn a_number_that_no_version_writes_is_damage() {
        for code in [
            to_outcome(9).map(drop),
            to_ledger_outcome(4).map(drop),
            to_job_state(3).map(drop),
            to_missed(-2).map(drop),
            to_missed(70_000).map(drop),
            to_concurrency(4, None, None).map(drop),
            to_priority(101).map(drop),
            to_lane(2).map(drop),
            to_visibility(2).map(drop),
            to_node_state(2).map(drop),
            to_cancel_when(2).map(drop),
            to_job_change_kind(10).map(drop),
            to_cause(1, None, None, None).map(drop),
            to_ledger_reason(2, None).map(drop),
            to_run_state(1, None, None, None, None, 0).map(drop),
            to_run_state(7, None, Some(1), Some(1), Some(1), 0).map(drop),
        ] {
            assert_eq!(code.unwrap_err().code(), "store/corrupt");
        }
    }
}
