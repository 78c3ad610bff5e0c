//! Runs.

use jiff::Timestamp;
use odin_model::attempt::PastAttempt;
use odin_model::output::{OutputKept, OutputSummary};
use odin_model::run::{Run, RunState};
use odin_model::{AttemptNumber, JobId, Lane, NodeId, RunId, Usage, VersionNumber, codec};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::Reader;
use super::links::successors_of;
use super::past_runs::{RunFilter, RunsOf, RunsPage};
use crate::{CancelWhen, StoreError, columns};

/// A run that is not over, as the agent of its node and the leader need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    /// Its id.
    pub id: RunId,
    /// Its job.
    pub job: JobId,
    /// The version that it is pinned to.
    pub version: VersionNumber,
    /// The occurrence it answers; `None` for runs without one.
    pub due_at: Option<Timestamp>,
    /// When it was decided: the leader's wall clock.
    pub queued_at: Timestamp,
    /// When its next or latest attempt may start.
    pub ready_at: Timestamp,
    /// Whether it makes up for the past.
    pub lane: Lane,
    /// Where it stands.
    pub state: RunState,
    /// The number of its latest attempt; `None` until one was assigned.
    pub attempt: Option<AttemptNumber>,
    /// The request to end it, if there is one.
    pub cancel: Option<CancelRequest>,
}

/// A request to end a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequest {
    /// Whether a process that exists already goes on.
    pub when: CancelWhen,
    /// Who or what asked, in words.
    pub reason: String,
}

const COLUMNS: &str = "r.id, r.job, r.version, r.cause, r.cause_by, r.due_at, r.state, r.outcome, r.attempt, \
     r.node, r.epoch, r.queued_at, r.started_at, r.finished_at, r.exit_code, r.signal, r.reason, r.cancel_by, \
     r.cpu_user, r.cpu_system, r.memory_max, r.cause_run, r.root_run, \
     (SELECT x.cause FROM runs x WHERE x.id = r.root_run), \
     (SELECT x.cause_by FROM runs x WHERE x.id = r.root_run), r.ready_at, r.priority, r.lane, \
     r.attempt_started_at";
const OPEN_COLUMNS: &str = "id, job, version, due_at, queued_at, state, outcome, attempt, node, epoch, cancel, cancel_by, ready_at, lane";

impl Reader {
    /// The run with its output. `None`: there is none of that id, or it is no longer kept.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.pool.ask(|state| {
            let found = self.of_run(state, id, |conn| {
                let Some(mut run) = run_in(conn, id)? else {
                    return Ok(None);
                };
                run.output = output_of(conn, id)?;
                run.successors = successors_of(conn, id)?;
                Ok(Some(run))
            })?;
            let Some(mut run) = found else {
                return Ok(None);
            };
            if is_forgotten(&run, kept_from(state, run.job)?) {
                return Ok(None);
            }
            self.complete(state, &mut run)?;
            Ok(Some(run))
        })
    }

    /// What a finished run printed, as far as it is replicated; empty for one that is open or unknown.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn run_output(&self, id: RunId) -> Result<OutputSummary, StoreError> {
        self.pool.ask(|state| {
            let found = self.of_run(state, id, |conn| {
                run_in(conn, id)?.map(|_| output_of(conn, id)).transpose()
            })?;
            Ok(found.unwrap_or_default())
        })
    }

    /// Up to `limit` runs, newest first, older than `before`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn runs(
        &self,
        of: RunsOf<'_>,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<RunsPage, StoreError> {
        self.runs_that(of, &RunFilter::default(), before, limit)
    }

    /// The runs that a node has, oldest first: what its agent arms.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open_runs_of_node(&self, node: NodeId) -> Result<Vec<OpenRun>, StoreError> {
        self.open_runs(
            "INDEXED BY runs_open_by_node WHERE node = ?1 AND outcome IS NULL ORDER BY id",
            [columns::node_id(node)],
        )
    }

    /// Up to `limit` of them, from the run `from` on.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open_runs_of_node_from(
        &self,
        node: NodeId,
        from: RunId,
        limit: usize,
    ) -> Result<Vec<OpenRun>, StoreError> {
        self.open_runs(
            "INDEXED BY runs_open_by_node WHERE node = ?1 AND outcome IS NULL AND id >= ?2 ORDER BY id LIMIT ?3",
            params![
                columns::node_id(node),
                columns::run_id(from),
                columns::limit(limit)
            ],
        )
    }

    /// Up to `limit` runs that may begin and that no node has, oldest first: what the leader assigns.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn queued_runs(&self, limit: usize) -> Result<Vec<OpenRun>, StoreError> {
        self.open_runs(
            "INDEXED BY runs_queued WHERE state = 0 ORDER BY id LIMIT ?1",
            [columns::limit(limit)],
        )
    }

    /// A run that is not over. `None`: it is, or there is none of that id.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open_run(&self, id: RunId) -> Result<Option<OpenRun>, StoreError> {
        let found = self.open_runs("WHERE id = ?1 AND outcome IS NULL", [columns::run_id(id)])?;
        Ok(found.into_iter().next())
    }

    /// The attempts of a run that are kept beside its latest one, in order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn past_attempts(&self, id: RunId) -> Result<Vec<PastAttempt>, StoreError> {
        self.pool.ask(|state| {
            let found = self.of_run(state, id, |conn| {
                let exists = run_in(conn, id)?.is_some();
                exists.then(|| past_attempts_in(conn, id)).transpose()
            })?;
            Ok(found.unwrap_or_default())
        })
    }

    /// The open runs of a job, oldest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn open_runs_of_job(&self, job: JobId) -> Result<Vec<OpenRun>, StoreError> {
        self.open_runs(
            "INDEXED BY runs_open_by_job WHERE job = ?1 AND outcome IS NULL ORDER BY id",
            [columns::job_id(job)],
        )
    }

    fn open_runs(&self, condition: &str, params: impl Params) -> Result<Vec<OpenRun>, StoreError> {
        self.pool.ask(|conn| {
            let sql = format!("SELECT {OPEN_COLUMNS} FROM runs {condition}");
            let mut statement = conn.prepare_cached(&sql)?;
            let rows = statement.query_map(params, |row| Ok(read_open(row)))?;
            rows.map(|row| row?).collect()
        })
    }
}

