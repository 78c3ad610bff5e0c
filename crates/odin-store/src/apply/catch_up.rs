//! A person wants runs for due times that had none.
//!
//! They are not made all at once: what was missed must not crowd out what is due now. What waits is kept in a table
//! of its own, oldest due time first, and each end of a run of the job makes room.

use jiff::Timestamp;
use odin_model::command::{CATCH_UP_MAX, CatchUp, CatchUpAnswer, CaughtUpDue};
use odin_model::job_change::JobChangeKind::CatchUpAsked;
use odin_model::run::Cause;
use odin_model::{JobId, JobState, Lane, Refusal, Reply, RunId};
use odin_scheduling::concurrency::{self, Admission, admit};
use rusqlite::{Connection, OptionalExtension, params};

use super::change::{self, Change};
use super::job::JobRow;
use super::run::{Begins, NewRun};
use super::{Batch, Stop, job, ledger, run, successors, turn};
use crate::{StoreError, columns};

/// How many runs of one job that catch up are active at once, where the job lets runs overlap.
pub(crate) const ACTIVE_MAX: usize = 4;

/// Notes the due times that have no run yet, and starts those that there is room for.
pub(super) fn apply(batch: &mut Batch<'_>, asked: &CatchUp) -> Result<Reply, Stop> {
    let known = job::find_to_change(batch.conn, &asked.by, asked.job)?;
    let sound = (1..=CATCH_UP_MAX).contains(&asked.due.len());
    // What the schedule has still to decide would get a run twice.
    let undecided = known.next_due.filter(|_| known.state == JobState::Enabled);
    let is_decided = |due: &Timestamp| undecided.is_none_or(|next| *due < next);
    let sound = sound && asked.due.iter().all(is_decided);
    if !sound || !asked.due.is_sorted_by(|a, b| a < b) {
        return Err(Refusal::BadCatchUp.into());
    }
    let mut answers = Vec::with_capacity(asked.due.len());
    for &due in &asked.due {
        let answer = note(batch, asked, due)?;
        answers.push(CaughtUpDue { due, answer });
    }
    for (due, run) in release(batch, &known, asked.at)? {
        if let Ok(place) = asked.due.binary_search(&due) {
            answers[place].answer = CatchUpAnswer::Started { run };
        }
    }
    let asked_for = format!("{} due times", asked.due.len());
    change::note(
        batch,
        &Change {
            by: Some(&asked.by.user.user),
            is: known.next_due,
            note: Some(&asked_for),
            ..Change::of(&known, CatchUpAsked, known.version, asked.at)
        },
    )?;
    Ok(Reply::CatchingUp(answers))
}

/// Notes one due time, unless it has a run or waits already.
fn note(batch: &Batch<'_>, asked: &CatchUp, due: Timestamp) -> Result<CatchUpAnswer, StoreError> {
    if let Some(run) = run_for(batch.conn, asked.job, due)? {
        return Ok(CatchUpAnswer::HasRun { run });
    }
    if ledger::kept_from(batch.conn, asked.job)?.is_some_and(|from| due < from) {
        return Ok(CatchUpAnswer::NotKept);
    }
    let noted = batch
        .conn
        .prepare_cached(
            "INSERT OR IGNORE INTO catch_ups (job, due_at, by_user) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            columns::job_id(asked.job),
            columns::at(due),
            asked.by.user.user,
        ])?;
    Ok(match noted {
        0 => CatchUpAnswer::AskedBefore,
        _ => CatchUpAnswer::Waiting,
    })
}

/// The run that a due time has: by the ledger, or by an earlier request.
fn run_for(conn: &Connection, job: JobId, due: Timestamp) -> Result<Option<RunId>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT run FROM ledger WHERE job = ?1 AND from_at = ?2 AND outcome = 0 \
         UNION ALL SELECT run FROM caught_up WHERE job = ?1 AND due_at = ?2 \
         LIMIT 1",
    )?;
    let run: Option<i64> = statement
        .query_row((columns::job_id(job), columns::at(due)), |row| row.get(0))
        .optional()?;
    Ok(run.map(columns::to_run_id))
}

