//! How often what connections have said is fetched.
//!
//! A socket holds some 270 short reports or 200 KiB of long ones, and who writes more has to wait: so the loudest of
//! all decides how soon everybody is looked at again.

use std::time::Duration;

use odin_model::Boottime;

/// After a look, when all are calm: as far as rounds of the disk are apart, since nobody is answered sooner.
pub(super) const CALM: Duration = super::keeping::ROUND_EVERY;
/// After a look, while somebody is loud, and for [`CALM`] after that: who found a socket full comes back some milliseconds
/// later, with all that has gathered.
pub(super) const LOUD: Duration = Duration::from_millis(1);
/// Who says so much within [`CALM`], at the pace of the last look, is loud: half of what a socket holds.
const LOUD_AT: usize = 128;
/// Bytes that weigh as much as one more line.
const WEIGHT_BYTES: usize = 512;

/// When to look next, from what was heard since the last look.
#[derive(Debug)]
pub(super) struct Pace {
    last: Boottime,
    next: Boottime,
    loud_until: Boottime,
    loudest: usize,
}

impl Default for Pace {
    fn default() -> Self {
        let never = Boottime(Duration::ZERO);
        Self {
            last: never,
            next: never,
            loud_until: never,
            loudest: 0,
        }
    }
}

impl Pace {
    pub(super) fn next(&self) -> Boottime {
        self.next
    }

    /// A look begins.
    pub(super) fn begin(&mut self) {
        self.loudest = 0;
    }

    /// So much was taken from one connection at a time.
    pub(super) fn hear(&mut self, lines: usize, bytes: usize) {
        self.loudest = self.loudest.max(lines + bytes / WEIGHT_BYTES);
    }

    /// A look is over.
    pub(super) fn end(&mut self, now: Boottime) {
        let passed = now.0.saturating_sub(self.last.0).clamp(LOUD, CALM);
        let in_calm = self.loudest as u128 * CALM.as_micros() / passed.as_micros();
        if in_calm >= LOUD_AT as u128 {
            self.loud_until = now.plus(CALM);
        }
        let is_loud = now < self.loud_until;
        self.last = now;
        self.next = now.plus(if is_loud { LOUD } else { CALM });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_would_fill_a_socket_until_the_next_look_is_looked_at_each_millisecond() {
        let mut pace = Pace::default();
        let mut now = Duration::from_secs(9);
        let mut look = |heard: &[(usize, usize)], at: Duration| {
            pace.begin();
            for (lines, bytes) in heard {
                pace.hear(*lines, *bytes);
            }
            pace.end(Boottime(at));
            pace.next().0 - at
        };
        // What the connections had to say at each look, in lines and bytes, and the milliseconds until the next one.
        for (heard, after) in [
            (&[][..], 20),
            (&[(20, 2_000), (20, 2_000), (20, 2_000)], 20),
            (&[(107, 10_700)], 20),
            (&[(108, 10_800)], 1),
            // The pace counts, and not that there was less to say in a millisecond.
            (&[(7, 700)], 1),
            (&[(0, 65_536)], 1),
            (&[(5, 500)], 1),
        ] {
            let next = look(heard, now);
            assert_eq!(next, Duration::from_millis(after), "{heard:?}");
            now += next;
        }
        // For as long as a calm look takes, whoever is silent may come back.
        let silent = (0..30).map(|_| {
            let next = look(&[], now);
            now += next;
            next
        });
        let silent: Vec<u128> = silent.map(|next| next.as_millis()).collect();
        assert_eq!(silent, [vec![1; 18], vec![20; 12]].concat());
        // However late a look is, there is no more to hear than a socket holds.
        let late = now + Duration::from_secs(3);
        assert_eq!(look(&[(270, 27_000)], late), Duration::from_millis(1));
    }
}
