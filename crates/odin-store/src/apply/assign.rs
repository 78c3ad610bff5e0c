//! Runs that no node has get one.

use odin_model::run::RunEvent;
use odin_model::{Epoch, NodeId, Reply, RunId};

use super::{Batch, Stop, run};

/// Assigns the runs that are still queued, if the node is up in that life; the others stay as they are.
pub(super) fn apply(
    batch: &mut Batch<'_>,
    runs: &[RunId],
    node: NodeId,
    epoch: Epoch,
) -> Result<Reply, Stop> {
    if batch.life_of(node)? != Some(epoch) {
        return Ok(Reply::Done);
    }
    for &id in runs {
        let Some(mut run) = run::find(batch.conn, id)? else {
            continue;
        };
        let assigned = RunEvent::Assigned {
            attempt: run.next_attempt(),
            node,
            epoch,
        };
        if run.take(assigned).is_ok() {
            run::save(batch, &run)?;
        }
    }
    Ok(Reply::Done)
}
