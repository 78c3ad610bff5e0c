//! A whole cluster in one thread, with a simulated clock and network.
//!
//! Everything that decides is the real code: the log, the store, the leader's loop, the agent. Simulated are time
//! (tokio's paused clock, from which both of Odin's clocks are derived), the network, the log's disk and the
//! executor, which makes no processes but writes down what it would have started: the evidence that checks trust.
//!
//! Elections draw their timeouts from a seed, so a seed and a commit repeat a run.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod clock;
mod cluster;
mod executor;
mod ledger_check;
mod search;

pub use clock::SimulatedClock;
pub use cluster::{Cluster, deploy_of};
pub use executor::{Evidence, SimulatedExecutor, Start};
pub use ledger_check::{Finding, check_ledger, check_overlaps, check_starts};
pub use search::{Attempts, JOBS, Searched, deploy_all, findings, search};
