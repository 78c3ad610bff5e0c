//! What `/healthz` answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A node that serves. Also how `-p :PORT` finds the node's unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `serving`, or `degraded` while there are `troubles`.
    pub status: String,
    /// What keeps this node from its work now, a sentence each; empty while all is well.
    #[serde(default)]
    pub troubles: Vec<String>,
    /// The version of Odin.
    pub version: String,
    /// The node's name.
    pub node: String,
    /// The absolute path of the node's unix socket. `null` while it has none.
    pub socket: Option<String>,
}

/// The words of [`Health::status`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HealthStatus {
    /// All is well.
    Serving,
    /// It answers, and something keeps it from its work.
    Degraded,
}

impl HealthStatus {
    /// The word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Degraded => "degraded",
        }
    }
}
