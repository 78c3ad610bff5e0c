//! A calendar, or the time zone database, is another than the one that due times were computed with: they move, once,
//! on every node.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use jiff::Timestamp;
use odin_model::calendar::{DueRules, Recompute, SetCalendar, day_of};
use odin_model::command::DueAfter;
use odin_model::owner::{Owner, Principal, Role};
use odin_model::{Clock, Command, JobId, JobName, JobSpec, NodeId, Program, Reply};
use odin_simulator::{Cluster, deploy_of};
use tokio::time::sleep;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn spec(schedule: &str) -> JobSpec {
    let name = JobName::parse("report").unwrap();
    JobSpec::new(
        name,
        Program::Argv(vec!["true".into()]),
        schedule,
        "Europe/Dublin",
    )
}

async fn propose(cluster: &Cluster, node: NodeId, command: &Command) -> Reply {
    cluster
        .engine(node)
        .proposer
        .propose(command)
        .await
        .unwrap()
}

/// Deploys a job with the due time that other rules gave it.
async fn deploy_due(cluster: &Cluster, node: NodeId, schedule: &str, due: Timestamp) -> JobId {
    let now = cluster.clock().wall();
    let mut command = deploy_of(1, spec("never"), now);
    if let Command::Deploy(deploy) = &mut command {
        deploy.spec = spec(schedule);
        deploy.due = DueAfter {
            after: now,
            next_due: Some(due),
        };
    }
    match propose(cluster, node, &command).await {
        Reply::Job { id, .. } => id,
        other => panic!("{other:?}"),
    }
}

/// What every node says that a job is due at, once the sweep had time to end.
async fn due_everywhere(cluster: &Cluster, job: JobId) -> Vec<Timestamp> {
    sleep(Duration::from_secs(5)).await;
    let due = cluster.running().into_iter().map(|node| {
        let job = cluster.engine(node).reader.job(job).unwrap().unwrap();
        job.next_due.unwrap()
    });
    due.collect()
}

fn check(test: impl AsyncFnOnce(&mut Cluster, NodeId)) {
    let directory = tempfile::tempdir().unwrap();
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(async {
            let mut cluster =
                Cluster::start(directory.path(), 3, at("2026-11-21T10:00:00.2Z")).await;
            let leader = cluster.leader().await;
            test(&mut cluster, leader).await;
        });
}

#[test]
fn newer_zone_rules_move_the_due_times_that_they_change() {
    check(async |cluster, leader| {
        // As if Dublin had kept summer time when this was computed.
        let job = deploy_due(
            cluster,
            leader,
            "every day at 09:00",
            at("2026-11-22T08:00:00Z"),
        )
        .await;
        let old = DueRules {
            zone_rules: "2000a".to_owned(),
            calendars: 0,
        };
        let computed_with_old_rules = Command::Recompute(Recompute {
            items: Vec::new(),
            because: String::new(),
            done: Some(old),
            at: cluster.clock().wall(),
        });
        propose(cluster, leader, &computed_with_old_rules).await;
        // Whoever leads next compares, as a newer build does when it starts.
        cluster.kill_server(leader).await;
        cluster.leader().await;
        cluster.start_server(leader).await;
        let moved_to = at("2026-11-22T09:00:00Z");
        assert_eq!(due_everywhere(cluster, job).await, [moved_to; 3]);
        for node in cluster.running() {
            let reader = &cluster.engine(node).reader;
            let moved = reader.moved_dues(None, 10).unwrap();
            assert_eq!(moved.len(), 1, "once on node {node}");
            assert!(
                moved[0]
                    .because
                    .starts_with("time zone rules 2000a became "),
                "{}",
                moved[0].because
            );
            let rules = reader.due_rules().unwrap().unwrap();
            assert_ne!(rules.zone_rules, "2000a");
        }
    });
}

#[test]
fn a_changed_calendar_moves_the_jobs_that_use_it_and_no_others() {
    check(async |cluster, leader| {
        let by = Principal {
            user: Owner {
                user: "root".to_owned(),
                uid: 0,
            },
            role: Role::Admin,
        };
        let set = |days: &[&str]| {
            Command::SetCalendar(SetCalendar {
                by: by.clone(),
                name: "holidays".to_owned(),
                days: days
                    .iter()
                    .map(|day| day_of(day.parse().unwrap()))
                    .collect(),
                at: cluster.clock().wall(),
            })
        };
        propose(cluster, leader, &set(&[])).await;
        let first = at("2026-11-22T09:00:00Z");
        let schedule = "every day at 09:00 except on holidays";
        let job = deploy_due(cluster, leader, schedule, first).await;
        assert_eq!(due_everywhere(cluster, job).await, [first; 3]);

        propose(cluster, leader, &set(&["2026-11-22", "2026-11-23"])).await;
        let moved_to = at("2026-11-24T09:00:00Z");
        assert_eq!(due_everywhere(cluster, job).await, [moved_to; 3]);

        propose(cluster, leader, &set(&["2026-11-23"])).await;
        assert_eq!(due_everywhere(cluster, job).await, [first; 3]);
    });
}
