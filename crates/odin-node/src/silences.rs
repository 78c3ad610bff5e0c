//! How long nodes have been silent, and which of their runs are given up when. DESIGN 5.6.
//!
//! Counted on the leader's boottime from when it first saw the node down, which is after its last lease was over: a new
//! leader begins anew. A node that is down gets no runs, so what it has is read once.

use std::collections::HashMap;

use odin_model::node::{Node, NodeState};
use odin_model::{AttemptNumber, Boottime, Epoch, NodeId, RunId, RunState};
use odin_store::{Reader, StoreError};

/// How many runs one command gives up.
const LOST_MAX: usize = 1_000;

/// The nodes that are down in this leader's eyes, each life with the runs that it has and when they are lost.
#[derive(Debug, Default)]
pub(crate) struct Silences {
    nodes: HashMap<(NodeId, Epoch), Vec<Unreachable>>,
}

#[derive(Debug, Clone, Copy)]
struct Unreachable {
    lost_at: Boottime,
    run: RunId,
    attempt: AttemptNumber,
}

/// Runs of one life of a node that are to be given up.
#[derive(Debug)]
pub(crate) struct Lost {
    pub(crate) node: NodeId,
    pub(crate) epoch: Epoch,
    pub(crate) runs: Vec<(RunId, AttemptNumber)>,
}

impl Silences {
    /// Takes note of the nodes as they are in the state, and tells whose runs' time is up. What is told is told again
    /// until [`forget`](Self::forget).
    pub(crate) fn look(
        &mut self,
        nodes: &[Node],
        now: Boottime,
        reader: &Reader,
    ) -> Result<Vec<Lost>, StoreError> {
        let down: Vec<_> = nodes
            .iter()
            .filter(|node| node.state == NodeState::Down)
            .map(|node| (node.id, node.epoch))
            .collect();
        self.nodes.retain(|life, _| down.contains(life));
        let mut lost = Vec::new();
        for (node, epoch) in down {
            if let std::collections::hash_map::Entry::Vacant(e) = self.nodes.entry((node, epoch)) {
                let runs = unreachable_runs(reader, node, now)?;
                e.insert(runs);
            }
            let runs = &self.nodes[&(node, epoch)];
            let due = runs.iter().filter(|run| run.lost_at <= now).take(LOST_MAX);
            let runs: Vec<_> = due.map(|run| (run.run, run.attempt)).collect();
            if !runs.is_empty() {
                lost.push(Lost { node, epoch, runs });
            }
        }
        Ok(lost)
    }

    /// These have been given up.
    pub(crate) fn forget(&mut self, lost: &Lost) {
        if let Some(runs) = self.nodes.get_mut(&(lost.node, lost.epoch)) {
            runs.retain(|run| !lost.runs.contains(&(run.run, run.attempt)));
        }
    }
}

/// What a silent node may have started, each run with the instant at which its job no longer waits for the node.
fn unreachable_runs(
    reader: &Reader,
    node: NodeId,
    now: Boottime,
) -> Result<Vec<Unreachable>, StoreError> {
    let mut patience = HashMap::new();
    let mut found = Vec::new();
    for run in reader.open_runs_of_node(node)? {
        let RunState::Unreachable { attempt, .. } = run.state else {
            continue;
        };
        let version = (run.job, run.version);
        let lost_after = match patience.get(&version) {
            Some(&known) => known,
            None => {
                let stored = reader.version(run.job, run.version)?;
                let lost_after = stored.map_or_else(Default::default, |stored| stored.spec.loss);
                patience.insert(version, lost_after.lost_after);
                lost_after.lost_after
            }
        };
        found.push(Unreachable {
            lost_at: now.plus(lost_after),
            run: run.id,
            attempt,
        });
    }
    found.sort_by_key(|run| run.lost_at);
    Ok(found)
}
