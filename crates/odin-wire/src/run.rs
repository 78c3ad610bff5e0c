//! Runs.

use jiff::Timestamp;
use odin_model::output::OutputSummary;
use odin_model::run as model;
use odin_model::{JobId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::attempt::Attempt;
use crate::flag::Flag;
use crate::link::Successor;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// Its id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, example = "r0000000030000")]
    pub id: RunId,
    /// Its job's id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, example = "a37b187f5930")]
    pub job: JobId,
    /// Its job's name now.
    pub job_name: String,
    /// The job's version that it is pinned to.
    pub version: u32,
    /// Why it exists.
    pub cause: Cause,
    /// Who asked, for `manual` and `catch_up`.
    pub by: Option<String>,
    /// The run whose end started it, for `link`.
    #[serde(default, with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub cause_run: Option<RunId>,
    /// The run with which its chain began, for `link`.
    #[serde(default, with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub root_run: Option<RunId>,
    /// Why that run exists, for `link`.
    #[serde(default)]
    pub root_cause: Option<Cause>,
    /// The occurrence that it answers. `null` for runs without one.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due_at: Option<Timestamp>,
    /// Where it stands.
    pub state: RunState,
    /// How it ended. `null` until it has.
    pub outcome: Option<Outcome>,
    /// The exit status, when the process called exit.
    pub exit_code: Option<u8>,
    /// The signal that ended the process, when Odin did not send it.
    pub signal: Option<u8>,
    /// Why it ended as it did, in words. `null` while it goes on and when it succeeded.
    pub reason: Option<String>,
    /// Why it is being stopped, while it is not over yet.
    pub cancel_requested: Option<String>,
    /// The name of the node of its latest attempt. `null` until one was assigned.
    pub node: Option<String>,
    /// The number of its latest attempt, from 1. `null` until one was assigned.
    pub attempt: Option<u32>,
    /// When it was decided: the leader's wall clock; of a linked run, when the run before it ended.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub queued_at: Timestamp,
    /// When its first process was made: the node's wall clock.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// CPU time in user mode, in milliseconds.
    pub cpu_user_ms: u64,
    /// CPU time in the kernel, in milliseconds.
    pub cpu_system_ms: u64,
    /// The largest resident set of any one of its processes. `null` while it goes on, and when it is not known: what
    /// is less than the node's executor needs for itself, a few MiB, cannot be told from that.
    pub memory_max_bytes: Option<u64>,
    /// What it printed on stdout; 0 while it goes on.
    pub stdout_bytes: u64,
    /// What it printed on stderr; 0 while it goes on.
    pub stderr_bytes: u64,
    /// How much of that was not kept.
    pub dropped_bytes: u64,
    /// What its end did by links. Absent in lists, and where no link counted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<Successor>,
    /// When its next or latest attempt may start: its due time, or when it was asked for, or the instant of its retry. One
    /// that is `assigned` for much longer waits for a slot of its node.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub ready_at: Timestamp,
    /// Whether it makes up for the past: it then goes after live work.
    pub catch_up: bool,
    /// When its next attempt may start, while it is `retrying`.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retry_at: Option<Timestamp>,
    /// What it waits for while it is `queued`: `turn` (an earlier run of its job) or `node` (none is up).
    pub waits_for: Option<WaitsFor>,
    /// Its attempts, oldest first, the latest included. Absent in lists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// What is unusual about it beside its job's earlier runs. Absent where nothing is, and until it is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<Flag>,
}

