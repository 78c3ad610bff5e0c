//! What is counted as it happens. A clone is the same numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::{Distribution, Family, Kind, Number, Reading, Series};

/// Numbers by the values of `N` labels.
struct Recorded<const N: usize, T> {
    name: &'static str,
    help: &'static str,
    labels: [&'static str; N],
    by_values: Mutex<BTreeMap<[&'static str; N], T>>,
}

impl<const N: usize, T> Recorded<N, T> {
    fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Arc<Self> {
        Arc::new(Self {
            name,
            help,
            labels,
            by_values: Mutex::default(),
        })
    }

    fn change(
        &self,
        values: [&'static str; N],
        first: impl FnOnce() -> T,
        by: impl FnOnce(&mut T),
    ) {
        let mut all = self
            .by_values
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        by(all.entry(values).or_insert_with(first));
    }

    fn family(
        &self,
        kind: Kind,
        first: impl FnOnce() -> T,
        reading: impl Fn(&T) -> Reading,
    ) -> Family {
        let mut all = self
            .by_values
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        // What has no labels is there from the beginning; with labels, nobody knows which values there will be.
        if N == 0 && all.is_empty() {
            all.insert([""; N], first());
        }
        let series = all.iter().map(|(values, it)| Series {
            labels: self
                .labels
                .iter()
                .zip(values)
                .map(|(label, value)| (*label, (*value).to_owned()))
                .collect(),
            reading: reading(it),
        });
        Family {
            name: self.name,
            help: self.help,
            kind,
            series: series.collect(),
        }
    }
}

/// A counter for each combination of the values of `N` labels, which have to be few.
#[derive(Clone)]
pub struct Counters<const N: usize>(Arc<Recorded<N, u64>>);

impl<const N: usize> Counters<N> {
    /// Begins to count. The name is without `_total`.
    #[must_use]
    pub fn new(name: &'static str, help: &'static str, labels: [&'static str; N]) -> Self {
        Self(Recorded::new(name, help, labels))
    }

    /// Counts so many.
    pub fn add(&self, values: [&'static str; N], count: u64) {
        self.0
            .change(values, || 0, |it| *it = it.saturating_add(count));
    }

    /// What was counted.
    #[must_use]
    pub fn family(&self) -> Family {
        let reading = |count: &u64| Reading::Number(Number::Whole(*count));
        self.0.family(Kind::Counter, || 0, reading)
    }
}

/// A histogram for each combination of the values of `N` labels, which have to be few.
#[derive(Clone)]
pub struct Histograms<const N: usize> {
    bounds: &'static [f64],
    recorded: Arc<Recorded<N, Distribution>>,
}

impl<const N: usize> Histograms<N> {
    /// Begins to observe, in buckets up to these bounds.
    #[must_use]
    pub fn new(
        name: &'static str,
        help: &'static str,
        labels: [&'static str; N],
        bounds: &'static [f64],
    ) -> Self {
        Self {
            bounds,
            recorded: Recorded::new(name, help, labels),
        }
    }

    /// Takes a value in.
    pub fn observe(&self, values: [&'static str; N], value: f64) {
        let first = || Distribution::new(self.bounds);
        self.recorded.change(values, first, |it| it.observe(value));
    }

    /// What was observed.
    #[must_use]
    pub fn family(&self) -> Family {
        let reading = |seen: &Distribution| Reading::Distribution(seen.clone());
        let first = || Distribution::new(self.bounds);
        self.recorded.family(Kind::Histogram, first, reading)
    }
}

/// A number of things that goes up and down.
#[derive(Clone)]
pub struct Gauge {
    name: &'static str,
    help: &'static str,
    value: Arc<AtomicU64>,
}

impl Gauge {
    /// It is 0.
    #[must_use]
    pub fn new(name: &'static str, help: &'static str) -> Self {
        Self {
            name,
            help,
            value: Arc::default(),
        }
    }

    /// It is this from now on.
    pub fn set(&self, value: u64) {
        self.value.store(value, Ordering::Relaxed);
    }

    /// What it is.
    #[must_use]
    pub fn family(&self) -> Family {
        let value = self.value.load(Ordering::Relaxed);
        Family::gauge(self.name, self.help, Number::Whole(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_counts_into_the_same_numbers() {
        let counters = Counters::new("runs", "Runs", ["outcome"]);
        assert_eq!(counters.family().series, []);
        counters.clone().add(["failed"], 2);
        counters.add(["failed"], 1);
        let series = counters.family().series;
        assert_eq!(series[0].labels, [("outcome", "failed".to_owned())]);
        assert_eq!(series[0].reading, Reading::Number(Number::Whole(3)));
    }

    #[test]
    fn what_has_no_labels_is_zero_from_the_beginning() {
        let applied = Counters::new("applied", "Applied", []);
        assert_eq!(applied.family().samples()[0].value, Number::Whole(0));
        let took = Histograms::new("took_seconds", "Time", [], &[1.0]);
        assert_eq!(took.family().samples().len(), 4);
        took.observe([], 0.5);
        assert_eq!(took.family().samples()[0].value, Number::Whole(1));
    }
}
