//! What a server will catch up when it starts with an older state: the same planning as the leader's.

use jiff::Timestamp;
use odin_model::job::Job;
use odin_model::{JobState, Missed};
use odin_scheduling::judge::is_later_than;
use odin_scheduling::plan::{DueJob, plan};
use odin_store::{Reader, StoreError, View};

use crate::schedules::Schedules;

/// How many due jobs are looked at. A state with more is told to have more.
const JOBS_MAX: usize = 1_000_000;
/// How many items of a job one look makes.
const ITEMS_MAX: usize = 64;
/// How often a job's items are looked at again: what is within the grace, 4,000 due times at a time.
const LOOKS_MAX: usize = 64;

/// What became due since a state was taken, and what its jobs' policies make of it, before concurrency is judged.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forecast {
    /// Jobs of which something became due.
    pub jobs: u64,
    /// The due times, by the jobs' policies; policies without any are left out.
    pub policies: Vec<Policy>,
    /// The earliest of them.
    pub earliest: Option<Timestamp>,
    /// Jobs whose schedules this Odin cannot read.
    pub unplannable: u64,
}

/// One policy's part of a forecast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// `skip`, `once` or `all`.
    pub missed: &'static str,
    /// Jobs.
    pub jobs: u64,
    /// Due times.
    pub due: u64,
    /// Those that a run will start for.
    pub starts: u64,
}

impl Forecast {
    /// For a server that starts at `now`.
    pub(super) fn of(
        view: &View,
        reader: &Reader,
        schedules: &Schedules,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut forecast = Self::default();
        for (due, id) in view.due(now, JOBS_MAX) {
            let Some(job) = reader.job(id)?.filter(|job| job.state == JobState::Enabled) else {
                continue;
            };
            forecast.earliest = forecast.earliest.min(Some(due)).or(Some(due));
            match count(&job, due, schedules, now) {
                Some((all, starts)) => forecast.add(job.spec.missed, all, starts),
                None => forecast.unplannable += 1,
            }
        }
        Ok(forecast)
    }

    fn add(&mut self, missed: Missed, due: u64, starts: u64) {
        let name = match missed {
            Missed::Skip => "skip",
            Missed::Once => "once",
            Missed::All { .. } => "all",
        };
        self.jobs += 1;
        let place = match self
            .policies
            .iter()
            .position(|policy| policy.missed == name)
        {
            Some(place) => place,
            None => {
                self.policies.push(Policy {
                    missed: name,
                    jobs: 0,
                    due: 0,
                    starts: 0,
                });
                self.policies.len() - 1
            }
        };
        let policy = &mut self.policies[place];
        policy.jobs += 1;
        policy.due += due;
        policy.starts += starts;
    }
}

/// How many due times a job has from `due` to `now`, and how many runs they start.
fn count(job: &Job, due: Timestamp, schedules: &Schedules, now: Timestamp) -> Option<(u64, u64)> {
    let spec = &job.spec;
    let (schedule, calendars) = schedules.get(spec, job.id).ok()?;
    let (mut all, mut starts) = (0, 0);
    let mut next = Some(due);
    for _ in 0..LOOKS_MAX {
        let Some(next_due) = next.filter(|&due| due <= now) else {
            break;
        };
        let due_job = DueJob {
            id: job.id,
            revision: job.revision,
            next_due,
            schedule: &schedule,
            policy: odin_scheduling::judge::Policy {
                grace: spec.grace,
                missed: spec.missed,
                concurrency: spec.concurrency,
            },
            node: None,
            calendars,
        };
        for item in plan(&due_job, now, now, ITEMS_MAX) {
            let listed = item.listed.len() as u64;
            all += listed + item.earlier.map_or(0, |earlier| earlier.count);
            starts += match is_later_than(now, item.due, spec.grace) {
                true => listed.min(spec.missed.starts_max() as u64),
                false => listed,
            };
            next = item.next_due;
        }
    }
    Some((all, starts))
}
