//! A leader stops in the middle of due occurrences: the others have the same ledger, complete and without doubles.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use odin_model::{Clock, JobId, LedgerOutcome};
use odin_simulator::{Cluster, deploy_all, findings, search};
use odin_store::Store;
use tokio::time::sleep;

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
}

fn beginning() -> Timestamp {
    "2026-11-21T10:00:00.2Z".parse().unwrap()
}

#[test]
fn the_other_two_have_the_same_complete_ledger() {
    for half in [0, 250, 500, 750] {
        let directory = tempfile::tempdir().unwrap();
        paused().block_on(async {
            let mut cluster = Cluster::start(directory.path(), 3, beginning()).await;
            let leader = cluster.leader().await;
            let follower = cluster
                .running()
                .into_iter()
                .find(|&node| node != leader)
                .unwrap();
            let jobs = deploy_all(&cluster, follower).await;
            sleep(Duration::from_millis(20_000 + half)).await;

            cluster.kill_machine(leader).await;
            sleep(Duration::from_secs(40)).await;

            let survivors = cluster.running();
            assert_eq!(survivors.len(), 2);
            for &node in &survivors {
                let reader = &cluster.engine(node).reader;
                assert_eq!(
                    findings(&cluster, reader, &jobs),
                    [],
                    "node {node}, killed at {half} ms"
                );
            }
            let started = cluster.evidence().starts();
            assert!(
                started.iter().any(|start| start.node == leader),
                "the leader's machine ran some"
            );
            assert!(
                survivors
                    .iter()
                    .all(|node| started.iter().any(|start| start.node == *node))
            );

            // At rest, the files say the same to the last row.
            for &node in &survivors {
                cluster.kill_server(node).await;
            }
            let mut hashes = Vec::new();
            for node in survivors {
                cluster.start_server(node).await;
            }
            cluster.leader().await;
            sleep(Duration::from_secs(1)).await;
            for node in cluster.running() {
                cluster.network().isolate(node);
            }
            sleep(Duration::from_secs(3)).await;
            for node in cluster.running() {
                cluster.kill_server(node).await;
                hashes.push(
                    Store::open(&cluster.state_file(node))
                        .unwrap()
                        .state_hash()
                        .unwrap(),
                );
            }
            assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]));
        });
    }
}

#[test]
fn an_occurrence_on_a_living_machine_starts_on_time_while_a_new_leader_is_elected() {
    let directory = tempfile::tempdir().unwrap();
    paused().block_on(async {
        let mut cluster = Cluster::start(directory.path(), 3, beginning()).await;
        let leader = cluster.leader().await;
        deploy_all(&cluster, leader).await;
        sleep(Duration::from_secs(15)).await;
        let killed = cluster.clock().wall();
        cluster.kill_machine(leader).await;
        sleep(Duration::from_secs(3)).await;

        let window = killed..killed + SignedDuration::from_secs(2);
        let started = cluster.evidence().starts();
        let late: Vec<_> = started
            .iter()
            .filter(|start| {
                start.job == JobId::from_bits(1)
                    && start.node != leader
                    && window.contains(&start.due_at)
            })
            .filter(|start| {
                start.at.duration_since(start.due_at) > SignedDuration::from_millis(100)
            })
            .collect();
        assert_eq!(late, Vec::<&odin_simulator::Start>::new());
    });
}

#[test]
fn a_server_that_is_killed_and_comes_back_goes_on_where_it_was() {
    let directory = tempfile::tempdir().unwrap();
    paused().block_on(async {
        let mut cluster = Cluster::start(directory.path(), 1, beginning()).await;
        let node = cluster.leader().await;
        let jobs = deploy_all(&cluster, node).await;
        for down in [1, 3, 9, 200] {
            sleep(Duration::from_millis(12_345)).await;
            cluster.kill_server(node).await;
            sleep(Duration::from_secs(down)).await;
            cluster.start_server(node).await;
            cluster.leader().await;
        }
        sleep(Duration::from_secs(10)).await;
        let reader = &cluster.engine(node).reader;
        assert_eq!(findings(&cluster, reader, &jobs), []);
        // 200 seconds are more than the grace: one of the missed was started for all of them.
        let rows = reader
            .ledger(jobs[0], Timestamp::MIN, Timestamp::MAX, 100_000)
            .unwrap();
        let coalesced: u64 = rows
            .iter()
            .filter(|row| row.outcome == LedgerOutcome::Coalesced)
            .map(|row| row.count)
            .sum();
        assert!((100..200).contains(&coalesced), "{coalesced}");
    });
}

/// A few seeds of what `cargo xtask simulate` searches by the thousand.
#[test]
fn servers_killed_and_nodes_cut_off_lose_and_double_nothing() {
    for seed in 1..=2 {
        let directory = tempfile::tempdir().unwrap();
        let searched = paused().block_on(search(directory.path(), seed));
        let searched = searched.unwrap_or_else(|found| panic!("seed {seed}: {found:?}"));
        assert!(searched.starts > 100, "seed {seed}: {searched:?}");
    }
}
