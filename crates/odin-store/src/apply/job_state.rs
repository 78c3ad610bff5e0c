//! Pause, resume, remove.

use jiff::Timestamp;
use odin_model::command::SetJobState;
use odin_model::job_change::JobChangeKind::{Paused, Removed, Resumed};
use odin_model::ledger::LedgerReason;
use odin_model::owner::Principal;
use odin_model::run::RunState;
use odin_model::{JobId, JobState, LedgerOutcome, Refusal, Reply, Revision};

use super::change::{self, Change};
use super::job::JobRow;
use super::ledger::{self, Entry};
use super::{Batch, Stop, catch_up, job, link, run, statistics, watch};
use crate::{CancelWhen, StoreError};

/// Pauses or resumes. Resuming begins after now: what fell into the pause never was due. A job in quarantine is
/// resumed where it stopped.
pub(super) fn set(batch: &mut Batch<'_>, change: &SetJobState) -> Result<Reply, Stop> {
    let known = job::find_to_change(batch.conn, &change.by, change.job)?;
    job::need_revision(&known, change.expected)?;
    let tries_again = known.is_quarantined && change.state == JobState::Enabled;
    if known.state == change.state && !tries_again {
        return Err(Refusal::AlreadyInState {
            job: known.id,
            state: known.state.word().to_owned(),
        }
        .into());
    }
    match change.state {
        JobState::Enabled => {
            // Without one, the job would be enabled and never come due.
            let due = change
                .due
                .as_ref()
                .ok_or(Refusal::DueOutOfDate { job: known.id })?;
            let next_due = job::need_due(&known, due, change.at)?;
            let reply = job::set_state(batch, &known, JobState::Enabled, next_due)?;
            // What was held up is kept; else it is computed, whatever state the job had before.
            let after = known.held_up(change.at).is_none().then_some(due.after);
            change::note(
                batch,
                &Change {
                    by: Some(&change.by.user.user),
                    is: next_due,
                    after,
                    ..Change::of(&known, Resumed, known.version, change.at)
                },
            )?;
            Ok(reply)
        }
        JobState::Paused => {
            job::need_decided(&known, change.at)?;
            give_up_held(batch, &known, change.at)?;
            catch_up::give_up(batch.conn, known.id)?;
            let reason = format!("the job was paused by {}", change.by.user.user);
            cancel_decided(batch, known.id, &reason, change.at)?;
            let reply = job::set_state(batch, &known, JobState::Paused, None)?;
            change::note(
                batch,
                &Change {
                    by: Some(&change.by.user.user),
                    ..Change::of(&known, Paused, known.version, change.at)
                },
            )?;
            Ok(reply)
        }
        JobState::Removed => remove(batch, &change.by, change.job, None, change.at),
    }
}

/// Removes. The row stays for the job's history, its name is free again, its id is not.
pub(super) fn remove(
    batch: &mut Batch<'_>,
    by: &Principal,
    id: JobId,
    expected: Option<Revision>,
    at: Timestamp,
) -> Result<Reply, Stop> {
    let known = job::find_to_change(batch.conn, by, id)?;
    job::need_revision(&known, expected)?;
    job::need_decided(&known, at)?;
    give_up_held(batch, &known, at)?;
    // Before its runs end: what is removed starts nothing any more.
    let links = link::remove_of(batch.conn, id)?;
    catch_up::give_up(batch.conn, id)?;
    statistics::forget(batch, id)?;
    let reason = format!("the job was removed by {}", by.user.user);
    cancel_decided(batch, id, &reason, at)?;
    watch::forget(batch.conn, id, at)?;
    job::set_state(batch, &known, JobState::Removed, None)?;
    change::note(
        batch,
        &Change {
            by: Some(&by.user.user),
            ..Change::of(&known, Removed, known.version, at)
        },
    )?;
    Ok(Reply::Removed { links })
}

