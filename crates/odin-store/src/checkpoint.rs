//! Keeps the write-ahead log short.

use std::path::Path;

use rusqlite::Connection;

use crate::StoreError;
use crate::store::open_to_write;

/// Moves committed pages from the write-ahead log into the file, and syncs both. Beside the thread that applies, so
/// that no commit waits for it; once a second is often enough.
#[derive(Debug)]
pub struct Checkpointer {
    conn: Connection,
}

/// What a checkpoint found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Pages in the write-ahead log.
    pub log_pages: u64,
    /// Those of them that are in the file now. Fewer than all while a reader holds an old state.
    pub moved_pages: u64,
}

impl Checkpointer {
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let conn = open_to_write(path)?;
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        Ok(Self { conn })
    }

    /// Moves what can be moved without making anyone wait.
    ///
    /// # Errors
    /// The disk is full or refuses; what is committed stays.
    pub fn run(&mut self) -> Result<Checkpoint, StoreError> {
        self.conn
            .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
                let pages = |place| row.get::<_, i64>(place).map(|n| n.max(0).cast_unsigned());
                Ok(Checkpoint {
                    log_pages: pages(1)?,
                    moved_pages: pages(2)?,
                })
            })
            .map_err(StoreError::from)
    }
}
