//! The socket that jobs report values on: who may speak there.
//!
//! Anybody on the machine may connect, so a thread of its own serves it: whatever is done to it costs the jobs
//! nothing but the processor's time. The first line is the hello; nothing behind it is parsed.

mod access;
mod door;
mod hello;
mod token;

pub(crate) use access::{Access, Accesses};
pub(crate) use door::{Bounds, open};
pub(crate) use token::RunToken;
