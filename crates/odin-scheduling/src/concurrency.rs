//! What becomes of a run that finds others of its job active. Runs inside apply, on every replica; occurrences, people,
//! links and catch-up are all judged by [`admit`].

use jiff::Timestamp;
use odin_model::{Concurrency, Lane, Overlap, Priority, RunId};

/// How many runs of a job are not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Those that may have a process, now or later, without waiting for another: queued, assigned, running,
    /// retrying, unreachable.
    pub active: u32,
    /// Those that wait for their turn.
    pub waiting: u32,
}

/// What becomes of a new run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It begins.
    Start,
    /// It waits for its turn.
    Wait,
    /// Older runs are stopped for it, as [`replaced`] says; it waits while one of them is not over yet.
    Replace,
    /// The policy is `forbid`, and there is no room.
    Forbidden,
    /// As many wait as may.
    Full,
}

/// What becomes of a new run of a job that stands so.
#[must_use]
pub fn admit(policy: Concurrency, standing: Standing) -> Admission {
    let has_room = room(policy, standing.active) > 0;
    match policy.overlap {
        // Nobody passes those who wait.
        _ if has_room && standing.waiting == 0 => Admission::Start,
        Overlap::Forbid => Admission::Forbidden,
        Overlap::Replace => Admission::Replace,
        Overlap::Allow | Overlap::Queue if standing.waiting < policy.waiting_max() => {
            Admission::Wait
        }
        Overlap::Allow | Overlap::Queue => Admission::Full,
    }
}

/// How many more runs may begin beside `active` ones.
#[must_use]
pub fn room(policy: Concurrency, active: u32) -> u32 {
    policy
        .max()
        .map_or(u32::MAX, |max| max.saturating_sub(active))
}

/// An open run of a job whose policy is `replace`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaceable {
    /// Which run.
    pub run: RunId,
    /// Whether it was asked to end before.
    pub is_ending: bool,
}

/// The runs that a new one replaces, oldest first: as many as leave `max` with the new one among those that nobody
/// asked to end. `open` is oldest first.
#[must_use]
pub fn replaced(policy: Concurrency, open: &[Replaceable]) -> Vec<RunId> {
    let staying: Vec<_> = open.iter().filter(|run| !run.is_ending).collect();
    let max = usize::try_from(policy.max().unwrap_or(u32::MAX)).unwrap_or(usize::MAX);
    let too_many = (staying.len() + 1).saturating_sub(max);
    staying.iter().take(too_many).map(|run| run.run).collect()
}

/// A run that waits for its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Which run.
    pub run: RunId,
    /// Its job's priority when it was decided.
    pub priority: Priority,
    /// Whether it makes up for the past.
    pub lane: Lane,
    /// Its due time, or when it was asked for.
    pub ready_at: Timestamp,
}

