//! The end of an attempt: of its run too, or another follows.

use jiff::Timestamp;
use odin_model::attempt::{AttemptResult, Ending};
use odin_model::output::OutputSummary;
use odin_model::reported_result::judge;
use odin_model::run::{Outcome, RunEvent};
use odin_model::{AttemptNumber, Epoch, JobState, NodeId, OnLost, Reply, RunId, Usage, codec};
use odin_scheduling::retry::{Ended, Policy, next_attempt};
use rusqlite::{Connection, params};

use super::run::{RunResult, RunRow};
use super::{Batch, Stop, job, run, values};
use crate::{StoreError, columns};

/// Takes the end of an attempt, and decides what follows it. Whether that changed the run, which is then to be saved.
pub(super) fn end(
    batch: &mut Batch<'_>,
    run: &mut RunRow,
    attempt: AttemptNumber,
    result: &AttemptResult,
) -> Result<bool, StoreError> {
    let reported = values::result_of(batch.conn, run.id, attempt)?;
    let (outcome, reason) = judge(&result.ending, reported.as_ref());
    let judged = Judged {
        result,
        outcome,
        reason,
    };
    let finished = RunEvent::Finished { attempt, outcome };
    if run.state.on(finished).is_err() {
        return Ok(false);
    }
    run.attempt_started_at = run.attempt_started_at.or(result.started_at);
    run.started_at = run.started_at.or(result.started_at);
    let Some((at, on_lost)) = next(batch, run, attempt, &judged)? else {
        if run.take(finished).is_err() {
            return Ok(false);
        }
        run.result = Some(result_of(judged));
        run::save_output(batch.conn, run.id, &result.output)?;
        return Ok(true);
    };
    keep(batch.conn, run, attempt, &judged)?;
    if run.take(RunEvent::WillRetry { attempt, at }).is_err() {
        return Ok(false);
    }
    run.attempt_started_at = None;
    if outcome == Outcome::Lost && on_lost == OnLost::Rerun {
        run::assign_if_possible(batch, run)?;
    }
    Ok(true)
}

/// How an attempt ended, with what that means beside what it reported of itself.
struct Judged<'r> {
    result: &'r AttemptResult,
    outcome: Outcome,
    reason: Option<String>,
}

/// When the next attempt may start. A run that is to stop has none, nor has one of a job that was removed, or paused
/// unless somebody asked for the run: pausing keeps new processes from being made.
fn next(
    batch: &Batch<'_>,
    run: &RunRow,
    attempt: AttemptNumber,
    judged: &Judged<'_>,
) -> Result<Option<(Timestamp, OnLost)>, StoreError> {
    let (result, outcome) = (judged.result, judged.outcome);
    if outcome.is_good() || outcome == Outcome::Cancelled || run.cancel.is_some() {
        return Ok(None);
    }
    let state = job::find(batch.conn, run.job)?.map(|job| job.state);
    match state {
        Some(JobState::Enabled) => {}
        Some(JobState::Paused) if run.due_at.is_none() => {}
        Some(JobState::Paused | JobState::Removed) | None => return Ok(None),
    }
    let (spec, _) = job::version(batch.conn, run.job, run.version)?;
    let policy = Policy {
        retries: &spec.retries,
        on_lost: spec.loss.on_lost,
    };
    let ended = Ended {
        run: run.id,
        attempt,
        outcome,
        exit_code: result.ending.exit_code(),
        at: result.finished_at,
    };
    Ok(next_attempt(&policy, &ended).map(|at| (at, policy.on_lost)))
}

fn result_of(Judged { result, reason, .. }: Judged<'_>) -> RunResult {
    RunResult {
        finished_at: result.finished_at,
        exit_code: result.ending.exit_code(),
        signal: result.ending.signal(),
        reason,
        usage: result.usage,
    }
}

/// Keeps an attempt that another follows.
fn keep(
    conn: &Connection,
    run: &RunRow,
    attempt: AttemptNumber,
    judged: &Judged<'_>,
) -> Result<(), StoreError> {
    let result = judged.result;
    let node = run
        .node
        .ok_or_else(|| StoreError::damaged("an attempt without its node"))?;
    let output = Some(&result.output).filter(|output| **output != OutputSummary::default());
    let mut statement = conn.prepare_cached(
        "INSERT OR REPLACE INTO attempts (run, attempt, node, started_at, finished_at, outcome, exit_code, signal, \
         reason, cpu_user, cpu_system, memory_max, output) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    )?;
    statement.execute(params![
        columns::run_id(run.id),
        attempt.0,
        columns::node_id(node),
        columns::at_option(run.attempt_started_at),
        columns::at(result.finished_at),
        columns::outcome(judged.outcome),
        result.ending.exit_code(),
        result.ending.signal(),
        judged.reason,
        columns::duration(result.usage.cpu_user),
        columns::duration(result.usage.cpu_system),
        columns::count(result.usage.memory_max_bytes),
        output.map(codec::encode),
    ])?;
    Ok(())
}

/// Keeps what a node reports of an attempt that was given up as lost. It changes nothing else, and what came first
/// stays.
pub(super) fn keep_late(
    conn: &Connection,
    node: NodeId,
    run: RunId,
    attempt: AttemptNumber,
    result: &AttemptResult,
) -> Result<(), StoreError> {
    if matches!(result.ending, Ending::Lost { .. }) {
        return Ok(());
    }
    let lost = columns::outcome(Outcome::Lost);
    let (run, node, late) = (
        columns::run_id(run),
        columns::node_id(node),
        codec::encode(result),
    );
    // A run that ended as lost has its latest attempt in its own row.
    conn.prepare_cached(
        "INSERT OR IGNORE INTO attempts (run, attempt, node, started_at, finished_at, outcome, exit_code, signal, \
         reason, cpu_user, cpu_system, memory_max) \
         SELECT id, attempt, node, attempt_started_at, finished_at, outcome, exit_code, signal, reason, cpu_user, \
         cpu_system, memory_max FROM runs WHERE id = ?1 AND attempt = ?2 AND node = ?3 AND outcome = ?4",
    )?
    .execute(params![run, attempt.0, node, lost])?;
    conn.prepare_cached(
        "UPDATE attempts SET late = ?5 \
         WHERE run = ?1 AND attempt = ?2 AND node = ?3 AND outcome = ?4 AND late IS NULL",
    )?
    .execute(params![run, attempt.0, node, lost, late])?;
    Ok(())
}

/// Gives up attempts whose node has been silent for too long. Those that are no longer unreachable in that life of
/// the node stay as they are.
pub(super) fn lose(
    batch: &mut Batch<'_>,
    node: NodeId,
    epoch: Epoch,
    runs: &[(RunId, AttemptNumber)],
    at: Timestamp,
) -> Result<Reply, Stop> {
    let name = super::node::name_of(batch.conn, node)?;
    for &(id, attempt) in runs {
        let Some(mut run) = run::find(batch.conn, id)? else {
            continue;
        };
        let unreachable = odin_model::RunState::Unreachable {
            attempt,
            node,
            epoch,
        };
        if run.state != unreachable {
            continue;
        }
        let reason = match &run.started_at {
            Some(_) => format!("its node {name} fell silent while it ran, and did not come back"),
            None => {
                format!("its node {name} fell silent when it was to start, and did not come back")
            }
        };
        let result = AttemptResult {
            ending: Ending::Lost { reason },
            started_at: None,
            finished_at: at,
            usage: Usage::default(),
            output: OutputSummary::default(),
        };
        if end(batch, &mut run, attempt, &result)? {
            run::save(batch, &run)?;
        }
    }
    Ok(Reply::Done)
}
