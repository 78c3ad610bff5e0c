//! Takes committed entries to the machine, and snapshots out of it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use futures_util::{FutureExt, Stream, StreamExt};
use openraft::storage::{ApplyResponder, EntryResponder, RaftSnapshotBuilder, RaftStateMachine};

use crate::blocking::blocking;
use crate::machine::{AnyMachine, Committed, SnapshotJob};
use crate::raft_types::{
    EntryPayload, LogId, Payload, Snapshot, SnapshotMeta, StoredMembership, TypeConfig,
};
use crate::record::{DecodeError, Mark, decode, encode};
use crate::snapshot::{self, SnapshotDirectory, SnapshotFile};

/// The most entries in one transaction of the machine.
const BATCH_ENTRIES: usize = 1024;

/// A batch ends after this many bytes of commands, so that one transaction stays short.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// The machine as openraft sees it.
pub(crate) struct Applier {
    /// A mutex because openraft wants `Sync`; it is never contended.
    machine: Mutex<Box<dyn AnyMachine>>,
    applied: Option<LogId>,
    membership: StoredMembership,
    snapshots: SnapshotDirectory,
}

/// Why the machine's mark was refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MarkError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl Applier {
    pub(crate) fn new(
        machine: Box<dyn AnyMachine>,
        snapshots: SnapshotDirectory,
    ) -> Result<Self, MarkError> {
        let mut applier = Self {
            machine: Mutex::new(machine),
            applied: None,
            membership: StoredMembership::default(),
            snapshots,
        };
        applier.read_mark()?;
        Ok(applier)
    }

    /// The last entry in the machine's state.
    pub(crate) fn applied(&self) -> Option<LogId> {
        self.applied
    }

    fn machine(&mut self) -> &mut Box<dyn AnyMachine> {
        // Poisoned only by a panic in the machine, after which the node stops.
        self.machine
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn read_mark(&mut self) -> Result<(), MarkError> {
        match self.machine().mark()? {
            Some(bytes) => {
                let mark: Mark = decode(&bytes)?;
                self.applied = Some(mark.applied.into());
                self.membership = mark.membership.into();
            }
            None => {
                self.applied = None;
                self.membership = StoredMembership::default();
            }
        }
        Ok(())
    }

    /// Applies one batch in one transaction, then answers the proposers.
    fn apply_batch(&mut self, batch: Batch) -> io::Result<()> {
        let Some(last) = batch.last else {
            return Ok(());
        };
        let membership = batch.membership.unwrap_or_else(|| self.membership.clone());
        let mark = encode(&Mark {
            applied: last.into(),
            membership: (&membership).into(),
        });
        let commands = batch.commands;
        let machine = self.machine();
        // A panic would end openraft's task for the machine and leave the rest of the node waiting for it.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            blocking(|| machine.apply(&commands, &mark))
        }));
        let replies = outcome.map_err(|_| io::Error::other("the state machine panicked"))??;
        if replies.len() != commands.len() {
            let message = format!(
                "the state machine gave {} replies to {} commands",
                replies.len(),
                commands.len()
            );
            return Err(io::Error::other(message));
        }
        self.applied = Some(last);
        self.membership = membership;
        for (responder, reply) in batch.responders.into_iter().zip(replies) {
            if let Some(responder) = responder {
                responder.send(reply);
            }
        }
        for responder in batch.own {
            responder.send(bytes::Bytes::new());
        }
        Ok(())
    }
}

