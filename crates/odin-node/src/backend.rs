//! What the API works with: this node.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use odin_api::{
    Backend, BackupContents, BackupRefused, OUTPUT_PAGE_BYTES, OutputFault, OutputPage,
    OutputPosition, ProposeError, RequestMetrics, SealError, Tried, User,
};
use odin_cluster::Leadership;
use odin_executor::DataDir as ExecutorDir;
use odin_executor::output::{self, OutputError};
use odin_executor::protocol::{AttemptKey, PeekedOutput};
use odin_metrics::Family;
use odin_model::alert::{AlertEvent, EventKind};
use odin_model::channel::{Channel, ChannelChange};
use odin_model::delivery::{DeliveryId, Message, MessageId};
use odin_model::job::Job;
use odin_model::node::Node;
use odin_model::output::OutputChunk;
use odin_model::run::Run;
use odin_model::secret::{SealedSecret, SecretChange};
use odin_model::sink::{Sink, SinkChange};
use odin_model::{
    AlertId, AlertKind, AttemptNumber, Boottime, Clock, Command, Limits, NodeId, Owner, Program,
    Reply, RunState, SecretName, SecretValue,
};
use odin_schedule::Calendars;
use odin_scheduling::delivery::ATTEMPT_MAX;
use odin_scheduling::placement;
use odin_store::{Counts, Effect, Reader, StoreError, View};
use odin_wire::{Health, HealthStatus, NodeRole};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};

use crate::agent::Peek;
use crate::backup::{self, BackupError, Collected, Subject};
use crate::engine::Engine;
use crate::heartbeats::Heartbeats;
use crate::launches::interpreter;
use crate::life::Up;
use crate::machine::Announcements;
use crate::metrics::{Metrics, Sizes};
use crate::notifier::dispatch::Dispatch;
use crate::proposer::Proposer;
use crate::schedules::Schedules;
use crate::sealing::Keyring;
use crate::sinks;
use crate::watchdog::Troubles;
use crate::{room, users};

/// How long the executor may take to say what a run has printed.
const PEEK_WAIT: Duration = Duration::from_secs(5);

/// This node, for the API.
pub(crate) struct NodeBackend {
    proposer: Proposer,
    reader: Reader,
    view: Arc<View>,
    announcements: Announcements,
    schedules: Arc<Schedules>,
    peeks: mpsc::Sender<Peek>,
    dispatch: Dispatch,
    up: watch::Receiver<Up>,
    clock: Arc<dyn Clock>,
    identity: Identity,
    troubles: Troubles,
    /// One backup at a time: each holds a copy of the state on the disk.
    backups: Arc<Semaphore>,
    beats: Arc<Heartbeats>,
    pub(crate) metrics: Metrics,
    pub(crate) requests: RequestMetrics,
    sizes: Sizes,
    /// When its counters were 0.
    pub(crate) began_at: Timestamp,
}

/// What a node is to its clients.
pub(crate) struct Identity {
    pub(crate) name: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) bundles: PathBuf,
    pub(crate) socket: PathBuf,
    pub(crate) server_user: Owner,
    pub(crate) local_token: String,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) metrics_open: bool,
}

impl NodeBackend {
    pub(crate) fn new(
        engine: &Engine,
        clock: Arc<dyn Clock>,
        identity: Identity,
        troubles: Troubles,
    ) -> Self {
        Self {
            proposer: engine.proposer.clone(),
            reader: engine.reader.clone(),
            view: Arc::clone(&engine.view),
            announcements: engine.announcements.clone(),
            schedules: Arc::clone(&engine.schedules),
            peeks: engine.peeks.clone(),
            dispatch: engine.dispatch.clone(),
            up: engine.up(),
            began_at: clock.wall(),
            clock,
            identity,
            troubles,
            backups: Arc::new(Semaphore::new(1)),
            beats: Arc::clone(&engine.beats),
            metrics: engine.metrics.clone(),
            requests: RequestMetrics::default(),
            sizes: Sizes::default(),
        }
    }

