//! When the node's loops last went round: what a watchdog in another thread looks at, and what `/metrics` tells.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use odin_model::Boottime;

/// One loop's sign of life.
#[derive(Debug, Default)]
pub(crate) struct Beat {
    /// Milliseconds of boottime, from 1; 0 while the loop rests.
    at: AtomicU64,
}

impl Beat {
    /// The loop goes round.
    pub(crate) fn beat(&self, now: Boottime) {
        let milliseconds = u64::try_from(now.0.as_millis()).unwrap_or(u64::MAX);
        self.at.store(milliseconds.max(1), Ordering::Relaxed);
    }

    /// The loop has nothing to do until it beats again, and is not waited for.
    pub(crate) fn rest(&self) {
        self.at.store(0, Ordering::Relaxed);
    }

    /// For how long the loop has not gone round. `None`: it rests.
    pub(crate) fn age(&self, now: Boottime) -> Option<Duration> {
        match self.at.load(Ordering::Relaxed) {
            0 => None,
            at => Some(now.since(Boottime(Duration::from_millis(at)))),
        }
    }
}

/// A beat that rests when this is dropped: a loop may be cut off at any await. One that panics has not ended as it should,
/// and goes on being waited for.
pub(crate) struct Beating<'b>(pub(crate) &'b Beat);

impl Drop for Beating<'_> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.rest();
        }
    }
}

/// The loops of a node.
#[derive(Debug, Default)]
pub(crate) struct Heartbeats {
    /// Rests where another node leads. A round that did not go through does not count.
    pub(crate) leader: Beat,
    pub(crate) agent: Beat,
    pub(crate) apply: Beat,
}

/// How long a loop may take for one round: the leader's sleeps half a second at most, and waits for a quorum and the
/// disk.
const ROUND_MAX: Duration = Duration::from_secs(10);
/// How long applying one batch may take: a snapshot is installed in one.
const APPLY_MAX: Duration = Duration::from_secs(30);

/// A loop that does not go round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stuck {
    /// Its name in words and in alerts.
    pub(crate) name: &'static str,
    /// What does not happen meanwhile.
    pub(crate) consequence: &'static str,
}

impl Heartbeats {
    /// The loops that have been still for longer than a round may take.
    pub(crate) fn stuck(&self, now: Boottime) -> Vec<Stuck> {
        [
            (
                &self.leader,
                ROUND_MAX,
                "leader",
                "due times are not decided",
            ),
            (
                &self.agent,
                ROUND_MAX,
                "agent",
                "no run is started on this node or reported from it",
            ),
            (
                &self.apply,
                APPLY_MAX,
                "apply",
                "nothing changes on this node",
            ),
        ]
        .into_iter()
        .filter(|(beat, most, ..)| beat.age(now).is_some_and(|age| age > *most))
        .map(|(_, _, name, consequence)| Stuck { name, consequence })
        .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_is_stuck_when_a_round_takes_too_long_and_not_while_it_rests() {
        let beats = Heartbeats::default();
        let at = |seconds| Boottime(Duration::from_secs(seconds));
        let names = |now| -> Vec<_> { beats.stuck(at(now)).iter().map(|it| it.name).collect() };
        assert_eq!(names(1_000), [""; 0]);
        beats.leader.beat(at(100));
        beats.apply.beat(at(100));
        assert_eq!(names(110), [""; 0]);
        assert_eq!(names(111), ["leader"]);
        assert_eq!(names(131), ["leader", "apply"]);
        beats.leader.beat(at(131));
        {
            let _resting = Beating(&beats.apply);
        }
        assert_eq!(names(140), [""; 0]);
    }
}
