//! What a proof of the ledger reads, from one committed state.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use odin_model::ledger::LedgerRow;
use odin_model::owner::Owner;
use odin_model::{JobId, RunId};
use odin_scheduling::proof::{Evidence, RunFacts};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Reader;
use super::ledger::kept;
use super::past_runs::{CauseKind, JobWalk, RunFilter};
use super::pool::Pool;
use crate::history::{Section, UNITS, each_row, number_in, run_of};
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

/// A page of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LooseRuns {
    /// Those that were found, in the order of their ids.
    pub runs: Vec<LooseRun>,
    /// How many runs were held against the ledger.
    pub looked_at: u64,
    /// The next page is of runs before this one. `None`: this was the last.
    pub next: Option<RunId>,
}

/// What a page of them may spend: some tenths of a second.
const LOOSE_UNITS: u32 = if cfg!(test) { UNITS } else { 10 * UNITS };
/// The number of the outcome `started` in a row of the ledger.
const STARTED: i64 = 0;
/// The number of the cause of a run that a schedule made.
const BY_SCHEDULE: i64 = 0;

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
            let mut statement = conn.prepare_cached(concat!(
                "SELECT from_at, to_at FROM ledger WHERE job = ?1 AND from_at <= ?2 AND ",
                kept!(""),
                " ORDER BY from_at DESC LIMIT 1"
            ))?;
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
                concat!(
                    "SELECT l.from_at, l.to_at, l.count, l.outcome, l.reason, l.reason_run, l.run, l.version, \
                     l.decided_at, r.job, r.due_at, r.cause, r.started_at \
                     FROM ledger l LEFT JOIN runs r ON r.id = l.run \
                     WHERE l.job = ?1 AND l.from_at > ?2 AND l.from_at <= ?3 AND ",
                    kept!("l."),
                    " ORDER BY l.from_at LIMIT ?4"
                ),
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
        let mut runs: Vec<i64> = evidence
            .iter_mut()
            .filter(is_elsewhere)
            .filter_map(|of| of.row.run.map(columns::run_id))
            .collect();
        runs.sort_unstable();
        if runs.is_empty() || shelf.files.is_empty() {
            return Ok(());
        }
        let mut facts = BTreeMap::new();
        each_row(&self.archive, &shelf, &runs, "runs", |section, row| {
            if let Some(run) = run_of(row) {
                facts.insert(run, facts_in(section, row)?);
            }
            Ok(())
        })?;
        for of in evidence.iter_mut().filter(is_elsewhere) {
            let run = of.row.run.map(columns::run_id);
            of.run = run.and_then(|run| facts.get(&run).copied());
        }
        Ok(())
    }

    /// The runs that the job's schedule made for due times of a period, and that no row of the ledger names, wherever
    /// they are: older than `before`, in the order of their ids. What a page looks at is bounded, so it may be empty
    /// while there is a next one.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn loose_runs(
        &self,
        job: JobId,
        (from, to): (Timestamp, Timestamp),
        before: Option<RunId>,
    ) -> Result<LooseRuns, StoreError> {
        let made_by_schedule = RunFilter {
            causes: vec![CauseKind::Schedule],
            since: Some(from),
            until: to.checked_add(SignedDuration::from_micros(1)).ok(),
            ..RunFilter::default()
        };
        let ranges = made_by_schedule.ranges();
        let walk = JobWalk {
            job,
            before,
            ranges,
            units: LOOSE_UNITS,
            with_output: false,
        };
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT outcome, run FROM ledger WHERE job = ?1 AND from_at = ?2",
            )?;
            let mut found = LooseRuns::default();
            found.next = self.walk_of_job(conn, &walk, |entry| {
                if !ranges.hold(entry) {
                    return Ok(true);
                }
                found.looked_at += 1;
                let row: Option<(i64, Option<i64>)> = statement
                    .query_row([entry.job, entry.at], |row| Ok((row.get(0)?, row.get(1)?)))
                    .optional()?;
                if row.is_none_or(|(_, run)| run != Some(entry.id)) {
                    found.runs.push(LooseRun {
                        run: columns::to_run_id(entry.id),
                        due_at: columns::to_at(entry.at),
                        is_second: row.is_some_and(|(outcome, _)| outcome == STARTED),
                    });
                }
                Ok(true)
            })?;
            found.runs.reverse();
            Ok(found)
        })
    }
}

