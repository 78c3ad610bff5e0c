//! The leader's forwarders: what the feed holds goes to the sinks, each at its own pace, and metrics beside it.
//!
//! A sink's cursor moves by a command of the log once its receiver has taken a batch. A leader that goes away in
//! between leaves the cursor where it was, and the next one sends that batch again: receivers know its records by
//! their keys. Nothing else waits for a sink, and no sink for another.

mod delay;
mod failures;
mod metrics;
mod records;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use odin_cluster::{ProposeError, Term};
use odin_model::sink::{SINK_ERROR_BYTES_MAX, Sink, SinkChange, SinkName};
use odin_model::{Clock, Command, SecretValue};
use odin_outbound::Bounds;
use odin_sinks::{Delivered, Sender, Snapshot, Unsent, deliver};
use odin_store::{Effect, Reader, StoreError};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

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
        let (mut sender, mut ahead) = (None, None);
        let mut delay = Delay::up_to(DELAY_MAX);
        let mut told: Option<String> = sink.failing.as_ref().map(|(_, why)| why.clone());
        loop {
            match self.pass(term, &sink, &mut sender, &mut ahead).await {
                Ok(Progress::Further) => {
                    delay.reset();
                    told = None;
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
                    sender = None;
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
    async fn pass(
        &self,
        term: Term,
        sink: &Sink,
        sender: &mut Option<Sender>,
        ahead: &mut Option<BeingRead>,
    ) -> Result<Progress, Interrupted> {
        let Some(now) = self.reader.sink(&sink.name)? else {
            return Ok(Progress::Gone);
        };
        if now.behind.entries == 0 {
            return Ok(Progress::UpToDate);
        }
        let cursor = now.cursor;
        let reading = ahead.take().filter(|it| it.after == cursor);
        let reading = reading.unwrap_or_else(|| self.read(sink, cursor));
        let batch = reading.batch.await.map_err(|error| Unsent::NotNow {
            reason: format!("the records cannot be read: {error}"),
            after: None,
        })??;
        let Some(Batch { to, records, gone }) = batch else {
            return Ok(Progress::UpToDate);
        };
        // Not for a receiver that took nothing before.
        if sender.is_some() && now.behind.entries > to.saturating_sub(cursor) {
            *ahead = Some(self.read(sink, to));
        }
        let mut delivered = Delivered::default();
        if !records.is_empty() {
            let sender = match sender {
                Some(sender) => sender,
                None => sender.insert(self.sender(sink)?),
            };
            delivered = deliver(sender, &records).await?;
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
        Ok(Progress::Further)
    }

    /// Begins to read the batch after a place in the feed.
    fn read(&self, sink: &Sink, after: u64) -> BeingRead {
        let (reader, spec) = (self.reader.clone(), sink.spec.clone());
        let batch = tokio::task::spawn_blocking(move || records::next(&reader, &spec, after));
        BeingRead { after, batch }
    }

    fn sender(&self, sink: &Sink) -> Result<Sender, Interrupted> {
        let secret = open_secret(&self.reader, &self.keyring, sink)?;
        Ok(Sender::new(sink, secret.as_ref(), Bounds::default())?)
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

/// The secret that a sink names, opened.
pub(crate) fn open_secret(
    reader: &Reader,
    keyring: &Keyring,
    sink: &Sink,
) -> Result<Option<SecretValue>, SinkSecretError> {
    let Some(name) = &sink.spec.secret else {
        return Ok(None);
    };
    let not_now = |reason: String| Unsent::NotNow {
        reason,
        after: None,
    };
    let Some((whose, sealed)) = reader.usable_secret(&sink.owner, name)? else {
        let user = &sink.owner.user;
        return Err(not_now(format!("{user} has no secret `{name}` any more")).into());
    };
    keyring
        .open_sealed(&whose, name, &sealed)
        .map(Some)
        .map_err(|error| not_now(format!("the secret `{name}` cannot be opened: {error}")).into())
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
    let secret = open_secret(reader, keyring, sink)?;
    let mut sender = Sender::new(sink, secret.as_ref(), Bounds::default())?;
    if sink.spec.values || sink.spec.runs {
        let delivered = deliver(&mut sender, &[records::trial(metrics.at)]).await?;
        if let Some(reason) = delivered.last_skipped {
            return Err(Unsent::Refused(reason).into());
        }
    }
    if sink.spec.metrics_every_seconds.is_some() {
        // What it said last may be about the tables of records.
        let mut sender = Sender::new(sink, secret.as_ref(), Bounds::default())?;
        sender.send_metrics(metrics).await?;
    }
    Ok(())
}

/// Why a sink's secret is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SinkSecretError {
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is gone, or sealed by a key that is.
    #[error(transparent)]
    Unsent(#[from] Unsent),
}

impl From<SinkSecretError> for Interrupted {
    fn from(error: SinkSecretError) -> Self {
        match error {
            SinkSecretError::Store(error) => Self::Store(error),
            SinkSecretError::Unsent(error) => Self::Unsent(error),
        }
    }
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
    Further,
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
