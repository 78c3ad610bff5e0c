//! How much of a machine one run may use.

use serde::{Deserialize, Serialize};

/// The limits of a run's whole tree of processes. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Limits {
    /// Memory of all its processes together, in bytes, swap included.
    pub memory_bytes: Option<u64>,
    /// Processor time in thousandths of a core: 1500 is one core and a half.
    pub cpu_millis: Option<u32>,
    /// How many processes and threads it may have at once.
    pub processes: Option<u32>,
    /// How many files each of its processes may have open (`RLIMIT_NOFILE`).
    pub open_files: Option<u32>,
    /// Whether a machine that cannot enforce a limit may run it without. Else such a machine refuses the job.
    pub best_effort: bool,
}

impl Limits {
    /// The least memory that can be asked for: below it no interpreter starts.
    pub const MEMORY_BYTES_MIN: u64 = 4 << 20;
    /// The least processor time: the kernel's shortest quota.
    pub const CPU_MILLIS_MIN: u32 = 10;

    /// Whether nothing is limited.
    #[must_use]
    pub fn is_none(&self) -> bool {
        let Self {
            memory_bytes,
            cpu_millis,
            processes,
            open_files,
            best_effort: _,
        } = self;
        memory_bytes.is_none()
            && cpu_millis.is_none()
            && processes.is_none()
            && open_files.is_none()
    }
}
