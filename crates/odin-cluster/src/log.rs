//! One node's part of the replicated log.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use odin_model::NodeId;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::errors::{Fatal, InitializeError, RaftError};
use openraft::storage::RaftLogStorage;
use openraft::{Config, SnapshotPolicy};
use tokio::sync::{Semaphore, watch};
use tokio::task::AbortHandle;

use crate::alone::rest_while_alone;
use crate::apply::Applier;
use crate::blocking::blocking;
use crate::disk_log::DiskLog;
use crate::error::{BootstrapError, Failure, StartError, Stopped, WaitError};
use crate::growth::Growth;
use crate::incoming::Incoming;
use crate::leadership::{Leadership, Term, watch_leadership};
use crate::machine::Machine;
use crate::network::{INSTALL_TIMEOUT, Peers};
use crate::options::{Environment, Options, Retention, Storage, Timings};
use crate::propose::IN_FLIGHT_MAX;
use crate::raft_types::{LogId, Raft, Runtime, TypeConfig};
use crate::snapshot::SnapshotDirectory;

/// The most entries in one message to a follower; its bytes are limited too.
const MESSAGE_ENTRIES: u64 = 4096;

/// One node's part of the replicated log. A clone is another handle to it.
///
/// Dropping the handles does not stop the node: see [`shutdown`](Self::shutdown).
#[derive(Clone)]
pub struct Log {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) node: NodeId,
    pub(crate) raft: Raft,
    pub(crate) timings: Timings,
    pub(crate) environment: Environment,
    pub(crate) leadership: watch::Receiver<Leadership>,
    pub(crate) snapshots: SnapshotDirectory,
    /// Places for proposals in flight on this node.
    pub(crate) places: Arc<Semaphore>,
    pub(crate) incoming: tokio::sync::Mutex<Incoming>,
    failure: watch::Receiver<Option<Failure>>,
    disk: Option<DiskLog>,
    compaction: Mutex<Option<AbortHandle>>,
}

/// A node's view of the log. Indexes are none while nothing of the kind has happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// This node.
    pub node: NodeId,
    /// Who leads.
    pub leadership: Leadership,
    /// The highest term that this node knows.
    pub term: Term,
    /// The last entry in this node's log.
    pub last_log: Option<u64>,
    /// The last entry that this node knows to be in the logs of most voters.
    pub committed: Option<u64>,
    /// The last entry in this node's state.
    pub applied: Option<u64>,
    /// The last entry in this node's newest snapshot.
    pub snapshot: Option<u64>,
    /// The last entry removed from this node's log.
    pub purged: Option<u64>,
    /// Who decides, in order of id.
    pub voters: Vec<NodeId>,
    /// Who receives the log without deciding, in order of id.
    pub learners: Vec<NodeId>,
}

impl Log {
    /// Opens this node's log and state, brings the state up to the log's last committed entry, and takes part in
    /// the cluster from then on.
    ///
    /// A node that is the only voter leads at once. One without history waits for [`bootstrap`](Self::bootstrap)
    /// or for a leader that takes it in.
    ///
    /// # Errors
    /// What is stored cannot be used; nothing was changed then, except that a half-written last record is cut off.
    pub async fn start(
        options: Options,
        machine: impl Machine,
        environment: Environment,
    ) -> Result<Self, StartError> {
        let node = options.node.0;
        let snapshots =
            blocking(|| SnapshotDirectory::open(&options.snapshots)).map_err(|source| {
                StartError::Snapshots {
                    dir: options.snapshots.clone(),
                    source,
                }
            })?;
        let applier = blocking(|| Applier::new(Box::new(machine), snapshots.clone()))
            .map_err(|error| StartError::Mark(error.to_string()))?;
        match options.storage.clone() {
            Storage::Disk(dir) => {
                let log = blocking(|| DiskLog::open(&dir, node))?;
                if let Some(observer) = &options.on_sync {
                    log.observe_syncs(observer.clone());
                }
                let (growth, empty, disk) = (log.growth(), log.is_empty(), Some(log.clone()));
                let started = Self::assemble(
                    &options,
                    Stored {
                        log,
                        empty,
                        growth,
                        snapshots,
                    },
                    applier,
                    environment,
                );
                let result = started.await;
                if let (Err(_), Some(disk)) = (&result, &disk) {
                    disk.close();
                }
                result.map(|parts| parts.into_log(disk))
            }
            Storage::Memory(log) => {
                let (growth, empty) = (log.growth(), log.is_empty());
                let started = Self::assemble(
                    &options,
                    Stored {
                        log,
                        empty,
                        growth,
                        snapshots,
                    },
                    applier,
                    environment,
                );
                started.await.map(|parts| parts.into_log(None))
            }
        }
    }

