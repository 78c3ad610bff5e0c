//! Nodes.

use jiff::Timestamp;
use odin_model::node as model;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Node {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// The process id of its server.
    pub pid: u32,
    /// Where it serves HTTP, as `address:port`.
    pub http: String,
    /// Where its peers reach it, as `address:port`; empty while it has none.
    pub raft: String,
    /// Its part in the replicated log.
    pub role: NodeRole,
    /// Whether it gets launches.
    pub state: NodeState,
    /// The version of Odin that it runs.
    pub version: String,
    /// Its IANA time zone.
    pub timezone: String,
    /// When its present life began: its own wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub up_since: Timestamp,
}

/// A node's part in the replicated log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// Decides.
    Leader,
    /// Votes and follows.
    Follower,
    /// Follows without a vote.
    Learner,
}

impl NodeRole {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Leader => "leader",
            Self::Follower => "follower",
            Self::Learner => "learner",
        }
    }
}

/// Whether a node gets launches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It does.
    Up,
    /// It is silent.
    Down,
}

impl NodeState {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl From<model::NodeState> for NodeState {
    fn from(state: model::NodeState) -> Self {
        match state {
            model::NodeState::Up => Self::Up,
            model::NodeState::Down => Self::Down,
        }
    }
}

impl Node {
    /// A node of the replicated state with its part in the log, which that state does not know.
    #[must_use]
    pub fn new(node: &model::Node, role: NodeRole) -> Self {
        let facts = &node.facts;
        Self {
            id: node.id.0,
            name: facts.name.clone(),
            pid: facts.pid,
            http: facts.http.clone(),
            raft: facts.raft.clone(),
            role,
            state: node.state.into(),
            version: facts.version.clone(),
            timezone: facts.timezone.clone(),
            up_since: node.up_since,
        }
    }
}

/// All nodes, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeList {
    /// The nodes.
    pub nodes: Vec<Node>,
    /// Always `null`: a cluster's nodes fit one answer.
    pub next: Option<String>,
}
