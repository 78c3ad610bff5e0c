//! Which of the runs that wait at a node is next. Asked by the node's agent whenever it may start one more.
//!
//! The rule, from the most to the least important:
//!
//! 1. Live work goes before what makes up for the past, and of that few runs go at once ([`catch_up_max`]): an outage
//!    never delays what is due now. A run that has made up for the past for [`CATCH_UP_PATIENCE`] without its turn counts
//!    as live, so that a node that is never idle gets to it too.
//! 2. The higher priority is first.
//! 3. Among equals, the job with the fewest runs under way: a job with a thousand runs does not keep out one with
//!    one.
//! 4. The run that has been ready for longest.
//!
//! Every [`EVERY_OLDEST`]th turn goes to the live run that has been ready for longest, whatever its priority: nobody
//! starves.

use std::cmp::Reverse;

use jiff::{SignedDuration, Timestamp};
use odin_model::{JobId, Lane, Priority, RunId};

/// Which turns go to who waits longest.
pub const EVERY_OLDEST: u64 = 8;
/// How many runs that make up for the past go at once on a node without a bound on its runs.
pub const CATCH_UP_MAX: u32 = 4;
/// How long a run makes up for the past after all others before it counts as live.
pub const CATCH_UP_PATIENCE: SignedDuration = SignedDuration::from_hours(1);

/// A run that waits at the node, and may start as far as its own time goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Which run.
    pub run: RunId,
    /// Its job.
    pub job: JobId,
    /// Its priority.
    pub priority: Priority,
    /// Whether it makes up for the past.
    pub lane: Lane,
    /// When it could have started.
    pub ready_at: Timestamp,
    /// Since when it waits at this node, on the node's wall clock.
    pub waits_since: Timestamp,
}

/// What is under way at the node.
#[derive(Clone, Copy)]
pub struct UnderWay<'a> {
    /// How many runs the node may have at once. `None`: any number.
    pub slots: Option<u32>,
    /// How many it has.
    pub runs: u32,
    /// How many of them make up for the past.
    pub catch_ups: u32,
    /// How many of them a job has.
    pub of_job: &'a dyn Fn(JobId) -> u32,
    /// How many turns there were before this one.
    pub turn: u64,
}

/// How many runs that make up for the past go at once: [`CATCH_UP_MAX`], and at most half of the node's slots, but one
/// always.
#[must_use]
pub fn catch_up_max(slots: Option<u32>) -> u32 {
    slots.map_or(CATCH_UP_MAX, |slots| (slots / 2).clamp(1, CATCH_UP_MAX))
}

/// The place of the candidate whose turn it is. `None`: none may start now.
#[must_use]
pub fn next(candidates: &[Candidate], under_way: &UnderWay<'_>, now: Timestamp) -> Option<usize> {
    if under_way.slots.is_some_and(|slots| under_way.runs >= slots) {
        return None;
    }
    let lane = |candidate: &Candidate| lane_now(candidate, now);
    let has_catch_up_room = under_way.catch_ups < catch_up_max(under_way.slots);
    let may_start = candidates
        .iter()
        .enumerate()
        .filter(|(_, candidate)| lane(candidate) == Lane::Live || has_catch_up_room);
    let oldest_first = under_way.turn % EVERY_OLDEST == EVERY_OLDEST - 1;
    let order = |&(_, candidate): &(usize, &Candidate)| {
        let by_rule = match oldest_first {
            true => None,
            false => Some((
                Reverse(candidate.priority),
                (under_way.of_job)(candidate.job),
            )),
        };
        (lane(candidate), by_rule, candidate.ready_at, candidate.run)
    };
    may_start.min_by_key(order).map(|(place, _)| place)
}

