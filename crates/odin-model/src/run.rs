//! The life of one run. Storage, API and CLI print these names, and no other code changes a run's state.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AttemptNumber, Epoch, JobId, NodeId, RunId, VersionNumber};
use crate::link::Successor;
use crate::output::OutputSummary;
use crate::priority::{Lane, Priority};
use crate::usage::Usage;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Outcome {
    /// Exit status 0.
    Succeeded,
    /// Exit status 0 and a result that is a warning (the SDK's 4xx).
    Warning,
    /// Another exit status, or a result that says so.
    Failed,
    /// A signal that Odin did not send.
    Signalled,
    /// Longer than its timeout.
    TimedOut,
    /// Somebody, or a pause or removal of the job, stopped it.
    Cancelled,
    /// Ended by the kernel or its limit for memory.
    OutOfMemory,
    /// No process could be made.
    NotStartable,
    /// It may have run, and nobody can tell how it ended.
    Lost,
}

impl Outcome {
    /// All outcomes, in the order of the documentation.
    pub const ALL: [Self; 9] = [
        Self::Succeeded,
        Self::Warning,
        Self::Failed,
        Self::Signalled,
        Self::TimedOut,
        Self::Cancelled,
        Self::OutOfMemory,
        Self::NotStartable,
        Self::Lost,
    ];

    /// The word in the API, the CLI and the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::Signalled => "signalled",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::OutOfMemory => "out_of_memory",
            Self::NotStartable => "not_startable",
            Self::Lost => "lost",
        }
    }

    /// The outcome of a [`word`](Self::word).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }

    /// Whether who waits for the run is told that it went well: succeeded or warning.
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Succeeded | Self::Warning)
    }
}

/// Why a run exists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// Its job's schedule came due.
    Schedule,
    /// A person asked.
    Manual {
        /// The person's user name.
        by: String,
    },
    /// The end of another job's run started it.
    Link {
        /// That run.
        run: RunId,
        /// The run with which its chain began.
        root: RunId,
    },
    /// A person asked for a due time that had no run.
    CatchUp {
        /// The person's user name.
        by: String,
    },
}

impl Cause {
    /// The word in the API and the CLI.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual { .. } => "manual",
            Self::Link { .. } => "link",
            Self::CatchUp { .. } => "catch_up",
        }
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunState {
    /// Decided, and no node has it yet.
    Queued,
    /// A node has it and will start it at its due instant.
    Assigned {
        /// Which process of the run it will be.
        attempt: AttemptNumber,
        /// Who has it.
        node: NodeId,
        /// In which life of that node it was assigned.
        epoch: Epoch,
    },
    /// A process exists.
    Running {
        /// Which process of the run it is.
        attempt: AttemptNumber,
        /// Where.
        node: NodeId,
        /// In which life of that node it was assigned.
        epoch: Epoch,
    },
    /// Its node is silent and may have started it.
    Unreachable {
        /// Which process of the run it was or would have been.
        attempt: AttemptNumber,
        /// Who has it.
        node: NodeId,
        /// In which life of that node it was assigned.
        epoch: Epoch,
    },
    /// Over.
    Finished(Outcome),
    /// Decided, and its job's concurrency lets it begin when an earlier run is over.
    Waiting,
    /// An attempt went wrong, and another follows.
    Retrying {
        /// The attempt that went wrong.
        attempt: AttemptNumber,
        /// When the next one may start.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
}

/// What can happen to a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEvent {
    /// The leader gave it to a node.
    Assigned {
        /// Which process of the run it will be.
        attempt: AttemptNumber,
        /// Who gets it.
        node: NodeId,
        /// In which life of that node.
        epoch: Epoch,
    },
    /// The executor of the node made the process.
    Started {
        /// Which process of the run.
        attempt: AttemptNumber,
    },
    /// The executor, or the leader for a node that is gone, says that the attempt is over.
    Finished {
        /// Which process of the run.
        attempt: AttemptNumber,
        /// What it ended with.
        outcome: Outcome,
    },
    /// The attempt is over as [`Finished`](Self::Finished) says, and the job's policies want another.
    WillRetry {
        /// Which process of the run.
        attempt: AttemptNumber,
        /// When the next one may start.
        at: Timestamp,
    },
    /// Its job's concurrency lets it begin.
    Released,
    /// The node that has it fell silent before it could have started it.
    Withdrawn,
    /// Somebody stopped it while no node had it.
    CancelledBeforeAssignment,
    /// The node that has it fell silent.
    NodeSilent,
    /// The node that has it came back with it.
    NodeReturned {
        /// Whether a process of it was reported before the node fell silent.
        started: bool,
    },
}

