//! Turns HTTP into commands and queries.
//!
//! [`Api`] is the API of one node over its [`Backend`]; [`serve`] serves it on a [`Listener`]. Who asks is what the
//! kernel says of a unix socket's peer, or the server's own user for who has its token over TCP. Every error is
//! `application/problem+json` with a code of `odin-wire`'s table.
//!
//! Nothing here decides about schedules or runs: commands carry what apply needs, and apply checks again whatever a
//! handler checked before.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod alerts;
mod api;
mod backend;
mod backup;
mod bundles;
mod calendars;
mod catch_up;
mod changes;
mod channels;
mod deploy;
mod due;
mod events;
mod extract;
mod failure;
mod feed;
mod history;
mod identity;
mod in_path;
mod jobs;
mod ledger;
mod links;
mod listen;
mod metrics;
mod nodes;
mod openapi;
mod output;
pub mod proof;
mod request_metrics;
mod routes;
mod run_filter;
mod run_search;
mod runs;
mod schedules;
mod secrets;
mod seen;
mod sinks;
mod statistics;
#[cfg(test)]
mod test_bed;
#[cfg(test)]
mod tests;
mod values;
mod values_filter;
mod versions;

pub use api::{Api, LEADER_WAIT};
pub use backend::{
    Backend, BackupContents, BackupRefused, OUTPUT_PAGE_BYTES, OutputFault, OutputPage,
    OutputPosition, ProposeError, SealError, Tried, User,
};
pub use bundles::{bundle_path, remove_unfinished_uploads};
pub use listen::{Listener, serve};
pub use request_metrics::RequestMetrics;
