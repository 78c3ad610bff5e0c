//! One process of a run: how it ended and what is reported of it.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AttemptNumber, NodeId, RunId};
use crate::output::OutputSummary;
use crate::run::Outcome;
use crate::timeouts::TimeoutKind;
use crate::usage::Usage;

/// How an attempt ended, as the executor saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// The process called exit.
    Exited {
        /// Its exit status, 0 to 255.
        code: u8,
    },
    /// A signal that Odin did not send ended it.
    Signalled {
        /// The signal's number.
        signal: u8,
        /// Whether it left a core file.
        core: bool,
    },
    /// One of the job's timeouts passed, and it was ended.
    TimedOut {
        /// Which.
        timeout: TimeoutKind,
        /// How long that is.
        after: Duration,
        /// How the process ended after the kill, as `exit code N` or `signal N`; `None` when there was none.
        after_kill: Option<String>,
    },
    /// It was cancelled, before or after it started.
    Cancelled {
        /// Who or what cancelled it, in words.
        reason: String,
    },
    /// No process could be made: a missing interpreter, a file that is not executable, an unknown user.
    NotStartable {
        /// What was wrong, in words, with the next step.
        reason: String,
    },
    /// It may have run, and nobody can tell how it ended.
    Lost {
        /// Why, in words.
        reason: String,
    },
    /// It needed more memory than its limit, and the kernel killed a process of it.
    OutOfMemory {
        /// The limit, in bytes; `None` when it was the machine, or a group above the job, that had no more, as far as
        /// the kernel tells.
        limit_bytes: Option<u64>,
    },
}

impl Ending {
    /// The outcome that this ending means for the attempt.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Exited { code: 0 } => Outcome::Succeeded,
            Self::Exited { .. } => Outcome::Failed,
            Self::Signalled { .. } => Outcome::Signalled,
            Self::TimedOut { .. } => Outcome::TimedOut,
            Self::Cancelled { .. } => Outcome::Cancelled,
            Self::NotStartable { .. } => Outcome::NotStartable,
            Self::Lost { .. } => Outcome::Lost,
            Self::OutOfMemory { .. } => Outcome::OutOfMemory,
        }
    }

    /// Why, in words; nothing for exit status 0.
    #[must_use]
    pub fn reason(&self) -> Option<String> {
        match self {
            Self::Exited { code: 0 } => None,
            Self::Exited { code } => Some(format!("exit code {code}")),
            Self::Signalled {
                signal,
                core: false,
            } => Some(format!("signal {signal}")),
            Self::Signalled { signal, core: true } => Some(format!("signal {signal}, core dumped")),
            Self::TimedOut {
                timeout,
                after,
                after_kill,
            } => Some(timed_out(*timeout, *after, after_kill.as_deref())),
            Self::OutOfMemory {
                limit_bytes: Some(limit),
            } => Some(format!("used more memory than its limit of {limit} bytes")),
            Self::OutOfMemory { limit_bytes: None } => {
                Some(
                    "killed by the kernel for want of memory, as far as it tells: the machine, or a group above the job, \
                     had no more"
                        .to_owned(),
                )
            }
            Self::Cancelled { reason } | Self::NotStartable { reason } | Self::Lost { reason } => {
                Some(reason.clone())
            }
        }
    }

    /// The exit status, when the process called exit.
    #[must_use]
    pub fn exit_code(&self) -> Option<u8> {
        match self {
            Self::Exited { code } => Some(*code),
            _ => None,
        }
    }

    /// The signal, when one that Odin did not send ended the process.
    #[must_use]
    pub fn signal(&self) -> Option<u8> {
        match self {
            Self::Signalled { signal, .. } => Some(*signal),
            _ => None,
        }
    }
}

fn timed_out(timeout: TimeoutKind, after: Duration, after_kill: Option<&str>) -> String {
    let what = match timeout {
        TimeoutKind::Queue => "waited longer than",
        TimeoutKind::Start => "gave no sign of life within",
        TimeoutKind::Run => "ran longer than",
        TimeoutKind::Silence => "was silent for longer than",
    };
    let ended = after_kill.map_or(String::new(), |how| format!(", then ended by {how}"));
    format!("{what} {after:?} (timeout `{}`){ended}", timeout.word())
}

/// A finished attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptResult {
    /// How it ended.
    pub ending: Ending,
    /// When the process was made; `None` when there never was one.
    #[serde(with = "crate::instant::option")]
    pub started_at: Option<Timestamp>,
    /// When the first process ended, or the attempt was given up.
    #[serde(with = "crate::instant")]
    pub finished_at: Timestamp,
    /// What it used; zero when there never was a process.
    pub usage: Usage,
    /// What it printed.
    pub output: OutputSummary,
}

/// An attempt that is over, as it is kept when another followed it, or when more of it became known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastAttempt {
    /// Which process of its run.
    pub number: AttemptNumber,
    /// Who had it.
    pub node: NodeId,
    /// When its process was made: the node's wall clock. `None`: nobody knows of one.
    pub started_at: Option<Timestamp>,
    /// When it was over: the node's wall clock, or the leader's where it was given up.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit status, when the process called exit.
    pub exit_code: Option<u8>,
    /// The signal that ended the process, when Odin did not send it.
    pub signal: Option<u8>,
    /// Why it ended as it did, in words.
    pub reason: Option<String>,
    /// What it used.
    pub usage: Usage,
    /// What it printed.
    pub output: OutputSummary,
    /// What its node reported after it had been given up. It changed nothing.
    pub late: Option<AttemptResult>,
}

/// What an executor reports of one attempt. Idempotent by (run, attempt, kind).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEvent {
    /// The run.
    pub run: RunId,
    /// Which process of it.
    pub attempt: AttemptNumber,
    /// What happened.
    pub kind: AttemptEventKind,
}

/// What happened to an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptEventKind {
    /// The process exists.
    Started {
        /// When it was made.
        #[serde(with = "crate::instant")]
        at: Timestamp,
        /// Its process id on its node.
        pid: u32,
    },
    /// It is over.
    Finished(Box<AttemptResult>),
}
