//! The nights on which clocks change, lived through: what was due then is in the ledger, and the proof derives the same.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use expect_test::{Expect, expect};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_model::{Clock, Command, Concurrency, JobId, JobName, JobSpec, NodeId, Program};
use odin_node::proof::{VerifyQuery, verify_file};
use odin_simulator::{Cluster, deploy_of};

const NODE: NodeId = NodeId(1);
/// Its clocks change by half an hour, so a night is short.
const ZONE: &str = "Australia/Lord_Howe";

/// Lives from one instant to another with a job of each schedule; checks that the ledger is proved complete, and what
/// each job's ledger has.
#[track_caller]
fn check(from: &str, to: &str, expected: &Expect) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    expected.assert_eq(&runtime.block_on(live(from.parse().unwrap(), to.parse().unwrap())));
}

async fn live(from: Timestamp, to: Timestamp) -> String {
    let directory = tempfile::tempdir().unwrap();
    let mut cluster = Cluster::start(directory.path(), 1, from).await;
    cluster.leader().await;
    let zone = TimeZone::get(ZONE).unwrap();
    let schedules = [
        "every day at 01:50",
        "every day at 02:10",
        "every 10 minutes",
    ];
    for (number, schedule) in (1..).zip(schedules) {
        let name = JobName::parse(&format!("job {number}")).unwrap();
        let program = Program::Argv(vec!["true".into()]);
        let spec = JobSpec {
            concurrency: Concurrency::ALLOW,
            ..JobSpec::new(name, program, schedule, ZONE)
        };
        let mut command = deploy_of(number, spec, from);
        if let Command::Deploy(deploy) = &mut command {
            let parsed = odin_schedule::parse(schedule).unwrap().in_zone(&zone);
            deploy.due.next_due = parsed.next_after(from);
        }
        cluster
            .engine(NODE)
            .proposer
            .propose(&command)
            .await
            .unwrap();
    }
    tokio::time::sleep(Duration::try_from(to.duration_since(from)).unwrap()).await;
    let mut text = String::new();
    for (number, schedule) in (1..).zip(schedules) {
        let reader = &cluster.engine(NODE).reader;
        let rows = reader
            .ledger_evidence(JobId::from_bits(number), from, to, 100)
            .unwrap();
        let rows: Vec<_> = rows
            .iter()
            .map(|of| {
                let local = of.row.from.to_zoned(zone.clone());
                format!("{} {}", local.strftime("%H:%M%:z"), of.row.outcome.word())
            })
            .collect();
        text += &format!("{schedule}: {}\n", rows.join(", "));
    }
    let now = cluster.clock().wall();
    cluster.kill_server(NODE).await;
    let query = VerifyQuery {
        job: None,
        owner: None,
        from: Timestamp::MIN,
        to: Timestamp::MAX,
        now,
    };
    let verified = verify_file(&cluster.state_file(NODE), &query).unwrap();
    text + &format!(
        "sound: {}, {} due, {} outcomes, {} open\n",
        verified.sound,
        verified.due,
        verified.outcomes.total(),
        verified.undetermined_count
    )
}

#[test]
fn a_night_that_has_half_an_hour_twice() {
    check(
        "2026-04-04T14:45:00.2Z",
        "2026-04-04T15:45:00Z",
        &expect![[r#"
            every day at 01:50: 01:50+11:00 started
            every day at 02:10: 02:10+10:30 started
            every 10 minutes: 01:50+11:00 started, 01:30+10:30 started, 01:40+10:30 started, 01:50+10:30 started, 02:00+10:30 started, 02:10+10:30 started
            sound: true, 8 due, 8 outcomes, 0 open
        "#]],
    );
}

#[test]
fn a_night_that_lacks_half_an_hour() {
    check(
        "2026-10-03T15:15:00.2Z",
        "2026-10-03T15:55:00Z",
        &expect![[r#"
            every day at 01:50: 01:50+10:30 started
            every day at 02:10: 02:30+11:00 started
            every 10 minutes: 01:50+10:30 started, 02:30+11:00 started, 02:40+11:00 started, 02:50+11:00 started
            sound: true, 6 due, 6 outcomes, 0 open
        "#]],
    );
}
