//! How often what connections have said is fetched.
//!
//! A socket holds some 270 short reports or 200 KiB of long ones, and who writes more has to wait: so the loudest of
//! all decides how soon everybody is looked at again.

use std::time::Duration;

use odin_model::Boottime;

/// After a look, when nobody has said anything for [`LIVELY_FOR`]: as far as rounds of the disk are apart.
const CALM: Duration = super::keeping::ROUND_EVERY;
/// After a look, while somebody speaks now and then: who ends a short run with a result waits for its answer.
const LIVELY: Duration = Duration::from_millis(5);
const LIVELY_FOR: Duration = Duration::from_secs(1);
/// After a look, while somebody is loud, and for [`CALM`] after that: who found a socket full comes back some milliseconds
/// later, with all that has gathered.
const LOUD: Duration = Duration::from_millis(1);
/// Who says so much within [`CALM`], at the pace of the last look, is loud: half of what a socket holds.
const LOUD_AT: usize = 128;
/// Bytes that weigh as much as one more line.
const WEIGHT_BYTES: usize = 512;

/// When to look next, from what was heard since the last look.
#[derive(Debug)]
pub(super) struct Pace {
    last: Boottime,
    next: Boottime,
    lively_until: Boottime,
    loud_until: Boottime,
    loudest: usize,
    has_heard: bool,
}

impl Default for Pace {
    fn default() -> Self {
        let never = Boottime(Duration::ZERO);
        Self {
            last: never,
            next: never,
            lively_until: never,
            loud_until: never,
            loudest: 0,
            has_heard: false,
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
        self.has_heard = true;
    }

    /// A look is over.
    pub(super) fn end(&mut self, now: Boottime) {
        let passed = now.0.saturating_sub(self.last.0).clamp(LOUD, CALM);
        let in_calm = self.loudest as u128 * CALM.as_micros() / passed.as_micros();
        if in_calm >= LOUD_AT as u128 {
            self.loud_until = now.plus(CALM);
        }
        if std::mem::take(&mut self.has_heard) {
            self.lively_until = now.plus(LIVELY_FOR);
        }
        self.last = now;
        self.next = now.plus(if now < self.loud_until {
            LOUD
        } else if now < self.lively_until {
            LIVELY
        } else {
            CALM
        });
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
            (&[(20, 2_000), (20, 2_000), (20, 2_000)], 5),
            (&[(27, 2_500)], 5),
            (&[(28, 2_600)], 1),
            // The pace counts, and not that there was less to say in a millisecond.
            (&[(7, 700)], 1),
            (&[(0, 65_536)], 1),
            (&[(5, 500)], 1),
        ] {
            let next = look(heard, now);
            assert_eq!(next, Duration::from_millis(after), "{heard:?}");
            now += next;
        }
        // Whoever is silent may come back: soon, or in a second.
        let silent = (0..250).map(|_| {
            let next = look(&[], now);
            now += next;
            next.as_millis()
        });
        let silent: Vec<u128> = silent.collect();
        let expected = [vec![1; 18], vec![5; 197], vec![20; 35]].concat();
        assert_eq!(silent, expected);
        // However late a look is, there is no more to hear than a socket holds.
        let late = now + Duration::from_secs(3);
        assert_eq!(look(&[(270, 27_000)], late), Duration::from_millis(1));
    }
}
