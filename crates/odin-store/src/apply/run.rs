//! A run's row as apply reads and writes it. No other code changes a run, and all changes go through its state
//! machine.

use jiff::Timestamp;
use odin_model::output::OutputSummary;
use odin_model::run::{Cause, IllegalTransition, RunEvent, RunState};
use odin_model::sink::FeedPart;
use odin_model::{
    AttemptNumber, Epoch, JobId, Lane, NodeId, Priority, RunId, Usage, VersionNumber, codec,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{Batch, catch_up, flags, job, sink_feed, statistics, successors, turn, watch};
use crate::schema::unsealed;
use crate::{CancelWhen, Effect, Observation, StoreError, columns};

/// How many runs that keep their version the reply to an edit names.
pub(super) const NOT_STARTED_MAX: usize = 100;

/// A run with everything of it that can change.
pub(super) struct RunRow {
    pub(super) id: RunId,
    pub(super) job: JobId,
    pub(super) version: VersionNumber,
    pub(super) due_at: Option<Timestamp>,
    pub(super) queued_at: Timestamp,
    pub(super) state: RunState,
    /// The number of the latest attempt; `None` until one was assigned.
    pub(super) attempt: Option<AttemptNumber>,
    pub(super) node: Option<NodeId>,
    pub(super) epoch: Option<Epoch>,
    /// When its first process was made.
    pub(super) started_at: Option<Timestamp>,
    /// When the process of its latest attempt was made.
    pub(super) attempt_started_at: Option<Timestamp>,
    /// When its next or latest attempt may start.
    pub(super) ready_at: Timestamp,
    pub(super) priority: Priority,
    pub(super) lane: Lane,
    /// The instant of its retry as the index has it.
    retry_indexed: Option<Timestamp>,
    /// A request to cancel it, until it is over.
    pub(super) cancel: Option<(CancelWhen, String)>,
    /// What is known once it is over.
    pub(super) result: Option<RunResult>,
}

/// What is known of a run that is over.
pub(super) struct RunResult {
    pub(super) finished_at: Timestamp,
    pub(super) exit_code: Option<u8>,
    pub(super) signal: Option<u8>,
    pub(super) reason: Option<String>,
    pub(super) usage: Usage,
}

/// The columns that `read` takes, in its order.
macro_rules! run_columns {
    () => {
        "id, job, version, due_at, state, outcome, attempt, node, epoch, started_at, cancel, cancel_by, \
         ready_at, priority, lane, attempt_started_at, queued_at"
    };
}

/// The run. One that is sealed is not there.
pub(super) fn find(conn: &Connection, id: RunId) -> Result<Option<RunRow>, StoreError> {
    let mut statement = conn.prepare_cached(concat!(
        "SELECT ",
        run_columns!(),
        " FROM runs WHERE id = ?1 AND ",
        unsealed!("runs")
    ))?;
    let row = statement.query_row([columns::run_id(id)], |row| Ok(read(row)));
    row.optional()?.transpose()
}

/// The open runs of a job, oldest first.
pub(super) fn open_of_job(conn: &Connection, job: JobId) -> Result<Vec<RunRow>, StoreError> {
    open(
        conn,
        concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs INDEXED BY runs_open_by_job \
             WHERE job = ?1 AND outcome IS NULL ORDER BY id"
        ),
        columns::job_id(job),
    )
}

/// The open runs of a node, oldest first.
pub(super) fn open_of_node(conn: &Connection, node: NodeId) -> Result<Vec<RunRow>, StoreError> {
    open(
        conn,
        concat!(
            "SELECT ",
            run_columns!(),
            " FROM runs INDEXED BY runs_open_by_node \
             WHERE node = ?1 AND outcome IS NULL ORDER BY id"
        ),
        columns::node_id(node),
    )
}

