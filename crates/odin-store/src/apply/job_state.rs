//! Pause, resume, remove.

use jiff::Timestamp;
use odin_model::command::SetJobState;
use odin_model::owner::Principal;
use odin_model::run::RunState;
use odin_model::{JobId, JobState, Refusal, Reply};

use super::{Batch, Stop, job, run};
use crate::{CancelWhen, StoreError};

/// Pauses or resumes. Resuming begins after now: what fell into the pause never was due.
pub(super) fn set(batch: &mut Batch<'_>, change: &SetJobState) -> Result<Reply, Stop> {
    let known = job::find_to_change(batch.conn, &change.by, change.job)?;
    if known.state == change.state {
        return Err(Refusal::AlreadyInState {
            job: known.id,
            state: known.state.word().to_owned(),
        }
        .into());
    }
    match change.state {
        JobState::Enabled => {
            let next_due = match &change.due {
                Some(due) => job::need_due(&known, due)?,
                None => None,
            };
            Ok(job::set_state(batch, &known, JobState::Enabled, next_due)?)
        }
        JobState::Paused => {
            let reason = format!("the job was paused by {}", change.by.user.user);
            cancel_decided(batch, known.id, &reason, change.at)?;
            Ok(job::set_state(batch, &known, JobState::Paused, None)?)
        }
        JobState::Removed => remove(batch, &change.by, change.job, change.at),
    }
}

/// Removes. The row stays for the job's history, its name is free again, its id is not.
pub(super) fn remove(
    batch: &mut Batch<'_>,
    by: &Principal,
    id: JobId,
    at: Timestamp,
) -> Result<Reply, Stop> {
    let known = job::find_to_change(batch.conn, by, id)?;
    let reason = format!("the job was removed by {}", by.user.user);
    cancel_decided(batch, id, &reason, at)?;
    job::set_state(batch, &known, JobState::Removed, None)?;
    Ok(Reply::Done)
}

/// Cancels runs that were decided and have no process. Their occurrences keep the outcome `started`; one whose
/// process was faster goes on.
fn cancel_decided(
    batch: &mut Batch<'_>,
    job: JobId,
    reason: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    for mut run in run::open_of_job(batch.conn, job)? {
        match run.state {
            RunState::Queued => run::cancel_queued(batch, &mut run, reason.to_owned(), at)?,
            RunState::Assigned { .. } | RunState::Unreachable { .. } => {
                run::request_cancel(batch, &mut run, CancelWhen::BeforeStart, reason.to_owned())?;
            }
            RunState::Running { .. } | RunState::Finished(_) => {}
        }
    }
    Ok(())
}
