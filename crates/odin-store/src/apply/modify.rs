//! Name, description or schedule of a job.

use odin_model::command::Modify;
use odin_model::job::Visibility;
use odin_model::{JobState, Reply};

use super::job::NewVersion;
use super::{Batch, Stop, job};

/// Makes a new version with the same bundle and what the command names changed.
pub(super) fn apply(batch: &mut Batch<'_>, modify: &Modify) -> Result<Reply, Stop> {
    let known = job::find_to_change(batch.conn, &modify.by, modify.job)?;
    job::need_revision(&known, modify.expected)?;
    if let Some(name) = &modify.name
        && known.visibility == Visibility::Listed
    {
        job::need_free_name(batch.conn, &known.owner, name, Some(known.id))?;
    }
    let next_due = match &modify.schedule {
        Some((_, due)) => job::need_due(&known, due)?.filter(|_| known.state == JobState::Enabled),
        None => known.next_due,
    };

    let (mut spec, bundle) = job::version(batch.conn, known.id, known.version)?;
    if let Some(name) = &modify.name {
        spec.name.clone_from(name);
    }
    if let Some(description) = &modify.description {
        spec.description.clone_from(description);
    }
    if let Some((schedule, _)) = &modify.schedule {
        spec.schedule.clone_from(schedule);
    }
    let version = NewVersion {
        spec: &spec,
        bundle: &bundle,
        by: &modify.by.user,
        at: modify.at,
    };
    Ok(job::add_version(
        batch,
        &known,
        &version,
        known.visibility,
        next_due,
    )?)
}
