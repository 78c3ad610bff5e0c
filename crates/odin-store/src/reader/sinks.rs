//! Sinks, and the feed that they send.

use std::collections::{BTreeMap, BTreeSet};

use odin_model::retention::ForgetOf;
use odin_model::sink::{FeedEntry, Sink, SinkName};
use odin_model::{JobId, RunId};
use rusqlite::OptionalExtension;

use super::Reader;
use crate::{JobKept, StoreError, columns, sinks};

/// The oldest runs that are over and of which a sink has not got everything.
#[derive(Debug, Clone, Default)]
pub struct Unsent {
    by_job: BTreeMap<JobId, RunId>,
    /// Of those whose jobs are not known, since they are in files of history or very many.
    elsewhere: Option<RunId>,
}

/// How many runs are looked up to know whose they are.
const UNSENT_LOOKED_AT: usize = if cfg!(test) { 4 } else { 10_000 };

impl Unsent {
    /// What of a job's past may go when no run goes that a sink waits for. `None`: nothing.
    #[must_use]
    pub fn without(&self, of: &JobKept, forget: ForgetOf) -> Option<ForgetOf> {
        let oldest = [self.by_job.get(&of.job).copied(), self.elsewhere];
        let oldest = oldest.into_iter().flatten().min();
        let runs_before = forget
            .runs_before
            .map(|before| oldest.map_or(before, |oldest| oldest.min(before)))
            .filter(|before| *before > of.runs_from);
        let left = ForgetOf {
            runs_before,
            ..forget
        };
        (left.runs_before.is_some() || left.outputs_before.is_some()).then_some(left)
    }
}

impl Reader {
    /// All sinks, by name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sinks(&self) -> Result<Vec<Sink>, StoreError> {
        self.pool.ask(sinks::all)
    }

    /// One sink.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sink(&self, name: &SinkName) -> Result<Option<Sink>, StoreError> {
        self.pool.ask(|conn| sinks::find(conn, name))
    }

    /// Up to `limit` entries of the sinks' feed after this number, in order.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn sink_feed(&self, after: u64, limit: usize) -> Result<Vec<FeedEntry>, StoreError> {
        self.pool.ask(|conn| sinks::feed(conn, after, limit))
    }

    /// What the sinks have not got.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn unsent(&self) -> Result<Unsent, StoreError> {
        self.pool.ask(|conn| {
            let cursor: Option<i64> = conn
                .prepare_cached("SELECT min(cursor) FROM sinks")?
                .query_row([], |row| row.get(0))?;
            let Some(cursor) = cursor else {
                return Ok(Unsent::default());
            };
            let (mut runs, mut unsent) = (BTreeSet::new(), Unsent::default());
            let mut waiting = conn.prepare_cached("SELECT run FROM sink_feed WHERE number > ?1")?;
            let mut rows = waiting.query([cursor])?;
            while let Some(row) = rows.next()? {
                runs.insert(row.get::<_, i64>(0)?);
                if runs.len() > UNSENT_LOOKED_AT {
                    // What is newer counts as every job's.
                    unsent.elsewhere = runs.pop_last().map(columns::to_run_id);
                }
            }
            let mut facts =
                conn.prepare_cached("SELECT job, outcome IS NULL FROM runs WHERE id = ?1")?;
            for run in runs {
                let found: Option<(i64, bool)> =
                    facts.query_row([run], |row| row.try_into()).optional()?;
                let run = columns::to_run_id(run);
                match found {
                    Some((_, true)) => {}
                    Some((job, false)) => {
                        let job = columns::to_job_id(job);
                        unsent.by_job.entry(job).or_insert(run);
                    }
                    None => {
                        unsent.elsewhere = Some(run);
                        break;
                    }
                }
            }
            Ok(unsent)
        })
    }
}
