//! A run is to stop.

use jiff::Timestamp;
use odin_model::owner::Principal;
use odin_model::{Refusal, Reply, RunId};

use super::{Batch, Stop, job, run};
use crate::{CancelWhen, StoreError};

/// Ends a run that no node has at once; of one that a node has, the end is that node's to report.
pub(super) fn apply(
    batch: &mut Batch<'_>,
    by: &Principal,
    id: RunId,
    at: Timestamp,
) -> Result<Reply, Stop> {
    let mut found = run::find(batch.conn, id)?.ok_or(Refusal::NoSuchRun(id))?;
    let owner = job::find(batch.conn, found.job)?
        .ok_or_else(|| StoreError::damaged("a run without its job"))?
        .owner;
    if !by.may_see(&owner) {
        return Err(Refusal::NoSuchRun(id).into());
    }
    super::need_change(by, found.job, &owner)?;
    let reason = format!("cancelled by {}", by.user.user);
    if !found.state.is_active() {
        return Err(Refusal::RunOver(id).into());
    }
    run::stop(batch, &mut found, CancelWhen::AnyTime, reason, at)?;
    Ok(Reply::Done)
}

#[cfg(test)]
mod tests {
    use odin_model::attempt::Ending;
    use odin_model::command::Command;
    use odin_model::owner::{Principal, Role};
    use odin_model::{JobState, Refusal, Reply, RunId};

    use crate::scenario::{NODE, Scenario, ann, bob, deploy, finished, minute, started};
    use crate::{CancelWhen, Effect};

    fn cancel(by: Principal, run: RunId) -> Command {
        Command::Cancel {
            by,
            run,
            at: minute(9),
        }
    }

    #[test]
    fn a_queued_run_is_over_at_once() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let mut item = scenario.item(id, &[1]);
        item.node = None;
        scenario.fire_item(item, 1);
        let run = scenario.ledger(id)[0].run.unwrap();
        assert_eq!(scenario.apply(&cancel(ann(), run)), Reply::Done);
        let run = scenario.run(run);
        assert_eq!(run.state.word(), "finished");
        assert_eq!(run.reason.as_deref(), Some("cancelled by ann"));
    }

    #[test]
    fn the_node_of_a_run_is_asked_to_end_it_even_after_a_pause() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let run = scenario.run_of(id, 1);
        scenario.set_state(id, JobState::Paused, 1);
        scenario.apply(&cancel(ann(), run));
        assert!(
            matches!(
                scenario.effects[..],
                [Effect::CancelRequested {
                    node: NODE,
                    when: CancelWhen::AnyTime,
                    ..
                }]
            ),
            "{:?}",
            scenario.effects
        );
        scenario.report(vec![started(run)]);
        assert_eq!(
            scenario.run(run).cancel_requested.as_deref(),
            Some("cancelled by ann")
        );
        let reason = "cancelled by ann".to_owned();
        scenario.report(vec![finished(run, Ending::Cancelled { reason })]);
        assert_eq!(scenario.run(run).cancel_requested, None);
        assert_eq!(scenario.refused(&cancel(ann(), run)), Refusal::RunOver(run));
    }

    #[test]
    fn every_refusal() {
        let mut scenario = Scenario::with_node();
        let job = scenario.deploy(deploy("nightly"));
        let run = scenario.run_of(job, 1);
        let mut viewer = ann();
        viewer.role = Role::Viewer;
        let unknown = RunId::from_bits(1);
        let owner = "ann".to_owned();
        for (command, expected) in [
            (cancel(ann(), unknown), Refusal::NoSuchRun(unknown)),
            (cancel(bob(), run), Refusal::NoSuchRun(run)),
            (cancel(viewer, run), Refusal::NotPermitted { job, owner }),
        ] {
            assert_eq!(scenario.refused(&command), expected);
        }
    }
}