    async fn assemble<L: RaftLogStorage<TypeConfig>>(
        options: &Options,
        mut stored: Stored<L>,
        applier: Applier,
        environment: Environment,
    ) -> Result<Parts, StartError> {
        let config = config(options)?;
        refuse_log_behind_state(&mut stored, applier.applied()).await?;
        let node = options.node.0;
        let peers = Peers {
            node,
            transport: environment.transport.clone(),
        };
        let recovery = |error: Fatal<TypeConfig>| StartError::Recovery(error.to_string());
        // All of openraft's tasks are spawned inside, and draw their election timeouts from the seed.
        let raft = Raft::new(node, Arc::new(config), peers, stored.log, applier);
        let raft = Runtime::scope(options.seed, raft).await.map_err(recovery)?;
        let voters = raft.with_raft_state(|state| {
            state
                .membership_state
                .effective()
                .voter_ids()
                .collect::<Vec<_>>()
        });
        if voters.await.map_err(recovery)? == [node] {
            // Nobody else can lead: waiting for an election timeout would only delay the start.
            raft.trigger().elect(false).await.map_err(recovery)?;
        }
        rest_while_alone(raft.clone());
        Ok(Parts {
            node: options.node,
            leadership: watch_leadership(&raft),
            failure: watch_failure(&raft),
            compaction: compact(
                raft.clone(),
                stored.growth,
                stored.snapshots.clone(),
                options.retention,
            ),
            raft,
            timings: options.timings,
            environment,
            snapshots: stored.snapshots,
        })
    }

    /// Makes this node the first of a new cluster, its only voter. Does nothing when the log has history.
    ///
    /// # Errors
    /// The log has stopped.
    pub async fn bootstrap(&self) -> Result<(), BootstrapError> {
        self.bootstrap_with(&[self.inner.node]).await
    }

    /// Makes this node one of the first `voters` of a new cluster. Does nothing when the log has history.
    ///
    /// One of them is enough; the others learn it from that one. Where several are told, all must be told the same.
    ///
    /// # Errors
    /// This node is not one of them, or the log has stopped.
    pub async fn bootstrap_with(&self, voters: &[NodeId]) -> Result<(), BootstrapError> {
        let members: std::collections::BTreeMap<u64, ()> =
            voters.iter().map(|voter| (voter.0, ())).collect();
        match self.inner.raft.initialize(members).await {
            // Not allowed where there are votes or entries already.
            Ok(()) | Err(RaftError::APIError(InitializeError::NotAllowed(_))) => Ok(()),
            Err(RaftError::APIError(InitializeError::NotInMembers(_))) => {
                Err(BootstrapError::NotAVoter(self.inner.node))
            }
            Err(RaftError::Fatal(_)) => Err(Stopped.into()),
        }
    }

