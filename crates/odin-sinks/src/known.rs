//! What is known of a receiver, over the connections to it.

use std::collections::HashMap;

use odin_metrics::Label;

/// How many series are remembered in each of two turns.
const SERIES_MAX: usize = 10_000;

/// What is known of a receiver, over the connections to it.
#[derive(Debug, Default)]
pub struct Known {
    /// Whether it took a record since the last failure. Only then is what it refuses at fault for sure.
    pub(crate) takes: bool,
    pub(crate) newest: Newest,
}

/// The newest instant that was taken of each series, for receivers that keep one sample for each.
///
/// Series that no sample came of for long are forgotten, so that there are at most twice [`SERIES_MAX`]. What is lost
/// with one is that a second sample of its last millisecond is sent, and perhaps refused.
#[derive(Debug, Default)]
pub(crate) struct Newest {
    recent: HashMap<Vec<Label>, i64>,
    /// What `recent` was before it was full.
    earlier: HashMap<Vec<Label>, i64>,
}

impl Newest {
    /// In milliseconds since 1970.
    pub(crate) fn of(&self, series: &[Label]) -> Option<i64> {
        let recent = self.recent.get(series).copied();
        recent.max(self.earlier.get(series).copied())
    }

    /// Notes that a sample was taken. An older one than the newest changes nothing.
    pub(crate) fn note(&mut self, series: Vec<Label>, at: i64) {
        let at = self.of(&series).map_or(at, |newest| newest.max(at));
        self.recent.insert(series, at);
        if self.recent.len() >= SERIES_MAX {
            self.earlier = std::mem::take(&mut self.recent);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(number: usize) -> Vec<Label> {
        vec![("name", number.to_string())]
    }

    #[test]
    fn the_newest_instant_stays_and_series_of_long_ago_are_forgotten() {
        let mut newest = Newest::default();
        assert_eq!(newest.of(&series(0)), None);
        newest.note(series(0), 5);
        newest.note(series(0), 3);
        assert_eq!(newest.of(&series(0)), Some(5));
        for number in 1..SERIES_MAX {
            newest.note(series(number), 1);
        }
        assert_eq!(newest.of(&series(0)), Some(5), "in the turn before");
        newest.note(series(0), 4);
        assert_eq!(newest.of(&series(0)), Some(5));
        for number in SERIES_MAX..3 * SERIES_MAX {
            newest.note(series(number), 1);
        }
        assert_eq!(newest.of(&series(0)), None);
        assert!(newest.recent.len() + newest.earlier.len() <= 2 * SERIES_MAX);
    }
}
