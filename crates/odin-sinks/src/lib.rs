//! Takes values, the ends of runs and metrics to databases, collectors and files.
//!
//! One form for each kind of receiver, and what to make of its answers. What is sent, when, and how far a sink has come
//! is the caller's.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod credential;
mod delivery;
mod failure;
mod file;
mod file_place;
mod http;
mod influx;
mod json_lines;
mod known;
mod otlp;
mod otlp_messages;
mod otlp_metrics;
mod postgres;
mod postgres_metrics;
mod postgres_tls;
mod record;
mod remote_write;
mod sender;
mod snapshot;

pub use address::{AddressError, check};
pub use credential::{Credential, Masking};
pub use delivery::{Delivered, deliver};
pub use failure::Unsent;
pub use file_place::{FileFault, check_file};
pub use known::Known;
pub use postgres::SCHEMA as POSTGRES_SCHEMA;
pub use record::{AttemptFacts, Body, JobFacts, Record, RunFacts, TraceIds, ValueFacts};
pub use sender::Sender;
pub use snapshot::Snapshot;
