//! Name, description or schedule of a job.

use odin_model::command::Modify;
use odin_model::job::Visibility;
use odin_model::job_change::JobChangeKind::Modified;
use odin_model::{JobState, Reply};

use super::change::{self, Change};
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
        Some((_, due)) => {
            job::need_due(&known, due, modify.at)?.filter(|_| known.state == JobState::Enabled)
        }
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
    let reply = job::add_version(batch, &known, &version, known.visibility, next_due)?;
    let due = modify.schedule.as_ref().map(|(_, due)| due);
    change::note(
        batch,
        &Change {
            by: Some(&modify.by.user.user),
            is: next_due,
            after: due.and_then(|due| known.computed_after(due, modify.at)),
            ..Change::of(&known, Modified, known.version.next(), modify.at)
        },
    )?;
    Ok(reply)
}

#[cfg(test)]
mod tests {
    use odin_model::command::{Command, FireAnswer};
    use odin_model::{JobId, JobState, Refusal, Revision, VersionNumber};

    use crate::scenario::{Scenario, ann, bob, deploy, due_after, minute, name, root};

    #[test]
    fn what_is_named_changes_and_the_bundle_stays() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let mut modify = scenario.modify(id);
        modify.name = Some(name("weekly"));
        modify.description = Some("tidies up".to_owned());
        modify.schedule = Some(("every hour".to_owned(), due_after(59)));
        scenario.apply(&Command::Modify(Box::new(modify)));
        let job = scenario.job(id);
        assert_eq!(job.version, VersionNumber(2));
        assert_eq!(job.spec.name, name("weekly"));
        assert_eq!(job.spec.description, "tidies up");
        assert_eq!(job.spec.schedule, "every hour");
        assert_eq!(job.bundle, deploy("nightly").bundle);
        assert_eq!(scenario.due_minutes(), [60]);
        let reader = scenario.store.reader();
        let by_name = |text| reader.job_by_name(&ann().user, &name(text)).unwrap();
        assert_eq!(by_name("weekly").map(|job| job.id), Some(id));
        assert_eq!(by_name("nightly"), None);
    }

    #[test]
    fn without_a_schedule_the_next_due_time_stays() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let modify = scenario.modify(id);
        scenario.apply(&Command::Modify(Box::new(modify)));
        assert_eq!(scenario.due_minutes(), [1]);
        assert_eq!(scenario.fire(id, &[1], 1), FireAnswer::Decided);
    }

    #[test]
    fn a_paused_job_stays_without_a_due_time() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        scenario.set_state(id, JobState::Paused, 0);
        let mut modify = scenario.modify(id);
        modify.schedule = Some(("every hour".to_owned(), due_after(59)));
        scenario.apply(&Command::Modify(Box::new(modify)));
        assert_eq!(scenario.job(id).next_due, None);
        assert_eq!(scenario.due_minutes(), Vec::<i64>::new());
    }

    #[test]
    fn every_refusal() {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let other = scenario.deploy(deploy("weekly"));
        scenario.fire(id, &[1], 1);
        let base = scenario.modify(id);
        let mut cases = Vec::new();

        let mut case = base.clone();
        case.job = JobId::from_bits(5);
        cases.push((case, Refusal::NoSuchJob(JobId::from_bits(5))));
        let mut case = base.clone();
        case.by = bob();
        cases.push((case, Refusal::NoSuchJob(id)));
        let mut case = base.clone();
        case.by.role = odin_model::owner::Role::Viewer;
        let owner = "ann".to_owned();
        cases.push((case, Refusal::NotPermitted { job: id, owner }));
        let mut case = base.clone();
        case.name = Some(name("weekly"));
        let taken = Refusal::NameTaken {
            name: name("weekly"),
            job: other,
        };
        cases.push((case, taken));
        let mut case = base.clone();
        case.expected = Some(Revision(1));
        let conflict = Refusal::RevisionConflict {
            job: id,
            expected: Revision(1),
            found: Revision(2),
        };
        cases.push((case, conflict));
        let mut case = base.clone();
        case.by = root();
        case.schedule = Some(("every hour".to_owned(), due_after(0)));
        cases.push((case, Refusal::DueOutOfDate { job: id }));

        for (case, expected) in cases {
            assert_eq!(scenario.refused(&Command::Modify(Box::new(case))), expected);
        }
        assert_eq!(scenario.job(id).next_due, Some(minute(2)));
    }
}
