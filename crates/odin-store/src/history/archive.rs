//! The files of history that this node has, and those that it should have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rusqlite::Connection;

use super::file::{HistoryFile, Unreadable};
use crate::{StoreError, columns, local};

/// How many faults are remembered; more of the same disk say nothing new.
const FAULTS_MAX: usize = 100;

/// All files. What it holds is replaced as a whole, so that a query goes on with what it began with.
#[derive(Debug)]
pub(crate) struct Archive {
    directory: PathBuf,
    shelf: RwLock<Arc<Shelf>>,
    /// What could not be read since the start, as `(file, what)`.
    faults: Mutex<Vec<(PathBuf, String)>>,
}

/// The files at one time.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// Ascending by number; ids of their runs overlap a little.
    pub(crate) files: Vec<Arc<HistoryFile>>,
    /// Those that should be there and cannot be read at all.
    missing: Vec<(PathBuf, String)>,
    /// Runs that ended up to this index of the log are in files. Later ones are read from the state, sealed or not.
    pub(crate) upto: u64,
}

/// A sealed period as the state has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Period {
    pub(crate) number: u64,
    pub(crate) after: u64,
    pub(crate) upto: u64,
    pub(crate) is_dropped: bool,
}

/// What a node has of history.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HistoryStatus {
    /// Its files, oldest first.
    pub files: Vec<HistoryFileStatus>,
    /// What cannot be read: the file, and what is wrong with it. The rest is served.
    pub faults: Vec<(PathBuf, String)>,
}

/// A file of history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryFileStatus {
    /// Its number, from 1.
    pub number: u64,
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub bytes: u64,
    /// How many runs are in it.
    pub runs: u64,
}

impl Archive {
    /// The archive beside the state in the file `state`.
    pub(crate) fn beside(state: &Path) -> Self {
        Self {
            directory: state.with_file_name("history"),
            shelf: RwLock::default(),
            faults: Mutex::default(),
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn path_of(&self, number: u64) -> PathBuf {
        self.directory.join(format!("{number:08}.odinhistory"))
    }

    /// The files of now.
    pub(crate) fn shelf(&self) -> Arc<Shelf> {
        Arc::clone(&self.shelf.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Opens the files that the state says there are. A file that is missing or damaged takes nothing else with it.
    pub(crate) fn load(&self, conn: &Connection) -> Result<(), StoreError> {
        let swept = local::swept(conn)?;
        let known = self.shelf();
        let known: BTreeMap<u64, _> = known.files.iter().map(|it| (it.index.number, it)).collect();
        let mut shelf = Shelf::default();
        for period in periods(conn)? {
            if period.is_dropped {
                shelf.upto = period.upto;
                continue;
            }
            let path = self.path_of(period.number);
            let opened = match known.get(&period.number) {
                Some(file) if is_of(file, period) => Ok(Arc::clone(file)),
                _ => open_of(&path, period).map(Arc::new),
            };
            match opened {
                Ok(file) => shelf.files.push(file),
                // Its rows are still in the state: it is written again.
                Err(_) if period.upto > swept => break,
                Err(error) => shelf.missing.push((path, error.to_string())),
            }
            shelf.upto = period.upto;
        }
        *self.shelf.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(shelf);
        Ok(())
    }

    /// Whether some of history cannot be read.
    pub(crate) fn is_incomplete(&self) -> bool {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        !faults.is_empty() || !self.shelf().missing.is_empty()
    }

    /// Remembers that something could not be read.
    pub(crate) fn fault(&self, path: &Path, error: &Unreadable) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = (path.to_owned(), error.to_string());
        if faults.len() < FAULTS_MAX && !faults.contains(&fault) {
            faults.push(fault);
        }
    }

    /// What there is, and what could not be read so far. With `check`, every byte is read for it.
    pub(crate) fn status(&self, check: bool) -> HistoryStatus {
        let shelf = self.shelf();
        if check {
            for file in &shelf.files {
                if let Err(error) = file.check() {
                    self.fault(&file.path, &error);
                }
            }
        }
        let files = shelf.files.iter().map(|file| HistoryFileStatus {
            number: file.index.number,
            path: file.path.clone(),
            bytes: file.length,
            runs: rows_of(file, "runs"),
        });
        let mut faults = shelf.missing.clone();
        faults.extend_from_slice(&self.faults.lock().unwrap_or_else(PoisonError::into_inner));
        HistoryStatus {
            files: files.collect(),
            faults,
        }
    }
}

fn rows_of(file: &HistoryFile, section: &str) -> u64 {
    let blocks = file
        .section(section)
        .map_or(&[][..], |section| &section.blocks);
    blocks.iter().map(|block| u64::from(block.rows)).sum()
}

fn is_of(file: &HistoryFile, period: Period) -> bool {
    let of = (file.index.number, file.index.after, file.index.upto);
    of == (period.number, period.after, period.upto)
}

/// Opens a file and sees that it is of that period.
pub(crate) fn open_of(path: &Path, period: Period) -> Result<HistoryFile, Unreadable> {
    let file = HistoryFile::open(path)?;
    if is_of(&file, period) {
        Ok(file)
    } else {
        Err(super::block::Damage("it is of another period").into())
    }
}

/// The sealed periods, oldest first.
pub(crate) fn periods(conn: &Connection) -> Result<Vec<Period>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT number, after, upto, dropped FROM seals ORDER BY number")?;
    let rows = statement.query_map([], |row| {
        Ok(Period {
            number: columns::to_count(row.get(0)?),
            after: columns::to_count(row.get(1)?),
            upto: columns::to_count(row.get(2)?),
            is_dropped: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
