//! What to do when a job's earlier runs are still active.

use serde::{Deserialize, Serialize};

/// What becomes of a run that finds as many active ones as may be. The words match Kubernetes' CronJob, which has no
/// `queue`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Overlap {
    /// Runs may overlap; beyond `max`, if there is one, they wait as with `queue`.
    #[default]
    Allow,
    /// An occurrence is skipped; a manual run is refused.
    Forbid,
    /// It waits for its turn.
    Queue,
    /// The oldest active run is cancelled to make room.
    Replace,
}

impl Overlap {
    /// All policies, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Allow, Self::Forbid, Self::Queue, Self::Replace];

    /// The word in the job file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Forbid => "forbid",
            Self::Queue => "queue",
            Self::Replace => "replace",
        }
    }
}

/// The concurrency policy. The decision is made by `odin_scheduling::concurrency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Concurrency {
    /// What becomes of a run that finds no room.
    pub overlap: Overlap,
    /// The bounds, where the file names some.
    pub bounds: Bounds,
}

/// The bounds of a concurrency policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Bounds {
    /// How many runs may be active at once. `None`: one, and for `allow` any number.
    pub max: Option<u32>,
    /// How many may wait. `None`: [`Concurrency::WAITING_DEFAULT`].
    pub waiting: Option<u32>,
}

impl Concurrency {
    /// Runs may overlap.
    pub const ALLOW: Self = Self::of(Overlap::Allow);
    /// One at a time, and what comes meanwhile is skipped.
    pub const FORBID: Self = Self::of(Overlap::Forbid);
    /// How many runs wait when the file does not say.
    pub const WAITING_DEFAULT: u32 = 100;
    /// The most that may wait.
    pub const WAITING_MAX: u32 = 10_000;

    /// That policy with its default bounds.
    #[must_use]
    pub const fn of(overlap: Overlap) -> Self {
        Self {
            overlap,
            bounds: Bounds {
                max: None,
                waiting: None,
            },
        }
    }

    /// How many runs may be active at once. `None`: any number.
    #[must_use]
    pub fn max(self) -> Option<u32> {
        match (self.bounds.max, self.overlap) {
            (Some(max), _) => Some(max),
            (None, Overlap::Allow) => None,
            (None, Overlap::Forbid | Overlap::Queue | Overlap::Replace) => Some(1),
        }
    }

    /// How many may wait for their turn.
    #[must_use]
    pub fn waiting_max(self) -> u32 {
        self.bounds.waiting.unwrap_or(Self::WAITING_DEFAULT)
    }
}

impl From<Overlap> for Concurrency {
    fn from(overlap: Overlap) -> Self {
        Self::of(overlap)
    }
}
