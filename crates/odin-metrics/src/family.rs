//! Families as they are at one instant.

use std::fmt;

/// What a family measures. See "Metric Types" in OpenMetrics 1.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Grows from 0, which it is when the process starts.
    Counter,
    /// A counter that outlives the process: it was 0 at some time before.
    LastingCounter,
    /// Goes up and down.
    Gauge,
    /// How many observations were how large, each counter among them as [`Counter`](Self::Counter).
    Histogram,
    /// Always 1: its labels are what it says.
    Info,
}

impl Kind {
    /// The word in OpenMetrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Counter | Self::LastingCounter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// A label's name and value.
pub type Label = (&'static str, String);

/// A number that is exact where it counts something.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Of things.
    Whole(u64),
    /// Of seconds, and other fractions.
    Fraction(f64),
}

impl Number {
    /// The nearest float.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Whole(it) => it as f64,
            Self::Fraction(it) => it,
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(it) => write!(f, "{it}"),
            Self::Fraction(it) if *it == f64::INFINITY => f.write_str("+Inf"),
            Self::Fraction(it) if *it == f64::NEG_INFINITY => f.write_str("-Inf"),
            Self::Fraction(it) => write!(f, "{it:?}"),
        }
    }
}

/// Series of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Family {
    /// The name, without the `_total` or `_info` that its samples end with. A unit is its last word.
    pub name: &'static str,
    /// What it is, for people.
    pub help: &'static str,
    /// What it measures.
    pub kind: Kind,
    /// The series, no two with the same labels.
    pub series: Vec<Series>,
}

/// One series of a family.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What sets it apart.
    pub labels: Vec<Label>,
    /// What it is now.
    pub reading: Reading,
}

/// What a series is now.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Of a counter, a gauge or an info.
    Number(Number),
    /// Of a histogram.
    Distribution(Distribution),
}

/// How many observations were how large.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The largest value of each bucket but the last, which has none. Ascending.
    pub bounds: &'static [f64],
    /// How many observations each bucket has by itself: one more than there are bounds.
    pub counts: Vec<u64>,
    /// The sum of all observations.
    pub sum: f64,
}

impl Distribution {
    /// Without any observation.
    #[must_use]
    pub fn new(bounds: &'static [f64]) -> Self {
        Self {
            bounds,
            counts: vec![0; bounds.len() + 1],
            sum: 0.0,
        }
    }

    /// Takes a value in.
    pub(crate) fn observe(&mut self, value: f64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        self.counts[bucket] += 1;
        self.sum += value;
    }

    /// How many observations there were.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Each bound with how many observations are at most that large; the last bound is infinite.
    pub fn cumulative(&self) -> impl Iterator<Item = (f64, u64)> {
        let bounds = self.bounds.iter().copied().chain([f64::INFINITY]);
        let mut below = 0;
        bounds.zip(&self.counts).map(move |(bound, count)| {
            below += count;
            (bound, below)
        })
    }
}

/// One number as Prometheus knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The family's name with what its kind adds: `_total`, `_info`, `_bucket`, `_sum`, `_count`.
    pub name: String,
    /// Those of the series, and a bucket's `le`.
    pub labels: Vec<Label>,
    /// The number.
    pub value: Number,
}

impl Family {
    /// A gauge without labels.
    #[must_use]
    pub fn gauge(name: &'static str, help: &'static str, value: Number) -> Self {
        Self::single(name, help, Kind::Gauge, Vec::new(), value)
    }

    /// A gauge for each value of a label.
    #[must_use]
    pub fn gauges(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, Number)>,
    ) -> Self {
        Self::labelled(name, help, Kind::Gauge, label, values)
    }

    /// A counter for each value of a label.
    #[must_use]
    pub fn counters(
        name: &'static str,
        help: &'static str,
        label: &'static str,
        values: impl IntoIterator<Item = (String, Number)>,
    ) -> Self {
        Self::labelled(name, help, Kind::Counter, label, values)
    }

    /// A counter without labels.
    #[must_use]
    pub fn counter(name: &'static str, help: &'static str, value: Number) -> Self {
        Self::single(name, help, Kind::Counter, Vec::new(), value)
    }

    /// What labels say.
    #[must_use]
    pub fn info(name: &'static str, help: &'static str, labels: Vec<Label>) -> Self {
        Self::single(name, help, Kind::Info, labels, Number::Whole(1))
    }

    fn single(
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: Vec<Label>,
        value: Number,
    ) -> Self {
        Self::of(name, help, kind, [(labels, value)])
    }

    /// A number for each combination of labels.
    #[must_use]
    pub fn of(
        name: &'static str,
        help: &'static str,
        kind: Kind,
        values: impl IntoIterator<Item = (Vec<Label>, Number)>,
    ) -> Self {
        let values = values.into_iter();
        let series = values.map(|(labels, value)| Series {
            labels,
            reading: Reading::Number(value),
        });
        Self {
            name,
            help,
            kind,
            series: series.collect(),
        }
    }

    fn labelled(
        name: &'static str,
        help: &'static str,
        kind: Kind,
        label: &'static str,
        values: impl IntoIterator<Item = (String, Number)>,
    ) -> Self {
        let values = values.into_iter();
        let values = values.map(|(word, value)| (vec![(label, word)], value));
        Self::of(name, help, kind, values)
    }

    /// The unit by the Unified Code for Units of Measure: `s`, `By`; empty where things are counted.
    #[must_use]
    pub fn unit(&self) -> &'static str {
        match self.name.rsplit('_').next() {
            Some("seconds") => "s",
            Some("bytes") => "By",
            _ => "",
        }
    }

    /// Its series as single numbers.
    #[must_use]
    pub fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for series in &self.series {
            let mut add = |ending: &str, le: Option<Number>, value| {
                let mut labels = series.labels.clone();
                labels.extend(le.map(|le| ("le", le.to_string())));
                samples.push(Sample {
                    name: format!("{}{ending}", self.name),
                    labels,
                    value,
                });
            };
            match &series.reading {
                Reading::Number(value) => {
                    let ending = match self.kind {
                        Kind::Counter | Kind::LastingCounter => "_total",
                        Kind::Info => "_info",
                        Kind::Gauge | Kind::Histogram => "",
                    };
                    add(ending, None, *value);
                }
                Reading::Distribution(it) => {
                    for (bound, count) in it.cumulative() {
                        let le = Some(Number::Fraction(bound));
                        add("_bucket", le, Number::Whole(count));
                    }
                    add("_sum", None, Number::Fraction(it.sum));
                    add("_count", None, Number::Whole(it.count()));
                }
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        let mut seen = Distribution::new(&[1.0, 2.5]);
        for value in [0.0, 1.0, 1.1, 2.5, 2.6, 1e9] {
            seen.observe(value);
        }
        assert_eq!(seen.counts, [2, 2, 2]);
        assert_eq!(seen.count(), 6);
        let cumulative: Vec<_> = seen.cumulative().collect();
        assert_eq!(cumulative, [(1.0, 2), (2.5, 4), (f64::INFINITY, 6)]);
    }

    #[test]
    fn a_unit_is_the_last_word_of_a_name() {
        for (name, unit) in [
            ("odin_log_sync_seconds", "s"),
            ("process_resident_memory_bytes", "By"),
            ("odin_jobs", ""),
        ] {
            assert_eq!(Family::gauge(name, "", Number::Whole(0)).unit(), unit);
        }
    }
}
