//! Spreading jobs around a time, so that they do not all start at once.

use crate::rule::{Rule, Timing};

/// How far jobs are spread where the text does not say: five minutes to each side.
const WITHIN_DEFAULT: u32 = 300;

/// How far from its times a rule is due at most, to either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Spread {
    /// Seconds, at least 1 and at most [`Spread::within_max`].
    pub(crate) within: u32,
}

impl Spread {
    /// Half of the shortest time between two occurrences: more could change their order.
    /// 0 where there is no room.
    pub(crate) fn within_max(rule: &Rule) -> u32 {
        let gap = match &rule.timing {
            Timing::Wall { times, .. } => times.shortest_gap(),
            Timing::Elapsed { step, .. } => *step,
        };
        gap / 2
    }

    /// What counts where the text does not say.
    pub(crate) fn within_default(rule: &Rule) -> u32 {
        WITHIN_DEFAULT.min(Spread::within_max(rule))
    }

    /// The offset in seconds of the job with a seed: evenly drawn from `-within..=within`.
    ///
    /// Stable across releases: due times depend on it.
    pub(crate) fn offset(self, seed: u64) -> i64 {
        let choices = u128::from(self.within) * 2 + 1;
        let drawn = (u128::from(mixed(seed)) * choices) >> 64;
        drawn as i64 - i64::from(self.within)
    }
}

/// The finalizer of SplitMix64 after one step of its counter (Steele, Lea and Flood 2014).
fn mixed(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mixing_is_that_of_splitmix() {
        // The first outputs of the generator with these states, as published.
        assert_eq!(mixed(0), 0xe220_a839_7b1d_cdaf);
        assert_eq!(mixed(1_234_567), 6_457_827_717_110_365_317);
    }

    #[test]
    fn offsets_are_the_same_in_every_release() {
        let five_minutes = Spread { within: 300 };
        let offsets: Vec<i64> = (0..6).map(|seed| five_minutes.offset(seed)).collect();
        assert_eq!(offsets, [230, 40, 55, -232, -41, -68]);
    }

    #[test]
    fn offsets_fill_the_spread_evenly() {
        let spread = Spread { within: 2 };
        let mut counts = [0; 5];
        for seed in 0..10_000 {
            counts[(spread.offset(seed) + 2) as usize] += 1;
        }
        assert!(
            counts.iter().all(|count| (1_800..2_200).contains(count)),
            "{counts:?}"
        );
    }
}
