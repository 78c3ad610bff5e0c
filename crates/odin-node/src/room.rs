//! How much room there is for what must not be lost. DESIGN 9, Limits.

use std::path::Path;

/// Below this much free space new work is refused, so that what runs can still be reported.
pub const FREE_BYTES_MIN: u64 = 64 << 20;
/// Below this much, what failed has failed for want of space: the log and the state grow by less at a time.
const EXHAUSTED_BYTES: u64 = 1 << 20;

/// Whether the file system of `dir` has room for new work.
pub(crate) fn has_room(dir: &Path) -> bool {
    // A file system that does not say is not held against the request: the log refuses what it cannot write.
    free_bytes(dir).is_none_or(|free| free >= FREE_BYTES_MIN)
}

/// Whether there is no space left in the file system of `dir`, or hardly any.
pub(crate) fn is_exhausted(dir: &Path) -> bool {
    free_bytes(dir).is_some_and(|free| free < EXHAUSTED_BYTES)
}

/// How large a file system is, and how much of it is free for a process without privileges, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Space {
    pub(crate) total: u64,
    pub(crate) free: u64,
}

/// The space of the file system of `dir`. `None`: it does not say.
pub(crate) fn space(dir: &Path) -> Option<Space> {
    let space = rustix::fs::statvfs(dir).ok()?;
    Some(Space {
        total: space.f_blocks.saturating_mul(space.f_frsize),
        free: space.f_bavail.saturating_mul(space.f_frsize),
    })
}

/// The free bytes of the file system of `dir` for a process without privileges. `None`: the file system does not say.
#[must_use]
pub fn free_bytes(dir: &Path) -> Option<u64> {
    space(dir).map(|space| space.free)
}