impl Run {
    /// A run of the replicated state with the names that go with its ids.
    #[must_use]
    pub fn new(run: &model::Run, job_name: &str, node_name: Option<&str>) -> Self {
        let milliseconds =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let OutputSummary {
            stdout_bytes,
            stderr_bytes,
            dropped_bytes,
            kept: _,
        } = run.output;
        Self {
            id: run.id,
            job: run.job,
            job_name: job_name.to_owned(),
            version: run.version.0,
            cause: Cause::from(&run.cause),
            by: match &run.cause {
                model::Cause::Schedule | model::Cause::Link { .. } => None,
                model::Cause::Manual { by } | model::Cause::CatchUp { by } => Some(by.clone()),
            },
            cause_run: match run.cause {
                model::Cause::Link { run, .. } => Some(run),
                _ => None,
            },
            root_run: match run.cause {
                model::Cause::Link { root, .. } => Some(root),
                _ => None,
            },
            root_cause: run.root_cause.as_ref().map(Cause::from),
            due_at: run.due_at,
            state: run.state.into(),
            outcome: match run.state {
                model::RunState::Finished(outcome) => Some(outcome.into()),
                model::RunState::Queued
                | model::RunState::Assigned { .. }
                | model::RunState::Running { .. }
                | model::RunState::Unreachable { .. }
                | model::RunState::Waiting
                | model::RunState::Retrying { .. } => None,
            },
            exit_code: run.exit_code,
            signal: run.signal,
            reason: run.reason.clone(),
            cancel_requested: run.cancel_requested.clone(),
            node: node_name.map(str::to_owned),
            attempt: run.attempt.map(|attempt| attempt.0),
            queued_at: run.queued_at,
            started_at: run.started_at,
            finished_at: run.finished_at,
            cpu_user_ms: milliseconds(run.usage.cpu_user),
            cpu_system_ms: milliseconds(run.usage.cpu_system),
            memory_max_bytes: run.usage.known_memory_max_bytes(),
            stdout_bytes,
            stderr_bytes,
            dropped_bytes,
            successors: run.successors.iter().map(Successor::from).collect(),
            ready_at: run.ready_at,
            catch_up: run.lane == odin_model::Lane::CatchUp,
            retry_at: match run.state {
                model::RunState::Retrying { at, .. } => Some(at),
                _ => None,
            },
            waits_for: match run.state {
                model::RunState::Waiting => Some(WaitsFor::Turn),
                model::RunState::Queued => Some(WaitsFor::Node),
                _ => None,
            },
            attempts: Vec::new(),
            flags: Vec::new(),
        }
    }
}

/// What a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WaitsFor {
    /// An earlier run of its job: its `concurrency` lets no more be active.
    Turn,
    /// A node: none is up.
    Node,
}

impl WaitsFor {
    /// In words, to follow "waits for".
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Turn => "its turn: an earlier run of the job is active",
            Self::Node => "a node: none is up",
        }
    }
}

/// Why a run exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its job's schedule came due.
    Schedule,
    /// A person asked.
    Manual,
    /// The end of another job's run started it.
    Link,
    /// A person asked for a due time that had no run.
    CatchUp,
}

impl Cause {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::Link => "link",
            Self::CatchUp => "catch_up",
        }
    }
}

impl From<&model::Cause> for Cause {
    fn from(cause: &model::Cause) -> Self {
        match cause {
            model::Cause::Schedule => Self::Schedule,
            model::Cause::Manual { .. } => Self::Manual,
            model::Cause::Link { .. } => Self::Link,
            model::Cause::CatchUp { .. } => Self::CatchUp,
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Decided, and no node has it yet: none is up, or it waits for its turn.
    Queued,
    /// A node has it and will start it at its due instant.
    Assigned,
    /// A process exists.
    Running,
    /// Its node is silent and may have started it.
    Unreachable,
    /// An attempt went wrong, and another follows.
    Retrying,
    /// Over.
    Finished,
}

impl RunState {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Unreachable => "unreachable",
            Self::Retrying => "retrying",
            Self::Finished => "finished",
        }
    }
}