    /// The message by which a channel is tried; its id is drawn, so that no other message has it.
    fn test_message(&self, channel: &Channel, by: &Owner) -> Message {
        let now = self.clock.wall();
        let event = AlertEvent {
            alert: AlertId(0),
            kind: AlertKind::NodeUnwell,
            event: EventKind::Test,
            at: now,
            job: None,
            owner: None,
            node: Some(self.identity.name.clone()),
            run: None,
            count: 1,
            text: format!(
                "{} tries the channel `{}`; nothing is wrong",
                by.user, channel.name
            ),
        };
        Message {
            id: MessageId {
                token: self.draw_bits(),
                generation: 0,
                delivery: DeliveryId(0),
            },
            channel: channel.name.clone(),
            made_at: now,
            events: vec![event],
            more: 0,
            settled: Vec::new(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.identity.name
    }

    pub(crate) fn root(&self) -> &Path {
        &self.identity.data_dir
    }

    pub(crate) fn beats(&self) -> &Heartbeats {
        &self.beats
    }

    pub(crate) fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    pub(crate) fn state(&self) -> &Reader {
        &self.reader
    }

    pub(crate) fn log(&self) -> &odin_cluster::Log {
        self.proposer.log()
    }

    pub(crate) fn wall(&self) -> Timestamp {
        self.clock.wall()
    }

    pub(crate) fn boottime(&self) -> Boottime {
        self.clock.boottime()
    }

    /// Holds the node's data still and begins to send it.
    async fn begin_backup(
        &self,
        contents: BackupContents,
    ) -> Result<mpsc::Receiver<std::io::Result<Bytes>>, BackupRefused> {
        let turn = Arc::clone(&self.backups)
            .try_acquire_owned()
            .map_err(|_| BackupRefused::UnderWay)?;
        let key = self.identity.data_dir.join("secrets.key");
        if contents.with_key && !key.exists() {
            return Err(BackupRefused::NoKey);
        }
        let subject = Subject {
            root: self.identity.data_dir.clone(),
            node: self.identity.name.clone(),
            taken_at: self.clock.wall(),
            contents,
        };
        let reader = self.reader.clone();
        let failed = |error: String| BackupRefused::Failed(format!("a backup: {error}"));
        let collected = tokio::task::spawn_blocking(move || Collected::of(subject, &reader))
            .await
            .map_err(|error| failed(error.to_string()))?
            .map_err(|error| match error {
                BackupError::Full { .. } | BackupError::State(StoreError::DiskFull) => {
                    BackupRefused::Full(error.to_string())
                }
                error => failed(error.to_string()),
            })?;
        let (metrics, clock) = (self.metrics.clone(), Arc::clone(&self.clock));
        let over = move |is_whole| metrics.backup_over(is_whole, clock.wall());
        Ok(backup::stream(collected, key, over, turn))
    }

    /// What the executor has in memory of a running attempt. `None`: it is in its file, or the attempt is over.
    async fn peek(&self, key: AttemptKey) -> Option<Vec<OutputChunk>> {
        let (answer, answered) = oneshot::channel();
        self.peeks.try_send(Peek { key, answer }).ok()?;
        match tokio::time::timeout(PEEK_WAIT, answered).await {
            Ok(Ok(PeekedOutput::Inline(chunks))) => Some(chunks),
            Ok(Ok(PeekedOutput::InFile | PeekedOutput::NotRunning) | Err(_)) | Err(_) => None,
        }
    }

    fn page_of_file(
        &self,
        key: AttemptKey,
        from: OutputPosition,
    ) -> Result<OutputPage, OutputFault> {
        let dir = ExecutorDir::new(self.identity.data_dir.clone());
        let mut position = from;
        let mut to_skip = 0;
        if from.hint == 0 && from.bytes > 0 {
            // Nobody said where in the file that is.
            let place = output::find(&dir, key, from.bytes).map_err(of_file)?;
            position = OutputPosition {
                bytes: place.bytes,
                hint: place.offset,
            };
            to_skip = from.bytes - place.bytes.min(from.bytes);
        }
        loop {
            let page =
                output::read(&dir, key, position.hint, OUTPUT_PAGE_BYTES).map_err(of_file)?;
            let bytes: u64 = page
                .chunks
                .iter()
                .map(|chunk| chunk.bytes.len() as u64)
                .sum();
            let next = OutputPosition {
                bytes: position.bytes + bytes,
                hint: page.next,
            };
            if bytes <= to_skip && page.more {
                to_skip -= bytes;
                position = next;
                continue;
            }
            return Ok(OutputPage {
                chunks: without_first(page.chunks, to_skip),
                next,
                more: page.more,
            });
        }
    }
}

fn of_file(error: OutputError) -> OutputFault {
    match error {
        OutputError::Absent { .. } => OutputFault::NotHere,
        error => OutputFault::Unreadable(error.to_string()),
    }
}

/// Whether an attempt may still print. An earlier one is over whatever the run does.
fn is_under_way(run: &Run, attempt: AttemptNumber) -> bool {
    match run.state {
        RunState::Finished(_) => false,
        _ => run.state.attempt().is_none_or(|(now, _, _)| now <= attempt),
    }
}

/// `chunks` without their first `skip` bytes.
fn without_first(chunks: Vec<OutputChunk>, mut skip: u64) -> Vec<OutputChunk> {
    let mut rest = Vec::with_capacity(chunks.len());
    for mut chunk in chunks {
        let cut = usize::try_from(skip)
            .unwrap_or(usize::MAX)
            .min(chunk.bytes.len());
        skip -= cut as u64;
        chunk.bytes.drain(..cut);
        if !chunk.bytes.is_empty() {
            rest.push(chunk);
        }
    }
    rest
}

/// Whether a command begins new work, which a nearly full disk refuses. What ends or reports work goes on.
fn is_new_work(command: &Command) -> bool {
    match command {
        Command::Deploy(_)
        | Command::Modify(_)
        | Command::RunNow { .. }
        | Command::CatchUp(_)
        | Command::Link { .. }
        | Command::SetCalendar(_) => true,
        Command::Secret(change) => matches!(**change, SecretChange::Set { .. }),
        Command::Channel(change) => matches!(**change, ChannelChange::Set { .. }),
        Command::Sink(change) => matches!(**change, SinkChange::Set { .. }),
        Command::Keyed { command, .. } => is_new_work(command),
        Command::NodeUp { .. }
        | Command::NodeDown { .. }
        | Command::SetJobState(_)
        | Command::Remove { .. }
        | Command::Fire(_)
        | Command::Assign { .. }
        | Command::Cancel { .. }
        | Command::Report { .. }
        | Command::Values(_)
        | Command::Set { .. }
        | Command::Lose { .. }
        | Command::RemoveCalendar { .. }
        | Command::Recompute(_)
        | Command::Quarantine(_)
        | Command::Release { .. }
        | Command::Alert(_)
        | Command::Delivery(_)
        | Command::Seal(_)
        | Command::Forget(_)
        | Command::ForgetValues(_)
        | Command::TrimLedger(_)
        | Command::Unlink { .. } => false,
    }
}

impl Backend for NodeBackend {
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Reply, ProposeError>> {
        Box::pin(async move {
            if is_new_work(&command) && !room::has_room(&self.identity.data_dir) {
                return Err(ProposeError::Full);
            }
            use odin_cluster::ProposeError as E;
            self.proposer
                .propose(&command)
                .await
                .map_err(|error| match error {
                    E::TooLarge { bytes, limit } => ProposeError::TooLarge {
                        bytes,
                        bytes_max: limit,
                    },
                    E::NoLeader { .. }
                    | E::NoQuorum { .. }
                    | E::Overloaded { .. }
                    | E::Deposed { .. } => ProposeError::NoLeader,
                    E::OutcomeUnknown => ProposeError::OutcomeUnknown,
                    E::Stopped(_) => ProposeError::Stopped,
                })
        })
    }

    fn reader(&self) -> &Reader {
        &self.reader
    }

    fn calendars(&self) -> Result<Arc<Calendars>, StoreError> {
        self.schedules.calendars()
    }

    fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the API's randomness enters"
    )]
    fn draw_bits(&self) -> u64 {
        getrandom::u64().expect("the kernel has random numbers")
    }

