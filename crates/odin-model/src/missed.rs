//! What becomes of occurrences that are found later than the job's grace.

use serde::{Deserialize, Serialize};

/// The catch-up policy. An occurrence not later than the grace is started whatever the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Missed {
    /// All are misfired.
    Skip,
    /// The latest is started, the others are coalesced into it.
    #[default]
    Once,
    /// The latest `limit` are started, oldest first; the others are misfired.
    All {
        /// How many are started, 1 to [`Missed::LIMIT_MAX`].
        limit: u16,
    },
}

impl Missed {
    /// The limit of `all` when the file has none.
    pub const LIMIT_DEFAULT: u16 = 100;
    /// The largest limit of `all`.
    pub const LIMIT_MAX: u16 = 1000;

    /// How many late occurrences the policy starts at most.
    #[must_use]
    pub fn starts_max(self) -> usize {
        match self {
            Self::Skip => 0,
            Self::Once => 1,
            Self::All { limit } => usize::from(limit),
        }
    }
}
