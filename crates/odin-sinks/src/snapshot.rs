//! What a node counts and measures, as it is sent.

use jiff::Timestamp;
use odin_metrics::{Family, Label};

/// What a node counted and measured at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The instant.
    pub at: Timestamp,
    /// When its counters were 0, but for those that outlive the process.
    pub began_at: Timestamp,
    /// The node's name.
    pub node: String,
    /// All of it.
    pub families: Vec<Family>,
}

impl Snapshot {
    /// A series' labels with the node's name, sorted by name. Where the series has that label, it says the same.
    pub(crate) fn with_node(&self, labels: &[Label], name: &'static str) -> Vec<Label> {
        let mut all: Vec<Label> = labels.to_vec();
        if labels.iter().all(|(label, _)| *label != name) {
            all.push((name, self.node.clone()));
        }
        all.sort_unstable();
        all
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use odin_metrics::{Counters, Family, Histograms, Kind, Number};

    use super::Snapshot;
    use crate::record::tests::at;

    /// One family of each kind, and one of which nothing is counted yet.
    pub(crate) fn snapshot() -> Snapshot {
        let runs = Counters::new("odin_runs_finished", "Runs", ["outcome"]);
        runs.add(["failed"], 7);
        let took = Histograms::new("odin_log_sync_seconds", "Syncs", [], &[0.5, 10.0]);
        took.observe([], 0.25);
        took.observe([], 20.0);
        let build = vec![("version", "1".to_owned()), ("node", "a, b".to_owned())];
        Snapshot {
            at: at(60),
            began_at: at(0),
            node: "a, b".to_owned(),
            families: vec![
                runs.family(),
                Family::gauge("odin_jobs", "Jobs", Number::Whole(3)),
                Family::info("odin_build", "Build", build),
                took.family(),
                Counters::new("odin_backups", "Backups", ["result"]).family(),
                Family::of(
                    "odin_sink_records",
                    "Records",
                    Kind::LastingCounter,
                    [(vec![("sink", "db".to_owned())], Number::Whole(9))],
                ),
            ],
        }
    }
}
