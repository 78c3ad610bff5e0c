//! Which versions of jobs are unpacked on this node, which are being unpacked, and who waits for that.
//!
//! What is to be started comes first. What comes due within the next minute is unpacked before anything asks for it,
//! so that a thousand new jobs of one instant start as fast as known ones.

use std::collections::{HashMap, HashSet, VecDeque};

use odin_executor::protocol::Prepare;
use odin_model::{JobId, VersionNumber};

use crate::launches::Pinned;

/// How many versions the executor is asked to unpack at once: half of what it takes, so that it has one sync's worth
/// to go on with while it answers for another.
const ASKED_MAX: usize = 64;
/// How many of those nobody waits for: half, so that what is needed then does not wait for long.
const ASKED_AHEAD_MAX: usize = 32;
/// How many unpacked versions are remembered; beyond, the executor is asked again, which costs a look.
const UNPACKED_MAX: usize = 100_000;
/// How many jobs are remembered as looked at; beyond, they are looked at again.
const LOOKED_MAX: usize = 100_000;

type Version = (JobId, VersionNumber);

#[derive(Debug, Default)]
pub(crate) struct Preparations {
    unpacked: HashSet<Version>,
    /// Launches by the version that they wait for.
    waiting: HashMap<Version, Vec<Pinned>>,
    /// Versions to ask for, in the order in which they are needed.
    needed: VecDeque<Prepare>,
    /// Versions to ask for when nothing is needed.
    ahead: VecDeque<Prepare>,
    /// How many the executor has been asked for and has not answered.
    asked: usize,
    /// Jobs that come due soon and were looked at since their last change.
    looked: HashSet<JobId>,
}

impl Preparations {
    /// A new connection: what was asked is not answered any more, and another executor may have other files.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Nobody waits any more: every launch will be taken on again.
    pub(crate) fn forget_waiting(&mut self) {
        self.waiting.clear();
        self.needed.clear();
    }

    pub(crate) fn is_unpacked(&self, version: Version) -> bool {
        self.unpacked.contains(&version)
    }

    /// A launch waits for its version.
    pub(crate) fn need(&mut self, pinned: Pinned, prepare: impl FnOnce() -> Prepare) {
        let waiting = self
            .waiting
            .entry((pinned.job, pinned.version))
            .or_default();
        waiting.push(pinned);
        if waiting.len() == 1 {
            self.needed.push_back(prepare());
        }
    }

    /// Whether a job that comes due soon has not been looked at since it last changed. It has been from now on.
    pub(crate) fn look_at(&mut self, job: JobId) -> bool {
        if self.looked.len() >= LOOKED_MAX {
            self.looked.clear();
        }
        self.looked.insert(job)
    }

    pub(crate) fn job_changed(&mut self, job: JobId) {
        self.looked.remove(&job);
    }

    /// Some unpacked version was removed: the executor is asked for each once more.
    pub(crate) fn forget_unpacked(&mut self) {
        self.unpacked.clear();
    }

    /// A version will be needed soon.
    pub(crate) fn need_soon(&mut self, prepare: Prepare) {
        if !self.is_unpacked((prepare.job, prepare.version)) {
            self.ahead.push_back(prepare);
        }
    }

    /// The executor has answered for a version. Who waits for it.
    pub(crate) fn answered(&mut self, version: Version, is_unpacked: bool) -> Vec<Pinned> {
        self.asked = self.asked.saturating_sub(1);
        if is_unpacked {
            if self.unpacked.len() >= UNPACKED_MAX {
                self.unpacked.clear();
            }
            self.unpacked.insert(version);
        }
        self.waiting.remove(&version).unwrap_or_default()
    }

    /// The next version to ask the executor for. `None`: it has enough to do, or there is none.
    pub(crate) fn next(&mut self) -> Option<Prepare> {
        let prepare = if self.asked < ASKED_MAX && !self.needed.is_empty() {
            self.needed.pop_front()
        } else if self.asked < ASKED_AHEAD_MAX {
            let unpacked = &self.unpacked;
            while let Some(prepare) = self.ahead.front()
                && unpacked.contains(&(prepare.job, prepare.version))
            {
                self.ahead.pop_front();
            }
            self.ahead.pop_front()
        } else {
            None
        };
        self.asked += usize::from(prepare.is_some());
        prepare
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_executor::protocol::AttemptKey;
    use odin_model::{AttemptNumber, BundleHash, Owner, RunId};

    const VERSION: VersionNumber = VersionNumber(1);

    fn prepare(job: u64) -> Prepare {
        Prepare {
            job: JobId::from_bits(job),
            version: VERSION,
            bundle: "/bundle".into(),
            hash: BundleHash([0; 32]),
            owner: Owner {
                user: "ann".to_owned(),
                uid: 1,
            },
        }
    }

    fn pinned(job: u64, run: u64) -> Pinned {
        Pinned {
            key: AttemptKey {
                run: RunId::from_bits(run),
                attempt: AttemptNumber::FIRST,
            },
            job: JobId::from_bits(job),
            version: VERSION,
            due_at: jiff::Timestamp::UNIX_EPOCH,
            ready_at: jiff::Timestamp::UNIX_EPOCH,
            lane: odin_model::Lane::Live,
        }
    }

    fn asked(preparations: &mut Preparations) -> Vec<u64> {
        std::iter::from_fn(|| preparations.next())
            .map(|prepare| prepare.job.to_bits())
            .collect()
    }

    #[test]
    fn what_is_needed_comes_before_what_is_needed_soon() {
        let mut all = Preparations::default();
        let ahead = ASKED_AHEAD_MAX as u64;
        (1..=2 * ahead).for_each(|job| all.need_soon(prepare(job)));
        all.need(pinned(900, 1), || prepare(900));
        let expected: Vec<u64> = [900].into_iter().chain(1..ahead).collect();
        assert_eq!(asked(&mut all), expected);
        assert!(
            all.answered((JobId::from_bits(1), VERSION), true)
                .is_empty()
        );
        assert_eq!(asked(&mut all), [ahead]);
    }

    #[test]
    fn the_executor_is_asked_for_a_bounded_number_and_once_for_each() {
        let mut all = Preparations::default();
        for job in 1..=100 {
            all.need(pinned(job, job), || prepare(job));
            all.need(pinned(job, job + 1000), || prepare(job));
        }
        assert_eq!(asked(&mut all).len(), ASKED_MAX);
        let waiting = all.answered((JobId::from_bits(1), VERSION), true);
        assert_eq!(waiting.len(), 2);
        assert!(all.is_unpacked((JobId::from_bits(1), VERSION)));
        assert_eq!(asked(&mut all), [ASKED_MAX as u64 + 1]);
    }

    #[test]
    fn a_version_that_could_not_be_unpacked_is_asked_for_again_when_it_is_needed() {
        let mut all = Preparations::default();
        all.need(pinned(1, 1), || prepare(1));
        assert_eq!(asked(&mut all), [1]);
        assert_eq!(all.answered((JobId::from_bits(1), VERSION), false).len(), 1);
        all.need(pinned(1, 2), || prepare(1));
        assert_eq!(asked(&mut all), [1]);
    }

    #[test]
    fn a_job_is_looked_at_once_until_it_changes() {
        let mut all = Preparations::default();
        let job = JobId::from_bits(1);
        assert!(all.look_at(job));
        assert!(!all.look_at(job));
        all.job_changed(job);
        assert!(all.look_at(job));
    }
}
