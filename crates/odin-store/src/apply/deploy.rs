//! A job or a new version of one.

use odin_model::command::Deploy;
use odin_model::job::Visibility;
use odin_model::{JobId, JobState, Refusal, Reply};

use super::job::{JobRow, NewVersion};
use super::{Batch, Stop, job, need_operator};

/// What a deployment is of.
enum Target {
    New(JobId),
    Known(JobRow),
}

pub(super) fn apply(batch: &mut Batch<'_>, deploy: &Deploy) -> Result<Reply, Stop> {
    need_operator(&deploy.by)?;
    let version = NewVersion {
        spec: &deploy.spec,
        bundle: &deploy.bundle,
        by: &deploy.by.user,
        at: deploy.at,
    };
    match target(batch, deploy)? {
        Target::New(id) => {
            if deploy.expected.is_some() {
                return Err(Refusal::NoSuchJob(id).into());
            }
            if deploy.visibility == Visibility::Listed {
                job::need_free_name(batch.conn, &deploy.by.user, &deploy.spec.name, None)?;
            }
            let due = deploy.due;
            if due.next_due.is_some_and(|next| next <= due.after) {
                return Err(Refusal::DueOutOfDate { job: id }.into());
            }
            Ok(job::insert(
                batch,
                id,
                &version,
                deploy.visibility,
                due.next_due,
            )?)
        }
        Target::Known(known) => {
            job::need_revision(&known, deploy.expected)?;
            // A listed job stays listed: running a deployed file by hand does not hide it.
            let visibility = match known.visibility {
                Visibility::Listed => Visibility::Listed,
                Visibility::Hidden => deploy.visibility,
            };
            if visibility == Visibility::Listed {
                job::need_free_name(batch.conn, &known.owner, &deploy.spec.name, Some(known.id))?;
            }
            let next_due = job::need_due(&known, &deploy.due)?;
            let next_due = next_due.filter(|_| known.state == JobState::Enabled);
            Ok(job::add_version(
                batch, &known, &version, visibility, next_due,
            )?)
        }
    }
}

/// The job of that id; without one the owner's of that name; else a new one.
fn target(batch: &Batch<'_>, deploy: &Deploy) -> Result<Target, Stop> {
    if let Some(id) = deploy.id {
        return match job::find(batch.conn, id)? {
            None => Ok(Target::New(id)),
            // Somebody else's id answers as a removed one does: whose it is stays unsaid.
            Some(known)
                if known.state == JobState::Removed || !deploy.by.may_change(&known.owner) =>
            {
                Err(Refusal::IdTaken(id).into())
            }
            Some(known) => Ok(Target::Known(known)),
        };
    }
    if deploy.visibility == Visibility::Listed {
        let named = job::find_named(batch.conn, &deploy.by.user, &deploy.spec.name)?;
        if let Some(known) = named {
            return Ok(Target::Known(known));
        }
    }
    match job::find(batch.conn, deploy.fresh_id)? {
        None => Ok(Target::New(deploy.fresh_id)),
        Some(_) => Err(Refusal::IdTaken(deploy.fresh_id).into()),
    }
}
