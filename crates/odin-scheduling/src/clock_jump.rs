//! When the leader's wall clock is not to be trusted. DESIGN 5.8.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::Boottime;

/// A forward jump of the wall clock against boottime that is larger than this stops deciding.
pub const JUMP_MAX: Duration = Duration::from_secs(60);
/// How long a jump must have lasted before a leader without other voters believes it.
pub const ALONE_LASTS: Duration = Duration::from_secs(30);

/// Both clocks, read at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// The wall clock.
    pub wall: Timestamp,
    /// Boottime.
    pub boottime: Boottime,
}

/// What the leader makes of its wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It advanced as boottime did, or stepped back, or by little: later jumps are measured from this reading.
    Trusted(Reading),
    /// It jumped forward at this reading; nothing is decided until the jump has lasted.
    Doubted {
        /// The last reading before the jump.
        before: Reading,
        /// The first after it.
        since: Reading,
    },
}

impl Trust {
    /// Whether occurrences may be decided by the wall clock.
    #[must_use]
    pub fn is_trusted(&self) -> bool {
        matches!(self, Self::Trusted(_))
    }

    /// What the leader makes of its clock at the next reading. For a leader that has no other voter to ask.
    #[must_use]
    pub fn next(self, now: Reading) -> Self {
        match self {
            Self::Trusted(before)
                if jump(before, now)
                    > SignedDuration::try_from(JUMP_MAX).expect("a minute fits") =>
            {
                Self::Doubted { before, since: now }
            }
            Self::Trusted(_) => Self::Trusted(now),
            // It went back to where boottime says it should be: the jump was a mistake.
            Self::Doubted { before, .. }
                if jump(before, now)
                    <= SignedDuration::try_from(JUMP_MAX).expect("a minute fits") =>
            {
                Self::Trusted(now)
            }
            Self::Doubted { since, .. } if now.boottime.since(since.boottime) >= ALONE_LASTS => {
                Self::Trusted(now)
            }
            Self::Doubted { .. } => self,
        }
    }
}

/// By how much the wall clock advanced more than boottime; negative when it stepped back.
fn jump(before: Reading, now: Reading) -> SignedDuration {
    let elapsed = SignedDuration::try_from(now.boottime.since(before.boottime))
        .unwrap_or(SignedDuration::MAX);
    now.wall.duration_since(before.wall).saturating_sub(elapsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each reading is (boottime, wall) in seconds; the answer is what is trusted after each.
    #[track_caller]
    fn check(readings: &[(u64, i64)], expected: &[bool]) {
        let read = |&(boottime, wall): &(u64, i64)| Reading {
            wall: Timestamp::from_second(wall).unwrap(),
            boottime: Boottime(Duration::from_secs(boottime)),
        };
        let mut trust = Trust::Trusted(read(&readings[0]));
        let seen: Vec<_> = readings
            .iter()
            .map(|reading| {
                trust = trust.next(read(reading));
                trust.is_trusted()
            })
            .collect();
        assert_eq!(seen, expected);
    }

    #[test]
    fn suspend_is_not_a_jump_since_boottime_counts_it() {
        check(&[(0, 1000), (7200, 8200)], &[true, true]);
    }

    #[test]
    fn a_forward_jump_is_believed_once_it_has_lasted() {
        check(
            &[(0, 1000), (1, 9000), (30, 9029), (31, 9030), (32, 9031)],
            &[true, false, false, true, true],
        );
    }

    #[test]
    fn a_jump_that_is_taken_back_is_forgotten() {
        check(
            &[(0, 1000), (1, 9000), (5, 1005), (6, 1006)],
            &[true, false, true, true],
        );
    }

    #[test]
    fn a_step_back_and_a_small_step_forward_are_followed() {
        check(
            &[(0, 1000), (1, 400), (2, 461), (3, 462)],
            &[true, true, true, true],
        );
    }
}