    /// Who leads, as far as this node knows, and each change of it.
    #[must_use]
    pub fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership.clone()
    }

    /// Waits until this node's state holds the entry with this index.
    ///
    /// # Errors
    /// It does not after `timeout`, or the log has stopped.
    pub async fn wait_applied(&self, index: u64, timeout: Duration) -> Result<(), WaitError> {
        let mut applied = self.inner.raft.watch_apply_progress();
        let reached = async {
            loop {
                if applied.get().is_some_and(|id| id.index >= index) {
                    return Ok::<(), Stopped>(());
                }
                applied.changed().await.map_err(|_| Stopped)?;
            }
        };
        match tokio::time::timeout(timeout, reached).await {
            Ok(reached) => Ok(reached?),
            Err(_) => Err(WaitError::TooSlow {
                index,
                waited: timeout,
            }),
        }
    }

    /// This node's view of the log, at about this moment.
    #[must_use]
    pub fn status(&self) -> Status {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow_watched();
        let membership = metrics.membership_config.membership();
        let index = |id: &Option<LogId>| id.map(|id| id.index);
        let mut voters: Vec<_> = membership.voter_ids().map(NodeId).collect();
        let mut learners: Vec<_> = membership.learner_ids().map(NodeId).collect();
        voters.sort_unstable();
        learners.sort_unstable();
        Status {
            node: self.inner.node,
            leadership: *self.inner.leadership.borrow(),
            term: Term(metrics.current_term),
            last_log: metrics.last_log_index,
            committed: index(&metrics.local_committed),
            // Newer than the metrics, and what `wait_applied` goes by.
            applied: index(&self.inner.raft.watch_apply_progress().get()),
            snapshot: index(&metrics.snapshot),
            purged: index(&metrics.purged),
            voters,
            learners,
        }
    }

    /// Makes a snapshot soon and cuts the log behind it, as happens by itself when the log has grown.
    ///
    /// # Errors
    /// The log has stopped.
    pub async fn compact(&self) -> Result<(), Stopped> {
        self.inner
            .raft
            .trigger()
            .snapshot()
            .await
            .map_err(|_| Stopped)
    }

    /// Waits until the log fails, and says why: an error of the disk or of the machine.
    ///
    /// After a failed write nobody knows what the disk holds, so the node takes part in nothing any more and its
    /// process must end. After an orderly shutdown this never returns.
    pub async fn failed(&self) -> Failure {
        let mut failure = self.inner.failure.clone();
        let failed = failure
            .wait_for(Option::is_some)
            .await
            .ok()
            .and_then(|failure| failure.clone());
        match failed {
            Some(failure) => failure,
            None => std::future::pending().await,
        }
    }

    /// Stops taking part. What was acknowledged is on the disk, with or without this.
    ///
    /// When it returns, the log's directory may be opened again.
    pub async fn shutdown(self) {
        let compaction = self
            .inner
            .compaction
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(compaction) = compaction {
            compaction.abort();
        }
        if let Err(error) = self.inner.raft.shutdown().await {
            tracing::warn!(%error, "the log's task ended in a panic");
        }
        if let Some(disk) = &self.inner.disk {
            blocking(|| disk.close());
        }
    }
}

/// What is on this node's disk, opened.
struct Stored<L> {
    log: L,
    /// Whether the log has no history at all.
    empty: bool,
    growth: Growth,
    snapshots: SnapshotDirectory,
}

/// A running log, before it is known what must be closed at its end.
struct Parts {
    node: NodeId,
    raft: Raft,
    timings: Timings,
    environment: Environment,
    leadership: watch::Receiver<Leadership>,
    failure: watch::Receiver<Option<Failure>>,
    compaction: AbortHandle,
    snapshots: SnapshotDirectory,
}

impl Parts {
    fn into_log(self, disk: Option<DiskLog>) -> Log {
        Log {
            inner: Arc::new(Inner {
                node: self.node,
                raft: self.raft,
                timings: self.timings,
                environment: self.environment,
                leadership: self.leadership,
                snapshots: self.snapshots,
                places: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
                incoming: tokio::sync::Mutex::default(),
                failure: self.failure,
                disk,
                compaction: Mutex::new(Some(self.compaction)),
            }),
        }
    }
}

