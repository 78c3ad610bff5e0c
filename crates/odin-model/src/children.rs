//! What becomes of processes that a run leaves behind.

use serde::{Deserialize, Serialize};

/// The policy for what is left of a run's tree once its first process has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Children {
    /// They are ended: TERM, the kill grace, KILL.
    #[default]
    End,
    /// They go on. A cancel and a timeout end them all the same while the run goes on.
    Keep,
}

impl Children {
    /// The word in the job file, the API and the CLI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::End => "end",
            Self::Keep => "keep",
        }
    }
}
