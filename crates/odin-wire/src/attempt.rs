//! The attempts of a run.

use jiff::Timestamp;
use odin_model::attempt::{AttemptResult, PastAttempt};
use odin_model::run as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::run::Outcome;

/// One process of a run, or one that could not be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// The name of the node that had it.
    pub node: Option<String>,
    /// When its process was made: the node's wall clock. `null`: nobody knows of one.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub started_at: Option<Timestamp>,
    /// When it was over. `null` while it goes on.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub finished_at: Option<Timestamp>,
    /// How it ended. `null` while it goes on.
    pub outcome: Option<Outcome>,
    /// The exit status, when the process called exit.
    pub exit_code: Option<u8>,
    /// The signal that ended the process, when Odin did not send it.
    pub signal: Option<u8>,
    /// Why it ended as it did, in words.
    pub reason: Option<String>,
    /// CPU time in user mode, in milliseconds.
    pub cpu_user_ms: u64,
    /// CPU time in the kernel, in milliseconds.
    pub cpu_system_ms: u64,
    /// The largest resident set of any one of its processes. `null`: not known.
    pub memory_max_bytes: Option<u64>,
    /// What it printed on stdout; 0 while it goes on.
    pub stdout_bytes: u64,
    /// What it printed on stderr; 0 while it goes on.
    pub stderr_bytes: u64,
    /// What its node reported after it had been given up as lost. It changed nothing. `null`: nothing.
    pub late_report: Option<LateReport>,
}

/// What a node reported of an attempt that had been given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LateReport {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// The exit status, when the process called exit.
    pub exit_code: Option<u8>,
    /// Why it ended as it did, in words.
    pub reason: Option<String>,
    /// When it was over.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub finished_at: Timestamp,
}

impl Attempt {
    /// An attempt that another followed.
    #[must_use]
    pub fn past(past: &PastAttempt, node: Option<&str>) -> Self {
        Self {
            attempt: past.number.0,
            node: node.map(str::to_owned),
            started_at: past.started_at,
            finished_at: Some(past.finished_at),
            outcome: Some(past.outcome.into()),
            exit_code: past.exit_code,
            signal: past.signal,
            reason: past.reason.clone(),
            cpu_user_ms: milliseconds(past.usage.cpu_user),
            cpu_system_ms: milliseconds(past.usage.cpu_system),
            memory_max_bytes: past.usage.known_memory_max_bytes(),
            stdout_bytes: past.output.stdout_bytes,
            stderr_bytes: past.output.stderr_bytes,
            late_report: past.late.as_ref().map(LateReport::new),
        }
    }

    /// The latest attempt of a run. `None`: no node has or had one that is not among the past ones.
    #[must_use]
    pub fn latest(run: &model::Run, node: Option<&str>) -> Option<Self> {
        let number = run.attempt?;
        let outcome = match run.state {
            model::RunState::Finished(outcome) => Some(outcome.into()),
            model::RunState::Assigned { .. }
            | model::RunState::Running { .. }
            | model::RunState::Unreachable { .. } => None,
            model::RunState::Queued
            | model::RunState::Waiting
            | model::RunState::Retrying { .. } => return None,
        };
        Some(Self {
            attempt: number.0,
            node: node.map(str::to_owned),
            started_at: run.attempt_started_at,
            finished_at: run.finished_at,
            outcome,
            exit_code: run.exit_code,
            signal: run.signal,
            reason: run.reason.clone(),
            cpu_user_ms: milliseconds(run.usage.cpu_user),
            cpu_system_ms: milliseconds(run.usage.cpu_system),
            memory_max_bytes: run.usage.known_memory_max_bytes(),
            stdout_bytes: run.output.stdout_bytes,
            stderr_bytes: run.output.stderr_bytes,
            late_report: None,
        })
    }
}

impl LateReport {
    fn new(result: &AttemptResult) -> Self {
        Self {
            outcome: result.ending.outcome().into(),
            exit_code: result.ending.exit_code(),
            reason: result.ending.reason(),
            finished_at: result.finished_at,
        }
    }
}

fn milliseconds(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
