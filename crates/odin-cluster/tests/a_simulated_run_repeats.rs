//! Seeds, and time that does not pass by itself.

#![allow(clippy::unwrap_used)]

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use odin_cluster::memory_transport::MemoryNetwork;
use odin_cluster::{Leadership, Log, MemoryLog, Options};
use odin_model::NodeId;
use support::{Tally, environment};
use tokio::time::Instant;

const NODES: [NodeId; 3] = [NodeId(1), NodeId(2), NodeId(3)];

async fn start(node: NodeId, seed: u64, network: &MemoryNetwork, dir: &tempfile::TempDir) -> Log {
    let snapshots = dir.path().join(node.to_string());
    let mut options = Options::in_memory(node, MemoryLog::new(), snapshots);
    options.seed = seed + node.0;
    let log = Log::start(options, Tally::default(), environment(node, network))
        .await
        .unwrap();
    network.register(node, log.clone());
    log
}

type Trace = Vec<(Duration, NodeId, Leadership)>;

/// Who thought at which moment that who led, while one leader after the other was cut off.
async fn elections(seed: u64) -> Trace {
    let (network, dir) = (MemoryNetwork::new(), tempfile::tempdir().unwrap());
    let (began, trace) = (Instant::now(), Arc::new(Mutex::new(Trace::new())));
    let mut logs = Vec::new();
    for node in NODES {
        let log = start(node, seed, &network, &dir).await;
        let (mut leadership, trace) = (log.leadership(), trace.clone());
        tokio::spawn(async move {
            while leadership.changed().await.is_ok() {
                let now = *leadership.borrow_and_update();
                trace.lock().unwrap().push((began.elapsed(), node, now));
            }
        });
        logs.push(log);
    }
    for from in NODES {
        for to in NODES {
            network.delay(from, to, Duration::from_millis(from.0 + to.0));
        }
    }
    logs[0].bootstrap_with(&NODES).await.unwrap();
    for round in 0..3 {
        logs[round % 3]
            .propose(Bytes::from_static(b"a"))
            .await
            .unwrap();
        let leading = |log: &&Log| matches!(*log.leadership().borrow(), Leadership::Leading { .. });
        network.isolate(logs.iter().find(leading).unwrap().status().node);
        tokio::time::sleep(Duration::from_secs(3)).await;
        network.heal();
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    for log in logs {
        log.shutdown().await;
    }
    std::mem::take(&mut *trace.lock().unwrap())
}

fn simulate(seed: u64) -> Trace {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(elections(seed))
}

#[test]
fn the_same_seed_gives_the_same_elections_at_the_same_moments() {
    let run = simulate(7);
    assert!(run.len() > 9, "{run:?}");
    assert_eq!(run, simulate(7));
    assert_ne!(run, simulate(8));
}

#[tokio::test(start_paused = true)]
async fn a_single_node_answers_at_once_however_long_it_was_idle() {
    let (network, dir) = (MemoryNetwork::new(), tempfile::tempdir().unwrap());
    let log = start(NODES[0], 0, &network, &dir).await;
    let began = Instant::now();
    log.bootstrap().await.unwrap();
    log.propose(Bytes::from_static(b"a")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    log.propose(Bytes::from_static(b"b")).await.unwrap();
    let index = log.confirm().await.unwrap();
    log.wait_applied(index, Duration::ZERO).await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 60);
    assert!(began.elapsed().subsec_millis() < 5, "{:?}", began.elapsed());
}
