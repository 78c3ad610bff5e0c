//! Where a run goes.

use odin_model::node::{Node, NodeState};
use odin_model::{JobId, NodeId};

/// The node for a job's next run among `nodes`, ascending by id; `None` while none is up.
///
/// Rendezvous hashing: each job has its own order of nodes and goes to the first that is up. Jobs spread evenly, a
/// job stays where its files are, and a node that leaves moves only its own jobs.
#[must_use]
pub fn choose(job: JobId, nodes: &[Node]) -> Option<NodeId> {
    let up = nodes.iter().filter(|node| node.state == NodeState::Up);
    choose_of(job, up.map(|node| node.id))
}

/// The same among nodes that are known to be up.
#[must_use]
pub fn choose_of(job: JobId, up: impl IntoIterator<Item = NodeId>) -> Option<NodeId> {
    up.into_iter().max_by_key(|&node| (weight(job, node), node))
}

/// A well-mixed number of both ids: the finaliser of SplitMix64.
fn weight(job: JobId, node: NodeId) -> u64 {
    let mut bits = job.to_bits() ^ node.0.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use odin_model::Epoch;
    use odin_model::node::NodeFacts;

    fn node(id: u64, state: NodeState) -> Node {
        let facts = NodeFacts {
            name: format!("n{id}"),
            pid: 1,
            boot_id: String::new(),
            http: String::new(),
            raft: String::new(),
            version: String::new(),
            timezone: "UTC".into(),
            slots: None,
        };
        Node {
            id: NodeId(id),
            state,
            epoch: Epoch(id),
            facts,
            up_since: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn jobs_spread_over_the_nodes_that_are_up_and_move_only_when_theirs_goes() {
        let mut nodes: Vec<_> = (1..=4).map(|id| node(id, NodeState::Up)).collect();
        let jobs: Vec<_> = (0..12_000u64)
            .map(|n| JobId::from_bits(n.wrapping_mul(0x1234_5678_9abc_def1)))
            .collect();
        let before: Vec<_> = jobs
            .iter()
            .map(|&job| choose(job, &nodes).unwrap())
            .collect();
        for id in 1..=4 {
            let share = before.iter().filter(|&&node| node == NodeId(id)).count();
            assert!(
                (2_700..=3_300).contains(&share),
                "node {id} has {share} of 12000"
            );
        }
        nodes[1].state = NodeState::Down;
        for (job, &was) in jobs.iter().zip(&before) {
            let is = choose(*job, &nodes).unwrap();
            assert!(is != NodeId(2) && (was == NodeId(2) || is == was));
        }
    }

    #[test]
    fn without_a_node_that_is_up_a_run_waits() {
        assert_eq!(
            choose(JobId::from_bits(1), &[node(1, NodeState::Down)]),
            None
        );
    }
}
