//! How much the log has grown since the last snapshot: what decides when the next one is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;

use crate::raft_types::{Entry, EntryPayload, Payload};

/// What a log entry costs besides its command: its id, its checksum, its place in the index.
const ENTRY_OVERHEAD_BYTES: u64 = 128;

/// Bytes added to the log since the last snapshot. A clone counts the same log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Growth(Arc<Counter>);

#[derive(Debug, Default)]
struct Counter {
    bytes: AtomicU64,
    grown: Notify,
}

impl Growth {
    pub(crate) fn add(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.0.grown.notify_one();
    }

    /// Starts counting from zero and returns what was counted.
    pub(crate) fn restart(&self) -> u64 {
        self.0.bytes.swap(0, Ordering::Relaxed)
    }

    /// Waits until the log has grown by `bytes`.
    pub(crate) async fn reached(&self, bytes: u64) {
        while self.0.bytes.load(Ordering::Relaxed) < bytes {
            self.0.grown.notified().await;
        }
    }
}

/// What an entry adds to the log, within a few bytes.
pub(crate) fn entry_bytes(entry: &Entry) -> u64 {
    let command = match &entry.payload {
        EntryPayload::Normal(Payload(command)) => command.len(),
        EntryPayload::Blank | EntryPayload::Membership(_) => 0,
    };
    ENTRY_OVERHEAD_BYTES + u64::try_from(command).expect("a length fits 64 bits")
}
