//! What the leader asks to keep the state small: what is to be sealed, and what is no longer kept.

use jiff::Timestamp;
use odin_model::retention::ForgetOf;
use odin_model::{JobId, Keep, RunId};
use rusqlite::{OptionalExtension, params};

use super::Reader;
use super::past_runs::JobWalk;
use crate::history::{Entry, HistoryFile, Ranges, latest_by_job};
use crate::{StoreError, columns};

/// What part of a period's runs a state that is too large is sealed for.
const FEW: u64 = 20;

/// When a period is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealDue {
    /// With so many finished runs in the state,
    pub runs: u64,
    /// or when the state takes so many bytes and a twentieth of the runs would leave it,
    pub bytes: u64,
    /// or when the oldest finished run ended before this instant.
    pub oldest: Timestamp,
    /// Runs that ended after this instant stay in the state in any case: reports of them may still come.
    pub settled: Timestamp,
}

/// What a job keeps, and what is no longer kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobKept {
    /// Which job.
    pub job: JobId,
    /// What its current version says.
    pub keep: Keep,
    /// Finished runs before this one are not kept.
    pub runs_from: RunId,
    /// Output of finished runs before this one is not kept.
    pub outputs_from: RunId,
}

impl Reader {
    /// The index of the log up to which runs are sealed; 0: none are.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sealed_upto(&self) -> Result<u64, StoreError> {
        self.pool.ask(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT upto FROM seals ORDER BY number DESC LIMIT 1")?;
            let upto: Option<i64> = statement.query_row([], |row| row.get(0)).optional()?;
            Ok(upto.map_or(0, columns::to_count))
        })
    }

    /// Whether a period is to be sealed: up to which index of the log. Looks at `due.runs` entries of an index at most.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn seal_due(&self, due: &SealDue) -> Result<Option<(u64, u64)>, StoreError> {
        let after = self.sealed_upto()?;
        self.pool.ask(|conn| {
            let from = after.cast_signed();
            let at_place = |place: u64| -> Result<Option<(i64, i64)>, StoreError> {
                // The place is found in the index alone; only its row is read.
                let mut statement = conn.prepare_cached(
                    "SELECT ended, finished_at FROM runs WHERE id = (SELECT id FROM runs INDEXED BY runs_ended \
                     WHERE ended > ?1 ORDER BY ended LIMIT 1 OFFSET ?2)",
                )?;
                let row = statement.query_row(params![from, columns::count(place)], |row| {
                    Ok((row.get(0)?, row.get(1)?))
                });
                Ok(row.optional()?)
            };
            let settled = columns::at(due.settled);
            let full = at_place(due.runs.saturating_sub(1))?;
            if let Some((upto, finished_at)) = full
                && finished_at <= settled
            {
                return Ok(Some((after, columns::to_count(upto))));
            }
            let is_old = at_place(0)?.is_some_and(|(_, at)| at <= columns::at(due.oldest));
            // What stays in the state, the ledger above all, may be larger than that for good: no file for a few runs.
            let are_many = at_place(due.runs / FEW)?.is_some();
            let pages: i64 = conn.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let free: i64 = conn.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
            let bytes = columns::to_count(pages - free).saturating_mul(4096);
            if full.is_none() && !is_old && !(are_many && bytes >= due.bytes) {
                return Ok(None);
            }
            // The latest that is settled, among as many as a period has.
            let mut statement = conn.prepare_cached(
                "SELECT ended, finished_at FROM runs INDEXED BY runs_ended WHERE ended > ?1 ORDER BY ended LIMIT ?2",
            )?;
            let mut rows = statement.query(params![from, columns::count(due.runs)])?;
            let mut upto = None;
            while let Some(row) = rows.next()? {
                if row.get::<_, i64>(1)? > settled {
                    break;
                }
                upto = Some(columns::to_count(row.get(0)?));
            }
            Ok(upto.map(|upto| (after, upto)))
        })
    }

    /// Up to `limit` jobs in the order of their ids after one, with what they keep; removed ones too.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn jobs_kept(
        &self,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<JobKept>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT j.id, v.spec, j.kept_from, j.outputs_from FROM jobs j \
                 JOIN job_versions v ON v.job = j.id AND v.version = j.version \
                 WHERE j.id > ?1 AND (j.last_run IS NOT NULL OR j.last_decided IS NOT NULL) ORDER BY j.id LIMIT ?2",
            )?;
            let after = after.map_or(-1, columns::job_id);
            let mut rows = statement.query((after, columns::limit(limit)))?;
            let mut kept = Vec::new();
            while let Some(row) = rows.next()? {
                let spec: Vec<u8> = row.get(1)?;
                let spec: odin_model::JobSpec = odin_model::codec::decode(&spec)?;
                kept.push(JobKept {
                    job: columns::to_job_id(row.get(0)?),
                    keep: spec.keep,
                    runs_from: columns::to_run_id(row.get(2)?),
                    outputs_from: columns::to_run_id(row.get(3)?),
                });
            }
            Ok(kept)
        })
    }

    /// What of a job's past goes by what it keeps. `None`: nothing more than before. Walks over the runs that are
    /// kept, and no further.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn forgettable(
        &self,
        of: &JobKept,
        now: Timestamp,
    ) -> Result<Option<ForgetOf>, StoreError> {
        let day = std::time::Duration::from_secs(24 * 60 * 60);
        let oldest = now
            .checked_sub(day.saturating_mul(of.keep.days))
            .map_or(i64::MIN, columns::at);
        let (mut runs, mut output) = (0u32, 0u64);
        // The oldest run that is kept, and the oldest of which the output is.
        let (mut kept, mut with_output) = (None, None);
        let (mut is_run_left, mut is_output_left) = (false, false);
        let (runs_from, outputs_from) = (
            columns::run_id(of.runs_from),
            columns::run_id(of.outputs_from),
        );
        let units = of.keep.runs.saturating_mul(8).saturating_add(1 << 20);
        self.walk_of_finished(of.job, units, |entry: &Entry| {
            if entry.id < runs_from {
                return false;
            }
            if runs == of.keep.runs || entry.at < oldest {
                is_run_left = true;
                return false;
            }
            runs += 1;
            kept = Some(entry.id);
            output = output.saturating_add(columns::to_count(entry.output));
            if output <= of.keep.output_bytes || with_output.is_none() {
                with_output = Some(entry.id);
            } else if entry.output > 0 && entry.id >= outputs_from {
                is_output_left = true;
            }
            true
        })?;
        // With no run kept, all that are over go: those before the latest, whose id is a bound too.
        let bound = |id: Option<i64>, latest: Option<RunId>| id.map(columns::to_run_id).or(latest);
        let past_all = if kept.is_none() && is_run_left {
            self.after_latest(of.job)?
        } else {
            None
        };
        let forget = ForgetOf {
            job: of.job,
            runs_before: is_run_left.then(|| bound(kept, past_all)).flatten(),
            outputs_before: is_output_left.then(|| bound(with_output, None)).flatten(),
        };
        let is_news = forget.runs_before.is_some_and(|run| run > of.runs_from)
            || forget
                .outputs_before
                .is_some_and(|run| run > of.outputs_from);
        Ok(is_news.then_some(forget))
    }

    /// Up to `limit` runs of a job that is no longer kept, and whose values are in the state, oldest first.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn values_unkept(&self, job: JobId, limit: usize) -> Result<Vec<RunId>, StoreError> {
        let candidates = self.pool.ask(|conn| {
            let kept_from = "SELECT kept_from FROM jobs WHERE id = ?1";
            let kept_from: Option<i64> = conn
                .prepare_cached(kept_from)?
                .query_row([columns::job_id(job)], |row| row.get(0))
                .optional()?;
            let dropped = "SELECT upto FROM seals WHERE dropped = 1 ORDER BY number DESC LIMIT 1";
            let dropped: Option<i64> = conn
                .prepare_cached(dropped)?
                .query_row([], |row| row.get(0))
                .optional()?;
            // Runs that ended up to an index were made by it: those that end later are asked for one by one.
            let (kept_from, dropped) =
                (kept_from.unwrap_or(0), dropped.map_or(0, columns::to_count));
            let mut statement = conn.prepare_cached(
                "SELECT v.run FROM value_runs v WHERE v.job = ?1 \
                 AND NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = v.run AND r.outcome IS NULL) \
                 ORDER BY v.run LIMIT ?2",
            )?;
            let rows = statement
                .query_map((columns::job_id(job), columns::limit(limit)), |row| {
                    row.get::<_, i64>(0)
                })?;
            let mut found = Vec::new();
            for row in rows {
                let id = row?;
                let run = columns::to_run_id(id);
                if id < kept_from {
                    found.push((run, true));
                } else if run.index() <= dropped {
                    found.push((run, false));
                } else {
                    break;
                }
            }
            Ok(found)
        })?;
        let mut unkept = Vec::new();
        for (run, is_certain) in candidates {
            if is_certain || self.is_gone(run)? {
                unkept.push(run);
            }
        }
        Ok(unkept)
    }

    /// Whether nothing is known of a run any more, and no file that cannot be read may have it.
    fn is_gone(&self, run: RunId) -> Result<bool, StoreError> {
        Ok(!self.archive.is_incomplete() && self.run(run)?.is_none())
    }

    /// Whether the output of a run is kept: it is open, or its job keeps it. Of one that nobody knows it is not, unless
    /// it may be in a file of history that cannot be read, or is newer than this state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn keeps_output(&self, run: RunId) -> Result<bool, StoreError> {
        self.pool.ask(|state| {
            let of = self.of_run(state, run, |conn| {
                let mut statement =
                    conn.prepare_cached("SELECT job, outcome IS NULL FROM runs WHERE id = ?1")?;
                let row = statement.query_row([columns::run_id(run)], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?))
                });
                Ok(row.optional()?)
            })?;
            let Some((job, is_open)) = of else {
                let is_newer = run.index() > crate::local::applied(state)?;
                return Ok(is_newer || self.archive.is_incomplete());
            };
            let mut statement = state
                .prepare_cached("SELECT max(kept_from, outputs_from) FROM jobs WHERE id = ?1")?;
            let from: Option<i64> = statement.query_row([job], |row| row.get(0)).optional()?;
            Ok(is_open || from.is_none_or(|from| columns::run_id(run) >= from))
        })
    }

    /// The number of the latest file of history that may go with all before it: no job keeps a run in it, or all
    /// files together take more than `bytes_max`. 0: none may.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn files_droppable(&self, bytes_max: Option<u64>) -> Result<u64, StoreError> {
        let shelf = self.archive.shelf();
        let mut bytes: u64 = shelf.files.iter().map(|file| file.length).sum();
        let mut upto = 0;
        for file in &shelf.files {
            let is_too_much = bytes_max.is_some_and(|bytes_max| bytes > bytes_max);
            if !is_too_much && self.is_kept(file)? {
                break;
            }
            bytes -= file.length;
            upto = file.index.number;
        }
        // The latest stays until there is a newer one.
        let latest = shelf.files.last().map_or(0, |file| file.index.number);
        Ok(if upto == latest {
            latest.saturating_sub(1)
        } else {
            upto
        })
    }

    /// Whether a job keeps a run in a file. One that cannot be read is kept: a person should know of it first.
    fn is_kept(&self, file: &HistoryFile) -> Result<bool, StoreError> {
        let Ok(latest) = latest_by_job(file) else {
            return Ok(true);
        };
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached("SELECT kept_from FROM jobs WHERE id = ?1")?;
            for (job, run) in latest {
                let from: Option<i64> = statement.query_row([job], |row| row.get(0)).optional()?;
                if from.is_some_and(|from| run >= from) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// Walks over a job's finished runs, newest first, until `take` says that it is enough or the units are spent.
    fn walk_of_finished(
        &self,
        job: JobId,
        units: u32,
        mut take: impl FnMut(&Entry) -> bool,
    ) -> Result<(), StoreError> {
        let walk = JobWalk {
            job,
            before: None,
            ranges: Ranges::default(),
            units,
            with_output: true,
        };
        self.pool.ask(|conn| {
            self.walk_of_job(conn, &walk, |entry| {
                Ok(entry.outcome.is_none() || take(entry))
            })?;
            Ok(())
        })
    }

    /// An id after that of a job's latest run that is over.
    fn after_latest(&self, job: JobId) -> Result<Option<RunId>, StoreError> {
        let mut latest = None;
        self.walk_of_finished(job, 1 << 20, |entry| {
            latest = Some(columns::to_run_id(entry.id.saturating_add(1)));
            false
        })?;
        Ok(latest)
    }
}
