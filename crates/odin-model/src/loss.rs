//! What becomes of a run whose node is gone.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The policy for runs whose node fell silent and may have started them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Loss {
    /// What becomes of a run that is lost.
    pub on_lost: OnLost,
    /// How long its node may be silent before it is.
    pub lost_after: Duration,
}

/// What becomes of a run that is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum OnLost {
    /// It ends as `lost`, unless its `retries` name that outcome.
    #[default]
    Fail,
    /// It is tried again at once, on a node that is up.
    Rerun,
}

impl OnLost {
    /// The word in the job file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Rerun => "rerun",
        }
    }
}

/// What becomes of an attempt whose node holds no lease any longer, while another node may start what must not
/// overlap with it. Both are counted from the end of the node's last lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Unleased {
    /// When it is told to end.
    pub end_after: Duration,
    /// When whatever is left of it is killed, at the latest.
    pub gone_after: Duration,
}

impl Loss {
    /// The time when the file has none.
    pub const LOST_AFTER_DEFAULT: Duration = Duration::from_secs(300);
    /// The shortest time: longer than a lease with its margin, and than a server takes to restart.
    pub const LOST_AFTER_MIN: Duration = Duration::from_secs(10);
}

impl Default for Loss {
    fn default() -> Self {
        Self {
            on_lost: OnLost::default(),
            lost_after: Self::LOST_AFTER_DEFAULT,
        }
    }
}
