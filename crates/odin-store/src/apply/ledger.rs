//! Writes the ledger. A row is never replaced; neighbouring rows that say the same are joined.

use jiff::Timestamp;
use odin_model::ledger::LedgerReason;
use odin_model::retention::{LedgerTrim, TrimLedger};
use odin_model::{JobId, LedgerOutcome, Reply, Revision, RunId, VersionNumber};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Batch, Stop, statistics};
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

/// Lets go of rows of long ago. The bound only ever moves on; the rows behind it go some at a time.
pub(super) fn trim(batch: &mut Batch<'_>, asked: &TrimLedger) -> Result<Reply, Stop> {
    for of in &asked.jobs {
        trim_job(batch.conn, of)?;
    }
    Ok(Reply::Done)
}

fn trim_job(conn: &Connection, of: &LedgerTrim) -> Result<(), StoreError> {
    let (job, before) = (columns::job_id(of.job), columns::at(of.before));
    conn.prepare_cached(
        "UPDATE jobs SET ledger_from = max(coalesce(ledger_from, ?2), ?2) WHERE id = ?1",
    )?
    .execute([job, before])?;
    // A row across the bound stays whole. Rows do not overlap: it is the last of those that begin before.
    conn.prepare_cached(
        "DELETE FROM ledger WHERE job = ?1 AND to_at < ?2 AND from_at IN \
         (SELECT from_at FROM ledger WHERE job = ?1 AND from_at < ?2 ORDER BY from_at LIMIT ?3)",
    )?
    .execute(params![job, before, of.rows_max])?;
    conn.prepare_cached(
        "DELETE FROM caught_up WHERE job = ?1 AND due_at IN \
         (SELECT due_at FROM caught_up WHERE job = ?1 AND due_at < ?2 ORDER BY due_at LIMIT ?3)",
    )?
    .execute(params![job, before, of.rows_max])?;
    Ok(())
}

/// From when on a job's ledger is kept. `None`: from the beginning.
pub(super) fn kept_from(conn: &Connection, job: JobId) -> Result<Option<Timestamp>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT ledger_from FROM jobs WHERE id = ?1")?;
    let from = statement.query_row([columns::job_id(job)], |row| row.get::<_, Option<i64>>(0));
    Ok(from.optional()?.flatten().map(columns::to_at))
}

#[cfg(test)]
mod tests {
    use odin_model::command::{CatchUp, CatchUpAnswer, Command};
    use odin_model::{Missed, Overlap};

    use super::*;
    use crate::scenario::{Scenario, ann, minute};

    /// The minutes of the rows that the reader shows.
    fn shown(scenario: &Scenario, job: JobId) -> Vec<(Timestamp, Timestamp)> {
        let rows = scenario.ledger(job).into_iter();
        rows.map(|row| (row.from, row.to)).collect()
    }

    fn trim(scenario: &mut Scenario, job: JobId, before: Timestamp, rows_max: u32) {
        let of = LedgerTrim {
            job,
            before,
            rows_max,
        };
        scenario.apply(&Command::TrimLedger(TrimLedger { jobs: vec![of] }));
    }

    #[test]
    fn rows_that_end_before_the_bound_are_gone_at_once_and_deleted_by_and_by() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let other = scenario.job_with("other", Overlap::Allow, Missed::Once);
        for at in 1..=3 {
            scenario.fire(job, &[at], at);
        }
        // The minutes 4 to 8 are one row, 9 has its run.
        scenario.fire(job, &[4, 5, 6, 7, 8, 9], 60);
        scenario.fire(job, &[10], 10);
        scenario.fire(other, &[1], 1);
        let span = |from, to| (minute(from), minute(to));
        let all = [
            span(1, 1),
            span(2, 2),
            span(3, 3),
            span(4, 8),
            span(9, 9),
            span(10, 10),
        ];
        assert_eq!(shown(&scenario, job), all);
        let reader = scenario.store.reader();
        assert_eq!(reader.ledger_trim(job, minute(1), 9).unwrap(), 0);
        assert_eq!(reader.ledger_trim(job, minute(6), 9).unwrap(), 3);
        assert_eq!(reader.ledger_trim(job, minute(6), 2).unwrap(), 2);
        trim(&mut scenario, job, minute(6), 2);
        // The third row is still there, and nobody sees it.
        assert_eq!(shown(&scenario, job), all[3..]);
        assert_eq!(reader.ledger_at(job, minute(3)).unwrap(), None);
        assert!(reader.ledger_at(job, minute(4)).unwrap().is_some());
        let all_evidence = |job| {
            let rows = reader.ledger_evidence(job, minute(-9), minute(99), 99);
            rows.unwrap().len()
        };
        assert_eq!(all_evidence(job), 3);
        assert_eq!(reader.ledger_from(job).unwrap(), Some(minute(6)));
        assert_eq!(reader.ledger_trim(job, minute(6), 9).unwrap(), 1);
        trim(&mut scenario, job, minute(6), 2);
        assert_eq!(reader.ledger_trim(job, minute(6), 9).unwrap(), 0);
        // An earlier bound brings nothing back, and the other job has its own.
        trim(&mut scenario, job, minute(2), 2);
        assert_eq!(reader.ledger_from(job).unwrap(), Some(minute(6)));
        assert_eq!(shown(&scenario, other).len(), 1);
        assert_eq!(reader.ledger_from(other).unwrap(), None);
        // What is decided next is written as ever.
        trim(&mut scenario, job, minute(11), 99);
        assert_eq!(shown(&scenario, job), []);
        scenario.fire(job, &[11], 11);
        assert_eq!(shown(&scenario, job), [span(11, 11)]);
    }

    #[test]
    fn what_may_have_had_its_run_is_not_caught_up() {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        scenario.fire(job, &[1], 1);
        scenario.fire(job, &[2], 2);
        trim(&mut scenario, job, minute(2), 9);
        let answer = scenario.apply(&Command::CatchUp(CatchUp {
            by: ann(),
            job,
            due: vec![minute(1), minute(2)],
            at: minute(5),
        }));
        let Reply::CatchingUp(answers) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(answers[0].answer, CatchUpAnswer::NotKept);
        assert!(matches!(answers[1].answer, CatchUpAnswer::HasRun { .. }));
    }
}
