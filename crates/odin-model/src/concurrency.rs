//! What to do when a job's earlier run is still active.

use serde::{Deserialize, Serialize};

/// The concurrency policy. The words match Kubernetes' CronJob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Concurrency {
    /// Runs may overlap.
    #[default]
    Allow,
    /// An occurrence that finds an active run is skipped; a manual run is refused.
    Forbid,
}

impl Concurrency {
    /// The word in the job file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Forbid => "forbid",
        }
    }
}
