//! Finds a node and speaks to it.
//!
//! A [`Client`] is made from a [`Target`]; its methods are the API's endpoints. A request that finds no leader, or a
//! server that is starting or stopping, is repeated for up to ten seconds; one whose reply was lost is repeated only
//! where that cannot count twice.
//!
//! Nothing here draws or prints: errors are facts with a code, a next step and the exit code of a command that meets
//! them.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod alert_endpoints;
mod client;
mod download;
mod endpoints;
mod error;
mod event_stream;
mod exchange;
mod find;
mod query;
mod reply;
mod sink_endpoints;
mod socket;

pub use address::{AddressError, Target};
pub use client::{Client, IdempotencyKey, Token, TokenError};
pub use download::Download;
pub use error::ClientError;
pub use event_stream::{EventStream, ServerEvent};
