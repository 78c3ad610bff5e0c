//! One node's engine: the log over the state, the leader's loop and the agent. What the simulator runs is this, with
//! its own clock, network and executor.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::SignedDuration;
use odin_cluster::{Environment, Failure, Log, Transport};
use odin_model::node::NodeFacts;
use odin_model::{Clock, NodeId};
use odin_notify::Courier;
use odin_store::{Reader, Store, View};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::{self, Agent, Peek};
use crate::collection::Collected;
use crate::error::StartError;
use crate::executor_link::ExecutorLink;
use crate::heartbeats::Heartbeats;
use crate::launches::Launches;
use crate::leader::Leader;
use crate::lease_book::LeaseBook;
use crate::life::{Life, Up};
use crate::machine::{Announcements, StoreMachine};
use crate::metrics::Metrics;
use crate::notifier::Notifier;
use crate::notifier::dispatch::Dispatch;
use crate::notifier::hooks::Hooks;
use crate::proposer::Proposer;
use crate::schedules::Schedules;
use crate::sealing::Keyring;
use crate::sinks::Forwarder;
use crate::values::ValuesFiles;

/// How many questions for a running attempt's output may wait.
const PEEKS_MAX: usize = 64;

/// What an engine is made of.
pub struct EngineParts {
    /// What the node says of itself.
    pub facts: NodeFacts,
    /// The state.
    pub store: Store,
    /// The log, with the node's id.
    pub log: odin_cluster::Options,
    /// Whether this node founds a cluster.
    pub founding: Founding,
    /// The network to other nodes.
    pub transport: Arc<dyn Transport>,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// The line to the executor.
    pub executor: ExecutorLink,
    /// Where bundles are.
    pub bundles: PathBuf,
    /// What opens the secrets of runs.
    pub keyring: Arc<Keyring>,
    /// The data directory whose attempts' reports are followed. `None`: they report nothing.
    pub values: Option<PathBuf>,
}

/// Whether and with whom a node founds a cluster. Without effect on a log that has history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Founding {
    /// With these voters, itself among them.
    With(Vec<NodeId>),
    /// Another node founds it, and brings this one in.
    ByAnother,
}

