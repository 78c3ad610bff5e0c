//! A person wants a run now.

use jiff::Timestamp;
use odin_model::owner::Principal;
use odin_model::run::Cause;
use odin_model::{Concurrency, JobId, NodeId, Refusal, Reply};

use super::run::NewRun;
use super::{Batch, Stop, job, run};

/// Makes a run without an occurrence. A paused job runs too: a person asked.
pub(super) fn apply(
    batch: &mut Batch<'_>,
    by: &Principal,
    id: JobId,
    node: Option<NodeId>,
    at: Timestamp,
) -> Result<Reply, Stop> {
    let known = job::find_to_change(batch.conn, by, id)?;
    if known.policy.concurrency == Concurrency::Forbid
        && let Some(run) = run::active(batch.conn, id)?
    {
        return Err(Refusal::StillActive { job: id, run }.into());
    }
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
    };
    Ok(Reply::Run {
        id: run::insert(batch, &new)?,
    })
}
