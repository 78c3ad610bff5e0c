//! The minutes in which most is due.

use jiff::Timestamp;

/// How many minutes are told.
const MINUTES_MAX: usize = 10;
/// How many jobs of a minute are named.
pub(crate) const NAMED_MAX: usize = 5;

/// A minute with something due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Minute {
    /// Its first instant.
    pub(crate) at: Timestamp,
    /// How many occurrences it has.
    pub(crate) count: u64,
    /// The first few of its jobs, by their places in the list of jobs.
    pub(crate) jobs: Vec<usize>,
}

/// Finds the busiest minutes of occurrences that come in order of time.
#[derive(Debug, Default)]
pub(crate) struct Busiest {
    /// The busiest of the minutes that are over; the fullest first, of equal ones the earliest.
    over: Vec<Minute>,
    now: Option<Minute>,
}

impl Busiest {
    /// Counts what is due at an instant.
    pub(crate) fn add(&mut self, at: Timestamp, count: u64, jobs: &[usize]) {
        let second = at.as_second();
        let minute = Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at);
        if self.now.as_ref().is_some_and(|now| now.at != minute) {
            self.settle();
        }
        let now = self.now.get_or_insert_with(|| Minute {
            at: minute,
            count: 0,
            jobs: Vec::new(),
        });
        now.count += count;
        for &job in jobs {
            if now.jobs.len() == NAMED_MAX {
                break;
            }
            if !now.jobs.contains(&job) {
                now.jobs.push(job);
            }
        }
    }

    fn settle(&mut self) {
        let Some(minute) = self.now.take() else {
            return;
        };
        let place = self
            .over
            .partition_point(|other| other.count >= minute.count);
        if place < MINUTES_MAX {
            self.over.insert(place, minute);
            self.over.truncate(MINUTES_MAX);
        }
    }

    /// The busiest minutes, the fullest first.
    pub(crate) fn finish(mut self) -> Vec<Minute> {
        self.settle();
        self.over
    }
}
