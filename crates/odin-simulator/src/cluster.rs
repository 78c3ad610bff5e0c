//! Nodes, their network, and what can be done to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_cluster::memory_transport::MemoryNetwork;
use odin_cluster::{Leadership, MemoryLog, Options};
use odin_model::command::{Deploy, DueAfter};
use odin_model::job::Visibility;
use odin_model::node::NodeFacts;
use odin_model::owner::Role;
use odin_model::{BundleHash, Clock, Command, JobId, JobSpec, NodeId, Owner, Principal, Reply};
use odin_node::executor_link::line;
use odin_node::{Engine, EngineParts, Founding, Up};
use odin_store::Store;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::clock::SimulatedClock;
use crate::executor::{Evidence, SimulatedExecutor};

/// How long every simulated process takes.
pub(crate) const PROCESS_TAKES: Duration = Duration::from_millis(300);

/// A cluster in one thread.
pub struct Cluster {
    directory: PathBuf,
    voters: Vec<NodeId>,
    clock: SimulatedClock,
    network: MemoryNetwork,
    evidence: Evidence,
    seed: u64,
    slots: Option<u32>,
    nodes: BTreeMap<NodeId, Machine>,
}

/// A machine: its log's disk, its executor, and its server while that runs.
struct Machine {
    log: MemoryLog,
    executor: SimulatedExecutor,
    executor_life: JoinHandle<()>,
    connection: Option<JoinHandle<()>>,
    engine: Option<Engine>,
}

impl Cluster {
    /// [`start_seeded`](Self::start_seeded) for tests to which the elections' draws do not matter.
    pub async fn start(directory: &Path, size: u64, wall: Timestamp) -> Self {
        Self::start_seeded(directory, size, wall, 1).await
    }

    /// A cluster of `size` voters with their state below `directory`, all started. The wall clock shows `wall`.
    /// Elections are drawn from `seed`.
    pub async fn start_seeded(directory: &Path, size: u64, wall: Timestamp, seed: u64) -> Self {
        let clock = SimulatedClock::starting_at(wall);
        let evidence = Evidence::default();
        let voters: Vec<_> = (1..=size).map(NodeId).collect();
        let mut cluster = Self {
            directory: directory.to_owned(),
            voters: voters.clone(),
            clock,
            network: MemoryNetwork::new(),
            evidence: evidence.clone(),
            seed,
            slots: None,
            nodes: BTreeMap::new(),
        };
        for &node in &voters {
            let executor = SimulatedExecutor::new(node, clock, evidence.clone(), PROCESS_TAKES);
            let executor_life = tokio::spawn(executor.clone().live());
            let log = MemoryLog::new();
            cluster.nodes.insert(
                node,
                Machine {
                    log,
                    executor,
                    executor_life,
                    connection: None,
                    engine: None,
                },
            );
        }
        for node in voters {
            cluster.start_server(node).await;
        }
        cluster
    }

    /// The wall clock of all nodes.
    #[must_use]
    pub fn clock(&self) -> SimulatedClock {
        self.clock
    }

    /// What was started.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Servers that start from now on have at most so many runs at once.
    pub fn set_slots(&mut self, slots: u32) {
        self.slots = Some(slots);
    }

    /// The network, to cut and heal.
    #[must_use]
    pub fn network(&self) -> &MemoryNetwork {
        &self.network
    }

    /// The state file of a node.
    #[must_use]
    pub fn state_file(&self, node: NodeId) -> PathBuf {
        self.directory.join(format!("{node}.db"))
    }

    /// A running server.
    ///
    /// # Panics
    /// When that server does not run.
    #[must_use]
    pub fn engine(&self, node: NodeId) -> &Engine {
        self.nodes[&node].engine.as_ref().expect("the server runs")
    }

    /// The nodes whose servers run.
    #[must_use]
    pub fn running(&self) -> Vec<NodeId> {
        self.nodes
            .iter()
            .filter(|(_, machine)| machine.engine.is_some())
            .map(|(&node, _)| node)
            .collect()
    }

