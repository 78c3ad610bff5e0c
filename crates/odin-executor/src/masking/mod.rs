//! Keeps the secrets of a run out of what is stored and shown of it.
//!
//! A run's secrets become [`Patterns`]: the value, each of its lines, and what base64 makes of them wherever in a
//! longer text they begin. A [`Mask`] follows one stream through several views at once (as it is, with `%41` read as
//! `A`, with JSON's escapes read, as base64) and replaces what matches by `***`, however the stream is cut. Everything
//! is linear in what is printed, whatever the secrets are.
//!
//! It protects from accidents, not from the job: a program that wants to show its secret can always find a form that
//! nobody looks for.

mod automaton;
mod beginnings;
mod patterns;
mod run;
mod stream;
mod view;

pub use patterns::Patterns;
pub(crate) use run::{FLUSH_AFTER, RunMasks, Source};
pub use stream::Mask;

/// What stands in the place of a secret.
pub const MASK: &str = "***";
