//! The ledger.

use jiff::Timestamp;
use odin_model::ledger::LedgerRow;
use odin_model::{JobId, instant};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};

use super::Reader;
use crate::{StoreError, columns};

/// A row of the ledger of the job `?1` is kept; `$of` stands before the names of its columns.
macro_rules! kept {
    ($of:literal) => {
        concat!(
            $of,
            "to_at >= coalesce((SELECT ledger_from FROM jobs WHERE id = ?1), ",
            $of,
            "to_at)"
        )
    };
}
pub(super) use kept;

impl Reader {
    /// From when on a job's ledger is kept. `None`: from the beginning.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn ledger_from(&self, job: JobId) -> Result<Option<Timestamp>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT ledger_from FROM jobs WHERE id = ?1")?;
            let from = statement
                .query_row([columns::job_id(job)], |row| row.get::<_, Option<i64>>(0))
                .optional()?;
            Ok(from.flatten().map(columns::to_at))
        })
    }

    /// How many rows of a job's ledger end before an instant, up to `limit`: those that are no longer to be kept.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn ledger_trim(
        &self,
        job: JobId,
        before: Timestamp,
        limit: u32,
    ) -> Result<u32, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT to_at FROM ledger WHERE job = ?1 AND from_at < ?2 ORDER BY from_at LIMIT ?3",
            )?;
            let before = columns::at(before);
            let mut rows = statement.query(params![columns::job_id(job), before, limit])?;
            let mut count = 0;
            while let Some(row) = rows.next()? {
                count += u32::from(row.get::<_, i64>(0)? < before);
            }
            Ok(count)
        })
    }

    /// The row whose range holds `at`, to the microsecond. A row of several occurrences also covers the instants
    /// between them: whether `at` is an occurrence, the schedule of the row's version says.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn ledger_at(&self, job: JobId, at: Timestamp) -> Result<Option<LedgerRow>, StoreError> {
        let at = instant::to_micros(at);
        self.pool.ask(|conn| {
            let rows = ledger_of(
                conn,
                concat!(
                    "WHERE job = ?1 AND from_at <= ?2 AND ",
                    kept!(""),
                    " ORDER BY from_at DESC LIMIT 1"
                ),
                (columns::job_id(job), at),
            )?;
            Ok(rows
                .into_iter()
                .find(|row| instant::to_micros(row.to) >= at))
        })
    }

    /// Up to `limit` rows of a job that begin at `from` or later and not after `to`, oldest first. The next page
    /// begins a microsecond after the last row's `from`.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn ledger(
        &self,
        job: JobId,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> Result<Vec<LedgerRow>, StoreError> {
        self.pool.ask(|conn| {
            ledger_of(
                conn,
                concat!(
                    "WHERE job = ?1 AND from_at BETWEEN ?2 AND ?3 AND ",
                    kept!(""),
                    " ORDER BY from_at LIMIT ?4"
                ),
                params![
                    columns::job_id(job),
                    columns::at(from),
                    columns::at(to),
                    columns::limit(limit)
                ],
            )
        })
    }
}

fn ledger_of(
    conn: &Connection,
    condition: &str,
    params: impl Params,
) -> Result<Vec<LedgerRow>, StoreError> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT job, from_at, to_at, count, outcome, reason, reason_run, run, version, decided_at FROM ledger \
         {condition}"
    ))?;
    let rows = statement.query_map(params, |row| Ok(read(row)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>) -> Result<LedgerRow, StoreError> {
    Ok(LedgerRow {
        job: columns::to_job_id(row.get(0)?),
        from: columns::to_at(row.get(1)?),
        to: columns::to_at(row.get(2)?),
        count: columns::to_count(row.get(3)?),
        outcome: columns::to_ledger_outcome(row.get(4)?)?,
        reason: columns::to_ledger_reason(row.get(5)?, row.get(6)?)?,
        run: row.get::<_, Option<i64>>(7)?.map(columns::to_run_id),
        version: columns::to_version(row.get(8)?),
        decided_at: columns::to_at(row.get(9)?),
    })
}

#[cfg(test)]
mod tests {
    use odin_model::{Missed, Overlap};

    use crate::scenario::{Scenario, minute};

    #[test]
    fn the_row_that_holds_an_instant_is_found() {
        let mut scenario = Scenario::with_node();
        let id = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        scenario.fire(id, &[1, 2, 3, 4], 60);
        scenario.fire(id, &[5], 60);
        let reader = scenario.store.reader();
        for (at, expected) in [
            (0, None),
            (1, Some((1, 3))),
            (2, Some((1, 3))),
            (3, Some((1, 3))),
            (4, Some((4, 4))),
            (5, Some((5, 5))),
            (6, None),
        ] {
            let row = reader.ledger_at(id, minute(at)).unwrap();
            let expected = expected.map(|(from, to)| (minute(from), minute(to)));
            assert_eq!(row.map(|row| (row.from, row.to)), expected, "minute {at}");
        }
        let page = reader.ledger(id, minute(2), minute(5), 1).unwrap();
        assert_eq!((page.len(), page[0].from), (1, minute(4)));
    }
}
