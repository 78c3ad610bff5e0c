//! What this node counts and measures, for Prometheus. No label has a value for each job: a node may have a million.
//!
//! `docs/reference/metrics.md` lists them; a test holds the page against what is served.

mod present;
mod process;
mod sinks;
mod sizes;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use odin_cluster::SyncObserver;
use odin_metrics::{Counters, Family, Gauge, Histograms};
use odin_model::NodeId;
use odin_store::Observation;

pub(crate) use sizes::Sizes;

use crate::sinks::Failures;

/// Seconds from an instant to what it was for: what is on time is below a few milliseconds.
const LATENESS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0,
];
/// Seconds that jobs take: from a moment to a day.
const DURATION: &[f64] = &[
    0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0,
];
/// Seconds of the disk for a batch.
const APPLY: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5,
];
/// Commands in a batch.
const BATCH: &[f64] = &[1.0, 2.0, 4.0, 8.0, 16.0, 64.0, 128.0, 256.0, 1024.0];

/// What is counted as it happens. A clone is the same counters.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Counted>);

struct Counted {
    node: NodeId,
    runs_made: Counters<1>,
    runs_finished: Counters<1>,
    duration: Histograms<1>,
    lateness: Histograms<0>,
    decided: Counters<1>,
    applied: Counters<0>,
    batch: Histograms<0>,
    apply: Histograms<0>,
    sync: Histograms<0>,
    executors: Gauge,
    backups: Counters<1>,
    last_backup: Gauge,
    sink_failures: Failures,
}

impl Metrics {
    /// For the node with this id.
    pub(crate) fn new(node: NodeId) -> Self {
        Self(Arc::new(Counted {
            node,
            runs_made: Counters::new(
                "odin_runs_created",
                "Runs that were made, by cause",
                ["cause"],
            ),
            runs_finished: Counters::new(
                "odin_runs_finished",
                "Runs that are over, by outcome",
                ["outcome"],
            ),
            duration: Histograms::new(
                "odin_run_duration_seconds",
                "From a run's first process to its end, by outcome",
                ["outcome"],
                DURATION,
            ),
            lateness: Histograms::new(
                "odin_run_start_lateness_seconds",
                "From the instant at which a run could start to its first process",
                [],
                LATENESS,
            ),
            decided: Counters::new(
                "odin_occurrences_decided",
                "Due times that have their outcome in the ledger, by outcome",
                ["outcome"],
            ),
            applied: Counters::new(
                "odin_log_commands_applied",
                "Commands of the log that were applied to the state",
                [],
            ),
            batch: Histograms::new(
                "odin_log_batch_commands",
                "Commands in a batch that was applied at once",
                [],
                BATCH,
            ),
            apply: Histograms::new("odin_log_apply_seconds", "Time to apply a batch", [], APPLY),
            sync: Histograms::new(
                "odin_log_sync_seconds",
                "Time of the disk to make a batch of the log durable",
                [],
                APPLY,
            ),
            executors: Gauge::new(
                "odin_executors_connected",
                "Executors that this node is connected to; 0: nothing can be started",
            ),
            backups: Counters::new(
                "odin_backups",
                "Backups that were begun and are over, by result",
                ["result"],
            ),
            last_backup: Gauge::new(
                "odin_backup_last_success_timestamp_seconds",
                "When the last backup was sent whole; 0 since this server started",
            ),
            sink_failures: Failures::default(),
        }))
    }

    /// A batch was applied.
    pub(crate) fn applied(&self, commands: usize, took: Duration, observations: &[Observation]) {
        if commands > 0 {
            self.0.applied.add([], commands as u64);
            let commands = u32::try_from(commands).unwrap_or(u32::MAX);
            self.0.batch.observe([], f64::from(commands));
        }
        self.0.apply.observe([], took.as_secs_f64());
        for observation in observations {
            self.observe(*observation);
        }
    }

    fn observe(&self, observation: Observation) {
        match observation {
            Observation::RunMade { cause } => {
                self.0.runs_made.add([cause], 1);
            }
            Observation::RunStarted {
                ready_at,
                started_at,
            } => {
                let late = started_at.duration_since(ready_at).as_secs_f64();
                self.0.lateness.observe([], late.max(0.0));
            }
            Observation::RunFinished {
                outcome,
                node,
                started_at,
                finished_at,
            } => {
                // Each run is counted by one node: the sum over the nodes is the cluster's.
                if node.is_some_and(|node| node != self.0.node) {
                    return;
                }
                let word = [outcome.word()];
                self.0.runs_finished.add(word, 1);
                if let (Some(started), Some(finished)) = (started_at, finished_at) {
                    let took = finished.duration_since(started).as_secs_f64();
                    self.0.duration.observe(word, took.max(0.0));
                }
            }
            Observation::Decided { outcome, count } => {
                self.0.decided.add([outcome.word()], count);
            }
        }
    }

    /// What is told of each sync of the log.
    pub(crate) fn sync_observer(&self) -> SyncObserver {
        let sync = self.0.sync.clone();
        SyncObserver::new(move |took| sync.observe([], took.as_secs_f64()))
    }

    /// So many executors are connected.
    pub(crate) fn executors_connected(&self, count: usize) {
        self.0.executors.set(count as u64);
    }

    /// A backup is over.
    pub(crate) fn backup_over(&self, is_whole: bool, now: Timestamp) {
        let result = if is_whole { "sent" } else { "broken_off" };
        self.0.backups.add([result], 1);
        if is_whole {
            self.0
                .last_backup
                .set(now.as_second().max(0).unsigned_abs());
        }
    }

    /// Where failed attempts of sinks are counted.
    pub(crate) fn sink_failures(&self) -> &Failures {
        &self.0.sink_failures
    }

    /// All of it but what is counted of sinks, which is told with their state.
    pub(crate) fn families(&self) -> Vec<Family> {
        vec![
            self.0.runs_made.family(),
            self.0.runs_finished.family(),
            self.0.duration.family(),
            self.0.lateness.family(),
            self.0.decided.family(),
            self.0.applied.family(),
            self.0.batch.family(),
            self.0.apply.family(),
            self.0.sync.family(),
            self.0.executors.family(),
            self.0.backups.family(),
            self.0.last_backup.family(),
        ]
    }
}

pub(crate) use process::families as process_families;