/// After the end of a run: starts what there is room for now.
pub(super) fn go_on(batch: &mut Batch<'_>, id: JobId, at: Timestamp) -> Result<(), StoreError> {
    let mut waits = batch
        .conn
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM catch_ups WHERE job = ?1)")?;
    if !waits.query_row([columns::job_id(id)], |row| row.get(0))? {
        return Ok(());
    }
    if let Some(known) = job::find(batch.conn, id)? {
        release(batch, &known, at)?;
    }
    Ok(())
}

/// Nothing of a job is caught up any more: it was paused or removed.
pub(super) fn give_up(conn: &Connection, id: JobId) -> Result<(), StoreError> {
    conn.prepare_cached("DELETE FROM catch_ups WHERE job = ?1")?
        .execute([columns::job_id(id)])?;
    Ok(())
}

/// Starts as many as there is room for, oldest due time first.
fn release(
    batch: &mut Batch<'_>,
    known: &JobRow,
    at: Timestamp,
) -> Result<Vec<(Timestamp, RunId)>, StoreError> {
    let room = room(batch.conn, known)?;
    let mut started = Vec::new();
    for (due, by) in waiting(batch.conn, known.id, room)? {
        batch
            .conn
            .prepare_cached("DELETE FROM catch_ups WHERE job = ?1 AND due_at = ?2")?
            .execute((columns::job_id(known.id), columns::at(due)))?;
        let new = NewRun {
            job: known.id,
            version: known.version,
            cause: &Cause::CatchUp { by },
            due_at: Some(due),
            node: successors::node_for(batch, known.id)?,
            queued_at: at,
            priority: known.priority,
            lane: Lane::CatchUp,
        };
        let run = run::insert(batch, &new, Begins::Now)?;
        batch
            .conn
            .prepare_cached("INSERT INTO caught_up (job, due_at, run) VALUES (?1, ?2, ?3)")?
            .execute((
                columns::job_id(known.id),
                columns::at(due),
                columns::run_id(run),
            ))?;
        started.push((due, run));
    }
    Ok(started)
}

/// How many more may begin now: none waits for a turn or replaces another, since they have a list of their own.
fn room(conn: &Connection, known: &JobRow) -> Result<usize, StoreError> {
    let policy = known.policy.concurrency;
    let standing = turn::before(conn, known.id, policy)?.standing;
    if admit(policy, standing) != Admission::Start {
        return Ok(0);
    }
    let beside = ACTIVE_MAX.saturating_sub(active(conn, known.id)?);
    let room = concurrency::room(policy, standing.active);
    Ok(usize::try_from(room).unwrap_or(usize::MAX).min(beside))
}

/// How many runs of a job catch up now.
fn active(conn: &Connection, job: JobId) -> Result<usize, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT count(*) FROM runs INDEXED BY runs_open_by_job WHERE job = ?1 AND outcome IS NULL AND cause = 3",
    )?;
    let active: i64 = statement.query_row([columns::job_id(job)], |row| row.get(0))?;
    Ok(usize::try_from(active).unwrap_or(usize::MAX))
}

