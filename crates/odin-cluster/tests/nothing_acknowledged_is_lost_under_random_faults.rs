//! Cuts, stops and restarts drawn from a seed while all nodes propose, then a check of what everybody was told.

#![allow(clippy::unwrap_used)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use odin_cluster::{Leadership, Log, ProposeError, Retention, Term};
use odin_model::NodeId;
use support::cluster::{Cluster, NODES, bytes};

/// A small generator of our own: a failing seed must mean the same on every machine.
struct Draws(u64);

impl Draws {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    fn node(&mut self) -> NodeId {
        NODES[usize::try_from(self.below(3)).unwrap()]
    }
}

type Told = Arc<Mutex<BTreeMap<String, Result<String, ProposeError>>>>;

/// Proposes one command after the other until its node is stopped.
fn propose_on(log: Log, name: String, told: Told) {
    tokio::spawn(async move {
        for number in 0.. {
            let command = format!("{name}.{number}");
            let outcome = log.propose(bytes(&command)).await;
            let stopped = matches!(outcome, Err(ProposeError::Stopped(_)));
            let outcome = outcome.map(|applied| String::from_utf8(applied.reply.to_vec()).unwrap());
            told.lock().unwrap().insert(command, outcome);
            if stopped {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

type Leaders = Arc<Mutex<BTreeMap<Term, BTreeSet<NodeId>>>>;

/// Remembers who led in which term.
fn watch_terms(log: &Log, leaders: Leaders) {
    let (mut leadership, node) = (log.leadership(), log.status().node);
    tokio::spawn(async move {
        loop {
            if let Leadership::Leading { term } = *leadership.borrow_and_update() {
                leaders
                    .lock()
                    .unwrap()
                    .entry(term)
                    .or_default()
                    .insert(node);
            }
            if leadership.changed().await.is_err() {
                return;
            }
        }
    });
}

async fn check(seed: u64) {
    let retention = Retention {
        snapshot_after_bytes: (40_000, 40_000),
        keep_entries: 20,
    };
    let (mut cluster, _) = Cluster::start_from(seed * 100, retention).await;
    let (told, leaders, mut draws) = (Told::default(), Leaders::default(), Draws(seed));
    let mut lives = 0;
    let mut watched = |cluster: &Cluster, node: NodeId| {
        lives += 1;
        let log = cluster.log(node);
        propose_on(log.clone(), format!("node{node}.life{lives}"), told.clone());
        watch_terms(log, Arc::clone(&leaders));
    };
    for node in NODES {
        watched(&cluster, node);
    }
    for _ in 0..8 {
        let node = draws.node();
        match draws.below(4) {
            0 => cluster.network.isolate(node),
            1 => cluster.network.cut_one_way(node, draws.node()),
            2 => {
                cluster.restart(node).await;
                watched(&cluster, node);
            }
            _ => cluster.network.heal(),
        }
        tokio::time::sleep(Duration::from_millis(200 + draws.below(3000))).await;
    }
    cluster.network.heal();
    for node in NODES {
        cluster.restart(node).await;
    }
    let commands = cluster.agreed().await;
    let told = told.lock().unwrap();
    for (command, outcome) in told.iter() {
        let places = commands
            .iter()
            .zip(1..)
            .filter(|(applied, _)| *applied == command);
        let places: Vec<String> = places.map(|(_, place)| place.to_string()).collect();
        let fits = match outcome {
            // The reply is the command's place, so it was applied once, there, and stays there.
            Ok(reply) => places == [reply.clone()],
            Err(ProposeError::OutcomeUnknown | ProposeError::Stopped(_)) => places.len() <= 1,
            Err(_) => places.is_empty(),
        };
        assert!(
            fits,
            "seed {seed}: {command} was {outcome:?}, and is at {places:?}"
        );
    }
    for (term, nodes) in leaders.lock().unwrap().iter() {
        assert_eq!(nodes.len(), 1, "seed {seed}: in term {term} led {nodes:?}");
    }
    let acknowledged = told.values().filter(|outcome| outcome.is_ok()).count();
    assert!(
        acknowledged > 20,
        "seed {seed}: only {acknowledged} were acknowledged"
    );
}

#[test]
fn acknowledged_commands_stay_in_their_places_and_refused_ones_never_appear() {
    for seed in 1..=4 {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_all().start_paused(true).build().unwrap();
        runtime.block_on(check(seed));
    }
}
