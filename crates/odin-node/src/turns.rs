//! Whose turn it is at this node: what is under way, and what waits for a slot. The decision is
//! [`odin_scheduling::admission`]'s.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_executor::protocol::AttemptKey;
use odin_model::{JobId, JobSpec, Lane};
use odin_scheduling::admission::{Candidate, UnderWay, next};

use crate::launches::Pinned;

/// How many runs are under way or wait at once: below what an executor holds. The others stay in the state, and are taken
/// on a few hundred at a time as these are over.
const HELD_MAX: usize = 16_000;
/// How many places of [`HELD_MAX`] are kept for runs of seconds of which few are here.
const KEPT_FREE: usize = 2_000;
/// How many of one second are few.
const FEW: u32 = 64;

/// What this node has been given. A node without a bound starts live work at once: that never waits here.
#[derive(Debug)]
pub(crate) struct Turns {
    slots: Option<u32>,
    under_way: HashMap<AttemptKey, Taken>,
    of_job: HashMap<JobId, u32>,
    /// How many are under way or wait that were ready in a second.
    of_second: HashMap<i64, u32>,
    catch_ups: u32,
    waiting: BTreeMap<AttemptKey, Waiting>,
    turn: u64,
}

#[derive(Debug, Clone, Copy)]
struct Taken {
    job: JobId,
    lane: Lane,
    ready_at: Timestamp,
    /// Whether the executor was asked to start it since it was last asked what it has.
    is_asked: bool,
}

#[derive(Debug, Clone, Copy)]
struct Waiting {
    pinned: Pinned,
    candidate: Candidate,
    /// How long it may wait. `None`: for ever.
    patience: Option<Duration>,
}

impl Turns {
    pub(crate) fn new(slots: Option<u32>) -> Self {
        Self {
            slots,
            under_way: HashMap::new(),
            of_job: HashMap::new(),
            of_second: HashMap::new(),
            catch_ups: 0,
            waiting: BTreeMap::new(),
            turn: 0,
        }
    }

    /// Everything is read anew.
    pub(crate) fn clear(&mut self) {
        let turn = self.turn;
        *self = Self {
            turn,
            ..Self::new(self.slots)
        };
    }

    /// How many runs are under way or wait.
    pub(crate) fn known(&self) -> usize {
        self.under_way.len() + self.waiting.len()
    }

    /// Whether one more that is ready at `ready_at` fits. The last [`KEPT_FREE`] places are for seconds of which fewer
    /// than [`FEW`] are here, so that the hundred thousand runs of one instant do not keep out one of another.
    pub(crate) fn has_room(&self, ready_at: Timestamp) -> bool {
        let known = self.known();
        let of_second = self.of_second.get(&ready_at.as_second());
        known < HELD_MAX - KEPT_FREE
            || (known < HELD_MAX && of_second.is_none_or(|count| *count < FEW))
    }

    /// Whether so many more fit, of whatever second.
    pub(crate) fn has_room_for_many(&self, count: usize) -> bool {
        self.known() + count <= HELD_MAX - KEPT_FREE
    }

    /// The job of a run that is under way.
    pub(crate) fn job_of(&self, key: &AttemptKey) -> Option<JobId> {
        self.under_way.get(key).map(|taken| taken.job)
    }

    pub(crate) fn is_under_way(&self, key: &AttemptKey) -> bool {
        self.under_way.contains_key(key)
    }

    pub(crate) fn waits(&self, key: &AttemptKey) -> bool {
        self.waiting.contains_key(key)
    }

    /// Whether the executor was asked to start it since it was last asked what it has.
    pub(crate) fn was_taken_on(&self, key: &AttemptKey) -> bool {
        self.under_way.get(key).is_some_and(|taken| taken.is_asked)
    }

    /// Whether a run of that lane waits for its turn. Without a bound on the node's runs only what makes up for the past
    /// does.
    pub(crate) fn must_wait(&self, lane: Lane) -> bool {
        self.slots.is_some() || lane == Lane::CatchUp
    }

    /// A run is under way here.
    pub(crate) fn has(&mut self, key: AttemptKey, job: JobId, lane: Lane, ready_at: Timestamp) {
        if self.under_way.contains_key(&key) {
            return;
        }
        let taken = Taken {
            job,
            lane,
            ready_at,
            is_asked: false,
        };
        self.under_way.insert(key, taken);
        self.comes(ready_at);
        *self.of_job.entry(job).or_default() += 1;
        self.catch_ups += u32::from(lane == Lane::CatchUp);
    }

