//! The machines.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{Epoch, NodeId};

/// Whether a node gets launches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum NodeState {
    /// It does.
    Up,
    /// It was silent for longer than its lease, and gets none until it comes back with a new epoch.
    Down,
}

impl NodeState {
    /// The word in the API and the CLI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

/// What a node says of itself when it comes up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// Its name: data, unique among nodes.
    pub name: String,
    /// The process id of its server.
    pub pid: u32,
    /// The kernel's boot id: another one means that the machine restarted.
    pub boot_id: String,
    /// Where it serves HTTP, as `address:port`.
    pub http: String,
    /// Where its peers reach it, as `address:port`; empty while it has none.
    pub raft: String,
    /// The version of Odin that it runs.
    pub version: String,
    /// Its IANA time zone.
    pub timezone: String,
    /// How many runs it has at once. `None`: any number.
    pub slots: Option<u32>,
}

/// A node as the replicated state holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// Whether it gets launches.
    pub state: NodeState,
    /// Which life of it this is.
    pub epoch: Epoch,
    /// What it said of itself when that life began.
    pub facts: NodeFacts,
    /// When that life began: the node's wall clock.
    pub up_since: Timestamp,
}
