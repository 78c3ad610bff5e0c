//! What this machine can do without Odin.

use odin_node::clock::SystemClock;

use crate::outcome::Outcome;

/// The raw rate of processes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Raw {
    /// Processes a second, the best of 1, 2 and 4 in flight.
    pub(crate) rate: f64,
    /// How many in flight that took.
    pub(crate) in_flight: usize,
}

pub(crate) fn measure(count: usize) -> Outcome<Raw> {
    let mut best = Raw {
        rate: 0.0,
        in_flight: 0,
    };
    for in_flight in [1, 2, 4] {
        let took = odin_executor::raw::spawn_and_wait(&SystemClock, count, in_flight)?;
        #[expect(clippy::cast_precision_loss, reason = "a count of processes")]
        let rate = count as f64 / took.as_secs_f64();
        if rate > best.rate {
            best = Raw { rate, in_flight };
        }
    }
    Ok(best)
}