/// The lane in which a candidate waits by now.
#[must_use]
pub fn lane_now(candidate: &Candidate, now: Timestamp) -> Lane {
    let waited = now.duration_since(candidate.waits_since);
    match candidate.lane {
        Lane::CatchUp if waited >= CATCH_UP_PATIENCE => Lane::Live,
        lane => lane,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn candidate(run: u64, job: u64, priority: i64, lane: Lane, ready: i64) -> Candidate {
        Candidate {
            run: RunId::from_bits(run),
            job: JobId::from_bits(job),
            priority: Priority::new(priority).unwrap(),
            lane,
            ready_at: at(ready),
            waits_since: at(1000),
        }
    }

    /// A node that starts one after the other, ends none, and never has too few slots for live work.
    fn order(candidates: &[Candidate], slots: Option<u32>, now: Timestamp) -> Vec<u64> {
        let mut waiting = candidates.to_vec();
        let mut jobs: BTreeMap<JobId, u32> = BTreeMap::new();
        let (mut runs, mut catch_ups, mut started) = (0, 0, Vec::new());
        loop {
            let of_job = |job| jobs.get(&job).copied().unwrap_or(0);
            let under_way = UnderWay {
                slots,
                runs,
                catch_ups,
                of_job: &of_job,
                turn: 0,
            };
            let Some(place) = next(&waiting, &under_way, now) else {
                return started;
            };
            let chosen = waiting.remove(place);
            *jobs.entry(chosen.job).or_default() += 1;
            runs += 1;
            catch_ups += u32::from(lane_now(&chosen, now) == Lane::CatchUp);
            started.push(chosen.run.to_bits());
        }
    }

    #[test]
    fn priority_is_first_then_the_job_with_fewer_runs_then_the_older() {
        let live = |run, job, priority, ready| candidate(run, job, priority, Lane::Live, ready);
        let waiting = [
            live(1, 1, 0, 10),
            live(2, 1, 0, 11),
            live(3, 1, 0, 12),
            live(4, 2, 0, 13),
            live(5, 3, 50, 14),
            live(6, 4, -50, 1),
        ];
        assert_eq!(order(&waiting, None, at(2000)), [5, 1, 4, 2, 3, 6]);
        assert_eq!(order(&waiting, Some(2), at(2000)), [5, 1]);
    }

    #[test]
    fn what_makes_up_for_the_past_goes_last_and_few_at_once() {
        let past = |run| candidate(run, run, 100, Lane::CatchUp, 0);
        let mut waiting: Vec<_> = (1..=6).map(past).collect();
        waiting.push(candidate(7, 7, -100, Lane::Live, 20));
        assert_eq!(order(&waiting, None, at(2000)), [7, 1, 2, 3, 4]);
        assert_eq!(order(&waiting, Some(4), at(2000)), [7, 1, 2]);
        assert_eq!(order(&waiting, Some(1), at(2000)), [7]);
        // After an hour it is live.
        assert_eq!(order(&waiting, Some(4), at(1000 + 3600)), [1, 2, 3, 4]);
    }

    #[test]
    fn a_node_without_slots_starts_nothing() {
        let waiting = [candidate(1, 1, 0, Lane::Live, 0)];
        assert_eq!(order(&waiting, Some(0), at(2000)), Vec::<u64>::new());
    }

    proptest! {
        #[test]
        fn live_work_is_never_behind_what_makes_up_for_the_past(
            rows in prop::collection::vec((0u64..4, -3i64..4, any::<bool>(), 0i64..50), 1..40),
            slots in prop::option::of(1u32..8), runs in 0u32..8, catch_ups in 0u32..5, turn: u64,
        ) {
            let waiting: Vec<_> = (1..).zip(rows)
                .map(|(run, (job, priority, past, ready))| {
                    let lane = if past { Lane::CatchUp } else { Lane::Live };
                    candidate(run, job, priority, lane, ready)
                })
                .collect();
            let under_way = UnderWay { slots, runs, catch_ups, of_job: &|_| 0, turn };
            let chosen = next(&waiting, &under_way, at(2000)).map(|place| waiting[place]);
            let has_slot = slots.is_none_or(|slots| runs < slots);
            let any_live = waiting.iter().any(|it| it.lane == Lane::Live);
            match chosen {
                Some(chosen) => {
                    prop_assert!(has_slot);
                    prop_assert!(chosen.lane == Lane::Live || !any_live);
                    prop_assert!(chosen.lane == Lane::Live || catch_ups < catch_up_max(slots));
                }
                // A slot stays free only while nothing live waits.
                None => prop_assert!(!has_slot || !any_live),
            }
        }

        #[test]
        fn whoever_waits_has_its_turn_however_much_comes_before_it(
            older in 0i64..5, comes in prop::collection::vec(0u64..3, 200),
        ) {
            // One slot, always taken again; every turn brings another run of the highest priority.
            let me = candidate(1, 9, -100, Lane::Live, 100);
            let mut waiting: Vec<_> = (0..older)
                .map(|n| candidate(1000 + n.unsigned_abs(), 8, -100, Lane::Live, n))
                .collect();
            waiting.push(me);
            let mut turns = 0;
            for (turn, job) in (0u64..).zip(comes) {
                waiting.push(candidate(2000 + turn, job, 100, Lane::Live, 200));
                let under_way = UnderWay { slots: Some(1), runs: 0, catch_ups: 0, of_job: &|_| 0, turn };
                let chosen = waiting.remove(next(&waiting, &under_way, at(2000)).unwrap());
                turns = turn + 1;
                if chosen == me { break }
            }
            prop_assert!(turns <= EVERY_OLDEST * (older.unsigned_abs() + 1), "after {} turns", turns);
        }
    }
}
