//! Time that passes only when everybody waits.

use jiff::{SignedDuration, Timestamp};
use odin_model::{Boottime, Clock};
use tokio::time::Instant;

/// Both clocks of one node, derived from tokio's. The wall clock may be off by a constant.
#[derive(Debug, Clone, Copy)]
pub struct SimulatedClock {
    began: Instant,
    wall_at_beginning: Timestamp,
}

impl SimulatedClock {
    /// A clock that shows `wall` now. Must be called within a runtime whose time is paused.
    #[must_use]
    pub fn starting_at(wall: Timestamp) -> Self {
        Self {
            began: Instant::now(),
            wall_at_beginning: wall,
        }
    }

    /// The clock of a node whose wall clock is ahead by `skew`, or behind if that is negative.
    #[must_use]
    pub fn skewed(self, skew: SignedDuration) -> Self {
        Self {
            wall_at_beginning: self.wall_at_beginning + skew,
            ..self
        }
    }
}

impl Clock for SimulatedClock {
    fn wall(&self) -> Timestamp {
        self.wall_at_beginning + self.began.elapsed()
    }

    fn boottime(&self) -> Boottime {
        // A machine that has been up for an hour: zero would hide what subtracts.
        Boottime(self.began.elapsed() + std::time::Duration::from_secs(3600))
    }
}
