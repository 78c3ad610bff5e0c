//! The log on disk: raft-log, with one sync in flight at a time.
//!
//! What is appended while a sync is in flight waits for it and shares the next: the sync is the window in which
//! proposals gather. raft-log itself would gather only by waiting a fixed time (1 ms), which one proposal at a time
//! pays for nothing; without that wait it syncs once for each append.

use std::fmt::Debug;
use std::io;
use std::ops::{Bound, RangeBounds};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, stream};
use openraft::LogState;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};
use raft_log::RaftLog;
use raft_log::api::raft_log_writer::RaftLogWriter;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::growth::{Growth, entry_bytes};
use crate::options::SyncObserver;
use crate::raft_types::{self, Entry, LogId, TypeConfig, Vote};
use crate::torn_tail::trim_zeros;
use crate::wal_types::{Flushed, StoredPayload, StoredVote, WalTypes};

/// One file of the log. The entries of the file being written are all in memory, and files whose entries are all
/// purged are deleted: so this bounds memory, and is how finely space comes back.
const CHUNK_BYTES: usize = 2 * 1024 * 1024;

/// Commands kept in memory besides those of the file being written, in bytes and in number: what followers that keep
/// up read. Each takes some 100 bytes more than its length.
const CACHE_BYTES: usize = 1024 * 1024;
const CACHE_ENTRIES: usize = 2 * 1024;

/// The buffer with which files are read at start; the crate's default of 64 MiB is all of an idle node's memory.
const READ_BUFFER_BYTES: usize = 1024 * 1024;

/// The most that one message to another node carries; one larger entry goes alone.
pub(crate) const READ_BYTES_MAX: u64 = 1024 * 1024;

/// The most entries that are in memory at once while committed ones are applied.
const STREAM_ENTRIES: u64 = 1024;

/// Why the log on disk could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogOpenError {
    /// The log's directory cannot be made, locked, read or written, or its contents are damaged.
    #[error("the log in {} cannot be opened: {source}", dir.display())]
    Io {
        /// Where the log is.
        dir: PathBuf,
        /// What the system or the log's own checks said.
        source: io::Error,
    },
    /// The log's directory has a name that is not UTF-8.
    #[error("the log's directory {} has a name that is not UTF-8", dir.display())]
    Name {
        /// Where the log should be.
        dir: PathBuf,
    },
    /// The log was written by another node.
    #[error("the log in {} belongs to node {owner}, not to node {node}", dir.display())]
    OtherNode {
        /// Where the log is.
        dir: PathBuf,
        /// Whose it is.
        owner: u64,
        /// Who tried to open it.
        node: u64,
    },
}

/// The log on disk. A clone is another handle to the same log.
#[derive(Clone)]
pub(crate) struct DiskLog {
    state: Arc<Mutex<State>>,
    growth: Growth,
    /// Where the next sync is begun from: not on raft-log's thread, which must never wait for the lock.
    runtime: Handle,
}

struct State {
    /// None once it is closed.
    log: Option<RaftLog<WalTypes>>,
    /// Those whose entries are not yet in a sync.
    waiting: Vec<IOFlushed<TypeConfig>>,
    /// Whether a sync for such entries is in flight.
    syncing: bool,
    /// Whether a record is in memory that nobody waits for.
    unwritten: bool,
    observer: Option<SyncObserver>,
}

impl DiskLog {
    /// Opens or begins the log of `node` in `dir`. A record that was being written when the machine stopped is
    /// cut off; damage anywhere else is an error. Called inside a runtime.
    pub(crate) fn open(dir: &Path, node: u64) -> Result<Self, LogOpenError> {
        let io_error = |source| LogOpenError::Io {
            dir: dir.to_owned(),
            source,
        };
        std::fs::create_dir_all(dir).map_err(io_error)?;
        let name = dir.to_str().ok_or_else(|| LogOpenError::Name {
            dir: dir.to_owned(),
        })?;
        let mut log = open_files(dir, wal_config(name)).map_err(io_error)?;
        match log.log_state().user_data {
            Some(owner) if owner != node => {
                return Err(LogOpenError::OtherNode {
                    dir: dir.to_owned(),
                    owner,
                    node,
                });
            }
            Some(_) => {}
            None => {
                // Durable with the first vote, before which there is nothing to protect.
                log.save_user_data(Some(node)).map_err(io_error)?;
            }
        }
        let growth = Growth::default();
        growth.add(log.on_disk_size());
        let (waiting, syncing, unwritten) = (Vec::new(), false, false);
        let state = State {
            log: Some(log),
            waiting,
            syncing,
            unwritten,
            observer: None,
        };
        Ok(Self {
            state: Arc::new(Mutex::new(state)),
            growth,
            runtime: Handle::current(),
        })
    }

    pub(crate) fn growth(&self) -> Growth {
        self.growth.clone()
    }