impl From<model::RunState> for RunState {
    fn from(state: model::RunState) -> Self {
        match state {
            model::RunState::Queued | model::RunState::Waiting => Self::Queued,
            model::RunState::Assigned { .. } => Self::Assigned,
            model::RunState::Running { .. } => Self::Running,
            model::RunState::Unreachable { .. } => Self::Unreachable,
            model::RunState::Retrying { .. } => Self::Retrying,
            model::RunState::Finished(_) => Self::Finished,
        }
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Exit status 0.
    Succeeded,
    /// Exit status 0 and a result that is a warning.
    Warning,
    /// Another exit status, or a result that says so.
    Failed,
    /// A signal that Odin did not send.
    Signalled,
    /// Longer than its timeout.
    TimedOut,
    /// Stopped.
    Cancelled,
    /// Ended by the kernel or its limit for memory.
    OutOfMemory,
    /// No process could be made.
    NotStartable,
    /// It may have run, and nobody can tell how it ended.
    Lost,
}

impl Outcome {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        model::Outcome::from(self).word()
    }

    /// Whether `--wait` ends with exit code 0.
    #[must_use]
    pub fn is_good(self) -> bool {
        model::Outcome::from(self).is_good()
    }
}

impl From<model::Outcome> for Outcome {
    fn from(outcome: model::Outcome) -> Self {
        match outcome {
            model::Outcome::Succeeded => Self::Succeeded,
            model::Outcome::Warning => Self::Warning,
            model::Outcome::Failed => Self::Failed,
            model::Outcome::Signalled => Self::Signalled,
            model::Outcome::TimedOut => Self::TimedOut,
            model::Outcome::Cancelled => Self::Cancelled,
            model::Outcome::OutOfMemory => Self::OutOfMemory,
            model::Outcome::NotStartable => Self::NotStartable,
            model::Outcome::Lost => Self::Lost,
        }
    }
}

impl From<Outcome> for model::Outcome {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::Warning => Self::Warning,
            Outcome::Failed => Self::Failed,
            Outcome::Signalled => Self::Signalled,
            Outcome::TimedOut => Self::TimedOut,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::OutOfMemory => Self::OutOfMemory,
            Outcome::NotStartable => Self::NotStartable,
            Outcome::Lost => Self::Lost,
        }
    }
}

/// The runs that began with one and were started by the end of another, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Chain {
    /// The runs, with what the end of each did.
    pub runs: Vec<Run>,
    /// Whether there are more than one answer holds.
    pub more: bool,
}

/// What `/runs/{id}` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Answer when the run is over, or after this many seconds, whichever is first; at most 60.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_in_json_are_the_models() {
        for outcome in model::Outcome::ALL {
            let word = serde_json::to_value(Outcome::from(outcome)).unwrap();
            assert_eq!(word, outcome.word());
        }
        for state in [
            RunState::Queued,
            RunState::Assigned,
            RunState::Running,
            RunState::Unreachable,
            RunState::Retrying,
            RunState::Finished,
        ] {
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
    }

    #[test]
    fn memory_that_is_not_known_is_null() {
        for (bytes, expected) in [(0, None), (9 << 20, Some(9 << 20))] {
            let run = model::Run {
                id: RunId::from_bits(1),
                job: JobId::from_bits(1),
                version: odin_model::VersionNumber::FIRST,
                cause: model::Cause::Schedule,
                root_cause: None,
                successors: Vec::new(),
                due_at: None,
                state: model::RunState::Finished(model::Outcome::Succeeded),
                attempt: None,
                node: None,
                queued_at: Timestamp::UNIX_EPOCH,
                started_at: None,
                finished_at: None,
                exit_code: None,
                signal: None,
                reason: None,
                cancel_requested: None,
                ready_at: Timestamp::UNIX_EPOCH,
                priority: odin_model::Priority::default(),
                lane: odin_model::Lane::Live,
                attempt_started_at: None,
                usage: odin_model::Usage {
                    memory_max_bytes: bytes,
                    ..odin_model::Usage::default()
                },
                output: OutputSummary::default(),
            };
            let run = Run::new(&run, "a job", None);
            assert_eq!(run.memory_max_bytes, expected);
            let json = serde_json::to_value(run).unwrap();
            assert_eq!(json["memory_max_bytes"], serde_json::json!(expected));
        }
    }
}
