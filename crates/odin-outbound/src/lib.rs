//! Reaches receivers outside, for messages and for sinks.
//!
//! What is an address, whom TLS trusts, how long anything may take, and what a failure says to whom it may concern. What
//! an answer *means* is the caller's: this crate gives a status and a body, or says why there is none. Redirects are not
//! followed and the environment's proxies are not used: a request, and the secret in it, goes to the host that somebody
//! wrote down and to no other.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod address;
mod bounds;
mod connect;
mod error;
mod http;
mod tls;

pub use address::{AddressError, HttpAddress, URL_BYTES_MAX};
pub use bounds::Bounds;
pub use connect::dial;
pub use error::{OutboundError, TlsFlaw, with_causes};
pub use http::{Answer, Ending, HttpClient};
pub use hyper::{StatusCode, header};
pub use tls::{Connector, connector};
pub use tokio_rustls::client::TlsStream;
