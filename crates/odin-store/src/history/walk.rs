//! Walks over runs, newest first, in the state and in all files as if they were one list.
//!
//! Work is bounded: a walk has a number of units to spend and says how far it came, so that the next page goes on
//! from there. What it takes to come any further at all, a block of each file with runs on both sides of where it
//! begins, is not counted: else a page would end where it began. Files are opened only when the walk reaches their
//! ids, and a block in which nothing can match is not read.

use std::sync::Arc;

use rusqlite::{Row, Rows};

use super::archive::{Archive, Shelf};
use super::file::{Block, HistoryFile, Section, Unreadable};
use super::period::{BY_ID, BY_JOB, BY_ROOT, NONE, kept_in_files};
use crate::StoreError;

/// What one page may spend: about 20 ms of one processor.
pub(crate) const UNITS: u32 = if cfg!(test) { 3_000 } else { 150_000 };
/// What reading a block of a file costs.
pub(super) const BLOCK_UNITS: u32 = 1000;
/// What a row of the state costs; an entry of a block costs 1.
const ROW_UNITS: u32 = 5;

/// What lists look at of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) job: i64,
    /// `None`: it is open.
    pub(crate) outcome: Option<i64>,
    pub(crate) state: i64,
    pub(crate) cause: i64,
    pub(crate) node: Option<i64>,
    /// When it was due, or else asked for.
    pub(crate) at: i64,
    /// How many bytes of its output are in files.
    pub(crate) output: i64,
    /// Whether it comes out of a file.
    pub(crate) is_sealed: bool,
}

/// The columns of a row of the state that a walk takes; after them comes the output, or NULL where nobody asks for
/// its bytes.
pub(crate) const LIVE_COLUMNS: &str =
    "r.id, r.job, r.outcome, r.state, r.cause, r.node, coalesce(r.due_at, r.queued_at)";

/// A finished run's number for its state.
const FINISHED: i64 = 4;

/// What is asked of an entry, as far as blocks can be passed over for it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ranges {
    /// Bits of outcomes' numbers; 0: any.
    pub(crate) outcomes: u64,
    /// Bits of causes' numbers; 0: any.
    pub(crate) causes: u64,
    pub(crate) node: Option<i64>,
    pub(crate) since: Option<i64>,
    pub(crate) until: Option<i64>,
}

impl Ranges {
    /// Whether an entry is one of those asked for.
    pub(crate) fn hold(&self, entry: &Entry) -> bool {
        let among = |bits: u64, number: i64| bits == 0 || bits >> number.clamp(0, 63) & 1 == 1;
        (self.outcomes == 0 || entry.outcome.is_some_and(|it| among(self.outcomes, it)))
            && among(self.causes, entry.cause)
            && self.node.is_none_or(|node| entry.node == Some(node))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at < until)
    }

    /// Whether a block may hold one.
    fn may_be_in(&self, block: &Block) -> bool {
        let &[_, _, outcome, cause, node, at, _] = block.bounds.as_slice() else {
            return true;
        };
        let among = |bits: u64, (least, greatest): (i64, i64)| {
            bits == 0 || (least.max(0)..=greatest.min(63)).any(|number| bits >> number & 1 == 1)
        };
        among(self.outcomes, outcome)
            && among(self.causes, cause)
            && self.node.is_none_or(|it| (node.0..=node.1).contains(&it))
            && self.since.is_none_or(|since| at.1 >= since)
            && self.until.is_none_or(|until| at.0 < until)
    }
}

/// A walk on its way.
pub(crate) struct Walk<'w> {
    archive: &'w Archive,
    live: Rows<'w>,
    live_next: Option<Entry>,
    /// Files that were not reached yet, the one with the latest run at the end.
    later: Vec<(i64, Arc<HistoryFile>)>,
    open: Vec<Cursor>,
    job: Option<i64>,
    before: i64,
    ranges: Ranges,
    units: u32,
    /// Whether the next page would begin further on than this one did.
    has_come_further: bool,
}

