//! The two clocks that Odin uses, as one interface with a real and a simulated implementation.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An instant on `CLOCK_BOOTTIME`: time since the machine booted, suspend included, never set back.
/// It has no meaning on another machine or after a reboot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Boottime(pub Duration);

impl Boottime {
    /// The instant `by` later; saturates at the end of time.
    #[must_use]
    pub fn plus(self, by: Duration) -> Self {
        Self(self.0.saturating_add(by))
    }

    /// How much later this is than `earlier`; zero when it is not later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// What time it is. Wall time decides what is due; boottime decides leases and timeouts.
///
/// Two implementations: the system's (in `odin-node`) and the simulator's.
pub trait Clock: Send + Sync + 'static {
    /// The wall clock. It may step either way.
    fn wall(&self) -> Timestamp;
    /// `CLOCK_BOOTTIME`. It never goes back.
    fn boottime(&self) -> Boottime;
}
