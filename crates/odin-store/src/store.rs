//! Opens the state and applies committed commands to it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use odin_model::Reply;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::apply::Batch;
use crate::reader::Reader;
use crate::snapshot::{self, Frozen};
use crate::view::View;
use crate::{Checkpointer, Effect, StoreError, local, schema, settings, state_hash};

/// How long a statement waits for another process on the file, such as a person's `sqlite3`, before it fails.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Statements that stay compiled: more than apply has.
const STATEMENTS_KEPT: usize = 128;
/// How long the write-ahead log may grow, in pages of 4 KiB, before a commit shortens it itself: 64 MiB. A
/// [`Checkpointer`] on a thread of its own does it before, so that no commit waits for it.
const WAL_PAGES_MAX: u32 = 16 * 1024;

/// The state, for the one thread that applies the log.
#[derive(Debug)]
pub struct Store {
    conn: Connection,
    path: PathBuf,
    generation: u8,
    applied: u64,
    view: Arc<View>,
    reader: Reader,
}

/// One committed command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Its position in the log; ascending, with gaps where the log has entries of its own.
    pub index: u64,
    /// What [`odin_model::codec::encode`] made of an [`odin_model::Command`].
    pub command: &'a [u8],
}

/// What a batch brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// One for each entry.
    pub replies: Vec<Reply>,
    /// What is to happen now, in order.
    pub effects: Vec<Effect>,
}

impl Store {
    /// Opens the state in the file `path`, or makes an empty one.
    ///
    /// That no second server uses the file is the caller's to see to.
    ///
    /// # Errors
    /// The file cannot be read or written, is damaged, of something else or of a newer version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let mut conn = Connection::open(path)?;
        conn.busy_timeout(BUSY_TIMEOUT)?;
        conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
        // Looked at before anything is written: a newer or foreign file stays as it is.
        schema::check(&conn)?;
        conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        // A commit reaches the disk with the next checkpoint. A power loss may take the latest ones back, whole and
        // in order, and the replicated log applies them again: the mark is in the same transaction.
        conn.pragma_update(None, "synchronous", "NORMAL")?;
        conn.pragma_update(None, "wal_autocheckpoint", WAL_PAGES_MAX)?;
        conn.pragma_update(None, "journal_size_limit", i64::from(WAL_PAGES_MAX) * 4096)?;
        schema::prepare(&mut conn)?;

        let view = Arc::new(View::default());
        view.rebuild(&conn)?;
        Ok(Self {
            generation: settings::generation(&conn)?,
            applied: local::applied(&conn)?,
            reader: Reader::open(path)?,
            path: path.to_owned(),
            conn,
            view,
        })
    }

    /// The mark stored with the latest batch. `None`: nothing was ever applied.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn mark(&self) -> Result<Option<Vec<u8>>, StoreError> {
        local::mark(&self.conn)
    }

    /// Applies entries in order and stores `mark`, in one transaction: after a crash either all of it is there or
    /// nothing. `entries` may be empty. The [`View`] changes after the commit only.
    ///
    /// # Errors
    /// Nothing was applied: the state is as it was. The node stops, since it cannot skip a committed command.
    pub fn apply(&mut self, entries: &[Entry<'_>], mark: &[u8]) -> Result<Applied, StoreError> {
        let transaction = self
            .conn
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut batch = Batch::new(&transaction, self.generation);
        let mut applied = self.applied;
        let mut replies = Vec::with_capacity(entries.len());
        for entry in entries {
            if entry.index <= applied {
                return Err(StoreError::OutOfOrder {
                    index: entry.index,
                    applied,
                });
            }
            replies.push(batch.apply(entry.index, entry.command)?);
            applied = entry.index;
        }
        let Batch {
            effects, changes, ..
        } = batch;
        local::set(&transaction, mark, applied)?;
        transaction.commit()?;

        self.applied = applied;
        self.view.take(&changes, applied);
        Ok(Applied { replies, effects })
    }

    /// The due index and counts, shared with the leader's loop.
    #[must_use]
    pub fn view(&self) -> Arc<View> {
        Arc::clone(&self.view)
    }

    /// Queries of the committed state, from any thread.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    /// What keeps the write-ahead log short, for a thread of its own.
    ///
    /// # Errors
    /// The state cannot be opened.
    pub fn checkpointer(&self) -> Result<Checkpointer, StoreError> {
        Checkpointer::open(&self.path)
    }

    /// The SHA-256 of all replicated rows. Reads everything: for tests and the simulator.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn state_hash(&self) -> Result<[u8; 32], StoreError> {
        state_hash::of(&self.conn)
    }

    /// Fixes the present state, mark included, for a snapshot that is written while more is applied.
    ///
    /// # Errors
    /// The state cannot be opened a second time.
    pub fn freeze(&self) -> Result<Frozen, StoreError> {
        Frozen::of(&self.path)
    }

    /// Writes a snapshot of the present state into the file `into`, which must not exist.
    ///
    /// # Errors
    /// The state cannot be read, or the file not be written.
    pub fn snapshot(&self, into: &Path) -> Result<(), StoreError> {
        self.freeze()?.write(into)
    }

    /// Replaces the state, mark and generation included, by that of a snapshot, durably. Readers and the [`View`]
    /// go on with the new one. The snapshot's file stays as it is.
    ///
    /// # Errors
    /// The file is not a whole snapshot, or the state cannot be written: the old state is still there.
    pub fn install(&mut self, from: &Path) -> Result<(), StoreError> {
        snapshot::install(from, &mut self.conn)?;
        self.generation = settings::generation(&self.conn)?;
        self.applied = local::applied(&self.conn)?;
        self.view.rebuild(&self.conn)
    }
}

/// A connection that cannot write, to a state that is open elsewhere.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(BUSY_TIMEOUT)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS_KEPT);
    Ok(conn)
}
