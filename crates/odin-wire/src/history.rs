//! The files of sealed history.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the node that answers has of sealed history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct History {
    /// How many files can be read.
    pub files: u64,
    /// Their length together.
    pub bytes: u64,
    /// How many runs are in them.
    pub runs: u64,
    /// What could not be read since the server's start, at most 100 parts of files beside the files that are missing.
    /// The rest is served.
    pub faults: Vec<HistoryFault>,
}

/// A part of history that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryFault {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub problem: String,
}
