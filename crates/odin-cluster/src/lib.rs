//! One replicated log.
//!
//! A [`Log`] is one node's part of a log of byte strings that all nodes agree on. Whoever [proposes](Log::propose) a
//! command, on any node, learns what the [`Machine`] replied once most voters have the command on their disks and the
//! leader has applied it. A single node is the same log with one voter.
//!
//! The crate knows nothing of jobs. It takes the machine, the network ([`Transport`]), the clock and the
//! [authority over leases](LeaseAuthority) as parameters, reads no other clock than tokio's for timeouts, and alone
//! uses openraft and raft-log: none of their types is in its interface.
//!
//! ```text
//! propose ─► places ─► openraft ─► disk_log (raft-log: one sync for all that waits) ─► quorum ─► apply ─► reply
//!    │                   ▲  │                                                                      │
//!    └─ not leader:      │  └─ network ─► Transport ─► the other node's `serve`                    └─► Machine
//!       forwarded ───────┘
//! ```
//!
//! What survives what:
//! * An acknowledged command is on the disks of most voters. After `kill -9` or a power cut the machine's
//!   [mark](Machine::mark) says what its state holds, and the log applies the rest again.
//! * A half-written last record is cut off at the next start, with zeros behind it or not. Other damage, or a log
//!   older than the state, is refused by [`Log::start`].
//! * A failed write or sync ends the node: [`Log::failed`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

// The machine of the tests in `tests/` is used by those beside the code too.
#[cfg(test)]
extern crate self as odin_cluster;

pub mod lease;
pub mod memory_transport;

mod alone;
mod apply;
mod beginning;
mod blocking;
mod disk_log;
mod error;
mod frame;
mod growth;
mod incoming;
mod leadership;
mod log;
#[cfg(test)]
mod log_suite;
mod machine;
mod membership;
mod memory_log;
mod network;
mod options;
mod propose;
mod raft_types;
mod record;
mod serve;
mod snapshot;
mod torn_tail;
mod transport;
mod wal_types;

#[cfg(test)]
#[path = "../tests/support/mod.rs"]
mod support;

pub use beginning::{Beginning, begin_from};
pub use disk_log::LogOpenError;
pub use error::{
    BootstrapError, ConfirmError, Failure, MembershipError, ProposeError, StartError, Stopped,
    WaitError,
};
pub use leadership::{Leadership, Term};
pub use lease::{Denied, Grant, LeaseAuthority, LeaseRequest, LeaseTerms, NotAdmitted};
pub use log::{Log, Status};
pub use machine::{Committed, Machine, SnapshotJob};
pub use membership::Removed;
pub use memory_log::MemoryLog;
pub use options::{Environment, Options, Retention, Storage, SyncObserver, Timings};
pub use propose::{Applied, COMMAND_BYTES_MAX, IN_FLIGHT_MAX};
pub use transport::{FRAME_BYTES_MAX, Transport, TransportError};
