//! What can go wrong, as facts, with codes that stay the same across releases.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use odin_model::NodeId;

use crate::disk_log::LogOpenError;
use crate::leadership::Term;

/// Why a node's log could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log on disk cannot be opened.
    #[error(transparent)]
    Log(#[from] LogOpenError),
    /// The directory of snapshots cannot be used.
    #[error("the snapshots in {} cannot be used: {source}", dir.display())]
    Snapshots {
        /// Where they are.
        dir: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The state's mark cannot be read.
    #[error("the state's mark cannot be read: {0}")]
    Mark(String),
    /// The state holds entries that the log does not: the log's directory was lost or replaced by an older one.
    /// Going on would use positions of the log twice.
    #[error("the state holds entries up to {state}, but the log ends at {}: the log was lost or is an older copy",
        log.map_or_else(|| "nothing".to_owned(), |index| index.to_string()))]
    LogBehindState {
        /// The log's last index, if it has any.
        log: Option<u64>,
        /// The last index in the state.
        state: u64,
    },
    /// The timings do not fit together.
    #[error("the timings do not fit together: {0}")]
    Timings(String),
    /// What is stored could not be brought together: the state, its snapshots or the log is damaged.
    #[error("the log could not be started: {0}")]
    Recovery(String),
}

impl StartError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Log(LogOpenError::Io { .. }) => "cluster/log-unusable",
            Self::Log(LogOpenError::Name { .. }) => "cluster/bad-directory-name",
            Self::Log(LogOpenError::OtherNode { .. }) => "cluster/log-of-another-node",
            Self::Snapshots { .. } => "cluster/snapshots-unusable",
            Self::Mark(_) => "cluster/bad-mark",
            Self::LogBehindState { .. } => "cluster/log-behind-state",
            Self::Timings(_) => "cluster/bad-timings",
            Self::Recovery(_) => "cluster/recovery-failed",
        }
    }
}

/// Why a node could not become the first of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BootstrapError {
    /// The voters given do not include this node.
    #[error("node {0} is not among the voters")]
    NotAVoter(NodeId),
    /// The log has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// The log has stopped: it was shut down, or it failed and [`Log::failed`](crate::Log::failed) says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node's log has stopped")]
pub struct Stopped;

/// Why a proposal has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// The command is too long; nothing was proposed.
    #[error("a command of {bytes} bytes is over the limit of {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// No leader could be reached; nothing was proposed.
    #[error("no leader could be reached for {waited:?}")]
    NoLeader {
        /// For how long it was tried.
        waited: Duration,
    },
    /// The leader heard nothing from most of the voters; nothing was proposed.
    #[error("the leader heard nothing from most of the voters for {waited:?}")]
    NoQuorum {
        /// For how long it was tried.
        waited: Duration,
    },
    /// Too many proposals are in flight on the leader; nothing was proposed.
    #[error("no place among the proposals in flight came free for {waited:?}")]
    Overloaded {
        /// For how long it was waited.
        waited: Duration,
    },
    /// This node does not lead in that term, or not any more; nothing was proposed.
    #[error("this node does not lead in term {term}")]
    Deposed {
        /// The term of the proposal.
        term: Term,
    },
    /// The command may have been applied, or may be later, or never. Propose it again only if that is harmless.
    #[error("it is not known whether the command was or will be applied")]
    OutcomeUnknown,
    /// The log has stopped. A command proposed before that may still be applied.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl ProposeError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "cluster/command-too-large",
            Self::NoLeader { .. } => "cluster/no-leader",
            Self::NoQuorum { .. } => "cluster/no-quorum",
            Self::Overloaded { .. } => "cluster/overloaded",
            Self::Deposed { .. } => "cluster/deposed",
            Self::OutcomeUnknown => "cluster/outcome-unknown",
            Self::Stopped(_) => "cluster/stopped",
        }
    }
}

/// Why there is no read point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmError {
    /// No leader could be reached.
    #[error("no leader could be reached for {waited:?}")]
    NoLeader {
        /// For how long it was tried.
        waited: Duration,
    },
    /// The leader could not reach most of the voters.
    #[error("the leader cannot reach most of the voters")]
    NoQuorum,
    /// The log has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl ConfirmError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoLeader { .. } => "cluster/no-leader",
            Self::NoQuorum => "cluster/no-quorum",
            Self::Stopped(_) => "cluster/stopped",
        }
    }
}

/// Why waiting for an entry ended without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WaitError {
    /// It was not applied in time.
    #[error("entry {index} was not applied within {waited:?}")]
    TooSlow {
        /// What was waited for.
        index: u64,
        /// For how long.
        waited: Duration,
    },
    /// The log has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why the voters or nodes were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MembershipError {
    /// Only the leader changes who is in the cluster, and this node does not lead.
    #[error("this node does not lead")]
    NotLeading,
    /// Another change is under way, or this one cannot be made.
    #[error("the members cannot be changed so: {0}")]
    Refused(String),
    /// The change may be made, or not.
    #[error("it is not known whether the members were changed")]
    OutcomeUnknown,
    /// The log has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// Why a node's log stopped by itself. The process must end: what is on its disk is in doubt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the node's log failed: {reason}")]
pub struct Failure {
    /// What happened.
    pub reason: String,
}
