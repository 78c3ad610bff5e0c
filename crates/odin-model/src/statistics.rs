//! Counts of what jobs did: kept by the hour while results are applied, and added up when somebody asks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ledger::LedgerOutcome;
use crate::run::Outcome;

/// How many days are kept by the hour; older hours are joined into days.
pub const HOURLY_DAYS: i64 = 8;
/// How many days are kept at all.
pub const STATISTICS_DAYS: i64 = 400;
/// How many parts a doubling of a duration has: what is told is at most an eighth too large.
const PARTS: u64 = 8;
/// 2 to this power is [`PARTS`].
const PART_BITS: u32 = 3;

/// Durations in buckets that grow with them: exact below 16 µs, then eight to each doubling. The boundaries are a format
/// and never change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    buckets: BTreeMap<u16, u64>,
    /// The largest, in microseconds.
    max: u64,
}

impl Histogram {
    /// Counts one duration, in microseconds.
    pub fn add(&mut self, micros: u64) {
        *self.buckets.entry(bucket(micros)).or_default() += 1;
        self.max = self.max.max(micros);
    }

    /// Counts what another one has.
    pub fn merge(&mut self, other: &Self) {
        for (&bucket, &count) in &other.buckets {
            *self.buckets.entry(bucket).or_default() += count;
        }
        self.max = self.max.max(other.max);
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.buckets.values().sum()
    }

    /// The largest, in microseconds: exact. `None`: nothing was counted.
    #[must_use]
    pub fn max(&self) -> Option<u64> {
        (!self.buckets.is_empty()).then_some(self.max)
    }

    /// What so many of a thousand do not exceed, in microseconds: the upper end of its bucket, but never more than the
    /// largest. `None`: nothing was counted.
    #[must_use]
    pub fn percentile(&self, per_mille: u64) -> Option<u64> {
        let count = u128::from(self.count());
        let rank = (count * u128::from(per_mille.min(1000)))
            .div_ceil(1000)
            .max(1);
        let mut seen = 0;
        for (&bucket, &count) in &self.buckets {
            seen += u128::from(count);
            if seen >= rank {
                return Some(upper_end(bucket).min(self.max));
            }
        }
        None
    }
}

/// The bucket of a duration in microseconds.
fn bucket(micros: u64) -> u16 {
    if micros < 2 * PARTS {
        return u16::try_from(micros).expect("below 16");
    }
    let doublings = micros.ilog2() - PART_BITS;
    let part = (micros >> doublings) & (PARTS - 1);
    let bucket = u64::from(doublings + 1) * PARTS + part;
    u16::try_from(bucket).expect("64 doublings of 8 parts")
}

/// The largest duration of a bucket.
fn upper_end(bucket: u16) -> u64 {
    let bucket = u64::from(bucket);
    if bucket < 2 * PARTS {
        return bucket;
    }
    let doublings = bucket / PARTS - 1;
    let next = u128::from(PARTS + bucket % PARTS + 1) << doublings;
    u64::try_from(next - 1).unwrap_or(u64::MAX)
}

/// What was counted in a stretch of time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// Due times by outcome, the outcome by its place in [`LedgerOutcome::ALL`]; counted when they were decided.
    due: BTreeMap<u8, u64>,
    /// Runs that ended, by outcome, the outcome by its place in [`Outcome::ALL`].
    runs: BTreeMap<u8, u64>,
    /// From a run's first start to its end, of runs that ended by themselves.
    pub durations: Histogram,
    /// From a due time to its run's first start, of what was decided in time.
    pub lateness: Histogram,
}

impl Statistics {
    /// Counts due times.
    pub fn count_due(&mut self, outcome: LedgerOutcome, count: u64) {
        *self.due.entry(outcome as u8).or_default() += count;
    }

    /// Counts the end of a run.
    pub fn count_run(&mut self, outcome: Outcome) {
        *self.runs.entry(outcome as u8).or_default() += 1;
    }

