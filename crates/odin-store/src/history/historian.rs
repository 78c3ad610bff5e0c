//! Moves sealed periods into files, on a thread of its own, a small step at a time.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{fs, io};

use rusqlite::{Connection, TransactionBehavior};

use super::archive::{self, Archive, Period};
use super::period;
use crate::schema::OF_RUNS;
use crate::store::{open_to_write, sync_directory_of};
use crate::{StoreError, local};

/// How many runs one step takes out of the state: about two milliseconds in which apply waits.
const SWEEP_ROWS: usize = if cfg!(test) { 3 } else { 100 };

/// Keeps this node's files of history as the replicated state says. Every step is whole: after a crash at any point
/// the next step goes on from what is on the disk.
pub struct Historian {
    conn: Connection,
    archive: Arc<Archive>,
    reach: Reach,
}

/// Told of each stage before it; an error cuts the step off there.
type Reach = Box<dyn Fn(HistoryStage) -> Result<(), StoreError> + Send>;

/// What a step did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HistoryStep {
    /// Nothing was to be done.
    Idle,
    /// A period is in its file.
    Written {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Runs that are in files were taken out of the state.
    Swept {
        /// How many.
        runs: usize,
    },
    /// A file that nobody keeps runs in was removed.
    Removed {
        /// Which.
        path: PathBuf,
    },
}

/// The points between which a step can be cut off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryStage {
    /// A file is about to be written, under a name for what is not whole.
    Write,
    /// It is whole and about to get its name.
    Rename,
    /// It has it, which is not on the disk yet.
    SyncDirectory,
    /// It is on the disk and about to be read from.
    Load,
    /// Rows that are in files are about to leave the state.
    Sweep,
    /// Some left, which is not committed yet.
    Mark,
    /// A file is about to be removed.
    Remove,
}

#[cfg(test)]
impl HistoryStage {
    /// All of them.
    pub(crate) const ALL: [Self; 7] = [
        Self::Write,
        Self::Rename,
        Self::SyncDirectory,
        Self::Load,
        Self::Sweep,
        Self::Mark,
        Self::Remove,
    ];
}

impl Historian {
    pub(crate) fn open(state: &Path, archive: Arc<Archive>) -> Result<Self, StoreError> {
        match fs::create_dir(archive.directory()) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let conn = open_to_write(state)?;
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self {
            conn,
            archive,
            reach: Box::new(|_| Ok(())),
        })
    }

    /// Has `reach` told of each stage before it; its error cuts the step off there. For tests of what is recovered.
    #[must_use]
    pub fn watched(
        mut self,
        reach: impl Fn(HistoryStage) -> Result<(), StoreError> + Send + 'static,
    ) -> Self {
        self.reach = Box::new(reach);
        self
    }

    /// Does one thing that is to be done: writes a file, takes some runs out of the state, or removes a file.
    ///
    /// # Errors
    /// The disk is full or refuses. Nothing is lost: rows leave the state only when their file is on the disk, and
    /// the next call tries again.
    pub fn step(&mut self) -> Result<HistoryStep, StoreError> {
        let periods = archive::periods(&self.conn)?;
        let swept = local::swept(&self.conn)?;
        for &period in &periods {
            let path = self.archive.path_of(period.number);
            if period.is_dropped && path.exists() {
                return self.remove(path);
            }
        }
        let shelf = self.archive.shelf();
        let unwritten = periods
            .iter()
            .find(|period| !period.is_dropped && period.upto > shelf.upto);
        if let Some(&period) = unwritten {
            return self.write(period);
        }
        if shelf.upto > swept {
            return self.sweep(shelf.upto);
        }
        Ok(HistoryStep::Idle)
    }

    fn write(&mut self, period: Period) -> Result<HistoryStep, StoreError> {
        let path = self.archive.path_of(period.number);
        // A crash between the renaming and the sweep leaves a whole file: it is taken as it is.
        let file = match archive::open_of(&path, period) {
            Ok(file) if file.check().is_ok() => file,
            _ => {
                let partial = path.with_extension("partial");
                self.pass(HistoryStage::Write)?;
                period::write(&self.conn, period, &partial)?;
                self.pass(HistoryStage::Rename)?;
                fs::rename(&partial, &path)?;
                self.pass(HistoryStage::SyncDirectory)?;
                sync_directory_of(&path)?;
                // Read back before the rows go.
                let file = archive::open_of(&path, period).map_err(unreadable)?;
                file.check().map_err(unreadable)?;
                file
            }
        };
        self.pass(HistoryStage::Load)?;
        self.archive.load(&self.conn)?;
        Ok(HistoryStep::Written {
            path,
            bytes: file.length,
        })
    }

    /// Takes some of the runs that are in files out of the state.
    fn sweep(&mut self, upto: u64) -> Result<HistoryStep, StoreError> {
        self.pass(HistoryStage::Sweep)?;
        let transaction = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let ids = transaction
            .prepare_cached(
                "SELECT id FROM runs INDEXED BY runs_ended WHERE ended <= ?1 ORDER BY ended, id LIMIT ?2",
            )?
            .query_map((upto.cast_signed(), crate::columns::limit(SWEEP_ROWS)), |row| row.get(0))?
            .collect::<Result<Vec<i64>, _>>()?;
        for &id in &ids {
            for (table, _) in OF_RUNS {
                transaction
                    .prepare_cached(&format!("DELETE FROM {table} WHERE run = ?1"))?
                    .execute([id])?;
            }
            transaction
                .prepare_cached("DELETE FROM runs WHERE id = ?1")?
                .execute([id])?;
        }
        if ids.len() < SWEEP_ROWS {
            local::set_swept(&transaction, upto)?;
        }
        (self.reach)(HistoryStage::Mark)?;
        transaction.commit()?;
        Ok(HistoryStep::Swept { runs: ids.len() })
    }

    fn remove(&mut self, path: PathBuf) -> Result<HistoryStep, StoreError> {
        // Who reads it meanwhile goes on with it.
        let shelf = self.archive.shelf();
        if let Some(file) = shelf.files.iter().find(|file| file.path == path) {
            // One that is not there has no reader either.
            let _ = file.hold();
        }
        self.archive.load(&self.conn)?;
        self.pass(HistoryStage::Remove)?;
        fs::remove_file(&path)?;
        sync_directory_of(&path)?;
        Ok(HistoryStep::Removed { path })
    }

    fn pass(&self, stage: HistoryStage) -> Result<(), StoreError> {
        (self.reach)(stage)
    }
}

impl std::fmt::Debug for Historian {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Historian")
            .field("archive", &self.archive)
            .finish_non_exhaustive()
    }
}

fn unreadable(error: super::file::Unreadable) -> StoreError {
    match error {
        super::file::Unreadable::Io(error) => error.into(),
        super::file::Unreadable::Damaged(damage) => StoreError::Corrupt {
            detail: format!("a history file just written: {damage}"),
        },
    }
}