fn open(conn: &Connection, sql: &str, of: i64) -> Result<Vec<RunRow>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map([of], |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> Result<RunRow, StoreError> {
    let attempt: Option<u32> = row.get(6)?;
    let node: Option<i64> = row.get(7)?;
    let epoch: Option<i64> = row.get(8)?;
    let cancel = match (row.get::<_, Option<i64>>(10)?, row.get(11)?) {
        (Some(when), Some(by)) => Some((columns::to_cancel_when(when)?, by)),
        _ => None,
    };
    let state =
        columns::to_run_state(row.get(4)?, row.get(5)?, attempt, node, epoch, row.get(12)?)?;
    Ok(RunRow {
        id: columns::to_run_id(row.get(0)?),
        job: columns::to_job_id(row.get(1)?),
        version: columns::to_version(row.get(2)?),
        due_at: columns::to_at_option(row.get(3)?),
        queued_at: columns::to_at(row.get(16)?),
        state,
        retry_indexed: retry_of(state),
        ready_at: columns::to_at(row.get(12)?),
        priority: columns::to_priority(row.get(13)?)?,
        lane: columns::to_lane(row.get(14)?)?,
        attempt_started_at: columns::to_at_option(row.get(15)?),
        attempt: attempt.map(AttemptNumber),
        node: node.map(columns::to_node_id),
        epoch: epoch.map(columns::to_epoch),
        started_at: columns::to_at_option(row.get(9)?),
        cancel,
        result: None,
    })
}

fn retry_of(state: RunState) -> Option<Timestamp> {
    match state {
        RunState::Retrying { at, .. } => Some(at),
        RunState::Queued
        | RunState::Waiting
        | RunState::Assigned { .. }
        | RunState::Running { .. }
        | RunState::Unreachable { .. }
        | RunState::Finished(_) => None,
    }
}

/// The decided runs of a job that have not started, oldest first, at most [`NOT_STARTED_MAX`].
pub(super) fn not_started(conn: &Connection, job: JobId) -> Result<Vec<RunId>, StoreError> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT id FROM runs INDEXED BY runs_open_by_job \
         WHERE job = ?1 AND outcome IS NULL AND state IN (0, 1, 5, 6) ORDER BY id LIMIT {NOT_STARTED_MAX}"
    ))?;
    let ids = statement.query_map([columns::job_id(job)], |row| {
        row.get(0).map(columns::to_run_id)
    })?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// A run to be.
pub(super) struct NewRun<'r> {
    pub(super) job: JobId,
    pub(super) version: VersionNumber,
    pub(super) cause: &'r Cause,
    pub(super) due_at: Option<Timestamp>,
    /// Where it goes, if that node is up.
    pub(super) node: Option<NodeId>,
    pub(super) queued_at: Timestamp,
    pub(super) priority: Priority,
    pub(super) lane: Lane,
}

/// When a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begins {
    /// At its due instant, or at once.
    Now,
    /// When its turn comes.
    InTurn,
}

