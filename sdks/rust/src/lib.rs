//! Reports what a job sees while it runs, to the Odin that runs it.
//!
//! ```
//! let odin = odin_sdk::Odin::setup("fetch.yml");
//! let url = "https://en.wikipedia.org/wiki/Special:Random";
//! odin.watch("url fetched", url);
//! if odin.condition("check if url is empty", !url.is_empty()) {
//!     odin.metric("page size", 48_213, "bytes");
//! }
//! # if false {
//! odin.result("fetched successfully", 0); // ends the program
//! # }
//! ```
//!
//! Outside Odin every call returns what it would inside and does nothing else; with `ODIN_MOCK=1`, or after
//! [`Odin::mock`], it says on stderr what it would have reported. Neither a server nor a job file is needed.
//!
//! No call waits for Odin, but for [`Odin::flush`], [`Odin::result`] and the drop of the last [`Odin`]: they wait until
//! everything is acknowledged, [`END_WITHIN`] at most. What is bounded, and what happens at the bound, is beside each
//! constant of this crate.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
mod clock;
mod delivery;
mod environment;
mod json;
mod link;
mod mock;
mod odin;
mod queue;
mod report;
mod span;
mod status;
mod value;

pub use delivery::{Delivery, Why};
pub use link::{END_WITHIN, WRITE_WAITS};
pub use odin::Odin;
pub use queue::{QUEUE_BYTES_MAX, QUEUE_REPORTS_MAX};
pub use span::Span;
pub use status::{Outcome, Status};
pub use value::{Json, NAME_BYTES_MAX, VALUE_BYTES_MAX, Value};

/// The README's snippets are run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
