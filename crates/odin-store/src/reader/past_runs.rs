//! Runs wherever they are: in the state while they are new, in files of history later. Who asks does not see which.

use std::collections::BTreeMap;
use std::sync::PoisonError;

use jiff::Timestamp;
use odin_model::output::OutputSummary;
use odin_model::owner::Owner;
use odin_model::run::{Cause, Outcome, Run};
use odin_model::{JobId, NodeId, RunId};
use rusqlite::{Connection, OptionalExtension, params};

use super::Reader;
use super::links::successors_of;
use super::runs::{counts_of, output_row_of, run_in};
use crate::history::{Entry, LIVE_COLUMNS, Ranges, Scratch, Shelf, UNITS, Walk, of_root};
use crate::{StoreError, columns};

/// How many databases in memory are kept for later questions.
const SCRATCHES_MAX: usize = 4;

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

/// Which of them. Everything that is said must hold; the default lets all through.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunFilter {
    /// With one of these outcomes; empty: with any, or none yet.
    pub outcomes: Vec<Outcome>,
    /// Begun for one of these causes, by their words; empty: any.
    pub causes: Vec<CauseKind>,
    /// Whether it is over.
    pub is_over: Option<bool>,
    /// Of open ones, only those in one of these states, by their words; empty: any.
    pub open_states: Vec<OpenState>,
    /// Whose latest attempt was on this node.
    pub node: Option<NodeId>,
    /// Due at this instant or later; a run without a due time counts as due when it was asked for.
    pub since: Option<Timestamp>,
    /// Due before this instant.
    pub until: Option<Timestamp>,
}

/// Why a run exists, without by whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CauseKind {
    /// An occurrence of the schedule.
    Schedule,
    /// A person.
    Manual,
    /// The end of another run.
    Link,
    /// A person, for a due time of the past.
    CatchUp,
}

/// The state of a run that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OpenState {
    /// No node has it.
    Queued,
    /// A node has it and has not started it.
    Assigned,
    /// Its process runs.
    Running,
    /// Its node is silent.
    Unreachable,
    /// It waits for its turn.
    Waiting,
    /// It waits for its next attempt.
    Retrying,
}

/// A page of runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunsPage {
    /// The runs, newest first, with the counts of their output and without its bytes. May be fewer than asked for, and even none, while there is a
    /// next page.
    pub runs: Vec<Run>,
    /// The next page is of runs before this one. `None`: this was the last.
    pub next: Option<RunId>,
    /// Whether runs may be left out because a file of history cannot be read: see [`Reader::history`].
    pub is_incomplete: bool,
}

/// A walk over the runs of a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct JobWalk {
    pub(super) job: JobId,
    /// Older than this one. `None`: from the newest on.
    pub(super) before: Option<RunId>,
    /// What need not be shown. The walk may show it all the same.
    pub(super) ranges: Ranges,
    /// What it may spend.
    pub(super) units: u32,
    /// Whether it tells how much output is in files.
    pub(super) with_output: bool,
}

/// What decides whether a job's runs are shown.
#[derive(Debug, Clone, Copy)]
struct OfJob {
    may_be_seen: bool,
    kept_from: i64,
}

impl RunFilter {
    pub(super) fn ranges(&self) -> Ranges {
        let bits = |numbers: &mut dyn Iterator<Item = i64>| {
            numbers.fold(0u64, |bits, number| bits | 1 << number.clamp(0, 63))
        };
        Ranges {
            outcomes: bits(&mut self.outcomes.iter().map(|&it| columns::outcome(it))),
            causes: bits(&mut self.causes.iter().map(|it| it.number())),
            node: self.node.map(columns::node_id),
            since: self.since.map(columns::at),
            until: self.until.map(columns::at),
        }
    }

    /// `Some(false)`: no run that is over can match.
    fn over(&self) -> Option<bool> {
        if !self.open_states.is_empty() {
            return Some(false);
        }
        self.is_over.or((!self.outcomes.is_empty()).then_some(true))
    }

