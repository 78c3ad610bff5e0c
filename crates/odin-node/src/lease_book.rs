//! What the leader remembers of leases: who asked when, and who is being declared down.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use odin_cluster::{LeaseAuthority, LeaseRequest, LeaseTerms, NotAdmitted};
use odin_model::node::{Node, NodeState};
use odin_model::{Boottime, Epoch, NodeId};

/// Admissions and declarations exclude each other by one lock: either a declaration sees the admission and waits,
/// or the admission sees the declaration and is refused.
#[derive(Debug, Default)]
pub(crate) struct LeaseBook {
    pages: Mutex<Pages>,
}

#[derive(Debug, Default)]
struct Pages {
    /// The nodes in force, as this replica has applied them.
    nodes: HashMap<NodeId, (Epoch, NodeState)>,
    /// When this leader last admitted each life of a node, or first saw it, on its own boottime.
    admitted: HashMap<(NodeId, Epoch), Boottime>,
    /// Lives whose end is proposed.
    going_down: HashSet<(NodeId, Epoch)>,
}

impl LeaseBook {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nodes as this replica has applied them.
    pub(crate) fn set_nodes(&self, nodes: &[Node]) {
        let mut pages = self.pages();
        pages.nodes = nodes
            .iter()
            .map(|node| (node.id, (node.epoch, node.state)))
            .collect();
        let Pages {
            nodes,
            admitted,
            going_down,
        } = &mut *pages;
        let current =
            |(node, epoch): &(NodeId, Epoch)| nodes.get(node).is_some_and(|(now, _)| now == epoch);
        admitted.retain(|life, _| current(life));
        going_down.retain(current);
    }

    /// A new term begins: what an earlier one proposed is decided or void.
    pub(crate) fn begin_term(&self) {
        let mut pages = self.pages();
        pages.admitted.clear();
        pages.going_down.clear();
    }

    /// The nodes that have been silent for longer than any lease they may hold; each is refused leases from here
    /// on in this life. `now` and `leading_since` are on the leader's boottime.
    #[must_use]
    pub(crate) fn declare_silent(
        &self,
        terms: &LeaseTerms,
        leading_since: Boottime,
        now: Boottime,
    ) -> Vec<(NodeId, Epoch)> {
        let mut pages = self.pages();
        let Pages {
            nodes,
            admitted,
            going_down,
        } = &mut *pages;
        let mut silent: Vec<_> = nodes
            .iter()
            .filter(|(_, (_, state))| *state == NodeState::Up)
            .map(|(&node, &(epoch, _))| (node, epoch))
            .filter(|&life| {
                // A life that began after this term did has not been silent since the term began.
                let heard = *admitted.entry(life).or_insert(now);
                terms.down_at(Some(heard), leading_since) < now
            })
            .collect();
        silent.sort_unstable();
        going_down.extend(&silent);
        silent
    }
}

impl LeaseAuthority for LeaseBook {
    fn admit(&self, request: LeaseRequest, now: Boottime) -> Result<(), NotAdmitted> {
        let mut pages = self.pages();
        let life = (request.node, request.epoch);
        match pages.nodes.get(&request.node) {
            None => Err(NotAdmitted::Unknown),
            Some((epoch, _)) if *epoch != request.epoch => Err(NotAdmitted::OtherEpoch),
            Some((_, NodeState::Down)) => Err(NotAdmitted::Down),
            Some((_, NodeState::Up)) if pages.going_down.contains(&life) => Err(NotAdmitted::Down),
            Some((_, NodeState::Up)) => {
                pages.admitted.insert(life, now);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use odin_model::node::NodeFacts;
    use std::time::Duration;

    fn at(seconds: u64) -> Boottime {
        Boottime(Duration::from_secs(seconds))
    }

    fn book(epoch: u64) -> LeaseBook {
        let facts = NodeFacts {
            name: "n".into(),
            pid: 1,
            boot_id: String::new(),
            http: String::new(),
            raft: String::new(),
            version: String::new(),
            timezone: "UTC".into(),
            slots: None,
        };
        let node = Node {
            id: NodeId(1),
            state: NodeState::Up,
            epoch: Epoch(epoch),
            facts,
            up_since: Timestamp::UNIX_EPOCH,
        };
        let book = LeaseBook::default();
        book.set_nodes(&[node]);
        book
    }

    const LIFE: LeaseRequest = LeaseRequest {
        node: NodeId(1),
        epoch: Epoch(5),
    };

    #[test]
    fn a_node_that_is_declared_silent_gets_no_lease_in_that_life() {
        let book = book(5);
        book.admit(LIFE, at(10)).unwrap();
        assert_eq!(
            book.declare_silent(&LeaseTerms::default(), at(0), at(16)),
            []
        );
        assert_eq!(
            book.declare_silent(&LeaseTerms::default(), at(0), at(17)),
            [(NodeId(1), Epoch(5))]
        );
        assert_eq!(book.admit(LIFE, at(18)), Err(NotAdmitted::Down));
    }

    #[test]
    fn a_life_that_begins_late_in_a_term_has_its_time_to_ask() {
        let book = book(5);
        let terms = LeaseTerms::default();
        assert_eq!(book.declare_silent(&terms, at(0), at(100)), []);
        assert_eq!(book.declare_silent(&terms, at(0), at(106)), []);
        assert_eq!(
            book.declare_silent(&terms, at(0), at(107)),
            [(NodeId(1), Epoch(5))]
        );
    }

    #[test]
    fn an_earlier_life_and_an_unknown_node_get_no_lease() {
        let book = book(6);
        assert_eq!(book.admit(LIFE, at(10)), Err(NotAdmitted::OtherEpoch));
        let stranger = LeaseRequest {
            node: NodeId(2),
            epoch: Epoch(5),
        };
        assert_eq!(book.admit(stranger, at(10)), Err(NotAdmitted::Unknown));
    }
}
