//! The store as the log's state machine: what is committed is applied, answered and announced.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use odin_cluster::{Committed, Machine, SnapshotJob};
use odin_executor::fault::{self, Point};
use odin_model::{Clock, Outcome, RunState, codec};
use odin_store::{Effect, Entry, Store, StoreError};
use tokio::sync::{broadcast, watch};

use crate::heartbeats::{Beating, Heartbeats};
use crate::lease_book::LeaseBook;
use crate::metrics::Metrics;

/// How many effects a listener may be behind before it must read the state instead.
const EFFECTS_MAX: usize = 16_384;

/// Tells of what was committed.
#[derive(Debug, Clone)]
pub struct Announcements {
    effects: broadcast::Sender<Effect>,
    applied: watch::Sender<u64>,
}

impl Default for Announcements {
    fn default() -> Self {
        Self {
            effects: broadcast::channel(EFFECTS_MAX).0,
            applied: watch::channel(0).0,
        }
    }
}

impl Announcements {
    /// The effects from now on, in order. Who is too far behind is told so and reads the state.
    #[must_use]
    pub fn effects(&self) -> broadcast::Receiver<Effect> {
        self.effects.subscribe()
    }

    /// Changes whenever something was applied; the number is the log index of the latest command.
    #[must_use]
    pub fn applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }
}

/// A [`Store`] behind the log.
pub(crate) struct StoreMachine {
    store: Store,
    announcements: Announcements,
    leases: Arc<LeaseBook>,
    beats: Arc<Heartbeats>,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

impl StoreMachine {
    /// A machine that keeps `leases` told of the nodes in force, and `beats` of what it is at.
    pub(crate) fn new(
        store: Store,
        announcements: Announcements,
        leases: Arc<LeaseBook>,
        beats: Arc<Heartbeats>,
        metrics: Metrics,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, StoreError> {
        let machine = Self {
            store,
            announcements,
            leases,
            beats,
            metrics,
            clock,
        };
        machine.tell_leases()?;
        Ok(machine)
    }

    /// At once and not by an announcement: a node that has just begun a life asks for its lease right away.
    fn tell_leases(&self) -> Result<(), StoreError> {
        self.leases.set_nodes(&self.store.reader().nodes()?);
        Ok(())
    }
}

/// Writes what became of runs to the server's log. What went well is for who asks for it: there is much of it.
fn tell(effect: &Effect) {
    let Effect::RunChanged {
        run, job, state, ..
    } = effect
    else {
        return;
    };
    match state {
        RunState::Running { attempt, node, .. } => {
            tracing::debug!(%run, %job, %attempt, %node, "a run has started");
        }
        RunState::Finished(Outcome::Succeeded) => {
            tracing::debug!(%run, %job, outcome = Outcome::Succeeded.word(), "a run is over");
        }
        RunState::Finished(outcome) => {
            tracing::info!(%run, %job, outcome = outcome.word(), "a run is over");
        }
        RunState::Retrying { at, .. } => {
            tracing::info!(%run, %job, %at, "a run is tried again");
        }
        RunState::Unreachable { attempt, node, .. } => {
            tracing::warn!(%run, %job, %attempt, %node, "a run's node is silent");
        }
        RunState::Queued | RunState::Waiting | RunState::Assigned { .. } => {}
    }
}

impl Machine for StoreMachine {
    type Error = StoreError;

    fn mark(&self) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.mark()
    }

    fn apply(&mut self, commands: &[Committed], mark: &[u8]) -> Result<Vec<Bytes>, StoreError> {
        self.beats.apply.beat(self.clock.boottime());
        let _rests_after = Beating(&self.beats.apply);
        fault::reach(Point::ServerApplyBefore);
        let entries: Vec<_> = commands
            .iter()
            .map(|committed| Entry {
                index: committed.index,
                command: &committed.command,
            })
            .collect();
        let began = self.clock.boottime();
        let applied = self.store.apply(&entries, mark)?;
        let took = self.clock.boottime().0.saturating_sub(began.0);
        self.metrics
            .applied(entries.len(), took, &applied.observations);
        if applied
            .effects
            .iter()
            .any(|effect| matches!(effect, Effect::NodeChanged { .. }))
        {
            self.tell_leases()?;
        }
        for effect in applied.effects {
            tell(&effect);
            // Nobody listening is fine: who comes later reads the state.
            let _ = self.announcements.effects.send(effect);
        }
        if let Some(last) = commands.last() {
            self.announcements.applied.send_replace(last.index);
        }
        Ok(applied
            .replies
            .iter()
            .map(|reply| Bytes::from(codec::encode(reply)))
            .collect())
    }

    fn snapshot(&mut self) -> Result<SnapshotJob<StoreError>, StoreError> {
        let frozen = self.store.freeze()?;
        Ok(Box::new(move |into| frozen.write(into)))
    }

    fn install(&mut self, from: &Path) -> Result<(), StoreError> {
        self.beats.apply.beat(self.clock.boottime());
        let _rests_after = Beating(&self.beats.apply);
        self.store.install(from)?;
        self.tell_leases()?;
        // Whoever listens has missed what the snapshot holds.
        self.announcements
            .applied
            .send_modify(|applied| *applied = self.store.view().applied());
        Ok(())
    }
}