/// Entries that are applied together.
#[derive(Default)]
struct Batch {
    commands: Vec<Committed>,
    /// One for each command; none where no proposer waits here.
    responders: Vec<Option<ApplyResponder<TypeConfig>>>,
    /// Those who wait for the log's own entries.
    own: Vec<ApplyResponder<TypeConfig>>,
    membership: Option<StoredMembership>,
    last: Option<LogId>,
    entries: usize,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, (entry, responder): EntryResponder<TypeConfig>) {
        let id = entry.log_id;
        self.last = Some(id);
        self.entries += 1;
        match entry.payload {
            EntryPayload::Normal(Payload(command)) => {
                self.bytes += command.len();
                self.commands.push(Committed {
                    index: id.index,
                    term: id.leader_id.term,
                    command,
                });
                self.responders.push(responder);
            }
            EntryPayload::Blank => self.own.extend(responder),
            EntryPayload::Membership(membership) => {
                self.membership = Some(StoredMembership::new(Some(id), membership));
                self.own.extend(responder);
            }
        }
    }

    fn is_full(&self) -> bool {
        self.entries >= BATCH_ENTRIES || self.bytes >= BATCH_BYTES
    }
}

impl RaftStateMachine<TypeConfig> for Applier {
    type SnapshotData = SnapshotFile;
    type SnapshotBuilder = SnapshotBuilder;

    async fn applied_state(&mut self) -> io::Result<(Option<LogId>, StoredMembership)> {
        Ok((self.applied, self.membership.clone()))
    }

    async fn apply<S>(&mut self, entries: S) -> io::Result<()>
    where
        S: Stream<Item = io::Result<EntryResponder<TypeConfig>>> + Unpin + Send,
    {
        // Fused, because the end may be seen while a batch is gathered and is then asked for once more.
        let mut entries = entries.fuse();
        while let Some(first) = entries.next().await {
            let mut batch = Batch::default();
            batch.push(first?);
            // Everything that is there already, and nothing that would have to be waited for.
            while !batch.is_full() {
                match entries.next().now_or_never() {
                    Some(Some(entry)) => batch.push(entry?),
                    Some(None) | None => break,
                }
            }
            self.apply_batch(batch)?;
        }
        Ok(())
    }

    async fn get_snapshot_builder(&mut self) -> SnapshotBuilder {
        let meta = SnapshotMeta {
            last_log_id: self.applied,
            last_membership: self.membership.clone(),
        };
        let machine = self.machine();
        let job = blocking(|| machine.snapshot());
        SnapshotBuilder {
            meta,
            job: Mutex::new(Some(job)),
            snapshots: self.snapshots.clone(),
        }
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta,
        file: SnapshotFile,
    ) -> io::Result<()> {
        let snapshots = self.snapshots.clone();
        blocking(|| {
            let current = snapshots.current()?;
            // Already in place when a restarted node's state is behind its own snapshot.
            let adopted = match current {
                Some(current) if current.snapshot.path == file.path => current,
                _ => snapshots.adopt(&file.path, meta)?,
            };
            self.machine().install(&adopted.snapshot.path)?;
            self.read_mark().map_err(io::Error::other)?;
            let installed = self.applied.map(|id| Mark {
                applied: id.into(),
                membership: (&self.membership).into(),
            });
            if installed != snapshot::mark(meta) {
                return Err(io::Error::other(
                    "the state machine's mark is not that of the snapshot it installed",
                ));
            }
            Ok(())
        })
    }

    async fn get_current_snapshot(&mut self) -> io::Result<Option<Snapshot>> {
        blocking(|| self.snapshots.current())
    }
}

/// Writes one snapshot, beside the applying of later entries.
pub(crate) struct SnapshotBuilder {
    meta: SnapshotMeta,
    /// Taken by the one call. A mutex because openraft wants `Sync`.
    job: Mutex<Option<io::Result<SnapshotJob<io::Error>>>>,
    snapshots: SnapshotDirectory,
}

impl RaftSnapshotBuilder<TypeConfig> for SnapshotBuilder {
    type SnapshotData = SnapshotFile;

    async fn build_snapshot(&mut self) -> io::Result<Snapshot> {
        let job = self
            .job
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let job = job.ok_or_else(|| io::Error::other("a snapshot builder was used twice"))??;
        blocking(|| {
            let path = self.snapshots.building()?;
            job(&path)?;
            self.snapshots.adopt(&path, &self.meta)
        })
    }
}
