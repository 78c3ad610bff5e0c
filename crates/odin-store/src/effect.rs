//! What a committed batch changed, for those that act on it.

use jiff::Timestamp;
use odin_model::run::RunState;
use odin_model::{AttemptNumber, JobId, Lane, NodeId, Revision, RunId, VersionNumber};

/// A change, published after the commit. Effects are hints: who missed some reads the state, as after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A run was made, or took another state.
    RunChanged {
        /// Which run.
        run: RunId,
        /// Its job.
        job: JobId,
        /// The version it is pinned to.
        version: VersionNumber,
        /// The occurrence it answers; `None` for runs without one.
        due_at: Option<Timestamp>,
        /// When it was made: when a run without an occurrence became ready.
        queued_at: Timestamp,
        /// When its next or latest attempt may start.
        ready_at: Timestamp,
        /// Whether it makes up for the past.
        lane: Lane,
        /// Where it stands now.
        state: RunState,
    },
    /// A run that a node has is to stop.
    CancelRequested {
        /// Which run.
        run: RunId,
        /// Which process of it.
        attempt: AttemptNumber,
        /// Who has it.
        node: NodeId,
        /// Whether a process that exists already goes on.
        when: CancelWhen,
    },
    /// A job was made, edited, paused, resumed or removed.
    JobChanged {
        /// Which job.
        job: JobId,
        /// Its revision now.
        revision: Revision,
    },
    /// A node came up or went down.
    NodeChanged {
        /// Which node.
        node: NodeId,
    },
    /// A setting of the cluster has another value.
    SettingsChanged,
    /// An attempt's values with these numbers are kept.
    ValuesKept {
        /// Which run.
        run: RunId,
        /// Its job.
        job: JobId,
        /// Which process of the run.
        attempt: AttemptNumber,
        /// The number of the first: it counts the attempt's values from 0.
        from: u64,
        /// The number after the last.
        to: u64,
    },
}

/// How far a request to cancel reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CancelWhen {
    /// Only while no process exists: the job was paused or removed, and a process that was faster goes on.
    BeforeStart,
    /// Whenever it arrives: a process that exists is ended.
    AnyTime,
}
