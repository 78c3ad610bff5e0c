//! Begins a log that goes on from a state which another log made: what a restore from a backup needs.
//!
//! The log then stands as after any snapshot: its entries up to the state's last one are purged, and a snapshot holds
//! what they made. So positions, and with them revisions and ids, go on where the backup ended.

use std::fs;
use std::io;
use std::path::Path;

use odin_model::NodeId;
use openraft::storage::RaftLogStorage;

use crate::blocking::blocking;
use crate::disk_log::DiskLog;
use crate::error::StartError;
use crate::options::{Options, Storage};
use crate::raft_types::{Membership, SnapshotMeta, StoredMembership, TypeConfig, Vote};
use crate::record::{LogIdRecord, Mark, decode, encode};
use crate::snapshot::SnapshotDirectory;

/// Where a new log begins: after the last position of the one that made the state.
#[derive(Debug, Clone)]
pub struct Beginning {
    last: LogIdRecord,
    node: NodeId,
}

impl Beginning {
    /// After the state with the mark `before`, for a log in which `node` is alone.
    ///
    /// # Errors
    /// The mark cannot be read.
    pub fn after(before: &[u8], node: NodeId) -> Result<Self, StartError> {
        let before: Mark = decode(before).map_err(|error| StartError::Mark(error.to_string()))?;
        Ok(Self {
            last: before.applied,
            node,
        })
    }

    /// Takes the next position, for a command that belongs to the beginning.
    pub fn take_position(&mut self) -> u64 {
        self.last.index += 1;
        self.last.index
    }

    /// The mark of a state that holds everything up to the last position taken.
    #[must_use]
    pub fn mark(&self) -> Vec<u8> {
        let alone = Membership::new_with_defaults(vec![[self.node.0].into()], [self.node.0]);
        let membership = StoredMembership::new(Some(self.last.into()), alone);
        encode(&Mark {
            applied: self.last,
            membership: (&membership).into(),
        })
    }
}

/// Begins the log of `options`, whose directories are empty or missing, at `beginning` with the state in the file
/// `state`, which has that mark and is moved. Everything is on the disk when it returns. Called inside a runtime.
///
/// # Errors
/// Something cannot be written.
pub async fn begin_from(
    options: &Options,
    beginning: &Beginning,
    state: &Path,
) -> Result<(), StartError> {
    let mark: Mark =
        decode(&beginning.mark()).map_err(|error| StartError::Mark(error.to_string()))?;
    let meta = SnapshotMeta {
        last_log_id: Some(mark.applied.into()),
        last_membership: mark.membership.into(),
    };
    blocking(|| adopt(&options.snapshots, state, &meta)).map_err(|source| {
        StartError::Snapshots {
            dir: options.snapshots.clone(),
            source,
        }
    })?;
    let recovery = |error: io::Error| StartError::Recovery(error.to_string());
    // No entry's term may be above the vote's.
    let vote = Vote::new(mark.applied.term, options.node.0);
    match options.storage.clone() {
        Storage::Disk(dir) => {
            let mut log = blocking(|| DiskLog::open(&dir, options.node.0))?;
            let begun = begin(&mut log, mark.applied, vote).await;
            blocking(|| log.close());
            begun.map_err(recovery)
        }
        Storage::Memory(mut log) => begin(&mut log, mark.applied, vote).await.map_err(recovery),
    }
}

fn adopt(snapshots: &Path, state: &Path, meta: &SnapshotMeta) -> io::Result<()> {
    let snapshots = SnapshotDirectory::open(snapshots)?;
    let copy = snapshots.building()?;
    fs::rename(state, &copy)?;
    snapshots.adopt(&copy, meta).map(drop)
}

async fn begin<L: RaftLogStorage<TypeConfig>>(
    log: &mut L,
    last: LogIdRecord,
    vote: Vote,
) -> io::Result<()> {
    log.purge(last.into()).await?;
    // Waits until it is on the disk, and the purge, which was written before, with it.
    log.save_vote(&vote).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_transport::MemoryNetwork;
    use crate::support::{Tally, environment};
    use crate::{Applied, Committed, Log, Machine};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_log_that_begins_from_a_state_goes_on_after_its_last_position() {
        let dir = tempfile::tempdir().unwrap();
        let options = |name: &str| {
            let place = dir.path().join(name);
            Options::on_disk(NodeId(1), place.join("log"), place.join("snapshots"))
        };
        let environment = || environment(NodeId(1), &MemoryNetwork::new());
        // The state of another log, and one more command of the restore itself.
        let state = Tally::default();
        let first = Log::start(options("old"), state.clone(), environment())
            .await
            .unwrap();
        first.bootstrap().await.unwrap();
        first.propose("a".into()).await.unwrap();
        let Applied { index, .. } = first.propose("b".into()).await.unwrap();
        first.shutdown().await;
        let mut state = state.copy();
        let before = Machine::mark(&state).unwrap().unwrap();
        let mut beginning = Beginning::after(&before, NodeId(1)).unwrap();
        let own = Committed {
            index: beginning.take_position(),
            term: 1,
            command: "own".into(),
        };
        assert!(own.index > index);
        let index = own.index;
        state.apply(&[own], &beginning.mark()).unwrap();
        let file = dir.path().join("state");
        state.snapshot().unwrap()(&file).unwrap();

        begin_from(&options("new"), &beginning, &file)
            .await
            .unwrap();
        // With the state at hand, and with one that has to come out of the snapshot.
        for machine in [state.copy(), Tally::default()] {
            let log = Log::start(options("new"), machine.clone(), environment())
                .await
                .unwrap();
            log.bootstrap().await.unwrap();
            let applied = log.propose("next".into()).await.unwrap();
            assert!(applied.index > index, "{applied:?}");
            log.shutdown().await;
            assert_eq!(machine.commands()[..4], ["a", "b", "own", "next"]);
        }
    }
}
