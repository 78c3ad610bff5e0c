//! What a node's log is started with.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use odin_model::{Clock, NodeId};

use crate::lease::{LeaseAuthority, LeaseTerms};
use crate::memory_log::MemoryLog;
use crate::transport::Transport;

/// Where the log's entries are.
#[derive(Debug, Clone)]
pub enum Storage {
    /// In files in this directory, which nothing else uses.
    Disk(PathBuf),
    /// In memory.
    Memory(MemoryLog),
}

/// Is told how long each sync of the log took, on the thread that did it: it must not wait.
#[derive(Clone)]
pub struct SyncObserver(Arc<dyn Fn(Duration) + Send + Sync>);

impl SyncObserver {
    /// Calls `observe` with each duration.
    pub fn new(observe: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(crate) fn observe(&self, took: Duration) {
        (self.0)(took);
    }
}

impl fmt::Debug for SyncObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SyncObserver(..)")
    }
}

/// How a node's log is kept.
#[derive(Debug, Clone)]
pub struct Options {
    /// Who this node is. Ids are never used again, not even by a node that lost its disk.
    pub node: NodeId,
    /// Where the entries are.
    pub storage: Storage,
    /// The directory of snapshots, which nothing else uses; on a disk also when the entries are in memory.
    pub snapshots: PathBuf,
    /// Timeouts.
    pub timings: Timings,
    /// How much of the log is kept.
    pub retention: Retention,
    /// Where this node's random numbers begin: they only spread election timeouts. Nodes should not share one.
    pub seed: u64,
    /// Who is told how long syncs take, with a log on disk.
    pub on_sync: Option<SyncObserver>,
}

impl Options {
    /// The defaults, with the log in `log` and the snapshots in `snapshots`.
    #[must_use]
    pub fn on_disk(node: NodeId, log: PathBuf, snapshots: PathBuf) -> Self {
        Self::with(node, Storage::Disk(log), snapshots)
    }

    /// The defaults, with the log in memory.
    #[must_use]
    pub fn in_memory(node: NodeId, log: MemoryLog, snapshots: PathBuf) -> Self {
        Self::with(node, Storage::Memory(log), snapshots)
    }

    fn with(node: NodeId, storage: Storage, snapshots: PathBuf) -> Self {
        let (timings, retention) = (Timings::default(), Retention::default());
        Self {
            node,
            storage,
            snapshots,
            timings,
            retention,
            seed: node.0,
            on_sync: None,
        }
    }
}

/// Timeouts of the cluster. All nodes must have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timings {
    /// How often a leader shows that it lives.
    pub heartbeat: Duration,
    /// How long a follower hears nothing before it stands for election: drawn anew each time between the two.
    pub election: (Duration, Duration),
    /// How long a proposal, a read point or a lease may take before its caller is told that it is unknown or
    /// impossible.
    pub request: Duration,
    /// How long leases run.
    pub leases: LeaseTerms,
}

impl Default for Timings {
    /// A heartbeat every 250 ms, elections after 750 to 1500 ms, requests up to 10 s, leases of 5 s with a margin
    /// of 1 s.
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(250),
            election: (Duration::from_millis(750), Duration::from_millis(1500)),
            request: Duration::from_secs(10),
            leases: LeaseTerms::default(),
        }
    }
}

/// When the log is cut.
///
/// Once it has grown by as many bytes as the snapshot before has, a snapshot is made and all but the last
/// `keep_entries` entries that it covers are removed: what is written for snapshots is no more than what is written
/// for entries. A node that was away for longer than those entries gets the snapshot instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// The least and the most growth after which a snapshot is made, in bytes of entries at 128 bytes each besides
    /// their commands.
    pub snapshot_after_bytes: (u64, u64),
    /// Entries kept behind a snapshot, for followers to catch up from. Each takes about 100 bytes of memory.
    pub keep_entries: u64,
}

impl Default for Retention {
    /// 4 to 32 MiB, which is a quarter of a million entries at most, and 5,000 entries: two seconds at full rate.
    fn default() -> Self {
        Self {
            snapshot_after_bytes: (4 * 1024 * 1024, 32 * 1024 * 1024),
            keep_entries: 5_000,
        }
    }
}

/// What a node's log needs from the node around it.
#[derive(Clone)]
pub struct Environment {
    /// Sends frames to other nodes.
    pub transport: Arc<dyn Transport>,
    /// What time it is, for leases.
    pub clock: Arc<dyn Clock>,
    /// Who may hold a lease, asked while this node leads.
    pub leases: Arc<dyn LeaseAuthority>,
}
