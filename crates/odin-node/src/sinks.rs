//! The leader's forwarders: what the feed holds goes to the sinks, each at its own pace, and metrics beside it.
//!
//! A sink's cursor moves by a command of the log once its receiver has taken a batch. A leader that goes away in
//! between leaves the cursor where it was, and the next one sends that batch again: receivers know its records by
//! their keys. Nothing else waits for a sink, and no sink for another.

mod armed;
mod delay;
mod failures;
mod metrics;
mod records;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use odin_cluster::{ProposeError, Term};
use odin_model::sink::{SINK_ERROR_BYTES_MAX, Sink, SinkChange, SinkName};
use odin_model::{Clock, Command};
use odin_sinks::{Delivered, Known, Snapshot, Unsent, deliver};
use odin_store::{Effect, Reader, StoreError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use self::armed::{Armed, SinkSecretError, arm};
use self::delay::{DELAY_MAX, DELAY_MIN, Delay};
pub(crate) use self::failures::{Failures, Part};
pub(crate) use self::metrics::MetricsForwarder;
use self::records::Batch;
use crate::machine::Announcements;
use crate::proposer::Proposer;
use crate::sealing::Keyring;
use crate::while_leading::{caught_up, while_leading};

/// How long a sink that is up to date sleeps when nothing wakes it.
const TICK: Duration = Duration::from_secs(5);
/// For how long records are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(250);

/// What the forwarder works with.
#[derive(Clone)]
pub(crate) struct Forwarder {
    pub(crate) proposer: Proposer,
    pub(crate) reader: Reader,
    pub(crate) announcements: Announcements,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) failures: Failures,
}

/// Why a pass of a sink ended.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    /// Another term, no leader, or a stopped log.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The receiver does not take anything now.
    #[error(transparent)]
    Unsent(#[from] Unsent),
}

/// What a sink is, as its task sees it: another token or instant is another task.
type Version = (u64, jiff::Timestamp);

impl Forwarder {
    /// Forwards whenever this node is the leader, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let leadership = self.proposer.log().leadership();
        while_leading(leadership, stop, |term| self.lead(term)).await;
    }

    async fn lead(&self, term: Term) {
        if caught_up(self.proposer.log(), term).await {
            self.for_each_sink(|sink| self.clone().serve(term, sink))
                .await;
        }
    }

    /// One term's work: a task for each sink, dropped when the term is over or the sink another.
    async fn for_each_sink<S>(&self, serve: impl Fn(Sink) -> S)
    where
        S: Future<Output = ()> + Send + 'static,
    {
        let mut effects = self.announcements.effects();
        let mut tasks = JoinSet::new();
        let mut running: HashMap<SinkName, (Version, tokio::task::AbortHandle)> = HashMap::new();
        loop {
            while let Some(ended) = tasks.try_join_next() {
                if let Err(error) = ended
                    && error.is_panic()
                {
                    tracing::error!(%error, "a sink's task broke");
                }
            }
            match self.reader.sinks() {
                Ok(sinks) => {
                    self.failures.keep(&sinks);
                    running.retain(|name, (version, task)| {
                        let stays = !task.is_finished()
                            && sinks
                                .iter()
                                .any(|sink| sink.name == *name && version_of(sink) == *version);
                        if !stays {
                            task.abort();
                        }
                        stays
                    });
                    for sink in sinks {
                        running.entry(sink.name.clone()).or_insert_with(|| {
                            let version = version_of(&sink);
                            (version, tasks.spawn(serve(sink)))
                        });
                    }
                }
                Err(error) => tracing::warn!(%error, "the sinks cannot be read"),
            }
            let is_setting = |effect: &Effect| matches!(effect, Effect::SettingsChanged);
            tokio::select! {
                () = tokio::time::sleep(TICK) => {}
                () = stirred(&mut effects, is_setting) => {}
            }
        }
    }

    /// Serves one sink until it is changed.
    async fn serve(self, term: Term, sink: Sink) {
        let mut effects = self.announcements.effects();
        let mut way = Way::default();
        let mut delay = Delay::up_to(DELAY_MAX);
        let mut told: Option<String> = sink.failing.as_ref().map(|(_, why)| why.clone());
        let mut is_down = told.is_some();
        loop {
            match self.pass(term, &sink, &mut way).await {
                Ok(Progress::Further { sent }) => {
                    delay.reset();
                    told = None;
                    if is_down && sent > 0 {
                        is_down = false;
                        tracing::info!(sink = %sink.name, "a sink's receiver takes records again");
                    }
                }
                Ok(Progress::UpToDate) => {
                    tokio::select! {
                        () = tokio::time::sleep(TICK) => {}
                        () = stirred(&mut effects, is_news) => tokio::time::sleep(GATHER).await,
                    }
                }
                Ok(Progress::Gone) => return,
                Err(Interrupted::Unsent(unsent)) => {
                    // A connection that failed is not used again.
                    way.sender = None;
                    is_down = true;
                    self.failures.count(&sink, Part::Feed);
                    self.tell(term, &sink, &unsent, &mut told).await;
                    tokio::time::sleep(delay.after(&unsent)).await;
                }
                Err(error) => {
                    tracing::debug!(sink = %sink.name, %error, "a pass of a sink was interrupted");
                    tokio::time::sleep(DELAY_MIN).await;
                }
            }
        }
    }

    /// Sends the next batch, if there is one. Meanwhile the one after it is read, so that a sink that catches up
    /// waits for its receiver alone.
    async fn pass(&self, term: Term, sink: &Sink, way: &mut Way) -> Result<Progress, Interrupted> {
        let Some(now) = self.reader.sink(&sink.name)? else {
            return Ok(Progress::Gone);
        };
        if now.behind.entries == 0 {
            return Ok(Progress::UpToDate);
        }
        let cursor = now.cursor;
        let reading = way.ahead.take().filter(|it| it.after == cursor);
        let reading = reading.unwrap_or_else(|| self.read(sink, cursor));
        let batch = reading.batch.await.map_err(|error| Unsent::NotNow {
            reason: format!("the records cannot be read: {error}"),
            after: None,
        })??;
        let Some(Batch { to, records, gone }) = batch else {
            return Ok(Progress::UpToDate);
        };
        // Not for a receiver that took nothing before.
        if way.sender.is_some() && now.behind.entries > to.saturating_sub(cursor) {
            way.ahead = Some(self.read(sink, to));
        }
        let mut delivered = Delivered::default();
        if !records.is_empty() {
            let trial = records::trial(self.clock.wall());
            let sender = arm(&mut way.sender, &self.reader, &self.keyring, sink)?;
            delivered = deliver(sender, &mut way.known, records, &trial).await?;
        }
        let Delivered {
            sent,
            skipped,
            last_skipped,
        } = delivered;
        if gone > 0 {
            tracing::warn!(sink = %sink.name, gone, "records went before a sink's receiver took them");
        }
        if let Some(what) = &last_skipped {
            tracing::warn!(sink = %sink.name, skipped, what, "a sink passed over records");
        }
        let advance = SinkChange::Advance {
            name: sink.name.clone(),
            token: sink.token,
            from: cursor,
            to,
            sent,
            skipped,
            last_skipped,
            dropped: gone,
            at: self.clock.wall(),
        };
        let command = Command::Sink(Box::new(advance));
        self.proposer.propose_fenced(term, &command).await?;
        Ok(Progress::Further { sent })
    }

    /// Begins to read the batch after a place in the feed.
    fn read(&self, sink: &Sink, after: u64) -> BeingRead {
        let (reader, spec) = (self.reader.clone(), sink.spec.clone());
        let batch = tokio::task::spawn_blocking(move || records::next(&reader, &spec, after));
        BeingRead { after, batch }
    }

    /// Notes why nothing gets there, once for each reason.
    async fn tell(&self, term: Term, sink: &Sink, unsent: &Unsent, told: &mut Option<String>) {
        let error = words(unsent);
        if told.as_ref() == Some(&error) {
            return;
        }
        tracing::warn!(sink = %sink.name, error, "a sink's receiver takes nothing");
        let failing = SinkChange::Failing {
            name: sink.name.clone(),
            token: sink.token,
            error: error.clone(),
            at: self.clock.wall(),
        };
        let command = Command::Sink(Box::new(failing));
        if self.proposer.propose_fenced(term, &command).await.is_ok() {
            *told = Some(error);
        }
    }
}