impl<'w> Walk<'w> {
    /// A walk over runs before the id `before`. `live` gives the rows of the state, in that order; of one job, when
    /// `job` says which.
    pub(crate) fn new(
        archive: &'w Archive,
        shelf: &Shelf,
        live: Rows<'w>,
        (job, before): (Option<i64>, i64),
        ranges: Ranges,
        units: u32,
    ) -> Result<Self, StoreError> {
        let ends = |file: &Arc<HistoryFile>| {
            let blocks = &file.section(BY_ID)?.blocks;
            Some((blocks.first()?.first.0, blocks.last()?.last.0))
        };
        let mut later: Vec<_> = shelf
            .files
            .iter()
            .filter_map(|file| {
                let (first, last) = ends(file)?;
                (first < before).then(|| (last, Arc::clone(file)))
            })
            .collect();
        later.sort_by_key(|(last, file)| (*last, file.index.number));
        let mut walk = Self {
            archive,
            live,
            live_next: None,
            later,
            open: Vec::new(),
            job,
            before,
            ranges,
            units,
            has_come_further: false,
        };
        walk.live_next = walk.next_live()?;
        Ok(walk)
    }

    /// The next run, whether it is one of those asked for or not. `None`: there is none left, or the units are
    /// spent.
    pub(crate) fn next(&mut self) -> Result<Option<Entry>, StoreError> {
        self.reach();
        if self.units == 0 {
            return Ok(None);
        }
        let newest = self
            .open
            .iter()
            .enumerate()
            .filter_map(|(place, cursor)| Some((cursor.entry?.id, place)))
            .max();
        match (self.live_next, newest) {
            (Some(live), sealed) if sealed.is_none_or(|(id, _)| live.id > id) => {
                self.has_come_further = true;
                self.spend(ROW_UNITS);
                self.live_next = self.next_live()?;
                Ok(Some(live))
            }
            (_, Some((_, place))) => {
                self.has_come_further = true;
                self.spend(1);
                let entry = self.open[place].entry;
                let spent = self.open[place].step(self.archive, &self.ranges, self.units);
                self.spend(spent);
                Ok(entry)
            }
            (Some(_) | None, None) => Ok(None),
        }
    }

    /// Every run from this id on was looked at, or could not match. `None`: every one there is.
    pub(crate) fn frontier(&self) -> Option<i64> {
        let open = self.open.iter().filter_map(Cursor::position);
        let later = self.later.last().map(|(last, _)| *last);
        open.chain(later)
            .chain(self.live_next.map(|entry| entry.id))
            .max()
            .map(|id| id.saturating_add(1).min(self.before))
    }

    /// Opens the files that may hold a newer run than the newest known.
    fn reach(&mut self) {
        while let Some((last, _)) = self.later.last() {
            let known = self.open.iter().filter_map(Cursor::position);
            let newest = known.chain(self.live_next.map(|entry| entry.id)).max();
            if newest.is_some_and(|newest| newest >= *last) || self.units == 0 {
                return;
            }
            let Some((last, file)) = self.later.pop() else {
                return;
            };
            self.has_come_further |= last.saturating_add(1) < self.before;
            let mut cursor = Cursor::new(file, self.job, self.before);
            let spent = cursor.step(self.archive, &self.ranges, self.units);
            self.spend(spent);
            self.open.push(cursor);
        }
    }

    fn spend(&mut self, units: u32) {
        if self.has_come_further {
            self.units = self.units.saturating_sub(units);
        }
    }

    fn next_live(&mut self) -> Result<Option<Entry>, StoreError> {
        self.live.next()?.map(live_entry).transpose()
    }
}

fn live_entry(row: &Row<'_>) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: row.get(0)?,
        job: row.get(1)?,
        outcome: row.get(2)?,
        state: row.get(3)?,
        cause: row.get(4)?,
        node: row.get(5)?,
        at: row.get(6)?,
        output: kept_in_files(row.get::<_, Option<Vec<u8>>>(7)?.as_deref()),
        is_sealed: false,
    })
}

/// A walk over one file, from its newest run on.
struct Cursor {
    file: Arc<HistoryFile>,
    job: Option<i64>,
    before: i64,
    /// How many blocks are left.
    blocks: usize,
    /// The block being read, and how many of its rows are left.
    columns: Vec<Vec<i64>>,
    rows: usize,
    /// Where the walk is.
    entry: Option<Entry>,
}

impl Cursor {
    fn new(file: Arc<HistoryFile>, job: Option<i64>, before: i64) -> Self {
        let name = if job.is_some() { BY_JOB } else { BY_ID };
        let blocks = file.section(name).map_or(0, |section| {
            section.blocks.partition_point(|block| match job {
                Some(job) => block.first < (job, before),
                None => block.first.0 < before,
            })
        });
        Self {
            file,
            job,
            before,
            blocks,
            columns: Vec::new(),
            rows: 0,
            entry: None,
        }
    }