/// The run as the tables have it.
pub(super) fn run_in(conn: &Connection, id: RunId) -> Result<Option<Run>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM runs r WHERE r.id = ?1");
    Ok(runs_of(conn, &sql, [columns::run_id(id)])?.pop())
}

/// The first run of a job that is kept; 0 where all are.
fn kept_from(conn: &Connection, job: JobId) -> Result<i64, StoreError> {
    let mut statement = conn.prepare_cached("SELECT kept_from FROM jobs WHERE id = ?1")?;
    let found = statement.query_row([columns::job_id(job)], |row| row.get(0));
    Ok(found.optional()?.unwrap_or(0))
}

/// A run that is over and before the first that its job keeps. An open one is always there.
fn is_forgotten(run: &Run, kept_from: i64) -> bool {
    matches!(run.state, RunState::Finished(_)) && columns::run_id(run.id) < kept_from
}

fn past_attempts_in(conn: &Connection, id: RunId) -> Result<Vec<PastAttempt>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT attempt, node, started_at, finished_at, outcome, exit_code, signal, reason, cpu_user, \
         cpu_system, memory_max, output, late FROM attempts WHERE run = ?1 ORDER BY attempt",
    )?;
    let rows = statement.query_map([columns::run_id(id)], |row| Ok(read_past(row)))?;
    rows.map(|row| row?).collect()
}

fn runs_of(conn: &Connection, sql: &str, params: impl Params) -> Result<Vec<Run>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| Ok(read_run(row)))?;
    rows.map(|row| row?).collect()
}

fn output_of(conn: &Connection, id: RunId) -> Result<OutputSummary, StoreError> {
    Ok(output_row_of(conn, id)?.unwrap_or_default())
}

/// What a finished run printed. `None`: it has no such row here.
pub(super) fn output_row_of(
    conn: &Connection,
    id: RunId,
) -> Result<Option<OutputSummary>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT output FROM run_outputs WHERE run = ?1")?;
    let stored: Option<Vec<u8>> = statement
        .query_row([columns::run_id(id)], |row| row.get(0))
        .optional()?;
    stored.map(|bytes| Ok(codec::decode(&bytes)?)).transpose()
}

/// The counts of a run's output without its bytes.
pub(super) fn counts_of(conn: &Connection, id: RunId) -> Result<OutputSummary, StoreError> {
    Ok(OutputSummary {
        kept: OutputKept::default(),
        ..output_of(conn, id)?
    })
}

fn read_run(row: &Row<'_>) -> Result<Run, StoreError> {
    let attempt: Option<u32> = row.get(8)?;
    let node: Option<i64> = row.get(9)?;
    Ok(Run {
        id: columns::to_run_id(row.get(0)?),
        job: columns::to_job_id(row.get(1)?),
        version: columns::to_version(row.get(2)?),
        cause: columns::to_cause(row.get(3)?, row.get(4)?, row.get(21)?, row.get(22)?)?,
        root_cause: match row.get(23)? {
            Some(number) => Some(columns::to_cause(number, row.get(24)?, None, None)?),
            None => None,
        },
        successors: Vec::new(),
        due_at: columns::to_at_option(row.get(5)?),
        state: columns::to_run_state(
            row.get(6)?,
            row.get(7)?,
            attempt,
            node,
            row.get(10)?,
            row.get(25)?,
        )?,
        ready_at: columns::to_at(row.get(25)?),
        priority: columns::to_priority(row.get(26)?)?,
        lane: columns::to_lane(row.get(27)?)?,
        attempt_started_at: columns::to_at_option(row.get(28)?),
        attempt: attempt.map(AttemptNumber),
        node: node.map(columns::to_node_id),
        queued_at: columns::to_at(row.get(11)?),
        started_at: columns::to_at_option(row.get(12)?),
        finished_at: columns::to_at_option(row.get(13)?),
        exit_code: row.get(14)?,
        signal: row.get(15)?,
        reason: row.get(16)?,
        cancel_requested: row.get(17)?,
        usage: Usage {
            cpu_user: columns::to_duration(row.get(18)?),
            cpu_system: columns::to_duration(row.get(19)?),
            memory_max_bytes: columns::to_count(row.get(20)?),
        },
        output: OutputSummary::default(),
    })
}

