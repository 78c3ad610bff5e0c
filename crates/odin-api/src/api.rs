//! What every handler shares: the node behind it, and the bounds on what runs at once.

use std::sync::Arc;
use std::time::Duration;

use odin_model::{Command, Principal, Refusal, Reply};
use odin_store::{Reader, StoreError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio_util::sync::CancellationToken;

use crate::backend::{Backend, ProposeError};
use crate::extract::RequestKey;
use crate::failure::Failure;
use crate::feed::Feed;
use crate::request_metrics::RequestMetrics;

/// How long a change waits for a leader before it answers `cluster/no-leader`.
pub const LEADER_WAIT: Duration = Duration::from_secs(10);
/// How long a proposal may take before its outcome counts as unknown.
const OUTCOME_WAIT: Duration = Duration::from_secs(20);
/// How long a change waits between two tries to reach a leader.
const LEADER_RETRY: Duration = Duration::from_millis(100);
/// How long a change waits for the leader to decide what is due already.
const UNDECIDED_WAIT: Duration = Duration::from_secs(3);
/// How often it looks.
const UNDECIDED_RETRY: Duration = Duration::from_millis(20);
/// Queries that run at once; further ones wait their turn.
const READS_MAX: usize = 8;
/// Uploads at once: each holds a bundle's bytes while it is verified.
const UPLOADS_MAX: usize = 4;
/// Followers of events and output at once.
const STREAMS_MAX: usize = 512;
/// Checks of the ledger at once: each reads much.
const VERIFIES_MAX: usize = 1;
/// How long an upload waits for its turn before it answers `server/busy`.
const UPLOAD_TURN_WAIT: Duration = Duration::from_secs(10);

/// The HTTP API of one node. Cloning is cheap; clones are the same API.
#[derive(Clone)]
pub struct Api {
    inner: Arc<Inner>,
}

struct Inner {
    backend: Arc<dyn Backend>,
    feed: Feed,
    reads: Arc<Semaphore>,
    uploads: Semaphore,
    streams: Arc<Semaphore>,
    verifies: Arc<Semaphore>,
    request_metrics: RequestMetrics,
    stopping: CancellationToken,
}

/// A follower's place among [`STREAMS_MAX`]; dropping it makes room.
pub(crate) struct StreamTurn {
    _permit: OwnedSemaphorePermit,
}

impl Api {
    /// The API over a node. Must be called inside a tokio runtime: the feed of changes gets a task of its own,
    /// which ends with [`stop`](Self::stop) or the node's events.
    #[must_use]
    pub fn new(backend: Arc<dyn Backend>) -> Self {
        let stopping = CancellationToken::new();
        let feed = Feed::start(
            backend.events(), // Never 0, which no position of a feed has.
            backend.draw_bits() | 1,
            stopping.clone(),
        );
        let inner = Inner {
            request_metrics: backend.request_metrics(),
            backend,
            feed,
            reads: Arc::new(Semaphore::new(READS_MAX)),
            uploads: Semaphore::new(UPLOADS_MAX),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            verifies: Arc::new(Semaphore::new(VERIFIES_MAX)),
            stopping,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Ends every stream and every long poll, so that connections can close. [`serve`](crate::serve) calls it when
    /// its shutdown signal comes.
    pub fn stop(&self) {
        self.inner.stopping.cancel();
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.inner.backend
    }

    pub(crate) fn feed(&self) -> &Feed {
        &self.inner.feed
    }

    pub(crate) fn request_metrics(&self) -> &RequestMetrics {
        &self.inner.request_metrics
    }

    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.inner.stopping
    }

    /// Asks the state, off the async threads.
    pub(crate) async fn read<T, F>(&self, question: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&Reader) -> Result<T, StoreError> + Send + 'static,
    {
        self.blocking(move |backend| question(backend.reader()))
            .await?
            .map_err(Failure::from)
    }

    /// Does what blocks, off the async threads, [`READS_MAX`] at once.
    pub(crate) async fn blocking<T, F>(&self, work: F) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Backend) -> T + Send + 'static,
    {
        let turn = Arc::clone(&self.inner.reads)
            .acquire_owned()
            .await
            .expect("never closed");
        let backend = Arc::clone(self.backend());
        // The permit moves along: a caller that goes away does not make room for work that still runs.
        let done = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work(&*backend)
        });
        done.await
            .map_err(|error| Failure::internal(&error.to_string()))
    }

    pub(crate) async fn upload_turn(&self) -> Result<SemaphorePermit<'_>, Failure> {
        match tokio::time::timeout(UPLOAD_TURN_WAIT, self.inner.uploads.acquire()).await {
            Ok(turn) => Ok(turn.expect("never closed")),
            Err(_) => Err(Failure::new(
                "server/busy",
                format!("{UPLOADS_MAX} other deployments are under way"),
            )),
        }
    }

    pub(crate) fn verify_turn(&self) -> Result<OwnedSemaphorePermit, Failure> {
        Arc::clone(&self.inner.verifies)
            .try_acquire_owned()
            .map_err(|_| Failure::new("server/busy", "another check of the ledger is under way"))
    }

    pub(crate) fn stream_turn(&self) -> Result<StreamTurn, Failure> {
        match Arc::clone(&self.inner.streams).try_acquire_owned() {
            Ok(permit) => Ok(StreamTurn { _permit: permit }),
            Err(_) => Err(Failure::new(
                "server/busy",
                format!("{STREAMS_MAX} others follow events or output"),
            )),
        }
    }

    /// Proposes a change and waits for its reply; a refusal is a failure. With a key, it counts once within a day.
    pub(crate) async fn propose(
        &self,
        by: &Principal,
        key: Option<&RequestKey>,
        command: Command,
    ) -> Result<Reply, Failure> {
        match self.propose_once(by, key, command).await? {
            Reply::Refused(refusal) => Err(refusal.into()),
            reply => Ok(reply),
        }
    }

    /// The same for changes of what a job is due by: when an occurrence is decided in the meantime, `command` makes
    /// another one; while one is due and not decided, it waits. Bounded: a job that is due faster than a change can
    /// be made is refused, and so is one whose occurrences stay undecided.
    pub(crate) async fn propose_due<F>(
        &self,
        by: &Principal,
        key: Option<&RequestKey>,
        mut command: impl FnMut() -> F,
    ) -> Result<Reply, Failure>
    where
        F: Future<Output = Result<Command, Failure>>,
    {
        const TRIES: usize = 5;
        let started = tokio::time::Instant::now();
        let mut tries = 1;
        loop {
            match self.propose_once(by, key, command().await?).await? {
                Reply::Refused(Refusal::DueOutOfDate { .. }) if tries < TRIES => tries += 1,
                Reply::Refused(Refusal::DueUndecided { .. })
                    if started.elapsed() < UNDECIDED_WAIT =>
                {
                    tokio::time::sleep(UNDECIDED_RETRY).await;
                }
                Reply::Refused(refusal) => return Err(refusal.into()),
                reply => return Ok(reply),
            }
        }
    }

    async fn propose_once(
        &self,
        by: &Principal,
        key: Option<&RequestKey>,
        command: Command,
    ) -> Result<Reply, Failure> {
        let command = match key {
            None => command,
            Some(key) => Command::Keyed {
                principal: format!("{}:{}", by.user.user, by.user.uid),
                key: key.key.clone(),
                digest: key.digest,
                at: self.backend().clock().wall(),
                command: Box::new(command),
            },
        };
        let started = tokio::time::Instant::now();
        loop {
            let proposal = self.backend().propose(command.clone());
            match tokio::time::timeout(OUTCOME_WAIT, proposal).await {
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(ProposeError::NoLeader)) if started.elapsed() < LEADER_WAIT => {
                    tokio::time::sleep(LEADER_RETRY).await;
                }
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(ProposeError::OutcomeUnknown.into()),
            }
        }
    }
}
