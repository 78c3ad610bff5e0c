//! Jobs that cannot be planned are set apart, and released.

use jiff::Timestamp;
use odin_model::job_change::JobChangeKind::{Quarantined, Released};
use odin_model::quarantine::SetApart;
use odin_model::{JobId, JobState, Reply, Revision};
use rusqlite::params;

use super::change::{self, Change};
use super::job::JobRow;
use super::{Batch, Stop, job};
use crate::{Effect, StoreError, columns};

/// Sets jobs apart. One that was changed in the meantime is left alone: its change may have mended it. The revision
/// stays, so that nobody's change meets a conflict with it.
pub(super) fn set(batch: &mut Batch<'_>, apart: &SetApart) -> Result<Reply, Stop> {
    for item in &apart.jobs {
        let Some(known) = seen(batch, item.job, item.revision)? else {
            continue;
        };
        if known.is_quarantined {
            continue;
        }
        batch
            .conn
            .prepare_cached("UPDATE jobs SET quarantine = ?2, quarantined_at = ?3 WHERE id = ?1")?
            .execute(params![
                columns::job_id(known.id),
                item.reason,
                columns::at(apart.at),
            ])?;
        change::note(
            batch,
            &Change {
                is: known.next_due,
                note: Some(&item.reason),
                ..Change::of(&known, Quarantined, known.version, apart.at)
            },
        )?;
        batch.changes.due(known.id, known.next_due, None);
        changed(batch, &known, true);
    }
    Ok(Reply::Done)
}

/// Lets jobs come due again, at the occurrence where they stopped.
pub(super) fn release(
    batch: &mut Batch<'_>,
    jobs: &[(JobId, Revision)],
    at: Timestamp,
) -> Result<Reply, Stop> {
    for &(id, revision) in jobs {
        let Some(known) = seen(batch, id, revision)?.filter(|known| known.is_quarantined) else {
            continue;
        };
        batch
            .conn
            .prepare_cached(
                "UPDATE jobs SET quarantine = NULL, quarantined_at = NULL WHERE id = ?1",
            )?
            .execute([columns::job_id(known.id)])?;
        change::note(
            batch,
            &Change {
                is: known.next_due,
                ..Change::of(&known, Released, known.version, at)
            },
        )?;
        batch.changes.due(known.id, None, known.next_due);
        changed(batch, &known, false);
    }
    Ok(Reply::Done)
}

/// The job, if it is enabled and still at that revision.
fn seen(batch: &Batch<'_>, id: JobId, revision: Revision) -> Result<Option<JobRow>, StoreError> {
    let known = job::find(batch.conn, id)?;
    Ok(known.filter(|known| known.state == JobState::Enabled && known.revision == revision))
}

