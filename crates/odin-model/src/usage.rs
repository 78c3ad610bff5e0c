//! What a process used.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Resources of an attempt's whole waited-for process tree, from `wait4(2)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time in user mode.
    pub cpu_user: Duration,
    /// CPU time in the kernel.
    pub cpu_system: Duration,
    /// The largest resident set of any one process, in bytes. 0 when it is not known: a process smaller than the
    /// executor that made it cannot be told from it.
    pub memory_max_bytes: u64,
}

impl Usage {
    /// The largest resident set of any one process, in bytes. `None`: not known.
    #[must_use]
    pub fn known_memory_max_bytes(&self) -> Option<u64> {
        Some(self.memory_max_bytes).filter(|bytes| *bytes > 0)
    }

    /// CPU time in user mode and in the kernel. `None`: not known, because there was no process, or nobody waited for it.
    /// Whatever was executed has used some.
    #[must_use]
    pub fn known_cpu(&self) -> Option<(Duration, Duration)> {
        let is_known = !(self.cpu_user + self.cpu_system).is_zero();
        is_known.then_some((self.cpu_user, self.cpu_system))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_measured_is_not_known() {
        assert_eq!(Usage::default().known_cpu(), None);
        assert_eq!(Usage::default().known_memory_max_bytes(), None);
        let usage = Usage {
            cpu_user: Duration::ZERO,
            cpu_system: Duration::from_micros(1),
            memory_max_bytes: 4096,
        };
        assert_eq!(
            usage.known_cpu(),
            Some((Duration::ZERO, Duration::from_micros(1)))
        );
        assert_eq!(usage.known_memory_max_bytes(), Some(4096));
    }
}
