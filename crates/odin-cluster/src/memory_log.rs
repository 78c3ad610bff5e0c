//! A log in memory, for tests and the simulator: no threads, so that paused time does not run ahead of it.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use openraft::LogState;
use openraft::storage::{IOFlushed, RaftLogReader, RaftLogStorage};

use crate::growth::{Growth, entry_bytes};
use crate::raft_types::{Entry, LogId, TypeConfig, Vote};

/// A log that lives as long as the last handle to it: a simulated disk.
///
/// A node that "crashed" is started again with a clone of its handle.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    contents: Arc<Mutex<Contents>>,
    growth: Growth,
}

#[derive(Debug, Default)]
struct Contents {
    vote: Option<Vote>,
    committed: Option<LogId>,
    purged: Option<LogId>,
    entries: BTreeMap<u64, Entry>,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn growth(&self) -> Growth {
        self.growth.clone()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let contents = self.contents();
        contents.vote.is_none() && contents.purged.is_none() && contents.entries.is_empty()
    }

    fn contents(&self) -> MutexGuard<'_, Contents> {
        // A panic while it was held is our own bug; the contents are whole between two statements all the same.
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RaftLogReader<TypeConfig> for MemoryLog {
    async fn try_get_log_entries<RB>(&mut self, range: RB) -> io::Result<Vec<Entry>>
    where
        RB: RangeBounds<u64> + Clone + Debug + Send,
    {
        Ok(self
            .contents()
            .entries
            .range(range)
            .map(|(_, entry)| entry.clone())
            .collect())
    }

    async fn read_vote(&mut self) -> io::Result<Option<Vote>> {
        Ok(self.contents().vote)
    }
}

impl RaftLogStorage<TypeConfig> for MemoryLog {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> io::Result<LogState<TypeConfig>> {
        let contents = self.contents();
        let last = contents
            .entries
            .values()
            .next_back()
            .map(|entry| entry.log_id);
        Ok(LogState {
            last_purged_log_id: contents.purged,
            last_log_id: last.or(contents.purged),
        })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote) -> io::Result<()> {
        self.contents().vote = Some(*vote);
        Ok(())
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> io::Result<()> {
        self.contents().committed = committed;
        Ok(())
    }

    async fn read_committed(&mut self) -> io::Result<Option<LogId>> {
        Ok(self.contents().committed)
    }

    async fn append<I>(&mut self, entries: I, callback: IOFlushed<TypeConfig>) -> io::Result<()>
    where
        I: IntoIterator<Item = Entry> + Send,
        I::IntoIter: Send,
    {
        let mut added = 0;
        {
            let mut contents = self.contents();
            for entry in entries {
                added += entry_bytes(&entry);
                contents.entries.insert(entry.log_id.index, entry);
            }
        }
        self.growth.add(added);
        callback.io_completed(Ok(()));
        Ok(())
    }

    async fn truncate_after(&mut self, last: Option<LogId>) -> io::Result<()> {
        let from = last.map_or(0, |id| id.index + 1);
        self.contents().entries.split_off(&from);
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> io::Result<()> {
        let mut contents = self.contents();
        contents.purged = contents.purged.max(Some(upto));
        contents.entries = contents.entries.split_off(&(upto.index + 1));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_suite;

    #[tokio::test]
    async fn openrafts_suite_passes() {
        log_suite::check(|_| MemoryLog::new()).await;
    }
}
