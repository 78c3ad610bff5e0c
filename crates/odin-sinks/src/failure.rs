//! Why records did not get to a receiver.

use std::time::Duration;

/// Why records did not get to a receiver.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// The receiver will not take these records, however often they come.
    #[error("{0}")]
    Refused(String),
    /// It took the request but not all of it, and does not say what was left out.
    #[error("{reason}")]
    Partly {
        /// How many it left out.
        rejected: u64,
        /// Its words.
        reason: String,
    },
    /// It cannot be reached, is busy, or does not know Odin: later, or after somebody has mended it.
    #[error("{reason}")]
    NotNow {
        /// What happened.
        reason: String,
        /// How long the receiver asks to be left alone.
        after: Option<Duration>,
    },
}

impl Unsent {
    pub(crate) fn not_now(reason: impl Into<String>) -> Self {
        Self::NotNow {
            reason: reason.into(),
            after: None,
        }
    }

    /// The same failure in other words.
    pub(crate) fn in_words(self, words: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Refused(reason) => Self::Refused(words(&reason)),
            Self::Partly { rejected, reason } => Self::Partly {
                rejected,
                reason: words(&reason),
            },
            Self::NotNow { reason, after } => Self::NotNow {
                reason: words(&reason),
                after,
            },
        }
    }
}
