//! A set of the seconds of a day.

use crate::calendar::DAY_SECONDS;

const WORDS: usize = DAY_SECONDS as usize / 64;

/// A set of the seconds of a day, 0 to 86,399.
#[derive(Clone)]
pub(crate) struct DaySet {
    /// Empty for the empty set, so that it costs nothing; else one bit for each second.
    bits: Vec<u64>,
    len: u64,
}

impl DaySet {
    pub(crate) const EMPTY: DaySet = DaySet {
        bits: Vec::new(),
        len: 0,
    };

    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    pub(crate) fn clear(&mut self) {
        self.bits.fill(0);
        self.len = 0;
    }

    pub(crate) fn insert(&mut self, second: i64) {
        self.bits.resize(WORDS, 0);
        let (word, bit) = (second as usize / 64, 1 << (second % 64));
        self.len += u64::from(self.bits[word] & bit == 0);
        self.bits[word] |= bit;
    }

    pub(crate) fn contains(&self, second: i64) -> bool {
        let word = self.bits.get(second as usize / 64);
        word.is_some_and(|word| word & (1 << (second % 64)) != 0)
    }

    /// Adds the seconds of another set from `low` up to `high`.
    pub(crate) fn add_within(&mut self, other: &DaySet, low: i64, high: i64) {
        if low >= high || other.bits.is_empty() {
            return;
        }
        self.bits.resize(WORDS, 0);
        let (first, last) = (low as usize / 64, (high as usize - 1) / 64);
        for index in first..=last {
            let mut word = other.bits[index];
            if index == first {
                word &= u64::MAX << (low % 64);
            }
            if index == last {
                word &= u64::MAX >> (63 - (high - 1) % 64);
            }
            let mine = &mut self.bits[index];
            self.len += u64::from((word & !*mine).count_ones());
            *mine |= word;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_second_counts_once_and_bounds_are_kept() {
        let mut set = DaySet::EMPTY;
        assert!(!set.contains(5));
        for second in [0, 63, 64, 65, 86_399, 64] {
            set.insert(second);
        }
        assert_eq!(set.len(), 5);
        for (low, high, expected) in [
            (0, DAY_SECONDS, 5),
            (1, DAY_SECONDS, 4),
            (63, 65, 2),
            (64, 64, 0),
            (65, 86_399, 1),
            (0, 1, 1),
        ] {
            let mut part = DaySet::EMPTY;
            part.add_within(&set, low, high);
            assert_eq!(part.len(), expected, "{low} to {high}");
            part.add_within(&set, low, high);
            assert_eq!(part.len(), expected, "twice {low} to {high}");
        }
        set.clear();
        assert_eq!(set.len(), 0);
        assert!(!set.contains(64));
    }
}
