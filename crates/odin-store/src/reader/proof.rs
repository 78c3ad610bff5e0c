//! What a proof of the ledger reads, from one committed state.

use jiff::Timestamp;
use odin_model::ledger::LedgerRow;
use odin_model::owner::Owner;
use odin_model::run::Cause;
use odin_model::{JobId, RunId};
use odin_scheduling::proof::{Evidence, RunFacts};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Reader;
use super::pool::Pool;
use crate::{StoreError, columns};

/// A run of a schedule that no row of the ledger names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LooseRun {
    /// The run.
    pub run: RunId,
    /// The due time that it says it answers.
    pub due_at: Timestamp,
    /// Whether a row says that another run answers that due time.
    pub is_second: bool,
}

impl Reader {
    /// Answers of the state as it is now, whatever is applied meanwhile: all of one commit. While it lives, the
    /// write-ahead log is not emptied beyond it; keep it for seconds. It answers one caller at a time.
    ///
    /// # Errors
    /// The state cannot be opened once more.
    pub fn fixed(&self) -> Result<Self, StoreError> {
        Ok(Self {
            pool: Pool::fixed(self.pool.path())?.into(),
            archive: self.archive.clone(),
            scratches: self.scratches.clone(),
        })
    }

    /// Up to `limit` jobs with their owners, removed and hidden ones too, by id after that one.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn job_ids(
        &self,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<(JobId, Owner)>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, owner_uid, owner_user FROM jobs WHERE id > ?1 ORDER BY id LIMIT ?2",
            )?;
            let after = after.map_or(-1, columns::job_id);
            let rows = statement.query_map((after, columns::limit(limit)), |row| {
                let owner = Owner {
                    uid: row.get(1)?,
                    user: row.get(2)?,
                };
                Ok((columns::to_job_id(row.get(0)?), owner))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// The period widened so that no row of the job's ledger lies across its ends.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn whole_rows(
        &self,
        job: JobId,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<(Timestamp, Timestamp), StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT from_at, to_at FROM ledger WHERE job = ?1 AND from_at <= ?2 ORDER BY from_at DESC LIMIT 1",
            )?;
            let mut across = |at: Timestamp| -> Result<Option<(Timestamp, Timestamp)>, StoreError> {
                let row = statement
                    .query_row((columns::job_id(job), columns::at(at)), |row| {
                        Ok((columns::to_at(row.get(0)?), columns::to_at(row.get(1)?)))
                    })
                    .optional()?;
                Ok(row.filter(|(_, to)| *to >= at))
            };
            let from = across(from)?.map_or(from, |(begins, _)| begins);
            let to = across(to)?.map_or(to, |(_, ends)| ends.max(to));
            Ok((from, to))
        })
    }

    /// Up to `limit` rows of a job that begin after `after` and not after `to`, oldest first, each with what is known
    /// of its run.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn ledger_evidence(
        &self,
        job: JobId,
        after: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<Evidence>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT l.from_at, l.to_at, l.count, l.outcome, l.reason, l.reason_run, l.run, l.version, \
                 l.decided_at, r.job, r.due_at, r.cause, r.started_at \
                 FROM ledger l LEFT JOIN runs r ON r.id = l.run \
                 WHERE l.job = ?1 AND l.from_at > ?2 AND l.from_at <= ?3 ORDER BY l.from_at LIMIT ?4",
            )?;
            let rows = statement.query_map(
                params![
                    columns::job_id(job),
                    columns::at(after),
                    columns::at(to),
                    columns::limit(limit)
                ],
                |row| Ok(read(job, row)),
            )?;
            let mut evidence = rows
                .map(|row| row?)
                .collect::<Result<Vec<Evidence>, StoreError>>()?;
            self.complete_evidence(&mut evidence)?;
            self.note_unkept(conn, job, &mut evidence)?;
            Ok(evidence)
        })
    }

    /// Marks the runs that are not there because they are no longer kept, or are in a file that cannot be read.
    fn note_unkept(
        &self,
        conn: &Connection,
        job: JobId,
        evidence: &mut [Evidence],
    ) -> Result<(), StoreError> {
        let is_absent = |of: &Evidence| of.run.is_none() && of.row.run.is_some();
        if !evidence.iter().any(is_absent) {
            return Ok(());
        }
        let kept_from: i64 = conn
            .prepare_cached("SELECT kept_from FROM jobs WHERE id = ?1")?
            .query_row([columns::job_id(job)], |row| row.get(0))?;
        // A run that ended by an index was made before it.
        let gone_upto: Option<i64> = conn
            .prepare_cached("SELECT max(upto) FROM seals WHERE dropped = 1 OR ?1")?
            .query_row([self.archive.is_incomplete()], |row| row.get(0))?;
        let gone_upto = gone_upto.map_or(0, columns::to_count);
        for of in evidence.iter_mut().filter(|of| is_absent(of)) {
            of.is_unkept = of
                .row
                .run
                .is_some_and(|run| columns::run_id(run) < kept_from || run.index() <= gone_upto);
        }
        Ok(())
    }

    /// Fills in the runs that are in files of history.
    fn complete_evidence(&self, evidence: &mut [Evidence]) -> Result<(), StoreError> {
        let is_elsewhere = |of: &&mut Evidence| of.run.is_none() && of.row.run.is_some();
        let shelf = self.archive.shelf();
        let runs: Vec<i64> = evidence
            .iter_mut()
            .filter(is_elsewhere)
            .filter_map(|of| of.row.run.map(columns::run_id))
            .collect();
        if runs.is_empty() || shelf.files.is_empty() {
            return Ok(());
        }
        self.with_scratch(|scratch| {
            scratch.load_many(&self.archive, &shelf, &runs, &["runs"])?;
            for of in evidence.iter_mut().filter(is_elsewhere) {
                let Some(run) = of.row.run else {
                    continue;
                };
                of.run = super::runs::run_in(scratch.conn(), run)?.map(|run| RunFacts {
                    job: run.job,
                    due_at: run.due_at,
                    by_schedule: run.cause == Cause::Schedule,
                    started_at: run.started_at,
                });
            }
            Ok(())
        })
    }

    /// Up to `limit` runs that the job's schedule made for due times of a period, and that no row of the ledger names.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn loose_runs(
        &self,
        job: JobId,
        (from, to): (Timestamp, Timestamp),
        limit: usize,
    ) -> Result<Vec<LooseRun>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT r.id, r.due_at, \
                 EXISTS (SELECT 1 FROM ledger l WHERE l.job = ?1 AND l.from_at = r.due_at AND l.outcome = 0) \
                 FROM runs r WHERE r.job = ?1 AND r.cause = 0 AND r.due_at BETWEEN ?2 AND ?3 \
                 AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.job = ?1 AND l.from_at = r.due_at AND l.run = r.id) \
                 ORDER BY r.id LIMIT ?4",
            )?;
            let rows = statement.query_map(
                params![
                    columns::job_id(job),
                    columns::at(from),
                    columns::at(to),
                    columns::limit(limit)
                ],
                |row| {
                    Ok(LooseRun {
                        run: columns::to_run_id(row.get(0)?),
                        due_at: columns::to_at(row.get(1)?),
                        is_second: row.get(2)?,
                    })
                },
            )?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}

fn read(job: JobId, row: &Row<'_>) -> Result<Evidence, StoreError> {
    let run_job: Option<i64> = row.get(9)?;
    let run = match run_job {
        None => None,
        Some(run_job) => Some(RunFacts {
            job: columns::to_job_id(run_job),
            due_at: columns::to_at_option(row.get(10)?),
            by_schedule: row.get::<_, i64>(11)? == 0,
            started_at: columns::to_at_option(row.get(12)?),
        }),
    };
    let row = LedgerRow {
        job,
        from: columns::to_at(row.get(0)?),
        to: columns::to_at(row.get(1)?),
        count: columns::to_count(row.get(2)?),
        outcome: columns::to_ledger_outcome(row.get(3)?)?,
        reason: columns::to_ledger_reason(row.get(4)?, row.get(5)?)?,
        run: row.get::<_, Option<i64>>(6)?.map(columns::to_run_id),
        version: columns::to_version(row.get(7)?),
        decided_at: columns::to_at(row.get(8)?),
    };
    Ok(Evidence {
        row,
        run,
        is_unkept: false,
    })
}