fn read_past(row: &Row<'_>) -> Result<PastAttempt, StoreError> {
    let decoded = |bytes: Option<Vec<u8>>| bytes.map(|bytes| codec::decode(&bytes)).transpose();
    let output: Option<OutputSummary> = decoded(row.get(11)?)?;
    let late: Option<Vec<u8>> = row.get(12)?;
    Ok(PastAttempt {
        number: AttemptNumber(row.get(0)?),
        node: columns::to_node_id(row.get(1)?),
        started_at: columns::to_at_option(row.get(2)?),
        finished_at: columns::to_at(row.get(3)?),
        outcome: columns::to_outcome(row.get(4)?)?,
        exit_code: row.get(5)?,
        signal: row.get(6)?,
        reason: row.get(7)?,
        usage: Usage {
            cpu_user: columns::to_duration(row.get(8)?),
            cpu_system: columns::to_duration(row.get(9)?),
            memory_max_bytes: columns::to_count(row.get(10)?),
        },
        output: output.unwrap_or_default(),
        late: late.map(|bytes| codec::decode(&bytes)).transpose()?,
    })
}

fn read_open(row: &Row<'_>) -> Result<OpenRun, StoreError> {
    let cancel = match (row.get::<_, Option<i64>>(10)?, row.get(11)?) {
        (Some(when), Some(reason)) => Some(CancelRequest {
            when: columns::to_cancel_when(when)?,
            reason,
        }),
        _ => None,
    };
    Ok(OpenRun {
        id: columns::to_run_id(row.get(0)?),
        job: columns::to_job_id(row.get(1)?),
        version: columns::to_version(row.get(2)?),
        due_at: columns::to_at_option(row.get(3)?),
        queued_at: columns::to_at(row.get(4)?),
        state: columns::to_run_state(
            row.get(5)?,
            row.get(6)?,
            row.get(7)?,
            row.get(8)?,
            row.get(9)?,
            row.get(12)?,
        )?,
        attempt: row.get::<_, Option<u32>>(7)?.map(AttemptNumber),
        ready_at: columns::to_at(row.get(12)?),
        lane: columns::to_lane(row.get(13)?)?,
        cancel,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{NODE, Scenario, ann, bob, deploy};

    fn pages(scenario: &Scenario, of: RunsOf<'_>, limit: usize) -> Vec<RunId> {
        let reader = scenario.store.reader();
        let mut before = None;
        let mut found = Vec::new();
        loop {
            let page = reader.runs(of, before, limit).unwrap();
            assert!(page.runs.len() <= limit);
            found.extend(page.runs.iter().map(|run| run.id));
            match page.next {
                Some(next) => before = Some(next),
                None => return found,
            }
        }
    }

    #[test]
    fn pages_of_any_size_hold_each_run_that_may_be_seen_once() {
        let mut scenario = Scenario::with_node();
        let anns = scenario.deploy(deploy("nightly"));
        let mut other = deploy("bobs");
        other.by = bob();
        let bobs = scenario.deploy(other);
        let mut expected = (Vec::new(), Vec::new());
        for at in 1..8 {
            expected.0.insert(0, scenario.run_of(anns, at));
            expected.1.insert(0, scenario.run_of(bobs, at));
        }
        let mut all = [expected.0.clone(), expected.1.clone()].concat();
        all.sort();
        all.reverse();
        for limit in [1, 2, 7, 100] {
            assert_eq!(pages(&scenario, RunsOf::Job(anns), limit), expected.0);
            assert_eq!(pages(&scenario, RunsOf::All, limit), all);
            for (owner, expected) in [(ann().user, &expected.0), (bob().user, &expected.1)] {
                assert_eq!(&pages(&scenario, RunsOf::Owner(&owner), limit), expected);
            }
        }
        let open = scenario.store.reader().open_runs_of_job(anns).unwrap();
        assert!(
            open.iter()
                .map(|run| run.id)
                .eq(expected.0.iter().rev().copied())
        );
        let open = scenario.store.reader().open_runs_of_node(NODE).unwrap();
        assert_eq!(open.len(), 14);
    }
}