fn waiting(
    conn: &Connection,
    job: JobId,
    limit: usize,
) -> Result<Vec<(Timestamp, String)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT due_at, by_user FROM catch_ups WHERE job = ?1 ORDER BY due_at LIMIT ?2",
    )?;
    let rows = statement.query_map((columns::job_id(job), columns::limit(limit)), |row| {
        Ok((columns::to_at(row.get(0)?), row.get(1)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use odin_model::attempt::Ending;
    use odin_model::command::Command;
    use odin_model::owner::Principal;
    use odin_model::{Concurrency, Missed};

    use super::*;
    use crate::scenario::{NODE, Scenario, ann, bob, finished, minute};

    fn command(by: Principal, job: JobId, minutes: &[i64]) -> Command {
        Command::CatchUp(CatchUp {
            by,
            job,
            due: minutes.iter().map(|&at| minute(at)).collect(),
            at: minute(70),
        })
    }

    /// A job of which the occurrences of minutes 1 to 59 were missed and that of minute 60 has a run, which is over.
    fn scenario(concurrency: Concurrency) -> (Scenario, JobId) {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", concurrency, Missed::Skip);
        let missed: Vec<_> = (1..60).collect();
        scenario.fire(id, &missed, 70);
        let run = scenario.run_of(id, 60);
        scenario.report(vec![finished(run, Ending::Exited { code: 0 })]);
        (scenario, id)
    }

    fn asked(scenario: &mut Scenario, id: JobId, minutes: &[i64]) -> String {
        let Reply::CatchingUp(answers) = scenario.apply(&command(ann(), id, minutes)) else {
            panic!("refused")
        };
        let word = |it: &CaughtUpDue| match it.answer {
            CatchUpAnswer::Started { .. } => "started",
            CatchUpAnswer::Waiting => "waiting",
            CatchUpAnswer::HasRun { .. } => "has run",
            CatchUpAnswer::NotKept => "not kept",
            CatchUpAnswer::AskedBefore => "asked before",
        };
        let words = minutes.iter().zip(&answers);
        let words: Vec<_> = words.map(|(at, it)| format!("{at} {}", word(it))).collect();
        words.join(", ")
    }

    /// Ends the active runs of the job, one after another, until there is none; the minutes they answered, with how
    /// many were active.
    fn run_all(scenario: &mut Scenario, id: JobId) -> String {
        let mut order = Vec::new();
        loop {
            let open = scenario.store.reader().open_runs_of_job(id).unwrap();
            let Some(first) = open.first() else {
                return order.join(" ");
            };
            let run = scenario.run(first.id);
            let by = "ann".to_owned();
            assert_eq!((run.cause, run.node), (Cause::CatchUp { by }, Some(NODE)));
            let due = first.due_at.unwrap().duration_since(minute(0)).as_mins();
            order.push(format!("{due}/{}", open.len()));
            scenario.report(vec![finished(first.id, Ending::Exited { code: 1 })]);
        }
    }

    #[track_caller]
    fn check(concurrency: Concurrency, minutes: &[i64], answers: Expect, order: Expect) {
        let (mut scenario, id) = scenario(concurrency);
        let ledger = scenario.ledger(id);
        answers.assert_eq(&asked(&mut scenario, id, minutes));
        order.assert_eq(&run_all(&mut scenario, id));
        assert_eq!(
            scenario.ledger(id),
            ledger,
            "a row of the ledger was replaced"
        );
        assert_eq!(scenario.store.count("catch_ups"), 0);
    }

    #[test]
    fn a_few_at_once_where_runs_may_overlap() {
        check(
            Concurrency::ALLOW,
            &[5, 6, 7, 8, 9, 60],
            expect!["5 started, 6 started, 7 started, 8 started, 9 waiting, 60 has run"],
            expect!["5/4 6/4 7/3 8/2 9/1"],
        );
    }

    #[test]
    fn one_after_another_where_they_may_not() {
        check(
            Concurrency::FORBID,
            &[5, 6, 7],
            expect!["5 started, 6 waiting, 7 waiting"],
            expect!["5/1 6/1 7/1"],
        );
    }

    #[test]
    fn asking_twice_doubles_nothing() {
        let (mut scenario, id) = scenario(Concurrency::FORBID);
        asked(&mut scenario, id, &[5, 6]);
        expect!["5 has run, 6 asked before, 7 waiting"].assert_eq(&asked(
            &mut scenario,
            id,
            &[5, 6, 7],
        ));
        expect!["5/1 6/1 7/1"].assert_eq(&run_all(&mut scenario, id));
        expect!["5 has run, 6 has run, 7 has run"].assert_eq(&asked(&mut scenario, id, &[5, 6, 7]));
    }

    #[test]
    fn a_pause_gives_up_what_waits() {
        let (mut scenario, id) = scenario(Concurrency::FORBID);
        asked(&mut scenario, id, &[5, 6]);
        scenario.set_state(id, JobState::Paused, 60);
        assert_eq!(scenario.store.count("catch_ups"), 0);
        // A person who asks for a paused job means it.
        expect!["7 waiting"].assert_eq(&asked(&mut scenario, id, &[7]));
    }

    #[test]
    fn every_refusal() {
        let (mut scenario, id) = scenario(Concurrency::ALLOW);
        let many: Vec<_> = (0..=1000).collect();
        for (by, minutes, expected) in [
            (bob(), &[1][..], Refusal::NoSuchJob(id)),
            (ann(), &[], Refusal::BadCatchUp),
            (ann(), &[2, 1], Refusal::BadCatchUp),
            (ann(), &[1, 1], Refusal::BadCatchUp),
            (ann(), &many, Refusal::BadCatchUp),
            (ann(), &[60, 61], Refusal::BadCatchUp),
        ] {
            assert_eq!(scenario.refused(&command(by, id, minutes)), expected);
        }
    }
}