/// A pair of state and event that does not change the run: a late report, a repeated one, or one of a superseded
/// attempt. It is kept and changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {from:?} cannot take {event:?}")]
pub struct IllegalTransition {
    /// The state the run stays in.
    pub from: RunState,
    /// What was refused.
    pub event: RunEvent,
}

impl RunState {
    /// The word in the API and the CLI. What waits for its turn is queued too; [`Run`] tells which.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued | Self::Waiting => "queued",
            Self::Retrying { .. } => "retrying",
            Self::Assigned { .. } => "assigned",
            Self::Running { .. } => "running",
            Self::Unreachable { .. } => "unreachable",
            Self::Finished(_) => "finished",
        }
    }

    /// Whether it counts against the job's concurrency: everything that is not over.
    #[must_use]
    pub fn is_active(self) -> bool {
        !matches!(self, Self::Finished(_))
    }

    /// The attempt that a node has, if one has it.
    #[must_use]
    pub fn attempt(self) -> Option<(AttemptNumber, NodeId, Epoch)> {
        match self {
            Self::Assigned {
                attempt,
                node,
                epoch,
            }
            | Self::Running {
                attempt,
                node,
                epoch,
            }
            | Self::Unreachable {
                attempt,
                node,
                epoch,
            } => Some((attempt, node, epoch)),
            Self::Queued | Self::Waiting | Self::Retrying { .. } | Self::Finished(_) => None,
        }
    }

    /// The state after `event`.
    ///
    /// # Errors
    /// When the event does not apply to this state; the run stays as it is.
    pub fn on(self, event: RunEvent) -> Result<Self, IllegalTransition> {
        use {RunEvent as E, RunState as S};
        match (self, event) {
            (
                S::Queued | S::Retrying { .. },
                E::Assigned {
                    attempt,
                    node,
                    epoch,
                },
            ) => Ok(S::Assigned {
                attempt,
                node,
                epoch,
            }),
            (S::Queued | S::Waiting | S::Retrying { .. }, E::CancelledBeforeAssignment) => {
                Ok(S::Finished(Outcome::Cancelled))
            }
            (S::Waiting, E::Released) => Ok(S::Queued),
            (S::Assigned { .. }, E::Withdrawn) => Ok(S::Queued),
            (
                S::Assigned { attempt, .. }
                | S::Running { attempt, .. }
                | S::Unreachable { attempt, .. },
                E::WillRetry {
                    attempt: reported,
                    at,
                },
            ) if attempt == reported => Ok(S::Retrying { attempt, at }),
            (
                S::Assigned {
                    attempt,
                    node,
                    epoch,
                },
                E::Started { attempt: reported },
            ) if attempt == reported => Ok(S::Running {
                attempt,
                node,
                epoch,
            }),
            (
                S::Unreachable {
                    attempt,
                    node,
                    epoch,
                },
                E::Started { attempt: reported },
            ) if attempt == reported => Ok(S::Running {
                attempt,
                node,
                epoch,
            }),
            (
                S::Assigned { attempt, .. }
                | S::Running { attempt, .. }
                | S::Unreachable { attempt, .. },
                E::Finished {
                    attempt: reported,
                    outcome,
                },
            ) if attempt == reported => Ok(S::Finished(outcome)),
            (
                S::Assigned {
                    attempt,
                    node,
                    epoch,
                }
                | S::Running {
                    attempt,
                    node,
                    epoch,
                },
                E::NodeSilent,
            ) => Ok(S::Unreachable {
                attempt,
                node,
                epoch,
            }),
            (
                S::Unreachable {
                    attempt,
                    node,
                    epoch,
                },
                E::NodeReturned { started },
            ) => Ok(if started {
                S::Running {
                    attempt,
                    node,
                    epoch,
                }
            } else {
                S::Assigned {
                    attempt,
                    node,
                    epoch,
                }
            }),
            // Refusals are spelled out, so that a new state or event does not compile until it is placed.
            (
                S::Queued,
                E::Started { .. }
                | E::Finished { .. }
                | E::WillRetry { .. }
                | E::Released
                | E::Withdrawn
                | E::NodeSilent
                | E::NodeReturned { .. },
            )
            | (
                S::Waiting,
                E::Assigned { .. }
                | E::Started { .. }
                | E::Finished { .. }
                | E::WillRetry { .. }
                | E::Withdrawn
                | E::NodeSilent
                | E::NodeReturned { .. },
            )
            | (
                S::Retrying { .. },
                E::Started { .. }
                | E::Finished { .. }
                | E::WillRetry { .. }
                | E::Released
                | E::Withdrawn
                | E::NodeSilent
                | E::NodeReturned { .. },
            )
            | (
                S::Assigned { .. },
                E::Assigned { .. }
                | E::Started { .. }
                | E::Finished { .. }
                | E::WillRetry { .. }
                | E::Released
                | E::CancelledBeforeAssignment
                | E::NodeReturned { .. },
            )
            | (
                S::Running { .. },
                E::Assigned { .. }
                | E::Started { .. }
                | E::Finished { .. }
                | E::WillRetry { .. }
                | E::Released
                | E::Withdrawn
                | E::CancelledBeforeAssignment
                | E::NodeReturned { .. },
            )
            | (
                S::Unreachable { .. },
                E::Assigned { .. }
                | E::Started { .. }
                | E::Finished { .. }
                | E::WillRetry { .. }
                | E::Released
                | E::Withdrawn
                | E::CancelledBeforeAssignment
                | E::NodeSilent,
            )
            | (
                S::Finished(_),
                E::Assigned { .. }
                | E::Started { .. }
                | E::Finished { .. }
                | E::WillRetry { .. }
                | E::Released
                | E::Withdrawn
                | E::CancelledBeforeAssignment
                | E::NodeSilent
                | E::NodeReturned { .. },
            ) => Err(IllegalTransition { from: self, event }),
        }
    }
}

