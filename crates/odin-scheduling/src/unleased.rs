//! How long a run may go on without its node holding a lease, when another node could start what follows it.
//! DESIGN 5.6.
//!
//! The leader calls a run lost at the earliest a lease, its margin and the job's `lost_after` after the node last
//! asked. A node that only hears nothing has not stopped working: so its executor ends the run first, and it is gone
//! by a margin before that instant.

use std::time::Duration;

use odin_model::{JobSpec, OnLost, Overlap, Unleased};

/// What holds for a run of this job, with leases of this length and margin. `None`: it may go on for as long as it
/// likes, for nothing is started in its place that it must not meet.
#[must_use]
pub fn unleased(job: &JobSpec, lease: Duration, margin: Duration) -> Option<Unleased> {
    if job.loss.on_lost == OnLost::Fail && job.concurrency.overlap == Overlap::Allow {
        return None;
    }
    let gone_after = job.loss.lost_after;
    let hook = job
        .on_cancel
        .as_ref()
        .map_or(Duration::ZERO, |it| it.timeout);
    // Its own way of ending needs its time, within the time that there is.
    let with_grace = gone_after
        .saturating_sub(job.kill_grace)
        .saturating_sub(hook);
    let silent_for = gone_after.saturating_sub(margin).saturating_sub(lease);
    Some(Unleased {
        end_after: with_grace.min(silent_for),
        gone_after,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_model::{Concurrency, JobName, Loss, Program};

    const LEASE: Duration = Duration::from_secs(5);
    const MARGIN: Duration = Duration::from_secs(1);

    fn job(on_lost: OnLost, overlap: Overlap, lost_after: u64, kill_grace: u64) -> JobSpec {
        let name = JobName::parse("a job").unwrap();
        let program = Program::Shell("true".to_owned());
        JobSpec {
            loss: Loss {
                on_lost,
                lost_after: Duration::from_secs(lost_after),
            },
            concurrency: Concurrency::of(overlap),
            kill_grace: Duration::from_secs(kill_grace),
            ..JobSpec::new(name, program, "never", "UTC")
        }
    }

    #[test]
    fn a_run_is_ended_in_time_for_its_kill_grace() {
        use OnLost::{Fail, Rerun};
        use Overlap::{Allow, Forbid, Queue, Replace};
        // Seconds after the end of the lease: of the job, and then TERM and KILL.
        let cases = [
            (job(Fail, Allow, 300, 10), None),
            (job(Rerun, Allow, 300, 10), Some((290, 300))),
            (job(Fail, Forbid, 300, 10), Some((290, 300))),
            (job(Fail, Queue, 300, 1), Some((294, 300))),
            (job(Fail, Replace, 300, 60), Some((240, 300))),
            // There is no more time than there is.
            (job(Rerun, Allow, 10, 10), Some((0, 10))),
            (job(Rerun, Allow, 10, 3600), Some((0, 10))),
        ];
        for (job, expected) in cases {
            let expected = expected.map(|(end, gone)| Unleased {
                end_after: Duration::from_secs(end),
                gone_after: Duration::from_secs(gone),
            });
            assert_eq!(unleased(&job, LEASE, MARGIN), expected, "{job:?}");
        }
    }

    #[test]
    fn what_runs_before_a_cancel_has_its_time_too() {
        let mut job = job(OnLost::Rerun, Overlap::Allow, 300, 10);
        job.on_cancel = Some(odin_model::OnCancel {
            command: odin_model::on_cancel::HookCommand::Shell("true".to_owned()),
            timeout: Duration::from_secs(30),
        });
        let found = unleased(&job, LEASE, MARGIN).map(|it| it.end_after);
        assert_eq!(found, Some(Duration::from_secs(260)));
    }
}
