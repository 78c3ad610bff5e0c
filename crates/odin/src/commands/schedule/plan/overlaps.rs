//! What runs at the same time.

use std::collections::BTreeMap;

use jiff::Timestamp;

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

/// Follows what is running.
#[derive(Debug, Default)]
pub(crate) struct Running {
    /// How many runs of each job there are.
    jobs: BTreeMap<usize, u64>,
    total: u64,
    open: Option<Stretch>,
    found: Overlaps,
}

impl Running {
    /// A run of each of these jobs begins.
    pub(crate) fn start(&mut self, jobs: &[usize]) {
        for &job in jobs {
            *self.jobs.entry(job).or_default() += 1;
        }
        self.total += jobs.len() as u64;
    }

    /// A run of each of these jobs ends.
    pub(crate) fn end(&mut self, jobs: &[usize]) {
        for job in jobs {
            if let Some(running) = self.jobs.get_mut(job) {
                *running -= 1;
                if *running == 0 {
                    self.jobs.remove(job);
                }
            }
        }
        self.total -= jobs.len() as u64;
    }

    /// All that happens at an instant has been told.
    pub(crate) fn settle(&mut self, at: Timestamp) {
        let most = self.found.peak.as_ref().map_or(0, |peak| peak.running);
        if self.total > most {
            self.found.peak = Some(Peak {
                at,
                running: self.total,
                jobs: self.jobs.keys().copied().take(NAMED_MAX).collect(),
            });
        }
        if self.total < 2 {
            self.close(at);
            return;
        }
        let open = self.open.get_or_insert_with(|| Stretch {
            from: at,
            to: at,
            most: 0,
            jobs: Vec::new(),
        });
        open.most = open.most.max(self.total);
        if open.jobs.len() < NAMED_MAX {
            for job in self.jobs.keys().take(NAMED_MAX) {
                if open.jobs.len() < NAMED_MAX && !open.jobs.contains(job) {
                    open.jobs.push(*job);
                }
            }
        }
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
