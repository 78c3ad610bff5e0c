//! What this node counts and measures, for Prometheus. No label has a value for each job: a node may have a million.
//!
//! `docs/reference/metrics.md` lists them; a test holds the page against what is served.

mod present;
mod process;
mod sizes;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use odin_cluster::SyncObserver;
use odin_model::NodeId;
use odin_store::Observation;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub(crate) use sizes::Sizes;

/// Seconds from an instant to what it was for: what is on time is below a few milliseconds.
const LATENESS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0,
];
/// Seconds that jobs take: from a moment to a day.
const DURATION: [f64; 14] = [
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0,
];
/// Seconds of the disk for a batch.
const APPLY: [f64; 10] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5,
];
/// Commands in a batch.
const BATCH: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 128.0, 256.0, 1024.0];

type Word = [(&'static str, &'static str); 1];

/// What is counted as it happens. A clone is the same counters.
#[derive(Clone)]
pub(crate) struct Metrics {
    node: NodeId,
    runs_made: Family<Word, Counter>,
    runs_finished: Family<Word, Counter>,
    duration: Family<Word, Histogram, fn() -> Histogram>,
    lateness: Histogram,
    decided: Family<Word, Counter>,
    applied: Counter,
    batch: Histogram,
    apply: Histogram,
    sync: Histogram,
    executors: Gauge,
    backups: Family<Word, Counter>,
    last_backup: Gauge,
}

impl Metrics {
    /// For the node with this id.
    pub(crate) fn new(node: NodeId) -> Self {
        Self {
            node,
            runs_made: Family::default(),
            runs_finished: Family::default(),
            duration: Family::new_with_constructor(|| Histogram::new(DURATION)),
            lateness: Histogram::new(LATENESS),
            decided: Family::default(),
            applied: Counter::default(),
            batch: Histogram::new(BATCH),
            apply: Histogram::new(APPLY),
            sync: Histogram::new(APPLY),
            executors: Gauge::default(),
            backups: Family::default(),
            last_backup: Gauge::default(),
        }
    }

    /// A batch was applied.
    pub(crate) fn applied(&self, commands: usize, took: Duration, observations: &[Observation]) {
        if commands > 0 {
            self.applied.inc_by(commands as u64);
            self.batch
                .observe(f64::from(u32::try_from(commands).unwrap_or(u32::MAX)));
        }
        self.apply.observe(took.as_secs_f64());
        for observation in observations {
            self.observe(*observation);
        }
    }

    fn observe(&self, observation: Observation) {
        match observation {
            Observation::RunMade { cause } => {
                self.runs_made.get_or_create(&[("cause", cause)]).inc();
            }
            Observation::RunStarted {
                ready_at,
                started_at,
            } => {
                let late = started_at.duration_since(ready_at).as_secs_f64();
                self.lateness.observe(late.max(0.0));
            }
            Observation::RunFinished {
                outcome,
                node,
                started_at,
                finished_at,
            } => {
                // Each run is counted by one node: the sum over the nodes is the cluster's.
                if node.is_some_and(|node| node != self.node) {
                    return;
                }
                let word = [("outcome", outcome.word())];
                self.runs_finished.get_or_create(&word).inc();
                if let (Some(started), Some(finished)) = (started_at, finished_at) {
                    let took = finished.duration_since(started).as_secs_f64();
                    self.duration.get_or_create(&word).observe(took.max(0.0));
                }
            }
            Observation::Decided { outcome, count } => {
                self.decided
                    .get_or_create(&[("outcome", outcome.word())])
                    .inc_by(count);
            }
        }
    }

    /// What is told of each sync of the log.
    pub(crate) fn sync_observer(&self) -> SyncObserver {
        let sync = self.sync.clone();
        SyncObserver::new(move |took| sync.observe(took.as_secs_f64()))
    }

    /// So many executors are connected.
    pub(crate) fn executors_connected(&self, count: usize) {
        self.executors.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A backup is over.
    pub(crate) fn backup_over(&self, is_whole: bool, now: Timestamp) {
        let result = if is_whole { "sent" } else { "broken_off" };
        self.backups.get_or_create(&[("result", result)]).inc();
        if is_whole {
            self.last_backup.set(now.as_second());
        }
    }

    /// Adds all of it.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "odin_runs_created",
            "Runs that were made, by cause",
            self.runs_made.clone(),
        );
        registry.register(
            "odin_runs_finished",
            "Runs that are over, by outcome",
            self.runs_finished.clone(),
        );
        registry.register(
            "odin_run_duration_seconds",
            "From a run's first process to its end, by outcome",
            self.duration.clone(),
        );
        registry.register(
            "odin_run_start_lateness_seconds",
            "From the instant at which a run could start to its first process",
            self.lateness.clone(),
        );
        registry.register(
            "odin_occurrences_decided",
            "Due times that have their outcome in the ledger, by outcome",
            self.decided.clone(),
        );
        registry.register(
            "odin_log_commands_applied",
            "Commands of the log that were applied to the state",
            self.applied.clone(),
        );
        registry.register(
            "odin_log_batch_commands",
            "Commands in a batch that was applied at once",
            self.batch.clone(),
        );
        registry.register(
            "odin_log_apply_seconds",
            "Time to apply a batch",
            self.apply.clone(),
        );
        registry.register(
            "odin_log_sync_seconds",
            "Time of the disk to make a batch of the log durable",
            self.sync.clone(),
        );
        registry.register(
            "odin_executors_connected",
            "Executors that this node is connected to; 0: nothing can be started",
            self.executors.clone(),
        );
        registry.register(
            "odin_backups",
            "Backups that were begun and are over, by result",
            self.backups.clone(),
        );
        registry.register(
            "odin_backup_last_success_timestamp_seconds",
            "When the last backup was sent whole; 0 since this server started",
            self.last_backup.clone(),
        );
    }
}

/// Adds a number that is read now.
pub(crate) fn gauge(registry: &mut Registry, name: &str, help: &str, value: u64) {
    let gauge = Gauge::<i64>::default();
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
    registry.register(name, help, gauge);
}

/// The same for seconds and other fractions.
pub(crate) fn fraction(registry: &mut Registry, name: &str, help: &str, value: f64) {
    let gauge = Gauge::<f64, AtomicU64>::default();
    gauge.set(value);
    registry.register(name, help, gauge);
}

/// The same with a label.
pub(crate) fn gauges(
    registry: &mut Registry,
    (name, help): (&str, &str),
    label: &'static str,
    values: impl IntoIterator<Item = (&'static str, u64)>,
) {
    let family = Family::<Word, Gauge>::default();
    for (word, value) in values {
        family
            .get_or_create(&[(label, word)])
            .set(i64::try_from(value).unwrap_or(i64::MAX));
    }
    registry.register(name, help, family);
}

pub(crate) use process::register as register_process;
