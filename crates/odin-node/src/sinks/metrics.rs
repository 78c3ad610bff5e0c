//! What the leader counts and measures goes to the sinks that take it, every so often.
//!
//! A task and a connection of its own for each sink: values and runs do not wait for metrics, nor these for values that
//! are being caught up. What a receiver misses is not sent later: counters go on from where they are, so only resolution is
//! lost.

use std::sync::Arc;
use std::time::Duration;

use odin_cluster::Term;
use odin_model::sink::{Sink, SinkChange};
use odin_model::{Clock, Command};
use odin_sinks::Unsent;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Armed, DELAY_MIN, Delay, Forwarder, Interrupted, Part, arm, words};
use crate::backend::NodeBackend;
use crate::engine::Engine;
use crate::sealing::Keyring;
use crate::while_leading::{caught_up, while_leading};

/// What sends metrics.
#[derive(Clone)]
pub(crate) struct MetricsForwarder {
    forwarder: Forwarder,
    backend: Arc<NodeBackend>,
}

impl MetricsForwarder {
    pub(crate) fn new(
        engine: &Engine,
        clock: Arc<dyn Clock>,
        keyring: Arc<Keyring>,
        backend: Arc<NodeBackend>,
    ) -> Self {
        let forwarder = Forwarder {
            proposer: engine.proposer.clone(),
            reader: engine.reader.clone(),
            announcements: engine.announcements.clone(),
            clock,
            keyring,
            failures: engine.metrics.sink_failures().clone(),
        };
        Self { forwarder, backend }
    }

    /// Sends whenever this node is the leader, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let leadership = self.forwarder.proposer.log().leadership();
        while_leading(leadership, stop, |term| self.lead(term)).await;
    }

    async fn lead(&self, term: Term) {
        if caught_up(self.forwarder.proposer.log(), term).await {
            self.forwarder
                .for_each_sink(|sink| self.clone().serve(term, sink))
                .await;
        }
    }

    /// Serves one sink until it is changed.
    async fn serve(self, term: Term, sink: Sink) {
        let Some(seconds) = sink.spec.metrics_every_seconds else {
            return std::future::pending().await;
        };
        let every = Duration::from_secs(seconds.into());
        let mut delay = Delay::up_to(every);
        let mut sender = None;
        let mut told: Option<String> = sink.metrics_failing.as_ref().map(|(_, why)| why.clone());
        loop {
            let next = Instant::now() + every;
            let failed = match self.send(&sink, &mut sender).await {
                Ok(()) => None,
                Err(Interrupted::Unsent(unsent)) => Some(unsent),
                Err(error) => {
                    tracing::debug!(sink = %sink.name, %error, "metrics were not sent");
                    tokio::time::sleep(DELAY_MIN).await;
                    continue;
                }
            };
            if failed.is_some() {
                self.forwarder.failures.count(&sink, Part::Metrics);
            }
            let error = failed.as_ref().map(words);
            if error != told && self.tell(term, &sink, error.clone()).await {
                told = error;
            }
            let Some(unsent) = failed else {
                delay.reset();
                tokio::time::sleep_until(next).await;
                continue;
            };
            // A connection that failed is not used again. What is mended is seen soon, however seldom metrics go there.
            sender = None;
            tokio::time::sleep(delay.after(&unsent)).await;
        }
    }

    async fn send(&self, sink: &Sink, sender: &mut Option<Armed>) -> Result<(), Interrupted> {
        let backend = Arc::clone(&self.backend);
        let collecting = tokio::task::spawn_blocking(move || backend.snapshot());
        let snapshot = collecting.await.map_err(|error| Unsent::NotNow {
            reason: format!("the metrics cannot be read: {error}"),
            after: None,
        })?;
        let Forwarder {
            reader, keyring, ..
        } = &self.forwarder;
        let sender = arm(sender, reader, keyring, sink)?;
        Ok(sender.send_metrics(&snapshot).await?)
    }

    /// Notes that metrics do not get there, once for each reason, or that they do again.
    async fn tell(&self, term: Term, sink: &Sink, error: Option<String>) -> bool {
        match &error {
            Some(error) => {
                tracing::warn!(sink = %sink.name, error, "a sink's receiver takes no metrics");
            }
            None => tracing::info!(sink = %sink.name, "a sink's receiver takes metrics again"),
        }
        let change = SinkChange::Metrics {
            name: sink.name.clone(),
            token: sink.token,
            error,
            at: self.forwarder.clock.wall(),
        };
        let command = Command::Sink(Box::new(change));
        let proposing = self.forwarder.proposer.propose_fenced(term, &command);
        proposing.await.is_ok()
    }
}