/// Whose turn it is: live work before what makes up for the past, then the higher priority, then the earlier due
/// time, then who was decided first.
#[must_use]
pub fn next_turn(waiting: &[Waiting]) -> Option<RunId> {
    let order = |run: &&Waiting| {
        let priority = std::cmp::Reverse(run.priority);
        (run.lane, priority, run.ready_at, run.run)
    };
    waiting.iter().min_by_key(order).map(|run| run.run)
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_model::concurrency::Bounds;
    use proptest::prelude::*;

    fn policy(overlap: Overlap, max: Option<u32>, waiting: Option<u32>) -> Concurrency {
        Concurrency {
            overlap,
            bounds: Bounds { max, waiting },
        }
    }

    #[track_caller]
    fn check(policy: Concurrency, active: u32, waiting: u32, expected: Admission) {
        let standing = Standing { active, waiting };
        assert_eq!(admit(policy, standing), expected, "{policy:?} {standing:?}");
    }

    #[test]
    fn every_policy_starts_what_finds_room() {
        for overlap in Overlap::ALL {
            check(overlap.into(), 0, 0, Admission::Start);
            check(policy(overlap, Some(3), None), 2, 0, Admission::Start);
        }
        check(Concurrency::ALLOW, 1_000_000, 0, Admission::Start);
    }

    #[test]
    fn without_room_each_policy_has_its_answer() {
        check(Overlap::Forbid.into(), 1, 0, Admission::Forbidden);
        check(Overlap::Queue.into(), 1, 0, Admission::Wait);
        check(Overlap::Replace.into(), 1, 0, Admission::Replace);
        let allow = policy(Overlap::Allow, Some(2), None);
        check(allow, 2, 0, Admission::Wait);
    }

    #[test]
    fn nobody_passes_those_who_wait() {
        check(Overlap::Queue.into(), 0, 1, Admission::Wait);
        check(Overlap::Replace.into(), 0, 1, Admission::Replace);
    }

    #[test]
    fn the_queue_has_an_end() {
        check(Overlap::Queue.into(), 1, 99, Admission::Wait);
        check(Overlap::Queue.into(), 1, 100, Admission::Full);
        let none = policy(Overlap::Queue, None, Some(0));
        check(none, 1, 0, Admission::Full);
        check(none, 0, 0, Admission::Start);
    }

    #[test]
    fn the_turn_goes_to_live_work_then_to_priority_then_to_the_earlier() {
        let run = |bits, priority, lane, second| Waiting {
            run: RunId::from_bits(bits),
            priority: Priority::new(priority).unwrap(),
            lane,
            ready_at: Timestamp::from_second(second).unwrap(),
        };
        let mut waiting = vec![
            run(1, 100, Lane::CatchUp, 0),
            run(2, 0, Lane::Live, 9),
            run(3, 0, Lane::Live, 5),
            run(4, 0, Lane::Live, 5),
            run(5, 7, Lane::Live, 8),
            run(6, 100, Lane::CatchUp, -1),
        ];
        let mut order = Vec::new();
        while let Some(next) = next_turn(&waiting) {
            waiting.retain(|run| run.run != next);
            order.push(next.to_bits());
        }
        assert_eq!(order, [5, 3, 4, 2, 6, 1]);
    }

    proptest! {
        #[test]
        fn what_is_replaced_leaves_the_newest_and_asks_nobody_twice(
            ending in prop::collection::vec(any::<bool>(), 0..12), max in 1u32..5,
        ) {
            let open: Vec<_> = (1..).zip(&ending)
                .map(|(bits, &is_ending)| Replaceable { run: RunId::from_bits(bits), is_ending })
                .collect();
            let gone = replaced(policy(Overlap::Replace, Some(max), None), &open);
            let staying: Vec<_> = open.iter().filter(|run| !run.is_ending).map(|run| run.run).collect();
            prop_assert_eq!(&gone[..], &staying[..gone.len()]);
            prop_assert!(staying.len() - gone.len() < max as usize);
            prop_assert!(gone.is_empty() || staying.len() - gone.len() == max as usize - 1);
        }

        #[test]
        fn whatever_comes_and_goes_no_more_than_max_are_active(
            steps in prop::collection::vec(any::<bool>(), 0..80), overlap in 0usize..4, max in 1u32..4, bound in 0u32..4,
        ) {
            let policy = policy(Overlap::ALL[overlap], Some(max), Some(bound));
            let mut standing = Standing::default();
            for comes in steps {
                if !comes {
                    standing.active = standing.active.saturating_sub(1);
                    while standing.waiting > 0 && room(policy, standing.active) > 0 {
                        standing.waiting -= 1;
                        standing.active += 1;
                    }
                    continue;
                }
                match admit(policy, standing) {
                    Admission::Start => standing.active += 1,
                    Admission::Wait => standing.waiting += 1,
                    // The waiting ones beyond the newest are gone at once.
                    Admission::Replace => standing.waiting = (standing.waiting + 1).min(max),
                    Admission::Forbidden | Admission::Full => {}
                }
                prop_assert!(standing.active <= max);
                prop_assert!(standing.waiting <= bound.max(max));
                // Nobody waits while there is room.
                prop_assert!(standing.waiting == 0 || room(policy, standing.active) == 0);
            }
        }
    }
}
