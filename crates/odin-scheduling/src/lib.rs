//! The decisions of Odin, as pure functions of state and now.
//!
//! | module | decides | called by |
//! | --- | --- | --- |
//! | [`plan`] | which occurrences the leader proposes, with their ranges | the leader's loop |
//! | [`concurrency`] | what becomes of a run that finds others active | apply, on every replica |
//! | [`retry`] | whether and when a run is tried again | apply, on every replica |
//! | [`judge`] | what becomes of proposed occurrences | apply, on every replica |
//! | [`linkage`] | whether a link between jobs is made | apply, on every replica |
//! | [`placement`] | where a run goes | the leader's loop; apply, for successors |
//! | [`admission`] | which of the runs that wait at a node is next | the node's agent |
//! | [`alerting`] | which alerts the life of a run gives rise to | apply, on every replica |
//! | [`delivery`] | when a message to a channel is sent again, or held | the leader's notifier |
//! | [`unleased`] | how long a run may go on without a lease | the node's agent |
//! | [`proof`] | whether a ledger is complete and true | `odin verify`, the simulator |
//! | [`clock_jump`] | when the leader's wall clock is not to be trusted | the leader's loop |
//!
//! Nothing here reads a clock, draws a random number, does I/O or keeps state; `clippy.toml` beside this crate
//! forbids the ambient ones.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod admission;
pub mod alerting;
pub mod clock_jump;
pub mod concurrency;
pub mod delivery;
pub mod due;
pub mod judge;
pub mod linkage;
pub mod placement;
pub mod plan;
pub mod proof;
pub mod retry;
pub mod unleased;
pub mod unusual;
