//! The smallest, largest, first and last number of a series in a stretch of time.

/// The stretches that cells are of, in bits of slots: one slot, 64, 4,096 and 262,144 of them.
pub(crate) const LEVELS: [u32; 4] = [0, 6, 12, 18];

/// How many microseconds a cell of a level is long.
pub(crate) fn width_of(level: u32) -> i64 {
    1 << (super::SLOT_BITS + level)
}

/// The coarsest level that has at least `cells_min` cells in a stretch of so many microseconds. `None`: not even the
/// finest has.
pub(crate) fn level_for(micros: i64, cells_min: i64) -> Option<u32> {
    let fits = |level: &&u32| micros / width_of(**level) >= cells_min;
    LEVELS.iter().rev().find(fits).copied()
}

/// Numbers with the instants that they were seen at, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cell {
    pub(crate) count: u64,
    pub(crate) min: (f64, i64),
    pub(crate) max: (f64, i64),
    pub(crate) first: (f64, i64),
    pub(crate) last: (f64, i64),
}

impl Cell {
    /// Of one number, which is finite.
    pub(crate) fn of(number: f64, micros: i64) -> Self {
        let it = (number, micros);
        Self {
            count: 1,
            min: it,
            max: it,
            first: it,
            last: it,
        }
    }

    /// Takes another in. Of equal extremes the earlier one counts, so that a cell does not show in which order its
    /// numbers came; of two ends at one instant, this one's first and the other's last.
    pub(crate) fn take(&mut self, other: &Self) {
        self.count = self.count.saturating_add(other.count);
        if other.min.0 < self.min.0 || (other.min.0 == self.min.0 && other.min.1 < self.min.1) {
            self.min = other.min;
        }
        if other.max.0 > self.max.0 || (other.max.0 == self.max.0 && other.max.1 < self.max.1) {
            self.max = other.max;
        }
        if other.first.1 < self.first.1 {
            self.first = other.first;
        }
        if other.last.1 >= self.last.1 {
            self.last = other.last;
        }
    }

    /// `None` takes the other whole.
    pub(crate) fn merge(into: &mut Option<Self>, other: &Self) {
        match into {
            Some(cell) => cell.take(other),
            None => *into = Some(*other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_keeps_its_extremes_and_its_ends_whatever_the_order() {
        let numbers = [
            (3.0, 10),
            (-1.0, 20),
            (7.0, 5),
            (2.0, 30),
            (7.0, 6),
            (-1.0, 21),
        ];
        for turn in 0..numbers.len() {
            let mut cell = None;
            for place in 0..numbers.len() {
                let (number, at) = numbers[(turn + place) % numbers.len()];
                Cell::merge(&mut cell, &Cell::of(number, at));
            }
            let expected = Cell {
                count: 6,
                min: (-1.0, 20),
                max: (7.0, 5),
                first: (7.0, 5),
                last: (2.0, 30),
            };
            assert_eq!(cell, Some(expected), "from {turn}");
        }
    }

    #[test]
    fn the_coarsest_level_with_enough_cells_is_chosen() {
        let hour = 3_600_000_000;
        assert_eq!(level_for(hour, 100), Some(0));
        assert_eq!(level_for(hour / 10, 100), None);
        assert_eq!(level_for(24 * hour, 100), Some(0));
        assert_eq!(level_for(24 * 30 * hour, 100), Some(6));
        assert_eq!(level_for(24 * 365 * hour, 100), Some(12));
        assert_eq!(level_for(i64::MAX, 100), Some(18));
    }
}