    /// Starts a node's server over the state and log that it left.
    pub async fn start_server(&mut self, node: NodeId) {
        let store = Store::open(&self.state_file(node)).expect("the state opens");
        let machine = self.nodes.get_mut(&node).expect("a node of this cluster");
        let (link, end) = line();
        machine.connection = Some(tokio::spawn(machine.executor.clone().serve(end)));
        let parts = EngineParts {
            facts: NodeFacts {
                name: format!("node-{node}"),
                pid: 1,
                boot_id: format!("boot-{node}"),
                http: String::new(),
                raft: String::new(),
                version: "simulated".to_owned(),
                timezone: "UTC".to_owned(),
                slots: self.slots,
            },
            store,
            log: Options {
                // Nodes with one seed would stand for election together for ever.
                seed: self.seed.wrapping_mul(16).wrapping_add(node.0),
                ..Options::in_memory(
                    node,
                    machine.log.clone(),
                    self.directory.join(format!("{node}.snapshots")),
                )
            },
            founding: if node == self.voters[0] {
                Founding::With(self.voters.clone())
            } else {
                Founding::ByAnother
            },
            transport: self.network.transport(node),
            clock: Arc::new(self.clock),
            executor: link,
            bundles: self.directory.join("bundles"),
            keyring: Arc::new(odin_node::Keyring::of_key(&[7; 32])),
            values: None,
        };
        let engine = Engine::start(parts).await.expect("the engine starts");
        self.network.register(node, engine.proposer.log().clone());
        machine.engine = Some(engine);
    }

    /// Ends a node's server at once: nothing that it has in memory is kept. Its executor goes on.
    pub async fn kill_server(&mut self, node: NodeId) {
        self.network.unregister(node);
        let machine = self.nodes.get_mut(&node).expect("a node of this cluster");
        if let Some(engine) = machine.engine.take() {
            // Off the network first, so that the orderly end of its tasks tells nobody anything.
            engine.stop().await;
        }
        if let Some(connection) = machine.connection.take() {
            connection.abort();
        }
    }

    /// Ends a whole machine: server, executor and what runs.
    pub async fn kill_machine(&mut self, node: NodeId) {
        self.nodes[&node].executor_life.abort();
        self.kill_server(node).await;
    }

    /// Waits until every running node is up and one of them leads; tells which.
    ///
    /// # Panics
    /// When that takes longer than a simulated minute.
    pub async fn leader(&self) -> NodeId {
        for _ in 0..6_000 {
            let running = self.running();
            let leads = |node: &NodeId| {
                matches!(
                    *self.engine(*node).proposer.log().leadership().borrow(),
                    Leadership::Leading { .. }
                )
            };
            let all_up = running
                .iter()
                .all(|&node| matches!(*self.engine(node).up().borrow(), Up::Since(_)));
            if let Some(leader) = running.iter().copied().find(leads).filter(|_| all_up) {
                return leader;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("no leader within a minute");
    }

    /// Deploys a job through any node and tells its id.
    ///
    /// # Panics
    /// When it is refused.
    pub async fn deploy(&self, through: NodeId, number: u64, spec: JobSpec) -> JobId {
        let command = deploy_of(number, spec, self.clock.wall());
        match self.engine(through).proposer.propose(&command).await {
            Ok(Reply::Job { id, .. }) => id,
            other => panic!("a deploy was answered with {other:?}"),
        }
    }
}

/// The command that deploys `spec` as job `number`, for a test's own user.
///
/// # Panics
/// When the schedule cannot be read.
#[must_use]
pub fn deploy_of(number: u64, spec: JobSpec, now: Timestamp) -> Command {
    let schedule = odin_schedule::parse(&spec.schedule)
        .expect("a schedule")
        .in_zone(&TimeZone::UTC);
    let user = Owner {
        user: "tester".to_owned(),
        uid: 1000,
    };
    Command::Deploy(Box::new(Deploy {
        by: Principal {
            user,
            role: Role::Operator,
        },
        id: None,
        fresh_id: JobId::from_bits(number),
        bundle: BundleHash([0; 32]),
        visibility: Visibility::Listed,
        due: DueAfter {
            after: now,
            next_due: schedule.next_after(now),
        },
        expected: None,
        spec,
        at: now,
    }))
}
