//! Runs processes.
//!
//! Two halves. [`run`] is the main of the executor, one small process per node that is the parent of every job's
//! processes and survives the server. [`Client`] is the server's side of its control socket; [`protocol`] is what
//! they say to each other. Beside them stand [`unpack`], which runs as a job's owner, [`output`], which reads what
//! attempts printed, [`values`], which reads what they reported, [`raw`], the measure that the executor is held against, and [`fault`], where tests end it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod client;
pub mod data_dir;
mod executor;
pub mod fault;
mod fleet;
pub mod frame;
mod journal;
pub mod limits;
pub mod masking;
pub mod output;
mod process;
pub mod protocol;
pub mod raw;
pub mod socket;
pub mod trace;
pub mod unpack;
pub mod values;

pub use client::{Client, ClientError, ExecutorProgram, FromExecutor};
pub use data_dir::DataDir;
pub use executor::{ExecutorError, ExecutorOptions, ExitReason, run};
pub use fleet::{Fleet, GENERATIONS_MAX, Member};
pub use process::{find_program, place_of_secret_files, program_missing};
