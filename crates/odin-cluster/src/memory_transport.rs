//! A network inside one process, for tests and the simulator. It draws no random numbers and starts no threads, so
//! under a paused clock everything happens in the same order each time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use odin_model::NodeId;

use crate::log::Log;
use crate::transport::{Transport, TransportError};

/// The network. A clone is the same network.
#[derive(Clone, Default)]
pub struct MemoryNetwork {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    nodes: BTreeMap<NodeId, Log>,
    /// Directions in which nothing arrives.
    cut: BTreeSet<(NodeId, NodeId)>,
    /// How long a frame takes from one to the other, where it is not nothing.
    delays: BTreeMap<(NodeId, NodeId), Duration>,
}

impl MemoryNetwork {
    /// A network without nodes.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a node sends with.
    #[must_use]
    pub fn transport(&self, node: NodeId) -> Arc<dyn Transport> {
        Arc::new(Link {
            node,
            network: self.clone(),
        })
    }

    /// Brings a node onto the network, in place of an earlier one with its id.
    pub fn register(&self, node: NodeId, log: Log) {
        self.state().nodes.insert(node, log);
    }

    /// Takes a node off the network: it is unreachable, like a process that has ended.
    pub fn unregister(&self, node: NodeId) {
        self.state().nodes.remove(&node);
    }

    /// Loses everything sent between two nodes, in both directions: senders hear nothing.
    pub fn cut(&self, one: NodeId, other: NodeId) {
        self.cut_one_way(one, other);
        self.cut_one_way(other, one);
    }

    /// Loses everything sent from one node to another, answers to the other's requests included.
    pub fn cut_one_way(&self, from: NodeId, to: NodeId) {
        self.state().cut.insert((from, to));
    }

    /// Cuts a node off from all that are registered.
    pub fn isolate(&self, node: NodeId) {
        let others: Vec<NodeId> = self
            .state()
            .nodes
            .keys()
            .copied()
            .filter(|&other| other != node)
            .collect();
        for other in others {
            self.cut(node, other);
        }
    }

    /// Mends all cuts.
    pub fn heal(&self) {
        self.state().cut.clear();
    }

    /// Makes each frame and each answer from one node to another take this long.
    pub fn delay(&self, from: NodeId, to: NodeId, delay: Duration) {
        self.state().delays.insert((from, to), delay);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes as long as the way does, and never ends on one that is cut.
    async fn travel(&self, from: NodeId, to: NodeId) {
        let delay = self.state().delays.get(&(from, to)).copied();
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        if self.state().cut.contains(&(from, to)) {
            std::future::pending::<()>().await;
        }
    }
}

struct Link {
    node: NodeId,
    network: MemoryNetwork,
}

impl Transport for Link {
    fn send(&self, target: NodeId, frame: Bytes) -> BoxFuture<'_, Result<Bytes, TransportError>> {
        async move {
            self.network.travel(self.node, target).await;
            let log = self.network.state().nodes.get(&target).cloned();
            let Some(log) = log else {
                return Err(TransportError::Unreachable {
                    node: target,
                    reason: "it is not there".to_owned(),
                });
            };
            let answer = log.serve(frame).await;
            self.network.travel(target, self.node).await;
            Ok(answer)
        }
        .boxed()
    }
}
