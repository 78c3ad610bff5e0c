//! What a plan says, as `--json` prints it.

use jiff::Timestamp;
use odin_model::Overlap;
use serde::Serialize;

use super::folder::{Folder, PlannedJob};
use super::overlaps;
use super::walk::{Group, Walked};

/// A plan.
#[derive(Debug, Serialize)]
pub(super) struct Plan {
    /// The zone of jobs that name none.
    pub(super) timezone: String,
    #[serde(with = "odin_wire::as_text")]
    pub(super) from: Timestamp,
    /// The end, which is not included.
    #[serde(with = "odin_wire::as_text")]
    pub(super) to: Timestamp,
    /// Up to where everything was looked at. `null`: up to the end.
    #[serde(with = "odin_wire::as_text::option")]
    pub(super) complete_until: Option<Timestamp>,
    /// How many occurrences all jobs have.
    pub(super) count: u64,
    /// The occurrences of this page.
    pub(super) occurrences: Vec<Due>,
    /// What to give as `--after` for more. `null`: this is all.
    pub(super) next: Option<String>,
    /// Every job.
    pub(super) jobs: Vec<JobPlan>,
    /// The job files that were refused.
    pub(super) refused: Vec<String>,
    /// The minutes with the most occurrences, the fullest first; at most ten.
    pub(super) busiest: Vec<Minute>,
    /// The largest number of runs at one time. `null`: no run's duration is known, or nothing runs.
    pub(super) peak: Option<Peak>,
    /// When two runs or more are running.
    pub(super) overlaps: Overlaps,
}

#[derive(Debug, Serialize)]
pub(super) struct Due {
    #[serde(with = "odin_wire::as_text")]
    pub(super) at: Timestamp,
    pub(super) job: String,
    /// The job file.
    pub(super) file: String,
    /// Whether an earlier run of the job would still be running.
    pub(super) overlaps: bool,
    /// Whether it would therefore be skipped.
    pub(super) skipped: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct JobPlan {
    pub(super) job: String,
    pub(super) file: String,
    pub(super) schedule: String,
    pub(super) timezone: String,
    /// How many occurrences it has.
    pub(super) count: u64,
    #[serde(with = "odin_wire::as_text::option")]
    pub(super) first: Option<Timestamp>,
    /// How long its runs take. `null`: nobody said.
    pub(super) duration_seconds: Option<f64>,
    /// How many of its occurrences find an earlier run of it still running.
    pub(super) overlapping: u64,
    /// `allow`: those run beside it. `forbid`: those are skipped.
    pub(super) concurrency: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct Minute {
    #[serde(with = "odin_wire::as_text")]
    pub(super) at: Timestamp,
    pub(super) count: u64,
    /// The first few of its jobs.
    pub(super) jobs: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Peak {
    /// When it is first reached.
    #[serde(with = "odin_wire::as_text")]
    pub(super) at: Timestamp,
    pub(super) running: u64,
    /// The first few of the jobs.
    pub(super) jobs: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Overlaps {
    /// How many stretches of time there are.
    pub(super) count: u64,
    /// How long they are together.
    pub(super) seconds: u64,
    /// The first hundred of them.
    pub(super) first: Vec<Stretch>,
}

#[derive(Debug, Serialize)]
pub(super) struct Stretch {
    #[serde(with = "odin_wire::as_text")]
    pub(super) from: Timestamp,
    #[serde(with = "odin_wire::as_text")]
    pub(super) to: Timestamp,
    /// The largest number of runs at one time.
    pub(super) most: u64,
    /// The first few of the jobs.
    pub(super) jobs: Vec<String>,
}

impl Plan {
    pub(super) fn new(
        folder: &Folder,
        groups: &[Group],
        walked: &Walked,
        (from, to): (Timestamp, Timestamp),
        timezone: String,
    ) -> Self {
        let names = |jobs: &[usize]| -> Vec<String> {
            jobs.iter()
                .map(|&job| folder.jobs[job].name.clone())
                .collect()
        };
        let occurrences: Vec<Due> = walked.rows.iter().map(|row| due(row, folder)).collect();
        let last = occurrences.last().filter(|_| walked.has_more);
        let busiest = walked.busiest.iter().map(|minute| Minute {
            at: minute.at,
            count: minute.count,
            jobs: names(&minute.jobs),
        });
        Self {
            timezone,
            from,
            to,
            complete_until: walked.complete_until,
            count: walked.count,
            next: last.map(|due| format!("{}/{}", due.at, due.job)),
            occurrences,
            jobs: jobs(folder, groups, walked),
            refused: folder.refused.clone(),
            busiest: busiest.collect(),
            peak: walked.overlaps.peak.as_ref().map(|peak| Peak {
                at: peak.at,
                running: peak.running,
                jobs: names(&peak.jobs),
            }),
            overlaps: overlaps(&walked.overlaps, names),
        }
    }
}

fn due(row: &super::walk::Row, folder: &Folder) -> Due {
    let job = &folder.jobs[row.job];
    let skips = match job.concurrency.overlap {
        Overlap::Allow | Overlap::Queue | Overlap::Replace => false,
        Overlap::Forbid => true,
    };
    Due {
        at: row.due,
        job: job.name.clone(),
        file: job.file.clone(),
        overlaps: row.overlaps,
        skipped: row.overlaps && skips,
    }
}

fn overlaps(found: &overlaps::Overlaps, names: impl Fn(&[usize]) -> Vec<String>) -> Overlaps {
    Overlaps {
        count: found.count,
        seconds: found.seconds,
        first: found
            .first
            .iter()
            .map(|stretch| Stretch {
                from: stretch.from,
                to: stretch.to,
                most: stretch.most,
                jobs: names(&stretch.jobs),
            })
            .collect(),
    }
}

/// Every job with its group's tally, in the folder's order.
fn jobs(folder: &Folder, groups: &[Group], walked: &Walked) -> Vec<JobPlan> {
    let mut plans: Vec<(usize, JobPlan)> = groups
        .iter()
        .zip(&walked.tallies)
        .flat_map(|(group, tally)| {
            group.jobs.iter().map(move |&index| {
                let job: &PlannedJob = &folder.jobs[index];
                let plan = JobPlan {
                    job: job.name.clone(),
                    file: job.file.clone(),
                    schedule: job.schedule_text.clone(),
                    timezone: job.timezone.clone(),
                    count: tally.count,
                    first: tally.first,
                    duration_seconds: group.duration.map(|duration| duration.as_secs_f64()),
                    overlapping: tally.overlapping,
                    concurrency: job.concurrency.overlap.word(),
                };
                (index, plan)
            })
        })
        .collect();
    plans.sort_unstable_by_key(|(index, _)| *index);
    plans.into_iter().map(|(_, plan)| plan).collect()
}
