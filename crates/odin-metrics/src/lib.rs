//! What a node counts and measures: families of series, and their text for Prometheus.
//!
//! A family is written down once, where it is counted or read. Whoever passes it on reads the same typed list:
//! `/metrics` as text, sinks in the form of their receiver.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod family;
mod recorded;
mod text;

pub use family::{Distribution, Family, Kind, Label, Number, Reading, Sample, Series};
pub use recorded::{Counters, Gauge, Histograms};
pub use text::{openmetrics, plain};