/// Gives its outcome to the occurrence that a job in quarantine could not decide. Those after it are not known: no
/// schedule gives them.
fn give_up_held(batch: &mut Batch<'_>, job: &JobRow, at: Timestamp) -> Result<(), StoreError> {
    let Some(due) = job.held_up(at) else {
        return Ok(());
    };
    let entry = Entry {
        job: job.id,
        from: due,
        to: due,
        count: 1,
        outcome: LedgerOutcome::Misfired,
        reason: LedgerReason::Quarantined,
        run: None,
        version: job.version,
        revision: job.revision,
        decided_at: at,
    };
    ledger::add(batch, &entry)?;
    job::advance(batch, job.id, (None, None), due)
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
            RunState::Running { .. } | RunState::Finished(_) => {}
            RunState::Queued
            | RunState::Waiting
            | RunState::Retrying { .. }
            | RunState::Assigned { .. }
            | RunState::Unreachable { .. } => {
                let reason = reason.to_owned();
                run::stop(batch, &mut run, CancelWhen::BeforeStart, reason, at)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use odin_model::attempt::Ending;
    use odin_model::command::{Command, Deploy, SetJobState};
    use odin_model::{JobId, JobState, Outcome, Refusal, Reply, Revision, RunId};

    use crate::scenario::{NODE, Scenario, ann, bob, deploy, due_after, finished, minute, started};
    use crate::{CancelWhen, Effect};

    /// Ann's job with a queued, an assigned and a running run.
    fn scenario() -> (Scenario, JobId, [RunId; 3]) {
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        let mut item = scenario.item(id, &[1]);
        item.node = None;
        scenario.fire_item(item, 1);
        let queued = scenario.ledger(id)[0].run.unwrap();
        let assigned = scenario.run_of(id, 2);
        let running = scenario.run_of(id, 3);
        scenario.report(vec![started(running)]);
        (scenario, id, [queued, assigned, running])
    }

    fn remove(id: JobId) -> Command {
        Command::Remove {
            by: ann(),
            job: id,
            expected: None,
            at: minute(3),
        }
    }

    #[track_caller]
    fn check_decided_runs(scenario: &mut Scenario, runs: [RunId; 3], reason: &str) {
        let [queued, assigned, running] = runs;
        let run = scenario.run(queued);
        assert_eq!(run.state.word(), "finished");
        assert_eq!(run.reason.as_deref(), Some(reason));
        assert_eq!(run.finished_at, Some(minute(3)));
        let requests: Vec<_> = scenario
            .effects
            .iter()
            .filter(|effect| matches!(effect, Effect::CancelRequested { .. }))
            .collect();
        assert!(
            matches!(requests[..], [Effect::CancelRequested { run, node: NODE, when: CancelWhen::BeforeStart, .. }] if *run == assigned),
            "{requests:?}"
        );
        assert_eq!(
            scenario.run(assigned).cancel_requested.as_deref(),
            Some(reason)
        );
        assert_eq!(scenario.run(running).cancel_requested, None);
        let open = scenario.store.reader().open_runs_of_node(NODE).unwrap();
        assert_eq!(
            open[0].cancel.as_ref().map(|c| c.when),
            Some(CancelWhen::BeforeStart)
        );
        assert_eq!(open[1].cancel, None);
    }

    #[test]
    fn a_pause_cancels_what_has_no_process_and_leaves_the_ledger() {
        let (mut scenario, id, runs) = scenario();
        let ledger = scenario.ledger(id);
        scenario.set_state(id, JobState::Paused, 3);
        check_decided_runs(&mut scenario, runs, "the job was paused by ann");
        assert_eq!(scenario.ledger(id), ledger);
        assert_eq!(scenario.due_minutes(), Vec::<i64>::new());
        assert_eq!(
            scenario.job(id).last_outcome,
            Some((runs[0], Outcome::Cancelled))
        );
    }

    #[test]
    fn a_process_that_was_faster_than_the_pause_goes_on() {
        let (mut scenario, id, [_, assigned, _]) = scenario();
        scenario.set_state(id, JobState::Paused, 3);
        scenario.report(vec![started(assigned)]);
        assert_eq!(scenario.run(assigned).cancel_requested, None);
        scenario.report(vec![finished(assigned, Ending::Exited { code: 0 })]);
        assert_eq!(scenario.run(assigned).exit_code, Some(0));
    }

    #[test]
    fn a_removed_job_keeps_its_history_only() {
        let (mut scenario, id, runs) = scenario();
        assert_eq!(
            scenario.apply(&remove(id)),
            Reply::Removed { links: Vec::new() }
        );
        check_decided_runs(&mut scenario, runs, "the job was removed by ann");
        assert_eq!(scenario.job(id).state, JobState::Removed);
        assert_eq!(scenario.store.view().counts().jobs, 0);
        assert_eq!(
            scenario.store.reader().jobs(None, None, 9).unwrap().jobs,
            []
        );
        assert_eq!(scenario.refused(&remove(id)), Refusal::NoSuchJob(id));
    }

    #[test]
    fn resuming_begins_after_now() {
        let (mut scenario, id, _) = scenario();
        scenario.set_state(id, JobState::Paused, 3);
        scenario.set_state(id, JobState::Enabled, 50);
        assert_eq!(scenario.due_minutes(), [51]);
        assert_eq!(scenario.job(id).last_decided, Some(minute(3)));
    }

    #[test]
    fn what_is_due_is_decided_before_its_schedule_goes() {
        let (mut scenario, id, _) = scenario();
        let refused = Refusal::DueUndecided { job: id };
        let at = minute(4);
        let pause = SetJobState {
            by: ann(),
            job: id,
            state: JobState::Paused,
            due: None,
            expected: None,
            at,
        };
        assert_eq!(scenario.refused(&Command::SetJobState(pause)), refused);
        let remove = Command::Remove {
            by: ann(),
            job: id,
            expected: None,
            at,
        };
        assert_eq!(scenario.refused(&remove), refused);
        let again = Deploy {
            due: due_after(4),
            at,
            ..deploy("nightly")
        };
        assert_eq!(scenario.refused(&Command::Deploy(Box::new(again))), refused);
        let mut modify = scenario.modify(id);
        modify.schedule = Some(("every hour".to_owned(), due_after(4)));
        modify.at = at;
        assert_eq!(
            scenario.refused(&Command::Modify(Box::new(modify))),
            refused
        );
        scenario.run_of(id, 4);
        assert_eq!(
            scenario.apply(&remove),
            Reply::Removed { links: Vec::new() }
        );
    }

    #[test]
    fn a_removal_that_saw_another_revision_is_a_conflict() {
        let (mut scenario, id, _) = scenario();
        let found = scenario.job(id).revision;
        let expected = Revision(found.0 - 1);
        let remove = Command::Remove {
            by: ann(),
            job: id,
            expected: Some(expected),
            at: minute(3),
        };
        let conflict = Refusal::RevisionConflict {
            job: id,
            expected,
            found,
        };
        assert_eq!(scenario.refused(&remove), conflict);
    }

    #[test]
    fn every_refusal() {
        let (mut scenario, id, _) = scenario();
        let set = |by, job, state, due| {
            Command::SetJobState(SetJobState {
                by,
                job,
                state,
                due,
                expected: None,
                at: minute(3),
            })
        };
        let unknown = JobId::from_bits(5);
        let mut viewer = ann();
        viewer.role = odin_model::owner::Role::Viewer;
        let owner = "ann".to_owned();
        let paused = JobState::Paused;
        let already = |word: &str| Refusal::AlreadyInState {
            job: id,
            state: word.to_owned(),
        };
        for (command, expected) in [
            (
                set(ann(), unknown, paused, None),
                Refusal::NoSuchJob(unknown),
            ),
            (set(bob(), id, paused, None), Refusal::NoSuchJob(id)),
            (
                set(viewer, id, paused, None),
                Refusal::NotPermitted { job: id, owner },
            ),
            (
                set(ann(), id, JobState::Enabled, Some(due_after(4))),
                already("enabled"),
            ),
        ] {
            assert_eq!(scenario.refused(&command), expected);
        }
        scenario.set_state(id, JobState::Paused, 3);
        let early = set(ann(), id, JobState::Enabled, Some(due_after(2)));
        assert_eq!(scenario.refused(&early), Refusal::DueOutOfDate { job: id });
        let without = set(ann(), id, JobState::Enabled, None);
        assert_eq!(
            scenario.refused(&without),
            Refusal::DueOutOfDate { job: id }
        );
        let again = set(ann(), id, JobState::Paused, None);
        assert_eq!(scenario.refused(&again), already("paused"));
    }

    #[test]
    fn of_two_who_saw_one_revision_the_second_is_refused() {
        let (mut scenario, id, _) = scenario();
        let seen = scenario.job(id).revision;
        let set = |state, expected| {
            Command::SetJobState(SetJobState {
                by: ann(),
                job: id,
                state,
                due: Some(due_after(3)),
                expected,
                at: minute(3),
            })
        };
        scenario.apply(&set(JobState::Paused, Some(seen)));
        let found = scenario.job(id).revision;
        assert_ne!(found, seen);
        let conflict = Refusal::RevisionConflict {
            job: id,
            expected: seen,
            found,
        };
        // Also for whoever wants what is so already: it is another's doing.
        for state in [JobState::Paused, JobState::Enabled] {
            let refused = scenario.refused(&set(state, Some(seen)));
            assert_eq!(refused, conflict);
        }
        scenario.apply(&set(JobState::Enabled, Some(found)));
        assert_eq!(scenario.job(id).state, JobState::Enabled);
    }
}