/// What the row of a run in a file says.
fn facts_in(section: &Section, row: &[Value]) -> Result<RunFacts, StoreError> {
    let number = |column| number_in(section, row, column);
    Ok(RunFacts {
        job: columns::to_job_id(number("job").ok_or_else(damaged)?),
        due_at: columns::to_at_option(number("due_at")),
        by_schedule: number("cause").ok_or_else(damaged)? == BY_SCHEDULE,
        started_at: columns::to_at_option(number("started_at")),
    })
}

fn damaged() -> StoreError {
    StoreError::damaged("a run in a file of history")
}

fn read(job: JobId, row: &Row<'_>) -> Result<Evidence, StoreError> {
    let run_job: Option<i64> = row.get(9)?;
    let run = match run_job {
        None => None,
        Some(run_job) => Some(RunFacts {
            job: columns::to_job_id(run_job),
            due_at: columns::to_at_option(row.get(10)?),
            by_schedule: row.get::<_, i64>(11)? == BY_SCHEDULE,
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

#[cfg(test)]
mod tests {
    use odin_model::attempt::Ending;
    use odin_model::{Missed, Overlap};

    use super::*;
    use crate::scenario::{Scenario, finished, minute, started};

    /// A job with a run for each of the first ten minutes, all over.
    fn lived() -> (Scenario, JobId, Vec<RunId>) {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let run_at = |at| {
            let run = scenario.run_of(job, at);
            scenario.report(vec![
                started(run),
                finished(run, Ending::Exited { code: 0 }),
            ]);
            run
        };
        let runs = (1..=10).map(run_at).collect();
        (scenario, job, runs)
    }

    /// Changes the ledger behind the store's back.
    fn edit(scenario: &Scenario, sql: &str) {
        let conn = Connection::open(scenario.directory.path().join("state.db")).unwrap();
        assert!(conn.execute(sql, []).unwrap() > 0, "{sql}");
    }

    fn loose(scenario: &Scenario, job: JobId, period: (i64, i64)) -> Vec<LooseRun> {
        let reader = scenario.store.reader();
        let period = (minute(period.0), minute(period.1));
        let (mut pages, mut before) = (Vec::new(), None);
        loop {
            let page = reader.loose_runs(job, period, before).unwrap();
            pages.push(page.runs);
            before = page.next;
            if before.is_none() {
                return pages.into_iter().rev().flatten().collect();
            }
        }
    }

    /// Three rows of the ledger are edited, each after the runs came to be where `place` puts them.
    fn check(place: impl Fn(&mut Scenario)) {
        let (mut scenario, job, runs) = lived();
        place(&mut scenario);
        assert_eq!(loose(&scenario, job, (0, 99)), []);
        edit(
            &scenario,
            &format!(
                "DELETE FROM ledger WHERE from_at = {}",
                columns::at(minute(3))
            ),
        );
        edit(
            &scenario,
            &format!(
                "UPDATE ledger SET run = {} WHERE from_at = {}",
                columns::run_id(runs[0]),
                columns::at(minute(5))
            ),
        );
        edit(
            &scenario,
            &format!(
                "UPDATE ledger SET outcome = 3, run = NULL WHERE from_at = {}",
                columns::at(minute(8))
            ),
        );
        let of = |number: usize, at, is_second| LooseRun {
            run: runs[number],
            due_at: minute(at),
            is_second,
        };
        let all = [of(2, 3, false), of(4, 5, true), of(7, 8, false)];
        assert_eq!(loose(&scenario, job, (0, 99)), all);
        assert_eq!(loose(&scenario, job, (5, 8)), all[1..]);
        assert_eq!(loose(&scenario, job, (6, 7)), []);
    }

    #[test]
    fn a_run_without_its_row_is_found_wherever_it_is() {
        check(|_| {});
        check(Scenario::seal);
        check(|scenario| {
            scenario.seal();
            scenario.settle();
        });
    }

    #[test]
    fn the_evidence_of_a_sealed_run_is_that_of_a_live_one() {
        let (mut scenario, job, _) = lived();
        let evidence = |scenario: &Scenario| {
            let reader = scenario.store.reader();
            reader
                .ledger_evidence(job, minute(0), minute(99), 100)
                .unwrap()
        };
        let live = evidence(&scenario);
        assert!(live.iter().all(|of| of.run.is_some()), "{live:?}");
        scenario.seal();
        scenario.settle();
        assert_eq!(evidence(&scenario), live);
    }
}
