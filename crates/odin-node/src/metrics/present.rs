//! What is read at the moment somebody asks.

use odin_cluster::Leadership;
use odin_store::StoreError;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use super::{fraction, gauge, gauges};
use crate::backend::NodeBackend;
use crate::room;

/// How many due jobs are counted: more are as bad as that many.
const DUE_JOBS_MAX: usize = 10_000;

impl NodeBackend {
    /// Adds it. What cannot be read is left out, and said.
    pub(crate) fn register_present(&self, registry: &mut Registry) {
        let version = Info::new(vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("node", self.name().to_owned()),
        ]);
        registry.register("odin_build", "The version and the node's name", version);
        self.register_health(registry);
        self.register_due(registry);
        if let Err(error) = self.register_state(registry) {
            tracing::warn!(%error, "metrics of the state cannot be read");
        }
        self.register_log(registry);
        self.register_disk(registry);
    }

    fn register_health(&self, registry: &mut Registry) {
        let ready = u64::from(odin_api::Backend::is_ready(self));
        let help = "Whether a leader is known and this node has applied what it must";
        gauge(registry, "odin_ready", help, ready);
        let since = self.beats().leader.age(self.boottime());
        let help = "Whether this node leads";
        gauge(registry, "odin_leader", help, u64::from(since.is_some()));
        let help = "Time since the leader's loop went through, which takes half a second at most; 0 where it does not run";
        let age = since.map_or(0.0, |since| since.as_secs_f64());
        fraction(registry, "odin_leader_pass_age_seconds", help, age);
    }

    fn register_due(&self, registry: &mut Registry) {
        let now = self.wall();
        let due = self.view().due(now, DUE_JOBS_MAX).len() as u64;
        let help = "Jobs that are due and not decided, up to 10000";
        gauge(registry, "odin_due_jobs", help, due);
        let oldest = self.view().next_due_instant().filter(|due| *due <= now);
        let age = oldest.map_or(0.0, |due| now.duration_since(due).as_secs_f64());
        let help = "How long the earliest due time has been without a decision; 0: there is none";
        fraction(registry, "odin_oldest_undecided_due_age_seconds", help, age);
    }

    fn register_state(&self, registry: &mut Registry) -> Result<(), StoreError> {
        let counts = odin_api::Backend::counts(self);
        gauge(registry, "odin_jobs", "Jobs that are listed", counts.jobs);
        let name = ("odin_open_runs", "Runs that are not over, by state");
        let mut states = vec![
            ("queued", 0),
            ("assigned", 0),
            ("running", 0),
            ("unreachable", 0),
            ("waiting", 0),
            ("retrying", 0),
        ];
        for (word, count) in self.state().open_runs_by_state()? {
            if let Some(state) = states.iter_mut().find(|(state, _)| *state == word) {
                state.1 = count;
            }
        }
        gauges(registry, name, "state", states);
        let help = "How often the state was restored from a backup";
        let generation = u64::from(self.state().generation()?);
        gauge(registry, "odin_generation", help, generation);
        Ok(())
    }

    fn register_log(&self, registry: &mut Registry) {
        let status = self.log().status();
        let is_known = status.leadership != Leadership::NoLeader;
        let help = "Whether this node knows a leader";
        gauge(registry, "odin_leader_known", help, u64::from(is_known));
        gauge(
            registry,
            "odin_log_term",
            "The latest term of the log",
            status.term.0,
        );
        for (name, help, index) in [
            (
                "odin_log_last_index",
                "The last entry of the log",
                status.last_log,
            ),
            (
                "odin_log_committed_index",
                "The last committed entry",
                status.committed,
            ),
            (
                "odin_log_applied_index",
                "The last entry in the state",
                status.applied,
            ),
            (
                "odin_log_snapshot_index",
                "The last entry in a snapshot",
                status.snapshot,
            ),
        ] {
            gauge(registry, name, help, index.unwrap_or(0));
        }
    }

    fn register_disk(&self, registry: &mut Registry) {
        if let Some(free) = room::free_bytes(self.root()) {
            let help = "Free space for the data directory; below 64 MiB new work is refused";
            gauge(registry, "odin_disk_free_bytes", help, free);
        }
        let name = (
            "odin_data_bytes",
            "What the data directory takes on the disk, by part; looked at once a minute",
        );
        let sizes = self.sizes().of(self.root(), self.boottime());
        gauges(registry, name, "part", sizes);
    }
}
