//! Whether a measure stays flat.
//!
//! The rule: the first third of a soak, two minutes at least, is its warm-up and does not count. Of the rest, the
//! growth is the median of the slopes between all pairs of samples (so that neither a checkpoint nor a burst decides)
//! times its length. It may be what the measure allows: a fixed part, which is noise, and a part for each run, where a
//! run is kept on purpose.

use std::fmt;
use std::time::Duration;

use super::sample::{Measure, Sample};
use crate::outcome::Outcome;

const WARM_UP_AT_LEAST: Duration = Duration::from_secs(120);

/// What a measure may grow by: so much, and so much for each run. KiB, or a count.
#[derive(Debug, Clone, Copy)]
struct Allowed {
    noise: f64,
    a_run: f64,
}

fn allowed(measure: Measure) -> Allowed {
    let (noise, a_run) = match measure {
        // Caches with a bound fill up slowly: SQLite's pages, versions of jobs that were read, the log's entries
        // between two snapshots.
        Measure::ServerMemory => (4096.0, 0.0),
        // For an hour it refuses to start again what is over: a key in a queue and in a set, each with room to grow.
        Measure::ExecutorMemory => (1024.0, 0.2),
        // A connection or two of whoever is looking.
        Measure::ServerDescriptors | Measure::ExecutorDescriptors => (3.0, 0.0),
        Measure::ServerThreads | Measure::ExecutorThreads => (2.0, 0.0),
        // A finished run goes into history after a minute; its row in the ledger stays.
        Measure::State => (4096.0, 1.0),
        // A finished run is kept until its job's `keep` says otherwise.
        Measure::History => (1024.0, 0.5),
        // Cut back after each snapshot, and between two of them as large as what came in.
        Measure::Log => (16_384.0, 4.0),
        // Written anew from 4 MiB on.
        Measure::Journal => (6144.0, 0.0),
        // One job in three prints more than fits its result: a file of some 20 KiB, kept like the run.
        Measure::Output => (1024.0, 24.0),
        Measure::Runs => (f64::INFINITY, 0.0),
    };
    Allowed { noise, a_run }
}

/// How a measure grew.
#[derive(Debug)]
pub(super) struct Growth {
    measure: Measure,
    first: f64,
    last: f64,
    growth: f64,
    allowed: f64,
    runs: f64,
    over: Duration,
}

impl Growth {
    /// Over the samples after the warm-up.
    pub(super) fn of(measure: Measure, samples: &[Sample]) -> Self {
        let counted = after_warm_up(samples);
        let value = |sample: Option<&Sample>, of| sample.map_or(0.0, |sample| sample.value(of));
        let over = match (counted.first(), counted.last()) {
            (Some(first), Some(last)) => last.at - first.at,
            _ => Duration::ZERO,
        };
        let runs = value(counted.last(), Measure::Runs) - value(counted.first(), Measure::Runs);
        let allowed = allowed(measure);
        Self {
            measure,
            first: value(counted.first(), measure),
            last: value(counted.last(), measure),
            growth: median_slope(counted, measure) * over.as_secs_f64(),
            allowed: allowed.noise + allowed.a_run * runs,
            runs,
            over,
        }
    }

    fn is_flat(&self) -> bool {
        self.growth <= self.allowed
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:.0} to {:.0}, grows by {:.1} in {} s and {:.0} runs, may grow by {:.0}: {}",
            self.measure.name(),
            self.first,
            self.last,
            self.growth,
            self.over.as_secs(),
            self.runs,
            self.allowed,
            if self.is_flat() { "flat" } else { "GROWS" }
        )
    }
}

/// An error that names what grows, if anything does.
pub(super) fn verdicts(samples: &[Sample]) -> Outcome<()> {
    let all = super::sample::MEASURES.map(|measure| Growth::of(measure, samples));
    let growing: Vec<_> = all
        .iter()
        .filter(|growth| !growth.is_flat())
        .map(ToString::to_string)
        .collect();
    if growing.is_empty() {
        Ok(())
    } else {
        Err(growing.join("; ").into())
    }
}

fn after_warm_up(samples: &[Sample]) -> &[Sample] {
    let length = samples.last().map_or(Duration::ZERO, |last| last.at);
    let warm = WARM_UP_AT_LEAST.max(length / 3);
    &samples[samples.partition_point(|sample| sample.at < warm)..]
}

/// A second's growth: Theil and Sen's estimate.
fn median_slope(samples: &[Sample], measure: Measure) -> f64 {
    let mut slopes = Vec::with_capacity(samples.len() * samples.len() / 2);
    for (place, from) in samples.iter().enumerate() {
        for to in &samples[place + 1..] {
            let seconds = (to.at - from.at).as_secs_f64();
            slopes.push((to.value(measure) - from.value(measure)) / seconds);
        }
    }
    slopes.sort_by(f64::total_cmp);
    slopes.get(slopes.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ninety samples, ten seconds apart, of what `value` gives for each.
    #[track_caller]
    fn check(measure: Measure, expected: bool, value: impl Fn(f64) -> f64) {
        let samples: Vec<_> = (1..=90u32)
            .map(|number| {
                let at = Duration::from_secs(10) * number;
                let number = f64::from(number);
                Sample::of(at, measure, value(number), number * 60.0)
            })
            .collect();
        let growth = Growth::of(measure, &samples);
        assert_eq!(growth.is_flat(), expected, "{growth}");
        assert_eq!(verdicts(&samples).is_ok(), expected);
    }

    #[test]
    fn what_grows_only_while_it_warms_up_is_flat() {
        check(Measure::ServerMemory, true, |at| 1000.0 * at.min(25.0));
    }

    #[test]
    fn a_leak_of_a_descriptor_every_two_minutes_is_found() {
        check(Measure::ServerDescriptors, false, |at| (at / 12.0).floor());
    }

    #[test]
    fn a_burst_and_a_saw_are_flat() {
        check(Measure::ServerDescriptors, true, |at| {
            if at > 40.0 && at < 50.0 { 90.0 } else { 20.0 }
        });
        check(Measure::Journal, true, |at| (at % 7.0) * 600.0);
    }

    #[test]
    fn a_leak_of_a_kibibyte_a_run_is_found_in_the_server_and_is_what_the_state_may() {
        check(Measure::ServerMemory, false, |at| at * 90.0);
        check(Measure::State, true, |at| at * 15.0);
    }
}
