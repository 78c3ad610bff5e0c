//! Runs of one job among each other: who begins, who waits, who is replaced, and whose turn it is when one is over.

use odin_model::run::{RunEvent, RunState};
use odin_model::{Concurrency, JobId, Refusal, RunId};
use odin_scheduling::concurrency::{
    Admission, Replaceable, Standing, Waiting, admit, next_turn, replaced, room,
};
use odin_scheduling::judge::Before;
use rusqlite::Connection;

use super::run::{Begins, NewRun};
use super::{Batch, job, run};
use crate::{CancelWhen, StoreError, columns};

/// How the runs of a job stand. Nothing is read where that decides nothing.
pub(super) fn before(
    conn: &Connection,
    id: JobId,
    policy: Concurrency,
) -> Result<Before, StoreError> {
    if policy.max().is_none() {
        return Ok(Before::default());
    }
    let mut statement = conn.prepare_cached(
        "SELECT count(*), total(state = 5), min(id) FROM runs INDEXED BY runs_open_by_job \
         WHERE job = ?1 AND outcome IS NULL",
    )?;
    let (all, waiting, oldest) = statement.query_row([columns::job_id(id)], |row| {
        // `total` gives a whole number as a float, and no NULL where there are no rows.
        let waiting = row.get::<_, f64>(1)?;
        Ok((row.get::<_, u32>(0)?, waiting as u32, row.get(2)?))
    })?;
    Ok(Before {
        standing: Standing {
            active: all - waiting,
            waiting,
        },
        oldest: Option::<i64>::map(oldest, columns::to_run_id),
    })
}

/// Why there is no run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// The job forbids overlapping runs, and this one is active.
    StillActive(RunId),
    /// As many runs wait as may.
    QueueFull,
}

impl NoRoom {
    /// What a person who asked is told.
    pub(super) fn refusal(self, job: JobId, policy: Concurrency) -> Refusal {
        match self {
            Self::StillActive(run) => Refusal::StillActive { job, run },
            Self::QueueFull => Refusal::QueueFull {
                job,
                waiting: policy.waiting_max(),
            },
        }
    }
}

/// Makes a run that no schedule asked for, or says why there is none.
pub(super) fn make(
    batch: &mut Batch<'_>,
    policy: Concurrency,
    new: &NewRun<'_>,
) -> Result<Result<RunId, NoRoom>, StoreError> {
    let before = before(batch.conn, new.job, policy)?;
    let run = match (admit(policy, before.standing), before.oldest) {
        (Admission::Forbidden, Some(run)) => return Ok(Err(NoRoom::StillActive(run))),
        (Admission::Full, _) => return Ok(Err(NoRoom::QueueFull)),
        (Admission::Start, _) | (Admission::Forbidden, None) => {
            run::insert(batch, new, Begins::Now)?
        }
        (Admission::Wait, _) => run::insert(batch, new, Begins::InTurn)?,
        (Admission::Replace, _) => replace(batch, policy, new)?,
    };
    Ok(Ok(run))
}

/// Makes a run and stops the older ones that it replaces. It begins once the log holds their end.
pub(super) fn replace(
    batch: &mut Batch<'_>,
    policy: Concurrency,
    new: &NewRun<'_>,
) -> Result<RunId, StoreError> {
    let mut open = run::open_of_job(batch.conn, new.job)?;
    let replaceable: Vec<_> = open
        .iter()
        .map(|run| Replaceable {
            run: run.id,
            is_ending: run
                .cancel
                .as_ref()
                .is_some_and(|(when, _)| *when == CancelWhen::AnyTime),
        })
        .collect();
    let reason = format!("replaced by {}", batch.upcoming_run()?);
    for id in replaced(policy, &replaceable) {
        let run = open.iter_mut().find(|run| run.id == id);
        let run = run.expect("only open runs are replaced");
        run::stop(
            batch,
            run,
            CancelWhen::AnyTime,
            reason.clone(),
            new.queued_at,
        )?;
    }
    let standing = before(batch.conn, new.job, policy)?.standing;
    let begins = match admit(policy, standing) {
        Admission::Start => Begins::Now,
        Admission::Wait | Admission::Replace | Admission::Forbidden | Admission::Full => {
            Begins::InTurn
        }
    };
    run::insert(batch, new, begins)
}

/// Lets as many waiting runs of a job begin as there is room for.
pub(super) fn release(batch: &mut Batch<'_>, id: JobId) -> Result<(), StoreError> {
    if !anyone_waits(batch.conn, id)? {
        return Ok(());
    }
    let Some(policy) = job::concurrency(batch.conn, id)? else {
        return Ok(());
    };
    let open = run::open_of_job(batch.conn, id)?;
    let (mut waiting, active): (Vec<_>, Vec<_>) = open
        .into_iter()
        .partition(|run| run.state == RunState::Waiting);
    let active = u32::try_from(active.len()).unwrap_or(u32::MAX);
    let mut room = room(policy, active);
    while room > 0 {
        let turns: Vec<_> = waiting
            .iter()
            .map(|run| Waiting {
                run: run.id,
                priority: run.priority,
                lane: run.lane,
                ready_at: run.ready_at,
            })
            .collect();
        let Some(next) = next_turn(&turns) else { break };
        let place = turns.iter().position(|turn| turn.run == next);
        let mut run = waiting.swap_remove(place.expect("it was chosen among these"));
        if run.take(RunEvent::Released).is_ok() {
            run::assign_if_possible(batch, &mut run)?;
            run::save(batch, &run)?;
        }
        room -= 1;
    }
    Ok(())
}

fn anyone_waits(conn: &Connection, id: JobId) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM runs INDEXED BY runs_waiting WHERE job = ?1 AND state = 5)",
    )?;
    Ok(statement.query_row([columns::job_id(id)], |row| row.get(0))?)
}