    /// How many due times had an outcome.
    #[must_use]
    pub fn due(&self, outcome: LedgerOutcome) -> u64 {
        self.due.get(&(outcome as u8)).copied().unwrap_or(0)
    }

    /// How many runs ended so.
    #[must_use]
    pub fn runs(&self, outcome: Outcome) -> u64 {
        self.runs.get(&(outcome as u8)).copied().unwrap_or(0)
    }

    /// Adds what another one has.
    pub fn merge(&mut self, other: &Self) {
        for (&outcome, &count) in &other.due {
            *self.due.entry(outcome).or_default() += count;
        }
        for (&outcome, &count) in &other.runs {
            *self.runs.entry(outcome).or_default() += count;
        }
        self.durations.merge(&other.durations);
        self.lateness.merge(&other.lateness);
    }
}

/// Whether how long a run took says how long such runs take: it was not stopped, and its machine was not lost.
#[must_use]
pub fn ends_by_itself(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Succeeded | Outcome::Warning | Outcome::Failed => true,
        Outcome::Signalled
        | Outcome::TimedOut
        | Outcome::Cancelled
        | Outcome::OutOfMemory
        | Outcome::NotStartable
        | Outcome::Lost => false,
    }
}

/// How long a job's runs usually take, by its own history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TypicalDuration {
    /// What one of twenty does not exceed, in microseconds; one of ten while fewer than 40 are known, for the shortest
    /// alone may be odd.
    pub short: u64,
    /// What half of them do not exceed, in microseconds.
    pub p50: u64,
    /// What 95 of 100 do not exceed, in microseconds.
    pub p95: u64,
    /// How many it was learned from.
    pub count: u64,
}

impl TypicalDuration {
    /// Of what was counted. `None`: nothing was.
    #[must_use]
    pub fn of(counted: &Statistics) -> Option<Self> {
        let count = counted.durations.count();
        let short = if count < 40 { 100 } else { 50 };
        Some(Self {
            short: counted.durations.percentile(short)?,
            p50: counted.durations.percentile(500)?,
            p95: counted.durations.percentile(950)?,
            count,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_what_it_says_and_buckets_touch() {
        let mut end = None;
        for number in 0..=bucket(u64::MAX) {
            let from = end.map_or(0, |end: u64| end + 1);
            let to = upper_end(number);
            assert_eq!((bucket(from), bucket(to)), (number, number));
            assert!(
                u128::from(to - from) * u128::from(PARTS) <= u128::from(from),
                "{from} to {to}"
            );
            end = Some(to);
        }
        assert_eq!(end, Some(u64::MAX));
    }

    #[track_caller]
    fn check(durations: impl IntoIterator<Item = u64>, expected: [Option<u64>; 4]) {
        let mut histogram = Histogram::default();
        durations
            .into_iter()
            .for_each(|micros| histogram.add(micros));
        let [p50, p90, p99] = [500, 900, 990].map(|per_mille| histogram.percentile(per_mille));
        assert_eq!([p50, p90, p99, histogram.max()], expected);
    }

    #[test]
    fn percentiles_are_the_upper_ends_of_buckets_and_the_largest_is_exact() {
        check([], [None; 4]);
        check([7], [Some(7); 4]);
        check([1_000_003], [Some(1_000_003); 4]);
        check(1..=10, [Some(5), Some(9), Some(10), Some(10)]);
        check(
            (1..=1000).map(|ms| ms * 1000),
            [
                Some(524_287),
                Some(917_503),
                Some(1_000_000),
                Some(1_000_000),
            ],
        );
    }

    #[test]
    fn merging_is_as_counting_all() {
        let (mut all, mut first, mut second) = <(Histogram, Histogram, Histogram)>::default();
        for micros in (0..2_000).map(|place| place * place * 37) {
            all.add(micros);
            if micros % 3 == 0 {
                &mut first
            } else {
                &mut second
            }
            .add(micros);
        }
        first.merge(&second);
        assert_eq!(first, all);
    }
}
