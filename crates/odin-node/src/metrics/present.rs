//! What is read at the moment somebody asks.

use odin_cluster::Leadership;
use odin_metrics::{Family, Number};
use odin_sinks::Snapshot;
use odin_store::StoreError;

use super::{process_families, sinks};
use crate::backend::NodeBackend;
use crate::room;

/// How many due jobs are counted: more are as bad as that many.
const DUE_JOBS_MAX: usize = 10_000;

fn whole(name: &'static str, help: &'static str, value: u64) -> Family {
    Family::gauge(name, help, Number::Whole(value))
}

fn fraction(name: &'static str, help: &'static str, value: f64) -> Family {
    Family::gauge(name, help, Number::Fraction(value))
}

impl NodeBackend {
    /// What it counts and measures, to be sent. Blocking.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot {
            at: self.wall(),
            began_at: self.began_at,
            node: self.name().to_owned(),
            families: self.metric_families(),
        }
    }

    /// Everything that this node counts and measures. What cannot be read is left out, and said. Blocking.
    pub(crate) fn metric_families(&self) -> Vec<Family> {
        let mut families = self.metrics.families();
        families.extend(process_families());
        let version = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("node", self.name().to_owned()),
        ];
        let help = "The version and the node's name";
        families.push(Family::info("odin_build", help, version));
        families.extend(self.health_families());
        families.extend(self.due_families());
        match self.state_families() {
            Ok(state) => families.extend(state),
            Err(error) => tracing::warn!(%error, "metrics of the state cannot be read"),
        }
        match self.state().sinks() {
            Ok(sinks) => families.extend(sinks::families(
                &sinks,
                self.metrics.sink_failures(),
                self.wall(),
            )),
            Err(error) => tracing::warn!(%error, "metrics of the sinks cannot be read"),
        }
        families.extend(self.log_families());
        families.extend(self.disk_families());
        families.extend(self.requests.families());
        families
    }

    fn health_families(&self) -> [Family; 3] {
        let ready = u64::from(odin_api::Backend::is_ready(self));
        let since = self.beats().leader.age(self.boottime());
        let age = since.map_or(0.0, |since| since.as_secs_f64());
        [
            whole(
                "odin_ready",
                "Whether a leader is known and this node has applied what it must",
                ready,
            ),
            whole(
                "odin_leader",
                "Whether this node leads",
                u64::from(since.is_some()),
            ),
            fraction(
                "odin_leader_pass_age_seconds",
                "Time since the leader's loop went through, which takes half a second at most; 0 where it does not run",
                age,
            ),
        ]
    }

    fn due_families(&self) -> [Family; 2] {
        let now = self.wall();
        let due = self.view().due(now, DUE_JOBS_MAX).len() as u64;
        let oldest = self.view().next_due_instant().filter(|due| *due <= now);
        let age = oldest.map_or(0.0, |due| now.duration_since(due).as_secs_f64());
        [
            whole(
                "odin_due_jobs",
                "Jobs that are due and not decided, up to 10000",
                due,
            ),
            fraction(
                "odin_oldest_undecided_due_age_seconds",
                "How long the earliest due time has been without a decision; 0: there is none",
                age,
            ),
        ]
    }

    fn state_families(&self) -> Result<[Family; 3], StoreError> {
        let counts = odin_api::Backend::counts(self);
        let mut states = [
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
        let states = states.map(|(word, count)| (word.to_owned(), Number::Whole(count)));
        let generation = u64::from(self.state().generation()?);
        Ok([
            whole("odin_jobs", "Jobs that are listed", counts.jobs),
            Family::gauges(
                "odin_open_runs",
                "Runs that are not over, by state",
                "state",
                states,
            ),
            whole(
                "odin_generation",
                "How often the state was restored from a backup",
                generation,
            ),
        ])
    }

    fn log_families(&self) -> [Family; 6] {
        let status = self.log().status();
        let is_known = status.leadership != Leadership::NoLeader;
        let index = |name, help, index: Option<u64>| whole(name, help, index.unwrap_or(0));
        [
            whole(
                "odin_leader_known",
                "Whether this node knows a leader",
                u64::from(is_known),
            ),
            whole("odin_log_term", "The latest term of the log", status.term.0),
            index(
                "odin_log_last_index",
                "The last entry of the log",
                status.last_log,
            ),
            index(
                "odin_log_committed_index",
                "The last committed entry",
                status.committed,
            ),
            index(
                "odin_log_applied_index",
                "The last entry in the state",
                status.applied,
            ),
            index(
                "odin_log_snapshot_index",
                "The last entry in a snapshot",
                status.snapshot,
            ),
        ]
    }

    fn disk_families(&self) -> Vec<Family> {
        let mut families = Vec::new();
        if let Some(free) = room::free_bytes(self.root()) {
            let help = "Free space for the data directory; below 64 MiB new work is refused";
            families.push(whole("odin_disk_free_bytes", help, free));
        }
        let sizes = self.sizes().of(self.root(), self.boottime()).into_iter();
        families.push(Family::gauges(
            "odin_data_bytes",
            "What the data directory takes on the disk, by part; looked at once a minute",
            "part",
            sizes.map(|(part, bytes)| (part.to_owned(), Number::Whole(bytes))),
        ));
        families
    }
}
