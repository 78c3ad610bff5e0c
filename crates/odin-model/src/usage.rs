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
