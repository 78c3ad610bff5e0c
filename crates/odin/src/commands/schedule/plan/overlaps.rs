//! What runs at the same time.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::walk::Group;

/// How many stretches are kept.
const STRETCHES_MAX: usize = 100;
/// How many jobs of a stretch are named.
const NAMED_MAX: usize = 10;

/// What runs at the same time, over all.
#[derive(Debug, Default)]
pub(crate) struct Overlaps {
    /// The largest number of runs at one time, and the jobs that have them. `None`: no run's duration is known.
    pub(crate) peak: Option<Peak>,
    /// How many stretches of time have two runs or more.
    pub(crate) count: u64,
    /// How long they are together, in seconds.
    pub(crate) seconds: u64,
    /// The first of them.
    pub(crate) first: Vec<Stretch>,
}

/// The largest number of runs at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peak {
    /// When it is first reached.
    pub(crate) at: Timestamp,
    pub(crate) running: u64,
    /// The first few of the jobs, by their places in the list of jobs.
    pub(crate) jobs: Vec<usize>,
}

/// A stretch of time in which two runs or more are running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    /// The largest number of runs at one time.
    pub(crate) most: u64,
    /// The first few of the jobs, by their places in the list of jobs.
    pub(crate) jobs: Vec<usize>,
}

/// Follows what is running, by groups: a group of many jobs costs what one of a single job does.
#[derive(Debug)]
pub(crate) struct Running<'a> {
    groups: &'a [Group],
    /// How many runs each job of a group has; no group is there without one.
    runs: BTreeMap<usize, u64>,
    total: u64,
    open: Option<Stretch>,
    found: Overlaps,
}

impl<'a> Running<'a> {
    pub(crate) fn new(groups: &'a [Group]) -> Self {
        Self {
            groups,
            runs: BTreeMap::new(),
            total: 0,
            open: None,
            found: Overlaps::default(),
        }
    }

    /// A run of each job of a group begins.
    pub(crate) fn start(&mut self, group: usize) {
        *self.runs.entry(group).or_default() += 1;
        self.total += self.groups[group].jobs.len() as u64;
    }

    /// A run of each job of a group ends.
    pub(crate) fn end(&mut self, group: usize) {
        if let Some(runs) = self.runs.get_mut(&group) {
            *runs -= 1;
            if *runs == 0 {
                self.runs.remove(&group);
            }
        }
        self.total -= self.groups[group].jobs.len() as u64;
    }

    /// All that happens at an instant has been told.
    pub(crate) fn settle(&mut self, at: Timestamp) {
        let most = self.found.peak.as_ref().map_or(0, |peak| peak.running);
        if self.total > most {
            self.found.peak = Some(Peak {
                at,
                running: self.total,
                jobs: self.named().collect(),
            });
        }
        if self.total < 2 {
            self.close(at);
            return;
        }
        let mut open = self.open.take().unwrap_or_else(|| Stretch {
            from: at,
            to: at,
            most: 0,
            jobs: Vec::new(),
        });
        open.most = open.most.max(self.total);
        for job in self.named() {
            if open.jobs.len() < NAMED_MAX && !open.jobs.contains(&job) {
                open.jobs.push(job);
            }
        }
        self.open = Some(open);
    }

    /// The first few of the jobs that are running.
    fn named(&self) -> impl Iterator<Item = usize> + '_ {
        let jobs = |group: &usize| self.groups[*group].jobs.iter().copied();
        self.runs.keys().flat_map(jobs).take(NAMED_MAX)
    }

    fn close(&mut self, at: Timestamp) {
        let Some(mut stretch) = self.open.take() else {
            return;
        };
        stretch.to = at;
        let seconds = at.duration_since(stretch.from).as_secs();
        self.found.seconds += u64::try_from(seconds).unwrap_or(0);
        self.found.count += 1;
        if self.found.first.len() < STRETCHES_MAX {
            self.found.first.push(stretch);
        }
    }

    /// What was found up to the end.
    pub(crate) fn finish(mut self, end: Timestamp) -> Overlaps {
        self.close(end);
        self.found
    }
}
