//! What `/healthz` answers.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A node that serves. Also how `-p :PORT` finds the node's unix socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `serving`.
    pub status: String,
    /// The version of Odin.
    pub version: String,
    /// The node's name.
    pub node: String,
    /// The absolute path of the node's unix socket. `null` while it has none.
    pub socket: Option<String>,
}
