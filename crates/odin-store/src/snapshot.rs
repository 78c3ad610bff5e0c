//! The whole state as one file: written beside apply, installed on a node that is far behind.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::schema::{self, Found};
use crate::store::open_to_read;
use crate::{StoreError, local};

/// All pages in one step.
const ALL_PAGES: i32 = -1;

/// The state as it was when it was frozen. While it lives, the write-ahead log is not emptied beyond it.
#[derive(Debug)]
pub struct Frozen {
    conn: Connection,
}

impl Frozen {
    pub(crate) fn of(path: &Path) -> Result<Self, StoreError> {
        let conn = open_to_read(path)?;
        conn.execute_batch("BEGIN")?;
        // A transaction fixes what it sees with its first read.
        local::mark(&conn)?;
        Ok(Self { conn })
    }

    /// The mark of the frozen state.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn mark(&self) -> Result<Option<Vec<u8>>, StoreError> {
        local::mark(&self.conn)
    }

    /// Writes it into the file `into`, which must not exist, and syncs the file and its directory.
    ///
    /// # Errors
    /// The file exists or cannot be written. What was begun is left for the caller to remove.
    pub fn write(self, into: &Path) -> Result<(), StoreError> {
        // SQLite would open an existing file and add to it.
        drop(OpenOptions::new().write(true).create_new(true).open(into)?);
        let mut target = Connection::open(into)?;
        // In one step: between steps, a page copied already may be changed by apply, and the copy begins again.
        copy(&self.conn, &mut target)?;
        // The copied header says WAL; a snapshot is one file.
        target.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
        target.close().map_err(|(_, error)| error)?;

        File::open(into)?.sync_all()?;
        if let Some(directory) = into
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
        {
            File::open(directory)?.sync_all()?;
        }
        Ok(())
    }
}

/// Replaces the content of the open state by that of the snapshot `from`. One transaction of the write-ahead log,
/// so a crash leaves the one or the other, and open readers see the new one with their next query.
pub(crate) fn install(from: &Path, conn: &mut Connection) -> Result<(), StoreError> {
    let source = open_to_read(from)?;
    if schema::check(&source)? == Found::Empty {
        return Err(StoreError::NotAState);
    }
    let verdict: String = source.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Corrupt { detail: verdict });
    }
    conn.flush_prepared_statement_cache();
    copy(&source, conn)?;
    // A commit with synchronous=NORMAL is not on the disk yet; a checkpoint is.
    conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

fn copy(from: &Connection, to: &mut Connection) -> Result<(), StoreError> {
    to.busy_timeout(Duration::from_secs(5))?;
    match Backup::new(from, to)?.step(ALL_PAGES)? {
        StepResult::Done => Ok(()),
        _ => Err(StoreError::InUse),
    }
}