fn config(options: &Options) -> Result<Config, StartError> {
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let config = Config {
        cluster_name: "odin".to_owned(),
        heartbeat_interval: millis(options.timings.heartbeat),
        election_timeout_min: millis(options.timings.election.0),
        election_timeout_max: millis(options.timings.election.1),
        enable_pre_vote: Some(true),
        // Each life of a leader is a term of its own, so that a term can fence what an earlier life proposed.
        enable_leader_restore: Some(false),
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: options.retention.keep_entries,
        replication_lag_threshold: options.retention.keep_entries.max(1),
        install_snapshot_timeout: millis(INSTALL_TIMEOUT),
        max_payload_entries: MESSAGE_ENTRIES,
        ..Config::default()
    };
    config
        .validate()
        .map_err(|error| StartError::Timings(error.to_string()))
}

/// A state ahead of its log is right in one case only: a snapshot was installed, and the node stopped before the log
/// was cut up to it. In every other the log is not the one that made the state.
async fn refuse_log_behind_state<L: RaftLogStorage<TypeConfig>>(
    stored: &mut Stored<L>,
    applied: Option<LogId>,
) -> Result<(), StartError> {
    let recovery = |error: io::Error| StartError::Recovery(error.to_string());
    let last = stored
        .log
        .get_log_state()
        .await
        .map_err(recovery)?
        .last_log_id;
    let Some(state) = applied.filter(|_| applied > last) else {
        return Ok(());
    };
    let installed = blocking(|| stored.snapshots.current()).map_err(recovery)?;
    if !stored.empty && installed.is_some_and(|snapshot| snapshot.meta.last_log_id == applied) {
        return Ok(());
    }
    Err(StartError::LogBehindState {
        log: last.map(|id| id.index),
        state: state.index,
    })
}

fn watch_failure(raft: &Raft) -> watch::Receiver<Option<Failure>> {
    let mut metrics = raft.metrics();
    let (sender, receiver) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let state = metrics.borrow_watched().running_state.clone();
            match state {
                Ok(()) => {}
                Err(Fatal::Stopped) => return,
                Err(error) => {
                    tracing::error!(%error, "the log failed");
                    sender.send_replace(Some(Failure {
                        reason: error.to_string(),
                    }));
                    return;
                }
            }
            // An orderly end is reported before the channel closes; a panic closes it at once.
            if metrics.changed().await.is_err() {
                let reason = "its task ended in a panic".to_owned();
                sender.send_replace(Some(Failure { reason }));
                return;
            }
        }
    });
    receiver
}

/// Makes a snapshot whenever the log has grown enough; openraft then cuts the log behind it.
fn compact(
    raft: Raft,
    growth: Growth,
    snapshots: SnapshotDirectory,
    retention: Retention,
) -> AbortHandle {
    let (least, most) = retention.snapshot_after_bytes;
    let task = tokio::spawn(async move {
        loop {
            let last = blocking(|| snapshots.current()).ok().flatten();
            let last = last.map_or(0, |snapshot| snapshot.snapshot.bytes);
            growth.reached(last.clamp(least, most)).await;
            let bytes = growth.restart();
            tracing::info!(bytes, "the log has grown: making a snapshot");
            if raft.trigger().snapshot().await.is_err() {
                return;
            }
        }
    });
    task.abort_handle()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory_transport::MemoryNetwork;
    use crate::support::{Tally, environment};
    use crate::{Applied, ProposeError};

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_log_that_cannot_be_written_fails_the_node() {
        let dir = tempfile::tempdir().unwrap();
        let (log_dir, snapshots) = (dir.path().join("log"), dir.path().join("snapshots"));
        let options = Options::on_disk(NodeId(1), log_dir, snapshots);
        let environment = environment(NodeId(1), &MemoryNetwork::new());
        let log = Log::start(options, Tally::default(), environment)
            .await
            .unwrap();
        log.bootstrap().await.unwrap();
        let Applied { reply, .. } = log.propose("a".into()).await.unwrap();
        assert_eq!(reply, "1");
        // Every write fails from here on, as on a disk that is gone.
        log.inner.disk.as_ref().unwrap().close();
        let error = log.propose("b".into()).await.unwrap_err();
        assert!(matches!(error, ProposeError::Stopped(_)), "{error}");
        let failure = log.failed().await;
        assert!(failure.reason.contains("the log is closed"), "{failure}");
        log.shutdown().await;
    }
}
