//! The executor's memory beyond its own life: `executor/journal`, mode 0600.
//!
//! [`MAGIC`], then records of `{length u32, crc32 of the body u32, body}`, little-endian; a body is a [`Record`] as
//! [`odin_model::codec`] writes it. A start is on the disk before its process exists; everything else is handed to
//! the kernel before it is reported and reaches the disk with the next start, or [`SYNC_WITHIN`] later at most: a
//! result that a machine's crash takes along is either with the server already, or reads as lost.
//!
//! Behind the last record are zeroes. A torn or damaged end is cut off at the last good record. Environment values are never written.

mod file;
mod record;
mod sync;

pub(crate) use file::{Haste, Journal, JournalError, Opened};
pub(crate) use record::{Live, Record, Replay};

/// The first bytes of a journal: what it is, and the version of its form.
pub(crate) const MAGIC: [u8; 8] = *b"odinjnl1";

/// How long a record that nobody waits for may stay in the kernel's memory.
pub(crate) const SYNC_WITHIN: std::time::Duration = std::time::Duration::from_millis(100);

/// From this size on, a journal that is mostly history is written anew, when nothing is due.
pub(crate) const COMPACT_FROM_BYTES: u64 = 4 << 20;

/// From this size on, also when something is.
pub(crate) const COMPACT_AT_ONCE_FROM_BYTES: u64 = 16 << 20;
