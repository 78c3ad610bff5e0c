//! Writes the ledger. A row is never replaced; neighbouring rows that say the same are joined.

use jiff::Timestamp;
use odin_model::ledger::LedgerReason;
use odin_model::{JobId, LedgerOutcome, Revision, RunId, VersionNumber};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, statistics};
use crate::{Observation, StoreError, columns};

/// Occurrences with their outcome.
pub(super) struct Entry {
    pub(super) job: JobId,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) count: u64,
    pub(super) outcome: LedgerOutcome,
    pub(super) reason: LedgerReason,
    pub(super) run: Option<RunId>,
    pub(super) version: VersionNumber,
    pub(super) revision: Revision,
    pub(super) decided_at: Timestamp,
}

/// Adds occurrences that come after all others of the job in the ledger.
pub(super) fn add(batch: &mut Batch<'_>, entry: &Entry) -> Result<(), StoreError> {
    statistics::decided(batch, entry)?;
    let conn = batch.conn;
    batch.observations.push(Observation::Decided {
        outcome: entry.outcome,
        count: entry.count,
    });
    // A started occurrence has a run of its own, so its row equals no other.
    if entry.outcome != LedgerOutcome::Started && join(conn, entry)? {
        return Ok(());
    }
    let (reason, reason_run) = columns::ledger_reason(entry.reason);
    let mut statement = conn.prepare_cached(
        "INSERT INTO ledger (job, from_at, to_at, count, outcome, reason, reason_run, run, version, revision, \
         decided_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    statement.execute(params![
        columns::job_id(entry.job),
        columns::at(entry.from),
        columns::at(entry.to),
        columns::count(entry.count),
        columns::ledger_outcome(entry.outcome),
        reason,
        reason_run,
        entry.run.map(columns::run_id),
        entry.version.0,
        columns::revision(entry.revision),
        columns::at(entry.decided_at),
    ])?;
    Ok(())
}

/// Extends the job's latest row by the entry if it says the same of the same revision. The row then carries the
/// later decision's time.
fn join(conn: &Connection, entry: &Entry) -> Result<bool, StoreError> {
    let (reason, reason_run) = columns::ledger_reason(entry.reason);
    let job = columns::job_id(entry.job);
    let mut latest = conn.prepare_cached(
        "SELECT from_at, outcome = ?2 AND reason = ?3 AND reason_run IS ?4 AND run IS ?5 AND revision = ?6 \
         FROM ledger WHERE job = ?1 ORDER BY from_at DESC LIMIT 1",
    )?;
    let latest: Option<(i64, bool)> = latest
        .query_row(
            params![
                job,
                columns::ledger_outcome(entry.outcome),
                reason,
                reason_run,
                entry.run.map(columns::run_id),
                columns::revision(entry.revision),
            ],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let Some((from, true)) = latest else {
        return Ok(false);
    };
    let mut extend = conn.prepare_cached(
        "UPDATE ledger SET to_at = ?3, count = count + ?4, decided_at = ?5 WHERE job = ?1 AND from_at = ?2",
    )?;
    extend.execute(params![
        job,
        from,
        columns::at(entry.to),
        columns::count(entry.count),
        columns::at(entry.decided_at),
    ])?;
    Ok(true)
}
