//! After an outage with many jobs, what makes up for it goes a few at a time, and what is due now is on time.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use odin_model::{Clock, JobName, JobSpec, Program};
use odin_simulator::{Cluster, Start};
use tokio::time::sleep;

/// Jobs, all due every minute.
const JOBS: u64 = 120;
/// How long a simulated process takes, and how many that make up for the past go at once.
const TAKES: SignedDuration = SignedDuration::from_millis(300);
const AT_ONCE: usize = 4;

#[test]
fn what_makes_up_for_the_past_is_spread_and_delays_nothing_that_is_due() {
    let directory = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async {
        let wall = "2026-11-21T10:00:00.2Z".parse().unwrap();
        let mut cluster = Cluster::start(directory.path(), 1, wall).await;
        let node = cluster.leader().await;
        for number in 1..=JOBS {
            let name = JobName::parse(&format!("job {number}")).unwrap();
            let program = Program::Shell("true".to_owned());
            let spec = JobSpec::new(name, program, "every minute", "UTC");
            cluster.deploy(node, number, spec).await;
        }
        sleep(Duration::from_secs(5)).await;
        cluster.kill_server(node).await;
        // Five occurrences of each job fall into it; back within the minute, well before the next.
        sleep(Duration::from_secs(5 * 60 + 15)).await;
        let back = cluster.clock().wall();
        cluster.start_server(node).await;
        cluster.leader().await;
        sleep(Duration::from_secs(90)).await;

        let starts = cluster.evidence().starts();
        let grace = SignedDuration::try_from(JobSpec::GRACE_DEFAULT).unwrap();
        let (past, live): (Vec<&Start>, Vec<&Start>) = starts
            .iter()
            .filter(|start| start.at >= back)
            .partition(|start| start.due_at < back - grace);
        let caught_up: BTreeSet<_> = past.iter().map(|start| start.job).collect();
        assert_eq!((past.len(), caught_up.len()), (120, 120));
        for start in &past {
            let beside = past
                .iter()
                .filter(|other| other.at <= start.at && start.at.duration_since(other.at) < TAKES);
            assert!(beside.count() <= AT_ONCE, "{start:?}");
        }
        let due_now: Vec<_> = live.iter().filter(|start| start.due_at > back).collect();
        assert_eq!(due_now.len(), 120);
        for start in due_now {
            let late = start.at.duration_since(start.due_at);
            assert!(
                late <= SignedDuration::from_millis(100),
                "{late} late: {start:?}"
            );
        }
    });
}
