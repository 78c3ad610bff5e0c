//! The histograms that openraft and raft-log count their batches and waits in, in 2 KiB each.
//!
//! This crate stands in for the published one of the same name (`[patch.crates-io]` in the root's Cargo.toml), which
//! fills 27 MiB of tables with its first histogram: two thirds of what an idle server may use. It is written against
//! the names that the two call, and holds nothing else; docs/decisions/0024 says when it goes.

use std::fmt;
use std::marker::PhantomData;

/// Buckets for each power of two. Four: a bucket is at most a quarter as wide as its lowest value.
const PER_OCTAVE: usize = 4;
/// Bits of a value, below its highest, that choose the bucket within the power of two.
const FINE_BITS: u32 = PER_OCTAVE.trailing_zeros();
const BUCKETS: usize = (u64::BITS as usize - FINE_BITS as usize + 1) * PER_OCTAVE;

/// How often each magnitude of a `u64` was seen. Values below 8 are exact, greater ones to a quarter of themselves.
/// Recording takes constant time. `T` is the callers' word for metadata of stretches, which neither uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: Box<[u64]>,
    total: u64,
    metadata: PhantomData<T>,
}

impl<T> Default for Histogram<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Histogram<T> {
    /// An empty histogram over all of `u64`.
    pub fn new() -> Self {
        Self {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            total: 0,
            metadata: PhantomData,
        }
    }

    /// Counts `value` once.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Counts `value` so many times. Counts stop at their greatest number.
    pub fn record_n(&mut self, value: u64, times: u64) {
        let count = &mut self.counts[bucket(value)];
        *count = count.saturating_add(times);
        self.total = self.total.saturating_add(times);
    }

    /// The number of values recorded.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The percentiles that are shown, each an estimate within its bucket; 0 where nothing was recorded.
    pub fn percentile_stats(&self) -> PercentileStats {
        PercentileStats {
            samples: self.total,
            p0_1: self.permille(1),
            p1: self.permille(10),
            p5: self.permille(50),
            p10: self.permille(100),
            p50: self.permille(500),
            p90: self.permille(900),
            p99: self.permille(990),
            p99_9: self.permille(999),
        }
    }

    /// The value that `permille` thousandths of the recorded ones do not exceed, as if a bucket's were spread evenly.
    fn permille(&self, permille: u32) -> u64 {
        let rank = (u128::from(self.total) * u128::from(permille))
            .div_ceil(1000)
            .max(1);
        let mut before = 0;
        for (index, &count) in self.counts.iter().enumerate() {
            let count = u128::from(count);
            if before + count >= rank {
                let (lowest, width) = range(index);
                let above = u128::from(width - 1) * (rank - before) / count;
                return lowest + u64::try_from(above).expect("a part of a bucket is within it");
            }
            before += count;
        }
        0
    }
}

/// The bucket of a value: a value's power of two, then the bits below the highest.
fn bucket(value: u64) -> usize {
    let Some(shift) = value
        .checked_ilog2()
        .and_then(|highest| highest.checked_sub(FINE_BITS))
    else {
        return usize::try_from(value).expect("below the first power of two that is divided");
    };
    let fine = usize::try_from(value >> shift).expect("three bits") % PER_OCTAVE;
    (shift as usize + 1) * PER_OCTAVE + fine
}

/// The lowest value of a bucket, and how many values it takes.
fn range(index: usize) -> (u64, u64) {
    let fine = (index % PER_OCTAVE) as u64;
    match (index / PER_OCTAVE).checked_sub(1) {
        None => (fine, 1),
        Some(shift) => ((PER_OCTAVE as u64 + fine) << shift, 1 << shift),
    }
}

/// What a histogram says in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentileStats {
    /// The number of values recorded.
    pub samples: u64,
    /// One in a thousand is at most this.
    pub p0_1: u64,
    /// One in a hundred is at most this.
    pub p1: u64,
    /// One in twenty is at most this.
    pub p5: u64,
    /// One in ten is at most this.
    pub p10: u64,
    /// Half are at most this.
    pub p50: u64,
    /// Nine in ten are at most this.
    pub p90: u64,
    /// 99 in a hundred are at most this.
    pub p99: u64,
    /// 999 in a thousand are at most this.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            samples,
            p0_1,
            p1,
            p5,
            p10,
            p50,
            p90,
            p99,
            p99_9,
        } = self;
        write!(
            f,
            "{samples} samples, P0.1 {p0_1}, P1 {p1}, P5 {p5}, P10 {p10}, P50 {p50}, P90 {p90}, P99 {p99}, P99.9 {p99_9}"
        )
    }
}

/// Several histograms to be shown together: a line for each.
#[derive(Debug, Clone)]
pub struct AsciiChart<T = ()> {
    series: Vec<(String, Histogram<T>)>,
}

impl<T> Default for AsciiChart<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> AsciiChart<T> {
    /// A chart of nothing.
    pub fn new() -> Self {
        Self { series: Vec::new() }
    }

    /// The chart with one more histogram, under `name`.
    #[must_use]
    pub fn add(mut self, name: &str, histogram: Histogram<T>) -> Self {
        self.series.push((name.to_owned(), histogram));
        self
    }
}

impl<T> fmt::Display for AsciiChart<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.series.iter().try_for_each(|(name, histogram)| {
            writeln!(f, "{name}: {}", histogram.percentile_stats())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_the_range_of_its_bucket_and_buckets_follow_each_other() {
        let mut next = 0_u64;
        for index in 0..BUCKETS {
            let (lowest, width) = range(index);
            assert_eq!(lowest, next, "bucket {index}");
            let highest = lowest + (width - 1);
            assert_eq!(
                (bucket(lowest), bucket(highest)),
                (index, index),
                "{lowest} to {highest}"
            );
            next = highest.wrapping_add(1);
        }
        assert_eq!(next, 0, "the last bucket ends with the greatest value");
    }

    #[test]
    fn percentiles_are_exact_for_small_values_and_a_quarter_off_at_most_for_large_ones() {
        #[track_caller]
        fn check(values: impl Iterator<Item = u64>, median: u64, highest: u64) {
            let mut histogram = Histogram::<()>::new();
            values.for_each(|value| histogram.record(value));
            let stats = histogram.percentile_stats();
            for (estimate, right) in [(stats.p50, median), (stats.p99_9, highest)] {
                assert!(
                    estimate.abs_diff(right) <= right / 4,
                    "{estimate} for {right}"
                );
                assert!(right >= 8 || estimate == right, "{estimate} for {right}");
            }
        }
        check(std::iter::empty(), 0, 0);
        check(std::iter::once(u64::MAX), u64::MAX, u64::MAX);
        check([0, 1, 2, 3, 4, 5, 6].into_iter(), 3, 6);
        check(std::iter::repeat_n(7, 1_000), 7, 7);
        check(1..=100_000, 50_000, 99_900);
        check((0..64).map(|power| 1 << power), 1 << 31, 1 << 63);
    }

    #[test]
    fn a_chart_has_a_line_for_each_histogram() {
        let mut waits = Histogram::<()>::new();
        waits.record(5);
        let chart = AsciiChart::new()
            .add("waits", waits)
            .add("none", Histogram::new());
        let seen = chart.to_string();
        assert_eq!(
            seen.lines().collect::<Vec<_>>(),
            [
                "waits: 1 samples, P0.1 5, P1 5, P5 5, P10 5, P50 5, P90 5, P99 5, P99.9 5",
                "none: 0 samples, P0.1 0, P1 0, P5 0, P10 0, P50 0, P90 0, P99 0, P99.9 0",
            ]
        );
    }
}
