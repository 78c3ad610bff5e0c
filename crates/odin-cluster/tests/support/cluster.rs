//! Three nodes in one thread, on a network in memory.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::select_all;
use odin_cluster::memory_transport::MemoryNetwork;
use odin_cluster::{Leadership, Log, MemoryLog, Options, Retention, Term};
use odin_model::NodeId;

use super::{Register, Tally, environment_with};

pub const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

/// Far longer than anything here takes; the clock is paused, so it costs nothing.
pub const LONG: Duration = Duration::from_secs(600);

pub struct Node {
    pub log: Log,
    pub disk: MemoryLog,
    pub tally: Tally,
    pub snapshots: tempfile::TempDir,
}

pub struct Cluster {
    pub network: MemoryNetwork,
    pub register: Arc<Register>,
    pub retention: Retention,
    /// Added to each node's id.
    pub seed: u64,
    pub nodes: BTreeMap<NodeId, Node>,
}

impl Cluster {
    /// Three voters, and their leader.
    pub async fn start(retention: Retention) -> (Self, NodeId) {
        Self::start_from(0, retention).await
    }

    /// No nodes yet.
    pub fn empty(seed: u64, retention: Retention) -> Self {
        let (network, register) = (MemoryNetwork::new(), Arc::default());
        Self {
            network,
            register,
            retention,
            seed,
            nodes: BTreeMap::new(),
        }
    }

    pub async fn start_from(seed: u64, retention: Retention) -> (Self, NodeId) {
        let mut cluster = Self::empty(seed, retention);
        for node in NODES {
            cluster.add(node).await;
        }
        cluster.log(NODES[0]).bootstrap_with(&NODES).await.unwrap();
        let leader = cluster.leader_among(&NODES).await;
        (cluster, leader)
    }

    pub async fn add(&mut self, node: NodeId) {
        let snapshots = tempfile::tempdir().unwrap();
        self.run(node, MemoryLog::new(), Tally::default(), snapshots)
            .await;
    }

    pub async fn run(
        &mut self,
        node: NodeId,
        disk: MemoryLog,
        tally: Tally,
        snapshots: tempfile::TempDir,
    ) {
        let mut options = Options::in_memory(node, disk.clone(), snapshots.path().to_owned());
        options.retention = self.retention;
        options.seed = self.seed + node.0;
        let environment = environment_with(node, &self.network, self.register.clone());
        let log = Log::start(options, tally.clone(), environment)
            .await
            .unwrap();
        self.network.register(node, log.clone());
        self.nodes.insert(
            node,
            Node {
                log,
                disk,
                tally,
                snapshots,
            },
        );
    }

    pub async fn stop(&mut self, node: NodeId) -> Node {
        self.network.unregister(node);
        let stopped = self.nodes.remove(&node).unwrap();
        stopped.log.clone().shutdown().await;
        stopped
    }

    pub async fn restart(&mut self, node: NodeId) {
        let Node {
            disk,
            tally,
            snapshots,
            ..
        } = self.stop(node).await;
        self.run(node, disk, tally, snapshots).await;
    }

    pub fn log(&self, node: NodeId) -> &Log {
        &self.nodes[&node].log
    }

    pub fn commands(&self, node: NodeId) -> Vec<String> {
        self.nodes[&node].tally.commands()
    }

    /// Waits until one of these nodes leads.
    pub async fn leader_among(&self, nodes: &[NodeId]) -> NodeId {
        let leading = nodes.iter().map(|&node| {
            let mut leadership = self.log(node).leadership();
            Box::pin(async move {
                leadership
                    .wait_for(|now| matches!(now, Leadership::Leading { .. }))
                    .await
                    .unwrap();
                node
            })
        });
        tokio::time::timeout(LONG, select_all(leading))
            .await
            .unwrap()
            .0
    }

    pub fn term(&self, node: NodeId) -> Term {
        match *self.log(node).leadership().borrow() {
            Leadership::Leading { term } => term,
            other => panic!("node {node} does not lead: {other:?}"),
        }
    }

    /// Waits until all nodes have applied what is committed, and returns what they then hold.
    pub async fn agreed(&self) -> Vec<String> {
        let asked = self.nodes.values().next().unwrap();
        let index = asked.log.confirm().await.unwrap();
        for node in self.nodes.values() {
            node.log.wait_applied(index, LONG).await.unwrap();
        }
        let commands = asked.tally.commands();
        for &node in self.nodes.keys() {
            assert_eq!(self.commands(node), commands, "node {node}");
        }
        commands
    }
}

pub fn others(than: NodeId) -> Vec<NodeId> {
    NODES.into_iter().filter(|&node| node != than).collect()
}

pub fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}
