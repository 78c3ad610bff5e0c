//! Puts a node together.
//!
//! [`Engine`] is the part that decides and runs: the replicated log over the state, the leader's loop and the agent.
//! The simulator runs it with a clock, a network and an executor of its own.
//!
//! | module | is |
//! | --- | --- |
//! | `leader` | the leader's loop: what is due is proposed |
//! | `agent` | every node's loop: what is assigned here is armed, what ended is reported |
//! | `machine` | the store behind the log |
//! | `backup` | one file of a node's data, and a node made from it |
//! | `data_dir` | files and their modes |

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod agent;
mod backend;
pub mod backup;
pub mod clock;
mod collection;
pub mod data_dir;
mod disk_watch;
mod engine;
mod error;
mod executor_book;
pub mod executor_link;
mod executor_process;
mod health_watch;
pub mod heaps;
mod heartbeats;
pub mod history;
mod history_keeper;
mod launch_secrets;
mod launches;
mod leader;
mod lease_book;
mod lease_requests;
mod life;
mod machine;
mod metrics;
mod notifier;
mod preparations;
mod proposer;
mod recompute;
mod reporter;
mod room;
mod schedules;
mod sealing;
mod server;
mod silences;
mod sinks;
mod turns;
mod users;
mod values;
mod wall_offset;
mod watchdog;
mod while_leading;

pub use agent::Peek;
pub use engine::{Engine, EngineParts, Founding};
pub use error::{Broken, StartError};
pub use launches::interpreter;
pub use life::Up;
pub use machine::Announcements;
pub use odin_api::proof;
pub use proposer::Proposer;
pub use room::{FREE_BYTES_MIN, free_bytes};
pub use schedules::{NoSchedule, Schedules};
pub use sealing::Keyring;
pub use server::{NoPeers, Ready, Server, ServerOptions};
