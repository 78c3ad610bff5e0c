//! A run is to stop.

use jiff::Timestamp;
use odin_model::owner::Principal;
use odin_model::run::RunState;
use odin_model::{Refusal, Reply, RunId};

use super::{Batch, Stop, job, run};
use crate::{CancelWhen, StoreError};

/// Ends a queued run at once; of one that a node has, the end is that node's to report.
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
    match found.state {
        RunState::Finished(_) => return Err(Refusal::RunOver(id).into()),
        RunState::Queued => run::cancel_queued(batch, &mut found, reason, at)?,
        RunState::Assigned { .. } | RunState::Running { .. } | RunState::Unreachable { .. } => {
            run::request_cancel(batch, &mut found, CancelWhen::AnyTime, reason)?;
        }
    }
    Ok(Reply::Done)
}
