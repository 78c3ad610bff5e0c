//! Counts as they are stored: of a job, of an owner's jobs, of all.

use odin_model::JobId;
use odin_model::codec;
use odin_model::statistics::Statistics;
use rusqlite::Connection;

use crate::{StoreError, columns};

/// How many days a job's typical duration is learned from.
pub const TYPICAL_DAYS: i64 = 30;

/// Whose counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// A job's.
    Job(JobId),
    /// Those of all jobs of the user with this uid.
    Owner(u32),
    /// Those of all jobs.
    All,
}

impl Scope {
    /// The columns `scope` and `scope_of`.
    pub(crate) fn columns(self) -> (i64, i64) {
        match self {
            Self::Job(job) => (0, columns::job_id(job)),
            Self::Owner(uid) => (1, i64::from(uid)),
            Self::All => (2, 0),
        }
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Statistics, StoreError> {
    Ok(codec::decode(bytes)?)
}

/// The counts of what lies wholly or in part between two hours, both included.
pub(crate) fn of_scope(
    conn: &Connection,
    scope: Scope,
    from: i64,
    to: i64,
) -> Result<Statistics, StoreError> {
    let (kind, of) = scope.columns();
    let mut statement = conn.prepare_cached(
        "SELECT counts FROM statistics \
         WHERE scope = ?1 AND scope_of = ?2 AND from_hour <= ?4 AND from_hour > ?3 - 24 AND from_hour + hours > ?3",
    )?;
    let mut rows = statement.query((kind, of, from, to))?;
    let mut sum = Statistics::default();
    while let Some(row) = rows.next()? {
        let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
        sum.merge(&decode(bytes)?);
    }
    Ok(sum)
}