    fn health(&self) -> Health {
        let troubles = self.troubles.sentences();
        let status = match troubles.is_empty() {
            true => HealthStatus::Serving,
            false => HealthStatus::Degraded,
        };
        Health {
            status: status.word().to_owned(),
            troubles,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: self.identity.name.clone(),
            socket: Some(self.identity.socket.display().to_string()),
        }
    }

    fn is_ready(&self) -> bool {
        let leader = *self.proposer.log().leadership().borrow() != Leadership::NoLeader;
        leader && matches!(*self.up.borrow(), Up::Since(_))
    }

    fn events(&self) -> broadcast::Receiver<Effect> {
        self.announcements.effects()
    }

    fn output(
        &self,
        run: &Run,
        attempt: AttemptNumber,
        from: OutputPosition,
    ) -> BoxFuture<'_, Result<OutputPage, OutputFault>> {
        let key = AttemptKey {
            run: run.id,
            attempt,
        };
        let under_way = is_under_way(run, attempt);
        Box::pin(async move {
            if under_way && let Some(chunks) = self.peek(key).await {
                let bytes: u64 = chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum();
                let next = OutputPosition {
                    bytes: bytes.max(from.bytes),
                    hint: 0,
                };
                return Ok(OutputPage {
                    chunks: without_first(chunks, from.bytes),
                    next,
                    more: false,
                });
            }
            let page = tokio::task::block_in_place(|| self.page_of_file(key, from));
            match page {
                // Nothing was printed yet, or all of it is in the result by now.
                Err(OutputFault::NotHere) if under_way => Ok(OutputPage {
                    chunks: Vec::new(),
                    next: from,
                    more: false,
                }),
                page => page,
            }
        })
    }

    fn output_end(
        &self,
        run: &Run,
        attempt: AttemptNumber,
    ) -> BoxFuture<'_, Result<u64, OutputFault>> {
        let key = AttemptKey {
            run: run.id,
            attempt,
        };
        let under_way = is_under_way(run, attempt);
        Box::pin(async move {
            if under_way && let Some(chunks) = self.peek(key).await {
                return Ok(chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum());
            }
            let dir = ExecutorDir::new(self.identity.data_dir.clone());
            tokio::task::block_in_place(|| output::end(&dir, key).map_err(of_file))
        })
    }

    fn backup(
        &self,
        contents: BackupContents,
    ) -> BoxFuture<'_, Result<mpsc::Receiver<std::io::Result<Bytes>>, BackupRefused>> {
        Box::pin(self.begin_backup(contents))
    }

    fn metrics_are_open(&self) -> bool {
        self.identity.metrics_open
    }

    fn request_metrics(&self) -> RequestMetrics {
        self.requests.clone()
    }

    fn metrics(&self) -> Vec<Family> {
        self.metric_families()
    }

    fn bundles_dir(&self) -> &Path {
        &self.identity.bundles
    }

    fn limits_unenforceable(&self, limits: &Limits) -> Option<String> {
        if limits.is_none() {
            return None;
        }
        let checked = odin_executor::limits::machine_abilities().check(limits);
        checked.err().map(|error| error.to_string())
    }

    fn interpreter_missing(&self, program: &Program, env: &[(String, String)]) -> Option<String> {
        let looked_for = match program {
            Program::Interpreted { language, file } => &Program::Interpreted {
                language: interpreter(language).to_owned(),
                file: file.clone(),
            },
            other => other,
        };
        odin_executor::program_missing(looked_for, env)
    }

    fn seal(
        &self,
        owner: &Owner,
        name: &SecretName,
        value: &SecretValue,
    ) -> Result<SealedSecret, SealError> {
        let mut nonce = [0; 24];
        #[expect(clippy::disallowed_methods, reason = "this is where a nonce is drawn")]
        getrandom::fill(&mut nonce).expect("the kernel has random numbers");
        self.identity.keyring.seal(owner, name, value, nonce)
    }

    fn try_sink(&self, sink: Sink) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            let metrics = tokio::task::block_in_place(|| self.snapshot());
            let tried = sinks::try_out(&self.reader, &self.identity.keyring, &sink, &metrics);
            tried.await.map_err(|error| error.to_string())
        })
    }

    fn try_channel(&self, channel: Channel, by: Owner) -> BoxFuture<'_, Tried> {
        let message = self.test_message(&channel, &by);
        Box::pin(async move {
            let sending = self.dispatch.send(&channel, &message, Some(&by));
            match tokio::time::timeout(ATTEMPT_MAX, sending).await {
                Ok(Ok(receipt)) => Tried {
                    steps: receipt.steps,
                    error: None,
                },
                Ok(Err(error)) => Tried {
                    error: Some(error.to_string()),
                    steps: error.steps,
                },
                Err(_) => Tried {
                    steps: Vec::new(),
                    error: Some(format!("no answer within {}s", ATTEMPT_MAX.as_secs())),
                },
            }
        })
    }

    fn server_user(&self) -> &Owner {
        &self.identity.server_user
    }

    fn local_token(&self) -> &str {
        &self.identity.local_token
    }

    fn user(&self, uid: u32) -> Option<User> {
        users::of_uid(uid)
    }

    fn user_named(&self, name: &str) -> Option<User> {
        users::named(name)
    }

    fn counts(&self) -> Counts {
        self.view.counts()
    }

    fn role(&self, node: &Node) -> NodeRole {
        let status = self.proposer.log().status();
        let leader = match status.leadership {
            Leadership::NoLeader => None,
            Leadership::Following(leader) => Some(leader),
            Leadership::Leading { .. } => Some(status.node),
        };
        if leader == Some(node.id) {
            NodeRole::Leader
        } else if status.voters.contains(&node.id) {
            NodeRole::Follower
        } else {
            NodeRole::Learner
        }
    }

    fn node_for(&self, job: &Job) -> Option<NodeId> {
        // A state that cannot be read leaves the choice to the leader.
        placement::choose(job.id, &self.reader.nodes().ok()?)
    }
}
