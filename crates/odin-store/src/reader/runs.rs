//! Runs.

use jiff::Timestamp;
use odin_model::attempt::PastAttempt;
use odin_model::output::{OutputKept, OutputSummary};
use odin_model::owner::Owner;
use odin_model::run::{Run, RunState};
use odin_model::{AttemptNumber, JobId, Lane, NodeId, RunId, Usage, VersionNumber, codec};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::Reader;
use super::links::successors_of;
use crate::{CancelWhen, StoreError, columns};

/// How many runs one page of an owner looks at: others' runs are passed over, and a page never takes long.
/// Tests have few.
const LOOKED_AT_MAX: usize = if cfg!(test) { 4 } else { 10_000 };

/// Whose runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunsOf<'a> {
    /// One job's.
    Job(JobId),
    /// Those of all jobs of an owner.
    Owner(&'a Owner),
    /// Everybody's.
    All,
}

/// A page of runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunsPage {
    /// The runs, newest first, with the counts of their output and without its bytes. May be fewer than asked for, and even none, while there is a
    /// next page.
    pub runs: Vec<Run>,
    /// The next page is of runs before this one. `None`: this was the last.
    pub next: Option<RunId>,
}

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
    /// The run with its output. `None`: there is none of that id.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn run(&self, id: RunId) -> Result<Option<Run>, StoreError> {
        self.pool.ask(|conn| {
            let sql = format!("SELECT {COLUMNS} FROM runs r WHERE r.id = ?1");
            let Some(mut run) = runs_of(conn, &sql, [columns::run_id(id)])?.pop() else {
                return Ok(None);
            };
            run.output = output_of(conn, id)?;
            run.successors = successors_of(conn, id)?;
            Ok(Some(run))
        })
    }

    /// What a finished run printed, as far as it is replicated; empty for one that is open or unknown.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn run_output(&self, id: RunId) -> Result<OutputSummary, StoreError> {
        self.pool.ask(|conn| output_of(conn, id))
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
        let before = before.map_or(i64::MAX, columns::run_id);
        self.pool.ask(|conn| {
            let mut page = match of {
                RunsOf::Job(job) => {
                    let sql = format!(
                        "SELECT {COLUMNS} FROM runs r INDEXED BY runs_by_job \
                         WHERE r.job = ?1 AND r.id < ?2 ORDER BY r.id DESC LIMIT ?3"
                    );
                    let of_job = params![columns::job_id(job), before, columns::limit(limit)];
                    full_page(runs_of(conn, &sql, of_job)?, limit)
                }
                RunsOf::All => {
                    let sql = format!(
                        "SELECT {COLUMNS} FROM runs r WHERE r.id < ?1 ORDER BY r.id DESC LIMIT ?2"
                    );
                    full_page(
                        runs_of(conn, &sql, params![before, columns::limit(limit)])?,
                        limit,
                    )
                }
                RunsOf::Owner(owner) => runs_of_owner(conn, owner, before, limit)?,
            };
            for run in &mut page.runs {
                run.output = counts_of(conn, run.id)?;
            }
            Ok(page)
        })
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
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT attempt, node, started_at, finished_at, outcome, exit_code, signal, reason, cpu_user, \
                 cpu_system, memory_max, output, late FROM attempts WHERE run = ?1 ORDER BY attempt",
            )?;
            let rows = statement.query_map([columns::run_id(id)], |row| Ok(read_past(row)))?;
            rows.map(|row| row?).collect()
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

fn full_page(runs: Vec<Run>, limit: usize) -> RunsPage {
    let next = runs
        .last()
        .filter(|_| runs.len() == limit)
        .map(|run| run.id);
    RunsPage { runs, next }
}

/// Walks all runs, newest first, and keeps the owner's.
fn runs_of_owner(
    conn: &Connection,
    owner: &Owner,
    before: i64,
    limit: usize,
) -> Result<RunsPage, StoreError> {
    // CROSS JOIN holds SQLite to this order, which yields rows one by one without sorting.
    let mut statement = conn.prepare_cached(&format!(
        "SELECT {COLUMNS}, j.owner_uid = ?2 AND j.owner_user = ?3 AS of_owner FROM runs r CROSS JOIN jobs j \
         WHERE r.id < ?1 AND j.id = r.job ORDER BY r.id DESC"
    ))?;
    let mut rows = statement.query(params![before, owner.uid, owner.user])?;
    let mut runs = Vec::new();
    let mut next = None;
    for _ in 0..LOOKED_AT_MAX {
        let Some(row) = rows.next()? else {
            return Ok(RunsPage { runs, next: None });
        };
        let last = row.get(0).map(columns::to_run_id)?;
        if row.get("of_owner")? {
            runs.push(read_run(row)?);
        }
        if runs.len() == limit {
            return Ok(full_page(runs, limit));
        }
        next = Some(last);
    }
    Ok(RunsPage { runs, next })
}

fn runs_of(conn: &Connection, sql: &str, params: impl Params) -> Result<Vec<Run>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params, |row| Ok(read_run(row)))?;
    rows.map(|row| row?).collect()
}

fn output_of(conn: &Connection, id: RunId) -> Result<OutputSummary, StoreError> {
    let mut statement = conn.prepare_cached("SELECT output FROM run_outputs WHERE run = ?1")?;
    let stored: Option<Vec<u8>> = statement
        .query_row([columns::run_id(id)], |row| row.get(0))
        .optional()?;
    match stored {
        Some(bytes) => Ok(codec::decode(&bytes)?),
        None => Ok(OutputSummary::default()),
    }
}

/// The counts of a run's output without its bytes.
fn counts_of(conn: &Connection, id: RunId) -> Result<OutputSummary, StoreError> {
    Ok(OutputSummary {
        kept: OutputKept::default(),
        ..output_of(conn, id)?
    })
}

/// Up to `limit` runs of the chain that began with `root`, oldest first.
pub(super) fn chain_of(conn: &Connection, root: i64, limit: usize) -> Result<Vec<Run>, StoreError> {
    let first = format!("SELECT {COLUMNS} FROM runs r WHERE r.id = ?1");
    let mut runs = runs_of(conn, &first, [root])?;
    let rest = format!(
        "SELECT {COLUMNS} FROM runs r INDEXED BY runs_by_root WHERE r.root_run = ?1 ORDER BY r.id LIMIT ?2"
    );
    let room = limit.saturating_sub(runs.len());
    runs.extend(runs_of(conn, &rest, (root, columns::limit(room)))?);
    for run in &mut runs {
        run.output = counts_of(conn, run.id)?;
        run.successors = successors_of(conn, run.id)?;
    }
    Ok(runs)
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
