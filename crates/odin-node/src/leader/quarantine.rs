//! Planning one job at a time, so that one that cannot be planned stops no other.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use jiff::Timestamp;
use odin_executor::fault::{self, Point};
use odin_model::command::FireItem;
use odin_model::job::Job;
use odin_model::node::Node;
use odin_model::quarantine::{QUARANTINE_MAX, SetApart, Unplannable};
use odin_model::{Command, JobId};
use odin_scheduling::judge::Policy;
use odin_scheduling::placement;
use odin_scheduling::plan::{DueJob, LOOK_AHEAD, plan};

use super::{ITEMS_A_JOB_MAX, Interrupted, Pass};
use crate::schedules::NoSchedule;

/// What becomes of a job that is due.
pub(super) enum Planned {
    /// Its occurrences.
    Items(Vec<FireItem>),
    /// Why there are none.
    Unplannable(String),
}

impl Pass<'_> {
    /// Plans a job from its next due time on.
    pub(super) fn plan_job(
        &self,
        job: &Job,
        next_due: Timestamp,
        now: Timestamp,
        nodes: &[Node],
    ) -> Result<Planned, Interrupted> {
        let horizon = now.saturating_add(LOOK_AHEAD).unwrap_or(Timestamp::MAX);
        let spec = &job.spec;
        let planned = guarded(|| {
            fault::reach(Point::ServerPlanBefore);
            let (schedule, calendars) = self.leader.schedules.get(spec, job.id)?;
            let due_job = DueJob {
                id: job.id,
                revision: job.revision,
                next_due,
                schedule: &schedule,
                calendars,
                policy: Policy {
                    grace: spec.grace,
                    missed: spec.missed,
                    concurrency: spec.concurrency,
                },
                node: placement::choose(job.id, nodes),
            };
            Ok(plan(&due_job, now, horizon, ITEMS_A_JOB_MAX))
        });
        match planned {
            Ok(Ok(items)) => Ok(Planned::Items(items)),
            Ok(Err(NoSchedule::Store(error))) => Err(error.into()),
            Ok(Err(error @ NoSchedule::Unreadable { .. })) => {
                Ok(Planned::Unplannable(error.to_string()))
            }
            Err(panic) => Ok(Planned::Unplannable(format!(
                "planning it went wrong, by a mistake of Odin: {panic}"
            ))),
        }
    }

    /// Sets jobs apart that cannot be planned.
    pub(super) async fn set_apart(
        &self,
        jobs: &[Unplannable],
        now: Timestamp,
    ) -> Result<(), Interrupted> {
        for jobs in jobs.chunks(QUARANTINE_MAX) {
            let command = Command::Quarantine(SetApart {
                jobs: jobs.to_vec(),
                at: now,
            });
            let proposer = &self.leader.proposer;
            proposer.propose_fenced(self.term, &command).await?;
            for Unplannable { job, reason, .. } in jobs {
                tracing::error!(%job, reason, "a job cannot be planned and is in quarantine; the others go on");
            }
        }
        Ok(())
    }

    /// Tries jobs in quarantine again, a page with each pass: something changed that may have mended them.
    pub(super) async fn try_again(&mut self, now: Timestamp) -> Result<(), Interrupted> {
        let Some(Again { after }) = self.again else {
            return Ok(());
        };
        let page = self.leader.view.quarantined(after, QUARANTINE_MAX);
        let nodes = self.leader.reader.nodes()?;
        let mut mended = Vec::new();
        for &id in &page {
            // The index may be ahead of the row by a moment.
            let Some(job) = self
                .leader
                .reader
                .job(id)?
                .filter(|job| job.quarantine.is_some())
            else {
                continue;
            };
            let next_due = job.next_due.unwrap_or(now);
            if let Planned::Items(_) = self.plan_job(&job, next_due, now, &nodes)? {
                tracing::info!(job = %id, name = %job.spec.name, "a job can be planned again");
                mended.push((id, job.revision));
            }
        }
        if !mended.is_empty() {
            let command = Command::Release {
                jobs: mended,
                at: now,
            };
            let proposer = &self.leader.proposer;
            proposer.propose_fenced(self.term, &command).await?;
        }
        let is_last = page.len() < QUARANTINE_MAX;
        let after = page.last().copied().filter(|_| !is_last);
        self.again = after.map(|after| Again { after: Some(after) });
        Ok(())
    }
}

/// A walk over the jobs in quarantine.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Again {
    after: Option<JobId>,
}

/// What `work` makes, or what it said when it panicked. It must leave nothing half done that others see: planning only
/// reads, and its cache of schedules takes a whole entry or none.
fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| text_of(panic.as_ref()))
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("it said nothing").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(work: impl FnOnce() -> u8, expected: Result<u8, &str>) {
        assert_eq!(guarded(work), expected.map_err(str::to_owned));
    }

    #[test]
    fn what_panics_is_an_answer_with_its_words() {
        let year = std::hint::black_box(12_000);
        check(|| 7, Ok(7));
        check(|| panic!("no such day"), Err("no such day"));
        check(
            || panic!("no such year: {year}"),
            Err("no such year: 12000"),
        );
        check(|| std::panic::panic_any(year), Err("it said nothing"));
    }
}
