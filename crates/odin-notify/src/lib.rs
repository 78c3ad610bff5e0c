//! Takes messages to mail servers and webhooks.
//!
//! One call is one attempt: [`Courier::send`] says whether the message was taken, and if not, whether it is worth
//! another. Who calls decides when; how long each step may take is bounded here. Everything ends when its future is
//! dropped. A message is the same bytes at every attempt but for what says when it was sent, and carries the same id.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod courier;
mod mail;
mod mail_address;
mod render;
mod signature;
mod smtp;
mod starttls;
mod webhook;

pub use courier::{Courier, Destination, Receipt, SendError, Trouble};
pub use mail_address::{MailAddressError, MailServer, check_address};
pub use render::{payload, subject, text};
pub use signature::sign;
