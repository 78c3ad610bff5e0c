//! Random choices that a seed repeats.

/// A row of draws (splitmix64): the same seed gives the same row on every machine.
#[derive(Debug, Clone)]
pub(crate) struct Draw(u64);

impl Draw {
    pub(crate) fn new(seed: u64) -> Draw {
        Draw(seed)
    }

    pub(crate) fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `first` to `last`, both included.
    pub(crate) fn between(&mut self, first: i64, last: i64) -> i64 {
        first + (self.number() % (last - first + 1).unsigned_abs()) as i64
    }

    /// Yes, in so many of a hundred draws.
    pub(crate) fn percent(&mut self, yes: u64) -> bool {
        self.number() % 100 < yes
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[(self.number() % choices.len() as u64) as usize]
    }

    /// So many different numbers from `first` to `last`, ascending; fewer if they coincide.
    pub(crate) fn several(&mut self, count: i64, first: i64, last: i64) -> Vec<i64> {
        let mut values: Vec<i64> = (0..count).map(|_| self.between(first, last)).collect();
        values.sort_unstable();
        values.dedup();
        values
    }
}