    /// Whether nothing was ever voted, written or purged.
    pub(crate) fn is_empty(&self) -> bool {
        self.with(|log| {
            let state = log.log_state();
            Ok(state.vote().is_none() && state.last().is_none() && state.purged().is_none())
        })
        .unwrap_or(false)
    }

    /// Tells `observer` of each sync from now on.
    pub(crate) fn observe_syncs(&self, observer: SyncObserver) {
        self.lock().observer = Some(observer);
    }

    /// Closes the files and releases the directory's lock, whoever still holds a handle.
    pub(crate) fn close(&self) {
        let log = self.lock().log.take();
        // Without the lock: it waits for what is queued.
        drop(log);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic while it was held leaves the log in doubt: nothing more may be written to it.
        self.state
            .lock()
            .unwrap_or_else(|poisoned: PoisonError<_>| {
                let mut state = poisoned.into_inner();
                state.log = None;
                state
            })
    }

    fn with<T>(&self, work: impl FnOnce(&mut RaftLog<WalTypes>) -> io::Result<T>) -> io::Result<T> {
        work(self.lock().log()?)
    }

    fn read(&self, from: u64, to: u64, bytes_max: u64) -> io::Result<Vec<Entry>> {
        self.with(|log| {
            let mut entries = Vec::new();
            let mut bytes = 0;
            for stored in log.read(from, to) {
                let ((term, index), payload) = stored?;
                let entry = Entry {
                    log_id: raft_types::log_id(term, index),
                    payload: payload.try_into()?,
                };
                bytes += entry_bytes(&entry);
                if bytes > bytes_max && !entries.is_empty() {
                    break;
                }
                entries.push(entry);
            }
            Ok(entries)
        })
    }

    /// Syncs what waits, unless a sync is in flight: then its end begins the next.
    fn sync(&self, state: &mut State) -> io::Result<()> {
        if state.syncing || state.waiting.is_empty() {
            return Ok(());
        }
        let waiting = std::mem::take(&mut state.waiting);
        let (log, runtime) = (Arc::downgrade(&self.state), self.runtime.clone());
        let growth = self.growth.clone();
        let (observer, began) = (state.observer.clone(), Instant::now());
        let synced = move |result: io::Result<()>| {
            if let Some(observer) = observer {
                observer.observe(began.elapsed());
            }
            for callback in waiting {
                callback.io_completed(result.as_ref().copied().map_err(copied));
            }
            runtime.clone().spawn(async move {
                if let Some(state) = log.upgrade() {
                    DiskLog {
                        state,
                        growth,
                        runtime,
                    }
                    .synced(result);
                }
            });
        };
        state.syncing = true;
        state.unwritten = false;
        state.log()?.flush(true, Some(Flushed(Box::new(synced))))
    }

    /// One sync has ended: begins the next, or ends all that wait for one if it failed.
    fn synced(&self, result: io::Result<()>) {
        let mut state = self.lock();
        state.syncing = false;
        let next = result.and_then(|()| self.sync(&mut state));
        let next = next.and_then(|()| state.write_rest());
        if let Err(error) = next {
            for callback in std::mem::take(&mut state.waiting) {
                callback.io_completed(Err(copied(&error)));
            }
        }
    }
}

impl State {
    fn log(&mut self) -> io::Result<&mut RaftLog<WalTypes>> {
        self.log
            .as_mut()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "the log is closed"))
    }

    /// Writes what nobody waits for, if no sync will take it along. After a `kill -9` it is then in the file.
    fn write_rest(&mut self) -> io::Result<()> {
        if self.syncing || !self.unwritten {
            return Ok(());
        }
        self.unwritten = false;
        self.log()?.flush(false, None)
    }
}

/// An I/O error for one more who waits for it.
fn copied(error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), error.to_string())
}

fn wal_config(dir: &str) -> Arc<raft_log::Config> {
    let mut config = raft_log::Config::new(dir);
    config.log_cache_capacity = Some(CACHE_BYTES);
    config.log_cache_max_items = Some(CACHE_ENTRIES);
    config.wal.chunk_max_size = Some(CHUNK_BYTES);
    config.wal.read_buffer_size = Some(READ_BUFFER_BYTES);
    config.wal.flush_batch_wait = Some(Duration::ZERO);
    Arc::new(config)
}

fn open_files(dir: &Path, config: Arc<raft_log::Config>) -> io::Result<RaftLog<WalTypes>> {
    match RaftLog::open(config.clone()) {
        // Another process that has the log open is an error of another kind: its files stay as they are.
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            if trim_zeros(dir)? {
                RaftLog::open(config)
            } else {
                Err(error)
            }
        }
        opened => opened,
    }
}