    fn holds(&self, ranges: &Ranges, entry: &Entry) -> bool {
        let is_over = entry.outcome.is_some();
        let state = |state: &OpenState| state.number() == entry.state;
        ranges.hold(entry)
            && self.over().is_none_or(|over| over == is_over)
            && (self.open_states.is_empty() || self.open_states.iter().any(state))
    }
}

impl CauseKind {
    /// The kind of a cause.
    #[must_use]
    pub fn of(cause: &Cause) -> Self {
        match cause {
            Cause::Schedule => Self::Schedule,
            Cause::Manual { .. } => Self::Manual,
            Cause::Link { .. } => Self::Link,
            Cause::CatchUp { .. } => Self::CatchUp,
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Schedule => 0,
            Self::Manual => 1,
            Self::Link => 2,
            Self::CatchUp => 3,
        }
    }
}

impl OpenState {
    fn number(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Assigned => 1,
            Self::Running => 2,
            Self::Unreachable => 3,
            Self::Waiting => 5,
            Self::Retrying => 6,
        }
    }
}

impl Reader {
    /// Up to `limit` runs that the filter lets through, newest first, older than `before`. What a page looks at is
    /// bounded, so it may hold fewer, and even none, while there is a next one.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn runs_that(
        &self,
        of: RunsOf<'_>,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: usize,
    ) -> Result<RunsPage, StoreError> {
        let before = before.map_or(i64::MAX, columns::run_id);
        self.pool.ask(|conn| {
            // The first read fixes the state; only then the files are looked at: a row that the state no longer has
            // is in a file by then.
            let mut jobs: BTreeMap<i64, OfJob> = BTreeMap::new();
            let job = match of {
                RunsOf::Job(job) => {
                    let job = columns::job_id(job);
                    jobs.insert(job, of_job(conn, job, None)?);
                    Some(job)
                }
                RunsOf::Owner(_) | RunsOf::All => {
                    of_job(conn, 0, None)?;
                    None
                }
            };
            let shelf = self.archive.shelf();
            let none = Shelf::default();
            let files = if filter.over() == Some(false) {
                &none
            } else {
                &shelf
            };
            let owner = match of {
                RunsOf::Owner(owner) => Some(owner),
                RunsOf::Job(_) | RunsOf::All => None,
            };
            let ranges = filter.ranges();
            let sql = live_sql(job.is_some(), filter.over() == Some(false), false);
            let mut statement = conn.prepare_cached(&sql)?;
            let live = statement.query(params![before, shelf.upto.cast_signed(), job])?;
            let place = (job, before);
            let mut walk = Walk::new(&self.archive, files, live, place, ranges, UNITS)?;
            let mut found = Vec::new();
            while found.len() < limit
                && let Some(entry) = walk.next()?
            {
                if !filter.holds(&ranges, &entry) {
                    continue;
                }
                let known = match jobs.get(&entry.job) {
                    Some(known) => *known,
                    None => {
                        let known = of_job(conn, entry.job, owner)?;
                        jobs.insert(entry.job, known);
                        known
                    }
                };
                let is_kept = entry.outcome.is_none() || entry.id >= known.kept_from;
                if known.may_be_seen && is_kept {
                    found.push(entry);
                }
            }
            let next = walk.frontier().map(columns::to_run_id);
            Ok(RunsPage {
                runs: self.listed(conn, &shelf, &found)?,
                next,
                is_incomplete: self.archive.is_incomplete(),
            })
        })
    }

    /// What finished runs printed, as far as it is replicated. Those that are open, unknown or cannot be read are left
    /// out.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn run_outputs(&self, ids: &[RunId]) -> Result<Vec<(RunId, OutputSummary)>, StoreError> {
        self.pool.ask(|conn| {
            let mut outputs = Vec::with_capacity(ids.len());
            let mut sealed = Vec::new();
            for &id in ids {
                match output_row_of(conn, id)? {
                    Some(output) => outputs.push((id, output)),
                    None => sealed.push(columns::run_id(id)),
                }
            }
            // The state was read first: what it no longer had is in a file by now.
            let shelf = self.archive.shelf();
            if sealed.is_empty() || shelf.files.is_empty() {
                return Ok(outputs);
            }
            self.with_scratch(|scratch| {
                scratch.load_many(&self.archive, &shelf, &sealed, &["run_outputs"])?;
                for id in sealed.into_iter().map(columns::to_run_id) {
                    outputs.extend(output_row_of(scratch.conn(), id)?.map(|output| (id, output)));
                }
                Ok(())
            })?;
            Ok(outputs)
        })
    }

    /// Walks over a job's runs, newest first, until `take` says that it is enough. Where to go on: `None` when that was
    /// the last.
    pub(super) fn walk_of_job(
        &self,
        conn: &Connection,
        asked: &JobWalk,
        mut take: impl FnMut(&Entry) -> Result<bool, StoreError>,
    ) -> Result<Option<RunId>, StoreError> {
        let job = columns::job_id(asked.job);
        // The first read fixes the state; only then the files are looked at.
        of_job(conn, job, None)?;
        let shelf = self.archive.shelf();
        let before = asked.before.map_or(i64::MAX, columns::run_id);
        let sql = live_sql(true, false, asked.with_output);
        let mut statement = conn.prepare_cached(&sql)?;
        let live = statement.query(params![before, shelf.upto.cast_signed(), job])?;
        let place = (Some(job), before);
        let mut walk = Walk::new(
            &self.archive,
            &shelf,
            live,
            place,
            asked.ranges,
            asked.units,
        )?;
        while let Some(entry) = walk.next()? {
            if !take(&entry)? {
                break;
            }
        }
        Ok(walk.frontier().map(columns::to_run_id))
    }

    /// Asks about a run where it is: in the state, or out of its file. `None`: it is in neither.
    pub(super) fn of_run<T>(
        &self,
        state: &Connection,
        id: RunId,
        question: impl Fn(&Connection) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        if let Some(answer) = question(state)? {
            return Ok(Some(answer));
        }
        let shelf = self.archive.shelf();
        if shelf.files.is_empty() {
            return Ok(None);
        }
        self.with_scratch(|scratch| {
            if scratch.load(&self.archive, &shelf, columns::run_id(id))? {
                question(scratch.conn())
            } else {
                Ok(None)
            }
        })
    }

    /// Fills in what a run shows of the run with which its chain began, which may be elsewhere.
    pub(super) fn complete(&self, state: &Connection, run: &mut Run) -> Result<(), StoreError> {
        let Cause::Link { root, .. } = run.cause else {
            return Ok(());
        };
        if run.root_cause.is_some() {
            return Ok(());
        }
        if let Some(root) = run_in(state, root)? {
            run.root_cause = Some(root.cause);
            return Ok(());
        }
        let shelf = self.archive.shelf();
        run.root_cause = self.with_scratch(|scratch| {
            let is_there = scratch.load_alone(&self.archive, &shelf, columns::run_id(root))?;
            let found = is_there.then(|| run_in(scratch.conn(), root)).transpose()?;
            Ok(found.flatten().map(|root| root.cause))
        })?;
        Ok(())
    }

    /// The runs of a chain, wherever they are.
    pub(super) fn chain_of(&self, of: RunId, limit: usize) -> Result<Vec<Run>, StoreError> {
        self.pool.ask(|conn| {
            let root = self.of_run(conn, of, |conn| {
                let sql = "SELECT coalesce(root_run, id) FROM runs WHERE id = ?1";
                let mut statement = conn.prepare_cached(sql)?;
                let id = statement.query_row([columns::run_id(of)], |row| row.get::<_, i64>(0));
                Ok(id.optional()?)
            })?;
            let Some(root) = root else {
                return Ok(Vec::new());
            };
            let shelf = self.archive.shelf();
            let mut ids = of_root(&self.archive, &shelf, root, limit);
            let mut statement = conn.prepare_cached(
                "SELECT id FROM runs INDEXED BY runs_by_root WHERE root_run = ?1 ORDER BY id LIMIT ?2",
            )?;
            let live = statement.query_map((root, columns::limit(limit)), |row| row.get(0))?;
            for id in live {
                ids.push(id?);
            }
            ids.push(root);
            ids.sort_unstable();
            ids.dedup();
            ids.truncate(limit);
            let mut runs = Vec::with_capacity(ids.len());
            for id in ids {
                let id = columns::to_run_id(id);
                let found = self.of_run(conn, id, |conn| {
                    let Some(mut run) = run_in(conn, id)? else {
                        return Ok(None);
                    };
                    run.output = counts_of(conn, id)?;
                    run.successors = successors_of(conn, id)?;
                    Ok(Some(run))
                })?;
                if let Some(mut run) = found {
                    self.complete(conn, &mut run)?;
                    runs.push(run);
                }
            }
            Ok(runs)
        })
    }

    /// The runs of entries, as lists show them.
    fn listed(
        &self,
        conn: &Connection,
        shelf: &Shelf,
        entries: &[Entry],
    ) -> Result<Vec<Run>, StoreError> {
        let read = |conn: &Connection, id: RunId| -> Result<Option<Run>, StoreError> {
            let Some(mut run) = run_in(conn, id)? else {
                return Ok(None);
            };
            run.output = counts_of(conn, id)?;
            Ok(Some(run))
        };
        let mut runs = Vec::with_capacity(entries.len());
        self.with_scratch(|scratch| {
            let sealed: Vec<i64> = entries
                .iter()
                .filter(|entry| entry.is_sealed)
                .map(|entry| entry.id)
                .collect();
            scratch.load_many(&self.archive, shelf, &sealed, &["runs", "run_outputs"])?;
            for entry in entries {
                let id = columns::to_run_id(entry.id);
                let from = if entry.is_sealed {
                    scratch.conn()
                } else {
                    conn
                };
                runs.extend(read(from, id)?);
            }
            Ok(())
        })?;
        for run in &mut runs {
            self.complete(conn, run)?;
        }
        Ok(runs)
    }

    /// Lends an empty database in memory.
    pub(super) fn with_scratch<T>(
        &self,
        question: impl FnOnce(&Scratch) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let kept = || {
            self.scratches
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
        };
        let known = kept().pop();
        let scratch = match known {
            Some(scratch) => scratch,
            None => Scratch::new()?,
        };
        let answer = question(&scratch);
        // One that cannot be emptied is not used again.
        if scratch.clear().is_ok() {
            let mut kept = kept();
            if kept.len() < SCRATCHES_MAX {
                kept.push(scratch);
            }
        }
        answer
    }
}

