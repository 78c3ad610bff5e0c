//! What a server sees of an executor: real processes, real sockets, one data directory per test.

#![allow(clippy::unwrap_used)]

mod executor;

mod cancelling_and_timeouts;
mod children;
mod crashes;
mod disks;
mod due_instants_and_leases;
mod exits;
mod limits;
mod on_cancel;
mod outcomes;
mod output;
mod owners;
mod protocol;
mod reports;
mod surroundings;
mod timeouts;
mod trees;
mod unleased;
mod unpacking;
mod upgrades;
mod values;