/// The first index of a range and the one after its last.
fn bounds(range: &impl RangeBounds<u64>) -> (u64, u64) {
    let from = match range.start_bound() {
        Bound::Included(&index) => index,
        Bound::Excluded(&index) => index + 1,
        Bound::Unbounded => 0,
    };
    let to = match range.end_bound() {
        Bound::Included(&index) => index + 1,
        Bound::Excluded(&index) => index,
        Bound::Unbounded => u64::MAX,
    };
    (from, to.max(from))
}

fn stored_id(id: LogId) -> (u64, u64) {
    (id.leader_id.term, id.index)
}

fn read_id(stored: Option<&(u64, u64)>) -> Option<LogId> {
    stored.map(|&(term, index)| raft_types::log_id(term, index))
}

impl RaftLogReader<TypeConfig> for DiskLog {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        let (from, to) = bounds(&range);
        self.read(from, to, u64::MAX)
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        self.with(|log| Ok(log.log_state().vote().map(|vote| vote.0)))
    }

    async fn entries_stream<RB>(
        &mut self,
        range: RB,
    ) -> impl Stream<Item = io::Result<Entry>> + Send
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        let (from, to) = bounds(&range);
        let log = self.clone();
        let parts = stream::unfold(Some(from), move |from| {
            let part = from.filter(|&from| from < to).map(|from| {
                let end = to.min(from.saturating_add(STREAM_ENTRIES));
                let read = log.read(from, end, u64::MAX);
                // A short part is the log's end, and an error ends the stream.
                let more = matches!(&read, Ok(entries) if entries.last().is_some_and(|last| last.log_id.index + 1 == end));
                let items: Vec<_> = match read {
                    Ok(entries) => entries.into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                };
                (stream::iter(items), more.then_some(end))
            });
            async move { part }
        });
        Box::pin(futures_util::StreamExt::flatten(parts))
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> io::Result<Vec<Entry>> {
        self.read(start, end, READ_BYTES_MAX)
    }
}

impl RaftLogStorage<TypeConfig> for DiskLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        self.with(|log| {
            let state = log.log_state();
            Ok(LogState {
                last_purged_log_id: read_id(state.purged()),
                last_log_id: read_id(state.last()),
            })
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        let (flushed, durable) = oneshot::channel();
        self.with(|log| {
            log.save_vote(StoredVote(*vote))?;
            // The one who waits goes away only when the node stops.
            let saved = move |result| drop(flushed.send(result));
            log.flush(true, Some(Flushed(Box::new(saved))))
        })?;
        durable
            .await
            .map_err(|_| io::Error::other("the log's writer has stopped"))?
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        let Some(committed) = committed else {
            return Ok(());
        };
        let mut state = self.lock();
        let log = state.log()?;
        let id = stored_id(committed);
        // A snapshot may be ahead of the log; the state's own mark then says how far it came.
        if Some(&id) > log.log_state().last() || Some(&id) <= log.log_state().committed() {
            return Ok(());
        }
        log.commit(id)?;
        // Not synced: it rides on the next sync, and is only there to save waiting at the next start.
        state.unwritten = true;
        state.write_rest()
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        self.with(|log| Ok(read_id(log.log_state().committed())))
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let mut added = 0;
        let mut state = self.lock();
        let stored = entries.into_iter().map(|entry| {
            added += entry_bytes(&entry);
            (stored_id(entry.log_id), StoredPayload::from(entry.payload))
        });
        state.log()?.append(stored)?;
        state.waiting.push(callback);
        self.sync(&mut state)?;
        drop(state);
        self.growth.add(added);
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        self.with(|log| {
            let keep = last.map(stored_id);
            if log.log_state().last() > keep.as_ref() {
                log.truncate(keep.map_or(0, |(_, index)| index + 1))?;
                // Written in order with the entries that replace the removed ones; alone it protects nothing.
                log.flush(false, None)?;
            }
            Ok(())
        })
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        self.with(|log| {
            log.purge(stored_id(upto))?;
            // Synced, because only then are the files of purged entries deleted.
            log.flush(true, None)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_suite;

    #[tokio::test]
    async fn openrafts_suite_passes() {
        log_suite::check(|dir| DiskLog::open(&dir.join("log"), 0).unwrap()).await;
    }

    #[tokio::test]
    async fn a_log_is_opened_by_its_owner_only_and_by_one_at_a_time() {
        let dir = tempfile::tempdir().unwrap();
        let log = DiskLog::open(dir.path(), 7).unwrap();
        assert!(matches!(
            DiskLog::open(dir.path(), 7),
            Err(LogOpenError::Io { .. })
        ));
        log.with(|log| log.flush(true, None)).unwrap();
        log.close();
        drop(log);
        let other = DiskLog::open(dir.path(), 8).map(|_| ());
        assert!(matches!(
            other,
            Err(LogOpenError::OtherNode {
                owner: 7,
                node: 8,
                ..
            })
        ));
        DiskLog::open(dir.path(), 7).unwrap();
    }
}
