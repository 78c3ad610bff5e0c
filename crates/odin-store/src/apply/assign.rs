//! Runs that no node has get one.

use odin_model::run::RunEvent;
use odin_model::{AttemptNumber, Epoch, NodeId, Reply, RunId};

use super::{Batch, Stop, run};

/// Assigns the runs that are queued or to be tried again, if the node is up in that life; the others, and those that
/// are at another attempt by now, stay as they are.
pub(super) fn apply(
    batch: &mut Batch<'_>,
    runs: &[(RunId, AttemptNumber)],
    node: NodeId,
    epoch: Epoch,
) -> Result<Reply, Stop> {
    if batch.life_of(node)? != Some(epoch) {
        return Ok(Reply::Done);
    }
    for &(id, attempt) in runs {
        let Some(mut run) = run::find(batch.conn, id)? else {
            continue;
        };
        if run.next_attempt() != attempt {
            continue;
        }
        let assigned = RunEvent::Assigned {
            attempt,
            node,
            epoch,
        };
        if run.take(assigned).is_ok() {
            run::save(batch, &run)?;
        }
    }
    Ok(Reply::Done)
}

#[cfg(test)]
mod tests {
    use odin_model::command::Command;
    use odin_model::{AttemptNumber, Epoch, NodeId, RunId};

    use crate::scenario::{NODE, Scenario, deploy, minute};

    /// Assigns a queued run and shows its state; `epoch` is how far from the node's.
    #[track_caller]
    fn check(node: NodeId, epoch_offset: u64, expected: &str) {
        let mut scenario = Scenario::new();
        let epoch = scenario.node_up(NODE, "worker1");
        let id = scenario.deploy(deploy("nightly"));
        let mut item = scenario.item(id, &[1]);
        item.node = None;
        scenario.fire_item(item, 1);
        let run = scenario.ledger(id)[0].run.unwrap();
        scenario.apply(&Command::Assign {
            runs: vec![
                (RunId::from_bits(3), AttemptNumber::FIRST),
                (run, AttemptNumber::FIRST),
            ],
            node,
            epoch: Epoch(epoch.0 + epoch_offset),
        });
        assert_eq!(scenario.run(run).state.word(), expected);
    }

    #[test]
    fn a_queued_run_goes_to_a_node_that_is_up() {
        check(NODE, 0, "assigned");
    }

    #[test]
    fn another_life_or_an_unknown_node_gets_nothing() {
        check(NODE, 1, "queued");
        check(NodeId(2), 0, "queued");
    }

    #[test]
    fn a_run_that_somebody_has_stays_there() {
        let mut scenario = Scenario::with_node();
        let second = NodeId(2);
        let epoch = scenario.node_up(second, "worker2");
        let id = scenario.deploy(deploy("nightly"));
        let run = scenario.run_of(id, 1);
        scenario.apply(&Command::Assign {
            runs: vec![(run, AttemptNumber::FIRST)],
            node: second,
            epoch,
        });
        assert_eq!(scenario.run(run).node, Some(NODE));
        assert_eq!(scenario.effects, []);
        assert_eq!(scenario.run(run).due_at, Some(minute(1)));
    }
}
