//! How far this node's wall clock is from the leader's. DESIGN 5.4 and 5.8.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::Boottime;
use odin_scheduling::clock_jump::Reading;

/// A node whose wall clock differs from the leader's by more than this gets no launches.
pub(crate) const SKEW_MAX: SignedDuration = SignedDuration::from_millis(500);

/// What an answered request says of the two wall clocks.
///
/// The leader read its clock between the asking and the answer, so a difference within that time is none.
#[must_use]
pub(crate) fn skew(asked: Reading, answered: Reading, leader_wall: Timestamp) -> SignedDuration {
    let (earliest, latest) = (asked.wall.min(answered.wall), asked.wall.max(answered.wall));
    if leader_wall < earliest {
        leader_wall.duration_since(earliest)
    } else if leader_wall > latest {
        leader_wall.duration_since(latest)
    } else {
        SignedDuration::ZERO
    }
}

/// The instant on this node's boottime at which the leader's wall clock will show `at`, unless somebody sets it.
#[must_use]
pub(crate) fn to_boottime(at: Timestamp, now: Reading, skew: SignedDuration) -> Boottime {
    let ahead = at.duration_since(now.wall).saturating_sub(skew);
    Duration::try_from(ahead).map_or(now.boottime, |ahead| now.boottime.plus(ahead))
}

/// The instant on this node's boottime at which the leader's wall clock showed, or will show, `at`; the machine's start
/// for what was before it.
#[must_use]
pub(crate) fn since_boottime(at: Timestamp, now: Reading, skew: SignedDuration) -> Boottime {
    let behind = now.wall.duration_since(at).saturating_add(skew);
    Duration::try_from(behind).map_or_else(
        |_| to_boottime(at, now, skew),
        |behind| Boottime(now.boottime.0.saturating_sub(behind)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(millis: i64) -> Timestamp {
        Timestamp::from_millisecond(millis).unwrap()
    }

    fn reading(millis: i64) -> Reading {
        Reading {
            wall: wall(millis),
            boottime: Boottime(Duration::from_millis(millis.unsigned_abs())),
        }
    }

    #[test]
    fn a_difference_within_the_round_trip_is_none() {
        for (leader, expected) in [
            (1_000, 0),
            (1_007, 0),
            (1_010, 0),
            (990, -10),
            (1_510, 500),
            (1_511, 501),
        ] {
            let seen = skew(reading(1_000), reading(1_010), wall(leader));
            assert_eq!(seen.as_millis(), expected, "{leader}");
        }
    }

    #[test]
    fn a_launch_is_armed_by_the_leaders_clock_and_at_once_when_it_is_past() {
        let boottime = |at, skew| {
            to_boottime(wall(at), reading(1_000), SignedDuration::from_millis(skew))
                .0
                .as_millis()
        };
        assert_eq!(boottime(3_000, 0), 3_000);
        assert_eq!(boottime(3_000, 400), 2_600);
        assert_eq!(boottime(3_000, -400), 3_400);
        assert_eq!(boottime(500, 0), 1_000);
    }
}