    /// The executor is asked to start what is under way here.
    pub(crate) fn take_on(&mut self, key: &AttemptKey) {
        if let Some(taken) = self.under_way.get_mut(key) {
            taken.is_asked = true;
        }
    }

    /// A run is over, or goes back to the state.
    pub(crate) fn over(&mut self, key: &AttemptKey) {
        if let Some(waiting) = self.waiting.remove(key) {
            self.goes(waiting.pinned.ready_at);
        }
        let Some(taken) = self.under_way.remove(key) else {
            return;
        };
        self.goes(taken.ready_at);
        self.catch_ups -= u32::from(taken.lane == Lane::CatchUp);
        take_one(&mut self.of_job, taken.job);
    }

    fn comes(&mut self, ready_at: Timestamp) {
        *self.of_second.entry(ready_at.as_second()).or_default() += 1;
    }

    fn goes(&mut self, ready_at: Timestamp) {
        take_one(&mut self.of_second, ready_at.as_second());
    }

    /// A run waits for its turn.
    pub(crate) fn wait(&mut self, pinned: &Pinned, spec: &JobSpec, now: Timestamp) {
        let candidate = Candidate {
            run: pinned.key.run,
            job: pinned.job,
            priority: spec.priority,
            lane: pinned.lane,
            ready_at: pinned.ready_at,
            waits_since: now,
        };
        let waiting = Waiting {
            pinned: *pinned,
            candidate,
            patience: spec.timeouts.queue,
        };
        if self.waiting.insert(pinned.key, waiting).is_none() {
            self.comes(pinned.ready_at);
        }
    }

    /// Takes out the run whose turn it is. One whose time has not come is armed ahead only where nobody competes for the
    /// slots.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<Pinned> {
        let room_for_all = self
            .slots
            .is_none_or(|slots| self.known() <= usize::try_from(slots).unwrap_or(usize::MAX));
        let (keys, may): (Vec<_>, Vec<_>) = self
            .waiting
            .iter()
            .filter(|(_, waiting)| room_for_all || waiting.candidate.ready_at <= now)
            .map(|(key, waiting)| (*key, waiting.candidate))
            .unzip();
        let of_job = |job| self.of_job.get(&job).copied().unwrap_or(0);
        let under_way = UnderWay {
            slots: self.slots,
            runs: u32::try_from(self.under_way.len()).unwrap_or(u32::MAX),
            catch_ups: self.catch_ups,
            of_job: &of_job,
            turn: self.turn,
        };
        let chosen = keys[next(&may, &under_way, now)?];
        self.turn += 1;
        let chosen = self.waiting.remove(&chosen)?.pinned;
        self.goes(chosen.ready_at);
        self.has(chosen.key, chosen.job, chosen.lane, chosen.ready_at);
        Some(chosen)
    }

    /// Takes out the runs that have waited for longer than their jobs let them.
    pub(crate) fn expired(&mut self, now: Timestamp) -> Vec<(Pinned, Duration)> {
        let is_over = |waiting: &Waiting| {
            let patience = waiting.patience?;
            let waited = now.duration_since(waiting.candidate.ready_at);
            Duration::try_from(waited)
                .is_ok_and(|waited| waited >= patience)
                .then_some((waiting.pinned, patience))
        };
        let expired: Vec<_> = self.waiting.values().filter_map(is_over).collect();
        for (pinned, _) in &expired {
            self.over(&pinned.key);
        }
        expired
    }

    /// How long until the time of a run that waits has come. `None`: nobody waits for that.
    pub(crate) fn until_ready(&self, now: Timestamp) -> Option<Duration> {
        let ahead = self
            .waiting
            .values()
            .map(|waiting| waiting.candidate.ready_at.duration_since(now))
            .filter(|wait| *wait > SignedDuration::ZERO);
        Duration::try_from(ahead.min()?).ok()
    }
}