/// What is kept of why nothing gets there.
fn words(unsent: &Unsent) -> String {
    let mut error = unsent.to_string();
    let mut end = error.len().min(SINK_ERROR_BYTES_MAX);
    while !error.is_char_boundary(end) {
        end -= 1;
    }
    error.truncate(end);
    error
}

/// Sends one record by which a sink is tried, a value of a job that there is not, and `metrics` where it takes these.
///
/// # Errors
/// When the receiver does not take it.
pub(crate) async fn try_out(
    reader: &Reader,
    keyring: &Keyring,
    sink: &Sink,
    metrics: &Snapshot,
) -> Result<(), SinkSecretError> {
    if sink.spec.values || sink.spec.runs {
        let mut armed: Option<Armed> = None;
        let sender = arm(&mut armed, reader, keyring, sink)?;
        sender.send_trial(&records::trial(metrics.at)).await?;
    }
    if sink.spec.metrics_every_seconds.is_some() {
        // What it said last may be about the tables of records.
        let mut armed: Option<Armed> = None;
        let sender = arm(&mut armed, reader, keyring, sink)?;
        sender.send_metrics(metrics).await?;
    }
    Ok(())
}

impl From<SinkSecretError> for Interrupted {
    fn from(error: SinkSecretError) -> Self {
        match error {
            SinkSecretError::Store(error) => Self::Store(error),
            SinkSecretError::Unsent(error) => Self::Unsent(error),
        }
    }
}

/// What one sink's task has of the way to its receiver.
#[derive(Default)]
struct Way {
    /// `None`: nothing was sent yet, or it failed.
    sender: Option<Armed>,
    /// The next batch.
    ahead: Option<BeingRead>,
    known: Known,
}

/// A batch that is being read.
struct BeingRead {
    /// The place in the feed that it comes after.
    after: u64,
    batch: JoinHandle<Result<Option<Batch>, StoreError>>,
}

/// How far a pass got.
enum Progress {
    /// The cursor moved; there may be more.
    Further {
        /// How many records the receiver took.
        sent: u64,
    },
    /// There is nothing to send.
    UpToDate,
    /// The sink was removed.
    Gone,
}

fn version_of(sink: &Sink) -> Version {
    (sink.token, sink.set_at)
}

/// Whether an effect adds to the feed.
fn is_news(effect: &Effect) -> bool {
    match effect {
        Effect::ValuesKept { .. } => true,
        Effect::RunChanged { state, .. } => !state.is_active(),
        _ => false,
    }
}

/// Resolves when something was committed that `stirs`.
async fn stirred(effects: &mut broadcast::Receiver<Effect>, stirs: impl Fn(&Effect) -> bool) {
    loop {
        match effects.recv().await {
            Ok(effect) if !stirs(&effect) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}
