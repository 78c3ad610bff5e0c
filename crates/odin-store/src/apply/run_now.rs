//! A person wants a run now.

use jiff::Timestamp;
use odin_model::owner::Principal;
use odin_model::run::Cause;
use odin_model::{JobId, Lane, NodeId, Reply};

use super::run::NewRun;
use super::{Batch, Stop, job, turn};

/// Makes a run without an occurrence. A paused job runs too: a person asked.
pub(super) fn apply(
    batch: &mut Batch<'_>,
    by: &Principal,
    id: JobId,
    node: Option<NodeId>,
    at: Timestamp,
) -> Result<Reply, Stop> {
    let known = job::find_to_change(batch.conn, by, id)?;
    let cause = Cause::Manual {
        by: by.user.user.clone(),
    };
    let new = NewRun {
        job: id,
        version: known.version,
        cause: &cause,
        due_at: None,
        node,
        queued_at: at,
        priority: known.priority,
        lane: Lane::Live,
    };
    let policy = known.policy.concurrency;
    let made = turn::make(batch, policy, &new)?;
    let id = made.map_err(|no_room| no_room.refusal(id, policy))?;
    Ok(Reply::Run { id })
}

#[cfg(test)]
mod tests {
    use odin_model::command::Command;
    use odin_model::owner::{Principal, Role};
    use odin_model::run::Cause;
    use odin_model::{JobId, JobState, Missed, Overlap, Refusal, Reply};

    use crate::scenario::{NODE, Scenario, ann, bob, deploy, minute, root};

    fn run_now(by: Principal, job: JobId) -> Command {
        Command::RunNow {
            by,
            job,
            node: Some(NODE),
            at: minute(7),
        }
    }

    #[test]
    fn a_run_without_an_occurrence_is_made_even_of_a_paused_job() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        scenario.set_state(id, JobState::Paused, 0);
        let Reply::Run { id: run } = scenario.apply(&run_now(root(), id)) else {
            panic!("no run")
        };
        let run = scenario.run(run);
        let by = "root".to_owned();
        assert_eq!((run.cause, run.due_at), (Cause::Manual { by }, None));
        assert_eq!((run.queued_at, run.node), (minute(7), Some(NODE)));
        assert_eq!(scenario.ledger(id), []);
    }

    #[test]
    fn every_refusal() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Overlap::Forbid, Missed::Once);
        let mut viewer = ann();
        viewer.role = Role::Viewer;
        let owner = "ann".to_owned();
        for (by, expected) in [
            (bob(), Refusal::NoSuchJob(id)),
            (viewer, Refusal::NotPermitted { job: id, owner }),
        ] {
            assert_eq!(scenario.refused(&run_now(by, id)), expected);
        }
        let Reply::Run { id: run } = scenario.apply(&run_now(ann(), id)) else {
            panic!("no run")
        };
        let active = Refusal::StillActive { job: id, run };
        assert_eq!(scenario.refused(&run_now(ann(), id)), active);
        scenario.apply(&Command::Remove {
            by: ann(),
            job: id,
            expected: None,
            at: minute(0),
        });
        let gone = Refusal::NoSuchJob(id);
        assert_eq!(scenario.refused(&run_now(ann(), id)), gone);
    }
}