/// A running engine.
pub struct Engine {
    /// Commands into the log.
    pub proposer: Proposer,
    /// The due index and counts.
    pub view: Arc<View>,
    /// The state's queries.
    pub reader: Reader,
    /// What was committed.
    pub announcements: Announcements,
    /// Parsed schedules.
    pub schedules: Arc<Schedules>,
    /// Questions for a running attempt's output.
    pub peeks: mpsc::Sender<Peek>,
    /// What brings messages to channels.
    pub(crate) dispatch: Dispatch,
    /// When its loops last went round.
    pub(crate) beats: Arc<Heartbeats>,
    pub(crate) metrics: Metrics,
    up: watch::Receiver<Up>,
    /// How far this node's wall clock is from the leader's, where that is too far.
    pub(crate) too_far_off: watch::Receiver<Option<SignedDuration>>,
    /// How often an unpacked version was removed from this node's disk.
    pub(crate) collected: Collected,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Engine {
    /// Starts everything. The node says that it is up as soon as there is a leader.
    ///
    /// # Errors
    /// When the log cannot be opened or does not fit the state.
    pub async fn start(parts: EngineParts) -> Result<Self, StartError> {
        let node = parts.log.node;
        let slots = parts.facts.slots;
        let lease_terms = parts.log.timings.leases;
        let announcements = Announcements::default();
        let leases = Arc::new(LeaseBook::default());
        let metrics = Metrics::new(node);
        let (view, reader) = (parts.store.view(), parts.store.reader());
        let beats = Arc::new(Heartbeats::default());
        let machine = StoreMachine::new(
            parts.store,
            announcements.clone(),
            Arc::clone(&leases),
            Arc::clone(&beats),
            metrics.clone(),
            Arc::clone(&parts.clock),
        )
        .map_err(|error| StartError::Storage {
            what: "the state",
            detail: error.to_string(),
        })?;
        let environment = Environment {
            transport: parts.transport,
            clock: Arc::clone(&parts.clock),
            leases: Arc::clone(&leases) as Arc<dyn odin_cluster::LeaseAuthority>,
        };
        let unusable = |detail: String| StartError::Storage {
            what: "the log",
            detail,
        };
        let options = odin_cluster::Options {
            on_sync: Some(metrics.sync_observer()),
            ..parts.log
        };
        let log = Log::start(options, machine, environment)
            .await
            .map_err(|error| unusable(error.to_string()))?;
        if let Founding::With(voters) = &parts.founding {
            log.bootstrap_with(voters)
                .await
                .map_err(|error| unusable(error.to_string()))?;
        }

        let proposer = Proposer::new(log);
        let schedules = Arc::new(Schedules::new(Arc::clone(&view), reader.clone()));
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let leader = Leader {
            proposer: proposer.clone(),
            view: Arc::clone(&view),
            reader: reader.clone(),
            announcements: announcements.clone(),
            clock: Arc::clone(&parts.clock),
            schedules: Arc::clone(&schedules),
            leases,
            lease_terms,
            beats: Arc::clone(&beats),
        };
        tasks.spawn(leader.run(stop.clone()));
        let dispatch = Dispatch {
            reader: reader.clone(),
            clock: Arc::clone(&parts.clock),
            keyring: Arc::clone(&parts.keyring),
            courier: Courier::new(&parts.facts.name),
            hooks: Hooks {
                proposer: proposer.clone(),
                clock: Arc::clone(&parts.clock),
                bundles: parts.bundles.clone(),
                node,
            },
        };
        let (said, up) = watch::channel(Up::Waiting);
        let notifier = Notifier {
            proposer: proposer.clone(),
            reader: reader.clone(),
            announcements: announcements.clone(),
            clock: Arc::clone(&parts.clock),
            dispatch: dispatch.clone(),
            node,
            up: up.clone(),
        };
        tasks.spawn(notifier.run(stop.clone()));
        let forwarder = Forwarder {
            proposer: proposer.clone(),
            reader: reader.clone(),
            announcements: announcements.clone(),
            clock: Arc::clone(&parts.clock),
            keyring: Arc::clone(&parts.keyring),
            failures: metrics.sink_failures().clone(),
        };
        tasks.spawn(forwarder.run(stop.clone()));

        let values = parts
            .values
            .map(|root| ValuesFiles::follow(root, proposer.clone(), reader.clone()));
        let (peeks, asked) = mpsc::channel(PEEKS_MAX);
        let (far_off, too_far_off) = watch::channel(None);
        let collected = Collected::default();
        let launches = Launches::new(parts.facts.name.clone(), parts.bundles, lease_terms);
        let agent = {
            let (proposer, reader, announcements) =
                (proposer.clone(), reader.clone(), announcements.clone());
            let (clock, stop, view) = (parts.clock, stop.clone(), Arc::clone(&view));
            let (keyring, beats) = (parts.keyring, Arc::clone(&beats));
            let collected = Arc::clone(&collected);
            async move {
                let life = Life::new(node, parts.facts, said);
                let Up::Since(epoch) = life.begin(&proposer, clock.as_ref()).await else {
                    return;
                };
                let agent = Agent {
                    life,
                    epoch,
                    proposer,
                    reader,
                    view,
                    announcements,
                    clock,
                    launches,
                    keyring,
                    peeks: asked,
                    slots,
                    values,
                    beats,
                    too_far_off: far_off,
                    collected,
                };
                agent::run(agent, parts.executor, stop).await;
            }
        };
        let stopped = stop.clone();
        tasks.spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = agent => {}
            }
        });
        Ok(Self {
            proposer,
            view,
            reader,
            announcements,
            schedules,
            peeks,
            dispatch,
            beats,
            metrics,
            up,
            too_far_off,
            collected,
            stop,
            tasks,
        })
    }

    /// Whether the cluster has taken note of this node's life, and each change of that.
    #[must_use]
    pub fn up(&self) -> watch::Receiver<Up> {
        self.up.clone()
    }

    /// Resolves if the log fails: what is on the disk is in doubt, and the process must end.
    pub async fn failed(&self) -> Failure {
        self.proposer.log().failed().await
    }

    /// Stops deciding and arming, then the log. What runs goes on in the executor.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
        self.proposer.log().clone().shutdown().await;
    }
}