fn changed(batch: &mut Batch<'_>, known: &JobRow, is_quarantined: bool) {
    batch.changes.quarantine(known.id, is_quarantined);
    batch.effects.push(Effect::JobChanged {
        job: known.id,
        revision: known.revision,
    });
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use odin_model::command::{Command, FireAnswer, Modify};
    use odin_model::quarantine::{Quarantine, Unplannable};
    use odin_model::{Missed, Overlap};

    use super::*;
    use crate::scenario::{Scenario, ann, deploy, due_after, minute};

    fn apart(id: JobId, revision: Revision, at: i64) -> Command {
        Command::Quarantine(SetApart {
            jobs: vec![Unplannable::new(
                id,
                revision,
                "no such calendar".to_owned(),
            )],
            at: minute(at),
        })
    }

    /// Ann's job `nightly`, set apart at minute 1, when it was due.
    fn scenario() -> (Scenario, JobId) {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let revision = scenario.job(id).revision;
        scenario.effects.clear();
        scenario.apply(&apart(id, revision, 1));
        (scenario, id)
    }

    fn modify(scenario: &Scenario, id: JobId, at: i64, schedule: Option<&str>) -> Command {
        Command::Modify(Box::new(Modify {
            schedule: schedule.map(|text| (text.to_owned(), due_after(at))),
            at: minute(at),
            ..scenario.modify(id)
        }))
    }

    /// What is set apart, does what `change` says, and is then as `expected`: in quarantine or not, its next due time,
    /// what the due index has, what its ledger says.
    #[track_caller]
    fn check(change: impl Fn(&mut Scenario, JobId), expected: Expect) {
        let (mut scenario, id) = scenario();
        change(&mut scenario, id);
        let scenario = scenario.reopened();
        let job = scenario.job(id);
        let due = job
            .next_due
            .map(|due| due.duration_since(minute(0)).as_mins());
        let text = format!(
            "{} quarantined={} due={due:?} index={:?} ledger=[{}]",
            job.state.word(),
            job.quarantine.is_some(),
            scenario.due_minutes(),
            scenario.ledger_lines(id),
        );
        let held: &[JobId] = match job.quarantine {
            Some(_) => &[id],
            None => &[],
        };
        assert_eq!(scenario.store.view().quarantined(None, 10), held);
        expected.assert_eq(&text);
    }

    #[test]
    fn a_job_that_is_set_apart_keeps_its_due_time_and_leaves_the_index() {
        let (mut scenario, id) = scenario();
        let job = scenario.job(id);
        assert_eq!(
            job.quarantine,
            Some(Quarantine {
                reason: "no such calendar".to_owned(),
                at: minute(1),
            })
        );
        assert_eq!(job.next_due, Some(minute(1)));
        assert_eq!(scenario.due_minutes(), Vec::<i64>::new());
        assert_eq!(scenario.store.view().next_due_instant(), None);
        let revision = job.revision;
        assert_eq!(scenario.effects, [Effect::JobChanged { job: id, revision }]);
        assert_eq!(scenario.fire(id, &[1], 1), FireAnswer::Stale);
        let again = scenario.reopened();
        assert_eq!(again.due_minutes(), Vec::<i64>::new());
        assert_eq!(again.store.view().quarantined(None, 10), [id]);
        assert_eq!(again.store.view().quarantined(Some(id), 10), []);
    }

    #[test]
    fn a_second_reason_and_an_old_revision_change_nothing() {
        check(
            |scenario, id| {
                let revision = scenario.job(id).revision;
                scenario.effects.clear();
                scenario.apply(&apart(id, revision, 2));
                assert_eq!(scenario.job(id).quarantine.unwrap().at, minute(1));
                let old = vec![(id, Revision(0)), (JobId::from_bits(5), revision)];
                scenario.apply(&Command::Release {
                    jobs: old,
                    at: minute(3),
                });
                assert_eq!(scenario.effects, []);
            },
            expect!["enabled quarantined=true due=Some(1) index=[] ledger=[]"],
        );
        let mut scenario = Scenario::with_node();
        let id = scenario.deploy(deploy("nightly"));
        scenario.apply(&apart(id, Revision(99), 1));
        assert_eq!(scenario.job(id).quarantine, None);
    }

    #[test]
    fn a_released_job_goes_on_where_it_stopped() {
        check(
            |scenario, id| {
                let jobs = vec![(id, scenario.job(id).revision)];
                scenario.apply(&Command::Release {
                    jobs,
                    at: minute(3),
                });
                assert_eq!(scenario.due_minutes(), [1]);
                assert_eq!(scenario.fire(id, &[1, 2, 3], 9), FireAnswer::Decided);
            },
            expect![[r#"
                enabled quarantined=false due=Some(4) index=[4] ledger=[1..2 2 coalesced CoalescedInto { run: Some(r000000000a000) } Some(r000000000a000)
                3..3 1 started CatchUp Some(r000000000a000)
                ]"#]],
        );
    }

    #[test]
    fn every_change_mends_and_begins_where_the_job_stopped() {
        check(
            |scenario, id| {
                let change = modify(scenario, id, 9, None);
                scenario.apply(&change);
            },
            expect!["enabled quarantined=false due=Some(1) index=[1] ledger=[]"],
        );
        check(
            |scenario, id| {
                let change = modify(scenario, id, 9, Some("every hour"));
                scenario.apply(&change);
            },
            expect!["enabled quarantined=false due=Some(1) index=[1] ledger=[]"],
        );
        check(
            |scenario, _| {
                let mut again = deploy("nightly");
                (again.due, again.at) = (due_after(9), minute(9));
                scenario.deploy(again);
            },
            expect!["enabled quarantined=false due=Some(1) index=[1] ledger=[]"],
        );
        check(
            |scenario, id| _ = scenario.set_state(id, JobState::Enabled, 9),
            expect!["enabled quarantined=false due=Some(1) index=[1] ledger=[]"],
        );
    }

    #[test]
    fn what_was_not_due_yet_comes_due_by_the_new_schedule() {
        check(
            |scenario, id| {
                let mut change = scenario.modify(id);
                (change.at, change.schedule) =
                    (minute(0), Some(("every hour".to_owned(), due_after(6))));
                scenario.apply(&Command::Modify(Box::new(change)));
            },
            expect!["enabled quarantined=false due=Some(7) index=[7] ledger=[]"],
        );
    }

    #[test]
    fn a_pause_or_a_removal_gives_what_was_held_up_its_outcome() {
        check(
            |scenario, id| _ = scenario.set_state(id, JobState::Paused, 9),
            expect![[r#"
                paused quarantined=false due=None index=[] ledger=[1..1 1 misfired Quarantined None
                ]"#]],
        );
        check(
            |scenario, id| {
                scenario.apply(&Command::Remove {
                    by: ann(),
                    job: id,
                    expected: None,
                    at: minute(9),
                });
            },
            expect![[r#"
                removed quarantined=false due=None index=[] ledger=[1..1 1 misfired Quarantined None
                ]"#]],
        );
    }
}