/// Counts one less, and forgets what there is none of.
fn take_one<K: Eq + Hash>(counts: &mut HashMap<K, u32>, key: K) {
    if let Entry::Occupied(mut count) = counts.entry(key) {
        *count.get_mut() -= 1;
        if *count.get() == 0 {
            count.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_model::{AttemptNumber, JobName, Program, RunId, VersionNumber};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pinned(run: u64, lane: Lane, ready: i64) -> Pinned {
        Pinned {
            key: AttemptKey {
                run: RunId::from_bits(run),
                attempt: AttemptNumber::FIRST,
            },
            job: JobId::from_bits(run),
            version: VersionNumber::FIRST,
            due_at: at(ready),
            ready_at: at(ready),
            lane,
        }
    }

    fn spec(queue: Option<u64>) -> JobSpec {
        let program = Program::Shell("true".to_owned());
        let mut spec = JobSpec::new(JobName::parse("a").unwrap(), program, "never", "UTC");
        spec.timeouts.queue = queue.map(Duration::from_secs);
        spec
    }

    fn all_next(turns: &mut Turns, now: i64) -> Vec<u64> {
        std::iter::from_fn(|| turns.next(at(now)))
            .map(|pinned| pinned.key.run.to_bits())
            .collect()
    }

    #[test]
    fn a_slot_that_becomes_free_goes_to_who_waits() {
        let mut turns = Turns::new(Some(2));
        for run in 1..=3 {
            turns.wait(&pinned(run, Lane::Live, 10), &spec(None), at(10));
        }
        assert_eq!(all_next(&mut turns, 10), [1, 2]);
        turns.over(&pinned(1, Lane::Live, 10).key);
        assert_eq!(all_next(&mut turns, 10), [3]);
        assert_eq!(turns.known(), 2);
    }

    #[test]
    fn what_is_ahead_of_its_time_takes_a_slot_only_while_there_are_enough() {
        let mut turns = Turns::new(Some(1));
        turns.wait(&pinned(1, Lane::Live, 14), &spec(None), at(10));
        assert_eq!(all_next(&mut turns, 10), [1]);
        let mut turns = Turns::new(Some(1));
        turns.wait(&pinned(1, Lane::Live, 14), &spec(None), at(10));
        turns.wait(&pinned(2, Lane::Live, 15), &spec(None), at(10));
        assert_eq!(all_next(&mut turns, 10), [0; 0]);
        assert_eq!(turns.until_ready(at(10)), Some(Duration::from_secs(4)));
        assert_eq!(all_next(&mut turns, 14), [1]);
    }

    #[test]
    fn who_waits_for_longer_than_its_job_lets_it_is_out() {
        let mut turns = Turns::new(Some(0));
        turns.wait(&pinned(1, Lane::Live, 10), &spec(Some(5)), at(10));
        turns.wait(&pinned(2, Lane::Live, 10), &spec(None), at(10));
        assert_eq!(turns.expired(at(14)).len(), 0);
        let expired = turns.expired(at(15));
        assert_eq!(expired.len(), 1);
        assert_eq!(
            (expired[0].0.key.run, expired[0].1),
            (RunId::from_bits(1), Duration::from_secs(5))
        );
        assert_eq!(turns.known(), 1);
    }

    #[test]
    fn a_crowd_of_one_second_leaves_room_for_few_of_another() {
        let mut turns = Turns::new(None);
        let mut runs = 0..;
        let mut take = |turns: &mut Turns, second, most: usize| {
            let fits: Vec<_> = std::iter::from_fn(|| {
                turns.has_room(at(second)).then(|| {
                    let run = pinned(runs.next().unwrap(), Lane::Live, second);
                    turns.has(run.key, run.job, run.lane, run.ready_at);
                    run.key
                })
            })
            .take(most)
            .collect();
            fits
        };
        let crowd = take(&mut turns, 10, usize::MAX);
        assert_eq!(crowd.len(), HELD_MAX - KEPT_FREE);
        assert_eq!(take(&mut turns, 14, usize::MAX).len(), 64);
        let one = take(&mut turns, 15, 1);
        assert!(!turns.has_room(at(10)) && turns.has_room(at(15)) && !turns.has_room(at(14)));
        // Not even those are without a bound.
        let others: usize = (20..200)
            .map(|second| take(&mut turns, second, usize::MAX).len())
            .sum();
        assert_eq!((others + 65, turns.known()), (KEPT_FREE, HELD_MAX));
        for key in crowd.iter().chain(&one) {
            turns.over(key);
        }
        assert_eq!(turns.known(), HELD_MAX - crowd.len() - 1);
        assert!(turns.has_room(at(10)) && turns.of_second.len() < 40);
    }
}