/// A run as it is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Its job.
    pub job: JobId,
    /// The job's version that it is pinned to.
    pub version: VersionNumber,
    /// Why it exists.
    pub cause: Cause,
    /// Why the first run of its chain exists; `None` for runs that no link started.
    pub root_cause: Option<Cause>,
    /// What its end did by links. Read with one run; empty in lists.
    pub successors: Vec<Successor>,
    /// The occurrence it answers; `None` for runs without one.
    pub due_at: Option<Timestamp>,
    /// Where it stands.
    pub state: RunState,
    /// The number of its latest attempt; `None` until one was assigned.
    pub attempt: Option<AttemptNumber>,
    /// The node of its latest attempt; `None` until one was assigned.
    pub node: Option<NodeId>,
    /// When it was decided: the leader's wall clock; of a linked run, when the run before it ended.
    pub queued_at: Timestamp,
    /// When its next or latest attempt may start: its due time, else when it was decided, or the instant of a retry.
    pub ready_at: Timestamp,
    /// Its job's priority.
    pub priority: Priority,
    /// Whether it makes up for the past.
    pub lane: Lane,
    /// When its first process was made: the node's wall clock. `None` until then.
    pub started_at: Option<Timestamp>,
    /// When the process of its latest attempt was made. `None` until then.
    pub attempt_started_at: Option<Timestamp>,
    /// When it was over: the node's wall clock, or the leader's where no node had it.
    pub finished_at: Option<Timestamp>,
    /// The exit status, when the process called exit.
    pub exit_code: Option<u8>,
    /// The signal that ended the process, when Odin did not send it.
    pub signal: Option<u8>,
    /// Why it ended as it did, in words; `None` while it goes on and when it succeeded.
    pub reason: Option<String>,
    /// Who or what asked that it be stopped, while its node has not yet said that it is over.
    pub cancel_requested: Option<String>,
    /// What its processes used.
    pub usage: Usage,
    /// What its last attempt printed; empty while it goes on.
    pub output: OutputSummary,
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect_file;

    const A: AttemptNumber = AttemptNumber::FIRST;
    const N: NodeId = NodeId(1);
    const E: Epoch = Epoch(7);

    #[test]
    fn a_late_report_cannot_reopen_a_cancelled_run() {
        let cancelled = RunState::Finished(Outcome::Cancelled);
        let late = RunEvent::Finished {
            attempt: A,
            outcome: Outcome::Succeeded,
        };
        assert!(cancelled.on(late).is_err());
    }

    #[test]
    fn a_report_of_a_superseded_attempt_changes_nothing() {
        let second = RunState::Running {
            attempt: AttemptNumber(2),
            node: N,
            epoch: E,
        };
        assert!(
            second
                .on(RunEvent::Finished {
                    attempt: A,
                    outcome: Outcome::Failed
                })
                .is_err()
        );
    }

    /// The table is part of the documentation: docs/concepts/run-lifecycle.md shows it.
    #[test]
    fn every_pair_of_state_and_event() {
        let states = [
            RunState::Queued,
            RunState::Assigned {
                attempt: A,
                node: N,
                epoch: E,
            },
            RunState::Running {
                attempt: A,
                node: N,
                epoch: E,
            },
            RunState::Unreachable {
                attempt: A,
                node: N,
                epoch: E,
            },
            RunState::Finished(Outcome::Succeeded),
            RunState::Waiting,
            RunState::Retrying {
                attempt: A,
                at: Timestamp::UNIX_EPOCH,
            },
        ];
        let title = |state: RunState| match state {
            RunState::Waiting => "queued for its turn",
            other => other.word(),
        };
        let events = [
            (
                "assigned",
                RunEvent::Assigned {
                    attempt: A,
                    node: N,
                    epoch: E,
                },
            ),
            ("started", RunEvent::Started { attempt: A }),
            (
                "finished",
                RunEvent::Finished {
                    attempt: A,
                    outcome: Outcome::Failed,
                },
            ),
            (
                "finished, and is tried again",
                RunEvent::WillRetry {
                    attempt: A,
                    at: Timestamp::UNIX_EPOCH,
                },
            ),
            ("its turn came", RunEvent::Released),
            ("withdrawn before it could start", RunEvent::Withdrawn),
            (
                "cancelled before assignment",
                RunEvent::CancelledBeforeAssignment,
            ),
            ("node silent", RunEvent::NodeSilent),
            ("node returned", RunEvent::NodeReturned { started: false }),
            (
                "node returned, and it had started",
                RunEvent::NodeReturned { started: true },
            ),
        ];
        let mut table = String::from("| state | event | becomes |\n| --- | --- | --- |\n");
        for state in states {
            for (name, event) in events {
                let next = state.on(event).map_or("stays", title);
                table += &format!("| {} | {name} | {next} |\n", title(state));
            }
        }
        expect_file!["../../../docs/concepts/run-transitions.md"].assert_eq(&table);
    }
}
