//! A job or a new version of one.

use odin_model::command::Deploy;
use odin_model::job::Visibility;
use odin_model::job_change::JobChangeKind::Deployed;
use odin_model::owner::Role;
use odin_model::{JobId, JobState, Refusal, Reply, VersionNumber};

use super::change::{self, Change};
use super::job::{JobRow, NewVersion};
use super::{Batch, Stop, channel, job, secret};

/// What a deployment is of.
enum Target {
    New(JobId),
    Known(JobRow),
}

pub(super) fn apply(batch: &mut Batch<'_>, deploy: &Deploy) -> Result<Reply, Stop> {
    deploy.by.need(Role::Operator)?;
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
            secret::need_usable(batch.conn, &deploy.by.user, &deploy.spec)?;
            channel::need_known(batch.conn, &deploy.spec)?;
            let due = deploy.due;
            if due.next_due.is_some_and(|next| next <= due.after) {
                return Err(Refusal::DueOutOfDate { job: id }.into());
            }
            let reply = job::insert(batch, id, &version, deploy.visibility, due.next_due)?;
            change::note(
                batch,
                &Change {
                    by: Some(&deploy.by.user.user),
                    is: due.next_due,
                    after: Some(due.after),
                    ..Change::new(id, Deployed, VersionNumber::FIRST, deploy.at)
                },
            )?;
            Ok(reply)
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
            secret::need_usable(batch.conn, &known.owner, &deploy.spec)?;
            channel::need_known(batch.conn, &deploy.spec)?;
            let next_due = job::need_due(&known, &deploy.due, deploy.at)?;
            let next_due = next_due.filter(|_| known.state == JobState::Enabled);
            let reply = job::add_version(batch, &known, &version, visibility, next_due)?;
            change::note(
                batch,
                &Change {
                    by: Some(&deploy.by.user.user),
                    is: next_due,
                    after: known.computed_after(&deploy.due, deploy.at),
                    ..Change::of(&known, Deployed, known.version.next(), deploy.at)
                },
            )?;
            Ok(reply)
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

#[cfg(test)]
mod tests {
    use odin_model::command::{Command, Deploy, FireAnswer};
    use odin_model::job::Visibility;
    use odin_model::owner::Role;
    use odin_model::{JobId, Missed, Overlap, Refusal, Reply, Revision, VersionNumber};

    use crate::Effect;
    use crate::scenario::{
        Scenario, ann, bob, deploy, due_after, minute, name, person, root, spec,
    };

    fn command(deploy: Deploy) -> Command {
        Command::Deploy(Box::new(deploy))
    }

    /// A store with Ann's job `nightly`, whose occurrence of minute 1 is decided, and her removed job.
    fn scenario() -> (Scenario, JobId, JobId) {
        let mut scenario = Scenario::with_node();
        let nightly = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        assert_eq!(scenario.fire(nightly, &[1], 1), FireAnswer::Decided);
        let removed = scenario.deploy(deploy("removed"));
        scenario.apply(&Command::Remove {
            by: ann(),
            job: removed,
            expected: None,
            at: minute(0),
        });
        (scenario, nightly, removed)
    }

    /// Deploys `nightly` again with what `change` makes of it; `None` is success.
    #[track_caller]
    fn check(
        change: impl Fn(&mut Deploy, JobId, JobId),
        expected: impl Fn(JobId, JobId) -> Option<Refusal>,
    ) {
        let (mut scenario, nightly, removed) = scenario();
        let mut again = deploy("nightly");
        again.due = due_after(1);
        change(&mut again, nightly, removed);
        match expected(nightly, removed) {
            Some(refusal) => assert_eq!(scenario.refused(&command(again)), refusal),
            None => {
                scenario.deploy(again);
            }
        }
    }

    #[test]
    fn a_new_job_is_enabled_and_due() {
        let mut scenario = Scenario::new();
        let mut first = deploy("nightly");
        first.id = Some(JobId::from_bits(0xa37b_187f_5930));
        let id = scenario.deploy(first);
        assert_eq!(id.to_string(), "a37b187f5930");
        let job = scenario.job(id);
        assert_eq!(
            (job.owner, job.spec, job.revision, job.next_due),
            (ann().user, spec("nightly"), Revision(1), Some(minute(1)))
        );
        assert_eq!(scenario.due_minutes(), [1]);
        assert_eq!(scenario.store.view().counts().jobs, 1);
        let revision = Revision(1);
        assert_eq!(scenario.effects, [Effect::JobChanged { job: id, revision }]);
    }

    #[test]
    fn the_same_name_again_is_a_new_version_and_decided_runs_keep_theirs() {
        let (mut scenario, nightly, _) = scenario();
        let run = scenario.ledger(nightly)[0].run.unwrap();
        let mut again = deploy("nightly");
        again.due = due_after(1);
        let reply = scenario.apply(&command(again));
        assert_eq!(
            reply,
            Reply::Job {
                id: nightly,
                version: VersionNumber(2),
                revision: Revision(scenario.index),
                created: false,
                decided: vec![run],
            }
        );
        assert_eq!(scenario.run(run).version, VersionNumber(1));
        let reader = scenario.store.reader();
        assert_eq!(reader.versions(nightly, None, 10).unwrap().len(), 2);
        let first = reader.version(nightly, VersionNumber(1)).unwrap().unwrap();
        assert_eq!((first.by, first.deployed_at), (ann().user, minute(0)));
    }

    #[test]
    fn another_owner_may_use_the_same_name() {
        check(
            |again, _, _| {
                again.by = bob();
                again.fresh_id = JobId::from_bits(5);
            },
            |_, _| None,
        );
    }

    #[test]
    fn the_name_of_a_removed_job_is_free() {
        check(
            |again, _, _| {
                again.spec.name = name("removed");
                again.fresh_id = JobId::from_bits(5);
            },
            |_, _| None,
        );
    }

    #[test]
    fn an_admin_may_deploy_to_another_owners_job_and_the_owner_stays() {
        let (mut scenario, nightly, _) = scenario();
        let mut again = deploy("nightly");
        (again.by, again.id, again.due) = (root(), Some(nightly), due_after(1));
        scenario.deploy(again);
        assert_eq!(scenario.job(nightly).owner, ann().user);
    }

    #[test]
    fn hidden_jobs_are_apart_from_names_and_lists() {
        let (mut scenario, ..) = scenario();
        let before = scenario.store.view().counts().jobs;
        for bits in [5, 6] {
            let mut hidden = deploy("nightly");
            hidden.visibility = Visibility::Hidden;
            hidden.fresh_id = JobId::from_bits(bits);
            assert_eq!(scenario.deploy(hidden), JobId::from_bits(bits));
        }
        let page = scenario.store.reader().jobs(None, None, 10).unwrap();
        assert_eq!(page.jobs.len(), 1);
        assert_eq!(scenario.store.view().counts().jobs, before);
    }

    #[test]
    fn a_hidden_job_can_be_listed_and_a_listed_one_stays_so() {
        let mut scenario = Scenario::new();
        let mut hidden = deploy("nightly");
        hidden.visibility = Visibility::Hidden;
        let id = scenario.deploy(hidden.clone());
        let mut listed = deploy("nightly");
        listed.id = Some(id);
        scenario.deploy(listed);
        hidden.id = Some(id);
        scenario.deploy(hidden);
        assert_eq!(scenario.job(id).visibility, Visibility::Listed);
        assert_eq!(scenario.store.view().counts().jobs, 1);
    }

    #[test]
    fn a_viewer_deploys_nothing() {
        check(
            |again, _, _| again.by = person("ann", Role::Viewer),
            |_, _| {
                Some(Refusal::RoleNeeded {
                    needed: Role::Operator,
                })
            },
        );
    }

    #[test]
    fn the_id_of_a_removed_job_or_of_somebody_elses_is_taken() {
        check(
            |again, _, removed| again.id = Some(removed),
            |_, removed| Some(Refusal::IdTaken(removed)),
        );
        check(
            |again, nightly, _| (again.by, again.id) = (bob(), Some(nightly)),
            |nightly, _| Some(Refusal::IdTaken(nightly)),
        );
    }

    #[test]
    fn a_drawn_id_that_is_in_use_is_taken() {
        check(
            |again, nightly, _| (again.by, again.fresh_id) = (bob(), nightly),
            |nightly, _| Some(Refusal::IdTaken(nightly)),
        );
    }

    #[test]
    fn a_second_job_of_the_name_is_refused() {
        check(
            |again, _, _| again.id = Some(JobId::from_bits(5)),
            |job, _| {
                Some(Refusal::NameTaken {
                    name: name("nightly"),
                    job,
                })
            },
        );
    }

    #[test]
    fn a_revision_that_is_not_current_is_a_conflict() {
        check(
            |again, _, _| again.expected = Some(Revision(99)),
            |job, _| {
                Some(Refusal::RevisionConflict {
                    job,
                    expected: Revision(99),
                    found: Revision(2),
                })
            },
        );
        check(
            |again, _, _| {
                (again.id, again.expected) = (Some(JobId::from_bits(5)), Some(Revision(99)));
            },
            |_, _| Some(Refusal::NoSuchJob(JobId::from_bits(5))),
        );
    }

    #[test]
    fn a_due_time_from_before_the_last_decision_is_out_of_date() {
        check(
            |again, _, _| again.due = due_after(0),
            |job, _| Some(Refusal::DueOutOfDate { job }),
        );
        check(
            |again, _, _| again.due.next_due = Some(minute(1)),
            |job, _| Some(Refusal::DueOutOfDate { job }),
        );
    }
}
