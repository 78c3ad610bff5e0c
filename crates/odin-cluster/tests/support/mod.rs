//! A machine, a clock and an authority for tests.

#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test file uses a part of it"
)]

pub mod cluster;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use odin_cluster::memory_transport::MemoryNetwork;
use odin_cluster::{
    Committed, Environment, LeaseAuthority, LeaseRequest, Machine, NotAdmitted, SnapshotJob,
};
use odin_model::{Boottime, Clock, NodeId};
use tokio::time::Instant;

/// Remembers every command. A clone is the same state, as a database is after a restart.
#[derive(Clone, Default)]
pub struct Tally(pub Arc<Mutex<Contents>>);

#[derive(Clone, Default)]
pub struct Contents {
    pub commands: Vec<(u64, Bytes)>,
    pub mark: Option<Vec<u8>>,
    /// How many transactions there were.
    pub batches: usize,
    /// How many snapshots were installed.
    pub installed: usize,
}

/// This command cannot be written.
pub const POISON: &[u8] = b"a disk error";

/// This command shows a bug in the machine.
pub const BUG: &[u8] = b"a bug";

#[derive(Debug, thiserror::Error)]
pub enum TallyError {
    #[error("the disk is on fire")]
    Poison,
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Form(#[from] postcard::Error),
}

impl Tally {
    pub fn commands(&self) -> Vec<String> {
        let contents = self.0.lock().unwrap();
        contents
            .commands
            .iter()
            .map(|(_, command)| String::from_utf8_lossy(command).into_owned())
            .collect()
    }

    /// The state as it is now, apart from this one.
    pub fn copy(&self) -> Self {
        Self(Arc::new(Mutex::new(self.0.lock().unwrap().clone())))
    }
}

impl Machine for Tally {
    type Error = TallyError;

    fn mark(&self) -> Result<Option<Vec<u8>>, TallyError> {
        Ok(self.0.lock().unwrap().mark.clone())
    }

    /// Replies to the n-th command with `n`.
    fn apply(&mut self, commands: &[Committed], mark: &[u8]) -> Result<Vec<Bytes>, TallyError> {
        if commands.iter().any(|committed| committed.command == POISON) {
            return Err(TallyError::Poison);
        }
        assert!(
            commands.iter().all(|committed| committed.command != BUG),
            "a bug in the machine"
        );
        let mut contents = self.0.lock().unwrap();
        contents.mark = Some(mark.to_vec());
        contents.batches += 1;
        let reply = |committed: &Committed| {
            assert!(
                contents
                    .commands
                    .last()
                    .is_none_or(|last| last.0 < committed.index),
                "in log order"
            );
            contents
                .commands
                .push((committed.index, committed.command.clone()));
            contents.commands.len().to_string().into()
        };
        Ok(commands.iter().map(reply).collect())
    }

    fn snapshot(&mut self) -> Result<SnapshotJob<TallyError>, TallyError> {
        let contents = self.0.lock().unwrap();
        let commands: Vec<(u64, Vec<u8>)> = contents
            .commands
            .iter()
            .map(|(index, command)| (*index, command.to_vec()))
            .collect();
        let state = (commands, contents.mark.clone());
        Ok(Box::new(move |into| {
            Ok(std::fs::write(into, postcard::to_stdvec(&state)?)?)
        }))
    }

    fn install(&mut self, from: &Path) -> Result<(), TallyError> {
        let bytes = std::fs::read(from)?;
        let (commands, mark): (Vec<(u64, Vec<u8>)>, _) = postcard::from_bytes(&bytes)?;
        let mut contents = self.0.lock().unwrap();
        contents.commands = commands
            .into_iter()
            .map(|(index, command)| (index, command.into()))
            .collect();
        contents.mark = mark;
        contents.installed += 1;
        Ok(())
    }
}

/// Tokio's clock, which tests pause.
pub struct TokioClock(Instant);

impl TokioClock {
    pub fn new() -> Self {
        Self(Instant::now())
    }
}

impl Clock for TokioClock {
    fn wall(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }

    fn boottime(&self) -> Boottime {
        Boottime(self.0.elapsed())
    }
}

/// Admits all nodes but those declared down.
#[derive(Default)]
pub struct Register {
    pub down: Mutex<BTreeSet<NodeId>>,
}

impl LeaseAuthority for Register {
    fn admit(&self, request: LeaseRequest, _now: Boottime) -> Result<(), NotAdmitted> {
        if self.down.lock().unwrap().contains(&request.node) {
            Err(NotAdmitted::Down)
        } else {
            Ok(())
        }
    }
}

pub fn environment(node: NodeId, network: &MemoryNetwork) -> Environment {
    environment_with(node, network, Arc::default())
}

pub fn environment_with(
    node: NodeId,
    network: &MemoryNetwork,
    leases: Arc<Register>,
) -> Environment {
    Environment {
        transport: network.transport(node),
        clock: Arc::new(TokioClock::new()),
        leases,
    }
}