    /// The newest id that it may still give.
    fn position(&self) -> Option<i64> {
        let unread = || {
            let section = self.section()?;
            let block = section.blocks.get(self.blocks.checked_sub(1)?)?;
            match self.job {
                Some(job) if block.last.0 == job => Some(block.last.1),
                // The job's rows are within the block or before it: nothing newer than the bound is known.
                Some(job) => (block.last.0 > job).then_some(self.before - 1),
                None => Some(block.last.0),
            }
        };
        self.entry.map(|entry| entry.id).or_else(unread)
    }

    fn section(&self) -> Option<&Section> {
        self.file
            .section(if self.job.is_some() { BY_JOB } else { BY_ID })
    }

    /// Goes on to the next entry; what that cost. Without units left it stays before a block, with no entry.
    fn step(&mut self, archive: &Archive, ranges: &Ranges, units: u32) -> u32 {
        let mut spent = 0;
        loop {
            while let Some(row) = self.rows.checked_sub(1) {
                self.rows = row;
                let entry = self.read(row);
                if self.job.is_some_and(|job| entry.job < job) {
                    // Before the job's first: nothing is left here.
                    (self.rows, self.blocks, self.entry) = (0, 0, None);
                    return spent;
                }
                if entry.id < self.before && self.job.is_none_or(|job| entry.job == job) {
                    self.entry = Some(entry);
                    return spent;
                }
            }
            self.entry = None;
            let Some(next) = self.blocks.checked_sub(1) else {
                return spent;
            };
            let file = Arc::clone(&self.file);
            let name = if self.job.is_some() { BY_JOB } else { BY_ID };
            let Some(section) = file.section(name) else {
                return spent;
            };
            let block = &section.blocks[next];
            if self.job.is_some_and(|job| block.last.0 < job) {
                self.blocks = 0;
                return spent;
            }
            if !ranges.may_be_in(block) {
                self.blocks = next;
                continue;
            }
            if spent > 0 && spent >= units {
                return spent;
            }
            self.blocks = next;
            spent += BLOCK_UNITS;
            match file.numbers(section, block) {
                Ok(columns) => (self.columns, self.rows) = (columns, block.rows as usize),
                Err(error) => archive.fault(&file.path, &error),
            }
        }
    }

    fn read(&self, row: usize) -> Entry {
        let number = |place: usize| self.columns.get(place).map_or(NONE, |column| column[row]);
        let (id, job) = match self.job {
            Some(_) => (number(1), number(0)),
            None => (number(0), number(1)),
        };
        let known = |number: i64| (number != NONE).then_some(number);
        Entry {
            id,
            job,
            outcome: known(number(2)),
            state: FINISHED,
            cause: number(3),
            node: known(number(4)),
            at: number(5),
            output: number(6),
            is_sealed: true,
        }
    }
}

/// Up to `limit` ids of runs in files whose chain began with `root`, ascending.
pub(crate) fn of_root(archive: &Archive, shelf: &Shelf, root: i64, limit: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    for file in &shelf.files {
        let Some(section) = file.section(BY_ROOT) else {
            continue;
        };
        let from = section.blocks.partition_point(|block| block.last.0 < root);
        let blocks = section.blocks.iter().skip(from);
        for block in blocks.take_while(|block| block.first.0 <= root) {
            match file.numbers(section, block) {
                Ok(columns) => {
                    let [roots, runs] = columns.as_slice() else {
                        continue;
                    };
                    let of = roots.iter().zip(runs).filter(|(of, _)| **of == root);
                    ids.extend(of.map(|(_, id)| *id));
                }
                Err(error) => archive.fault(&file.path, &error),
            }
        }
    }
    ids.sort_unstable();
    ids.truncate(limit);
    ids
}

/// The latest run of each job in a file, by the job.
pub(crate) fn latest_by_job(file: &HistoryFile) -> Result<Vec<(i64, i64)>, Unreadable> {
    let mut latest: Vec<(i64, i64)> = Vec::new();
    let Some(section) = file.section(BY_JOB) else {
        return Ok(latest);
    };
    for block in &section.blocks {
        let columns = file.numbers(section, block)?;
        let [jobs, runs, ..] = columns.as_slice() else {
            continue;
        };
        for (&job, &run) in jobs.iter().zip(runs) {
            match latest.last_mut() {
                Some(known) if known.0 == job => known.1 = run,
                _ => latest.push((job, run)),
            }
        }
    }
    Ok(latest)
}