/// Makes a run: assigned where its node is up, else queued; or waiting.
pub(super) fn insert(
    batch: &mut Batch<'_>,
    new: &NewRun<'_>,
    begins: Begins,
) -> Result<RunId, StoreError> {
    let id = batch.upcoming_run()?;
    batch.position += 1;
    let life = match (new.node, begins) {
        (Some(node), Begins::Now) => batch.life_of(node)?.map(|epoch| (node, epoch)),
        (None, _) | (_, Begins::InTurn) => None,
    };
    let state = match (life, begins) {
        (Some((node, epoch)), _) => RunState::Assigned {
            attempt: AttemptNumber::FIRST,
            node,
            epoch,
        },
        (None, Begins::Now) => RunState::Queued,
        (None, Begins::InTurn) => RunState::Waiting,
    };
    let ready_at = new.due_at.unwrap_or(new.queued_at);
    let cause = columns::cause(new.cause);
    let mut statement = batch.conn.prepare_cached(
        "INSERT INTO runs (id, job, version, cause, cause_by, due_at, state, attempt, node, epoch, queued_at, \
         cause_run, root_run, ready_at, priority, lane) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    )?;
    statement.execute(params![
        columns::run_id(id),
        columns::job_id(new.job),
        new.version.0,
        cause.number,
        cause.by,
        columns::at_option(new.due_at),
        columns::run_state(state),
        life.map(|_| AttemptNumber::FIRST.0),
        life.map(|(node, _)| columns::node_id(node)),
        life.map(|(_, epoch)| columns::epoch(epoch)),
        columns::at(new.queued_at),
        cause.run,
        cause.root,
        columns::at(ready_at),
        new.priority.number(),
        columns::lane(new.lane),
    ])?;
    watch::run_made(batch.conn, new.job, id, new.due_at)?;
    batch.changes.open_runs += 1;
    batch.observations.push(Observation::RunMade {
        cause: new.cause.word(),
    });
    batch.effects.push(Effect::RunChanged {
        run: id,
        job: new.job,
        version: new.version,
        due_at: new.due_at,
        queued_at: new.queued_at,
        ready_at,
        lane: new.lane,
        state,
    });
    Ok(id)
}

impl RunRow {
    /// Takes an event, or stays as it is where the event does not apply.
    pub(super) fn take(&mut self, event: RunEvent) -> Result<(), IllegalTransition> {
        self.state = self.state.on(event)?;
        match self.state {
            RunState::Assigned {
                attempt,
                node,
                epoch,
            } => {
                (self.attempt, self.node, self.epoch) = (Some(attempt), Some(node), Some(epoch));
                if matches!(event, RunEvent::Assigned { .. }) {
                    self.attempt_started_at = None;
                }
            }
            RunState::Retrying { at, .. } => {
                (self.node, self.epoch, self.ready_at) = (None, None, at);
            }
            RunState::Queued | RunState::Waiting => (self.node, self.epoch) = (None, None),
            RunState::Running { .. } | RunState::Unreachable { .. } | RunState::Finished(_) => {}
        }
        Ok(())
    }

    /// The attempt that a new assignment makes.
    pub(super) fn next_attempt(&self) -> AttemptNumber {
        self.attempt
            .map_or(AttemptNumber::FIRST, AttemptNumber::next)
    }

    /// The same run in another life of its node.
    pub(super) fn in_life(mut self, epoch: Epoch) -> Self {
        self.state = match self.state {
            RunState::Assigned { attempt, node, .. } => RunState::Assigned {
                attempt,
                node,
                epoch,
            },
            RunState::Running { attempt, node, .. } => RunState::Running {
                attempt,
                node,
                epoch,
            },
            RunState::Unreachable { attempt, node, .. } => RunState::Unreachable {
                attempt,
                node,
                epoch,
            },
            other @ (RunState::Queued
            | RunState::Waiting
            | RunState::Retrying { .. }
            | RunState::Finished(_)) => other,
        };
        self.epoch = Some(epoch);
        self
    }
}

/// Gives a run that may begin to a node that is up. It stays as it is while none is: the leader assigns it then.
pub(super) fn assign_if_possible(
    batch: &mut Batch<'_>,
    run: &mut RunRow,
) -> Result<(), StoreError> {
    if let Some((node, epoch)) = batch.place(run.job)? {
        let assigned = RunEvent::Assigned {
            attempt: run.next_attempt(),
            node,
            epoch,
        };
        // Only what is queued or retrying is asked for.
        let taken = run.take(assigned);
        debug_assert!(taken.is_ok(), "{taken:?}");
    }
    Ok(())
}

/// Writes a run that took an event, and publishes it.
pub(super) fn save(batch: &mut Batch<'_>, run: &RunRow) -> Result<(), StoreError> {
    write(batch, run)?;
    batch.effects.push(Effect::RunChanged {
        run: run.id,
        job: run.job,
        version: run.version,
        due_at: run.due_at,
        queued_at: run.queued_at,
        ready_at: run.ready_at,
        lane: run.lane,
        state: run.state,
    });
    batch
        .changes
        .retry(run.id, run.retry_indexed, retry_of(run.state));
    if let RunState::Finished(outcome) = run.state {
        batch.changes.open_runs -= 1;
        batch.observations.push(Observation::RunFinished {
            outcome,
            node: run.node,
            started_at: run.started_at,
            finished_at: run.result.as_ref().map(|result| result.finished_at),
        });
        let is_long = statistics::took(run, outcome).map(flags::is_long);
        let result = run.result.as_ref();
        let ended = (run.id, outcome, result.and_then(|it| it.reason.as_deref()));
        let long_before = job::set_last_outcome(batch.conn, run.job, ended, is_long)?;
        watch::run_over(batch, run, outcome)?;
        flags::run_over(batch, run, outcome, long_before)?;
        statistics::ended(batch, run)?;
        let ended_at = run.result.as_ref().map(|result| result.finished_at);
        let over_at = ended_at.unwrap_or(run.ready_at);
        sink_feed::note(batch.conn, run.id, FeedPart::RunOver, over_at)?;
        turn::release(batch, run.job)?;
        if let Some(at) = ended_at {
            successors::start(batch, (run.id, run.job), outcome, at)?;
            catch_up::go_on(batch, run.job, at)?;
        }
    }
    Ok(())
}

fn write(batch: &Batch<'_>, run: &RunRow) -> Result<(), StoreError> {
    let finished = match run.state {
        RunState::Finished(outcome) => run.result.as_ref().map(|result| (outcome, result)),
        _ => None,
    };
    let cancel = run.cancel.as_ref().filter(|_| run.state.is_active());
    if let Some((outcome, result)) = finished {
        let mut statement = batch.conn.prepare_cached(
            "UPDATE runs SET state = ?2, outcome = ?3, started_at = ?4, finished_at = ?5, exit_code = ?6, \
             signal = ?7, reason = ?8, cancel = NULL, cancel_by = NULL, cpu_user = ?9, cpu_system = ?10, \
             memory_max = ?11, attempt_started_at = ?12, ended = ?13 WHERE id = ?1",
        )?;
        statement.execute(params![
            columns::run_id(run.id),
            columns::run_state(run.state),
            columns::outcome(outcome),
            columns::at_option(run.started_at),
            columns::at(result.finished_at),
            result.exit_code,
            result.signal,
            result.reason,
            columns::duration(result.usage.cpu_user),
            columns::duration(result.usage.cpu_system),
            columns::count(result.usage.memory_max_bytes),
            columns::at_option(run.attempt_started_at),
            columns::count(batch.index),
        ])?;
        return Ok(());
    }
    let mut statement = batch.conn.prepare_cached(
        "UPDATE runs SET state = ?2, attempt = ?3, node = ?4, epoch = ?5, started_at = ?6, cancel = ?7, \
         cancel_by = ?8, ready_at = ?9, attempt_started_at = ?10 WHERE id = ?1",
    )?;
    statement.execute(params![
        columns::run_id(run.id),
        columns::run_state(run.state),
        run.attempt.map(|attempt| attempt.0),
        run.node.map(columns::node_id),
        run.epoch.map(columns::epoch),
        columns::at_option(run.started_at),
        cancel.map(|(when, _)| columns::cancel_when(*when)),
        cancel.map(|(_, by)| by),
        columns::at(run.ready_at),
        columns::at_option(run.attempt_started_at),
    ])?;
    Ok(())
}

/// Ends a run as far as it can be ended now: one that no node has at once, and of one that a node has, the end is that
/// node's to report.
pub(super) fn stop(
    batch: &mut Batch<'_>,
    run: &mut RunRow,
    when: CancelWhen,
    reason: String,
    at: Timestamp,
) -> Result<(), StoreError> {
    match run.state {
        RunState::Queued | RunState::Waiting | RunState::Retrying { .. } => {
            cancel_queued(batch, run, reason, at)
        }
        RunState::Assigned { .. } | RunState::Running { .. } | RunState::Unreachable { .. } => {
            request_cancel(batch, run, when, reason)
        }
        RunState::Finished(_) => Ok(()),
    }
}

/// Ends a run that no node has.
fn cancel_queued(
    batch: &mut Batch<'_>,
    run: &mut RunRow,
    reason: String,
    at: Timestamp,
) -> Result<(), StoreError> {
    if run.take(RunEvent::CancelledBeforeAssignment).is_err() {
        return Ok(());
    }
    run.result = Some(RunResult {
        finished_at: at,
        exit_code: None,
        signal: None,
        reason: Some(reason),
        usage: Usage::default(),
    });
    save(batch, run)
}

/// Asks the node that has a run to end it. A request for any time is not weakened by a later one.
fn request_cancel(
    batch: &mut Batch<'_>,
    run: &mut RunRow,
    when: CancelWhen,
    reason: String,
) -> Result<(), StoreError> {
    let Some((attempt, node, _)) = run.state.attempt() else {
        return Ok(());
    };
    if run.cancel.as_ref().is_none_or(|(before, _)| *before < when) {
        run.cancel = Some((when, reason));
        write(batch, run)?;
    }
    batch.effects.push(Effect::CancelRequested {
        run: run.id,
        attempt,
        node,
        when,
    });
    Ok(())
}

/// Keeps what a run printed.
pub(super) fn save_output(
    conn: &Connection,
    run: RunId,
    output: &OutputSummary,
) -> Result<(), StoreError> {
    if *output == OutputSummary::default() {
        return Ok(());
    }
    conn.prepare_cached("INSERT OR REPLACE INTO run_outputs (run, output) VALUES (?1, ?2)")?
        .execute((columns::run_id(run), codec::encode(output)))?;
    Ok(())
}