/// What shows the state's rows to a walk: `?1` the id that they are before, `?2` up to where runs are in files, `?3`
/// the job.
fn live_sql(of_job: bool, only_open: bool, with_output: bool) -> String {
    let index = match (only_open, of_job) {
        // Few are open at any time, so that they may be sorted.
        (true, _) => "INDEXED BY runs_open_by_job",
        (false, true) => "INDEXED BY runs_by_job",
        (false, false) => "NOT INDEXED",
    };
    let job = if of_job { "r.job = ?3" } else { "?3 IS NULL" };
    let open = if only_open {
        "AND r.outcome IS NULL"
    } else {
        ""
    };
    let output = if with_output {
        "(SELECT o.output FROM run_outputs o WHERE o.run = r.id)"
    } else {
        "NULL"
    };
    format!(
        "SELECT {LIVE_COLUMNS}, {output} FROM runs r {index} \
         WHERE {job} AND r.id < ?1 AND (r.ended IS NULL OR r.ended > ?2) {open} ORDER BY r.id DESC"
    )
}

fn of_job(conn: &Connection, job: i64, owner: Option<&Owner>) -> Result<OfJob, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT owner_uid, owner_user, kept_from FROM jobs WHERE id = ?1")?;
    let found = statement.query_row([job], |row| {
        Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?, row.get(2)?))
    });
    Ok(match found.optional()? {
        Some((uid, user, kept_from)) => OfJob {
            may_be_seen: owner.is_none_or(|owner| owner.uid == uid && owner.user == user),
            kept_from,
        },
        None => OfJob {
            may_be_seen: false,
            kept_from: 0,
        },
    })
}
