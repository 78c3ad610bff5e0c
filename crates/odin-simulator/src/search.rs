//! A search for what must not be: a cluster under faults drawn from a seed, and its ledger checked against the
//! schedules and the evidence.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use odin_model::{
    Backoff, Clock, Concurrency, JobId, JobName, JobSpec, NodeId, OnLost, Overlap, Program,
};
use odin_store::Reader;
use tokio::time::sleep;

use crate::cluster::{Cluster, PROCESS_TAKES};
use crate::executor::FAILS_AT_FIRST;
use crate::ledger_check::{Finding, check_ledger, check_overlaps, check_starts};

/// The jobs of every search and test: what is due how often, what becomes of overlapping runs, and whether every
/// first attempt fails.
pub const JOBS: [(&str, Concurrency, Attempts); 8] = [
    ("every second", Concurrency::ALLOW, Attempts::Succeed),
    ("every second", Concurrency::FORBID, Attempts::Succeed),
    ("every 5 seconds", Concurrency::ALLOW, Attempts::Succeed),
    ("every 7 seconds", Concurrency::FORBID, Attempts::Succeed),
    ("every minute", Concurrency::ALLOW, Attempts::Succeed),
    (
        "every second",
        Concurrency::of(Overlap::Queue),
        Attempts::Succeed,
    ),
    (
        "every 3 seconds",
        Concurrency::of(Overlap::Replace),
        Attempts::Succeed,
    ),
    (
        "every 2 seconds",
        Concurrency::of(Overlap::Queue),
        Attempts::FailAtFirst,
    ),
];

/// How the attempts of a job's runs end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempts {
    /// All well.
    Succeed,
    /// The first of each run fails, and is tried again after half a second.
    FailAtFirst,
}

/// How many faults a search has.
const FAULTS: usize = 10;
/// The longest time between two faults, and how long one lasts at most: longer than a lease and its margin.
const BETWEEN: Duration = Duration::from_secs(6);
const LASTS: Duration = Duration::from_secs(12);
/// How long jobs wait for a silent node: longer than a fault lasts, so that only the machine that goes for good loses
/// runs.
const LOST_AFTER: Duration = Duration::from_secs(15);
/// After the last fault, until everything due is decided and reported.
const SETTLES: Duration = Duration::from_secs(20);

/// What a search went through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Searched {
    /// Processes that were started.
    pub starts: usize,
    /// Servers killed and nodes cut off.
    pub faults: usize,
}

/// Deploys all of [`JOBS`] through a node; their ids, in order.
pub async fn deploy_all(cluster: &Cluster, through: NodeId) -> Vec<JobId> {
    let mut ids = Vec::new();
    for (number, (schedule, concurrency, attempts)) in (1..).zip(JOBS) {
        let name = JobName::parse(&format!("job {number}")).expect("a name");
        let line = match attempts {
            Attempts::Succeed => "true",
            Attempts::FailAtFirst => FAILS_AT_FIRST,
        };
        let program = Program::Shell(line.to_owned());
        let mut spec = JobSpec {
            concurrency,
            ..JobSpec::new(name, program, schedule, "UTC")
        };
        spec.retries.max = 2;
        spec.retries.backoff = Backoff::Fixed;
        spec.retries.delay = Duration::from_millis(500);
        spec.loss.on_lost = OnLost::Rerun;
        spec.loss.lost_after = LOST_AFTER;
        ids.push(cluster.deploy(through, number, spec).await);
    }
    ids
}

/// Everything wrong with the ledger that `reader` shows of [`JOBS`], for what is due by now.
///
/// # Panics
/// When the state cannot be read.
#[must_use]
pub fn findings(cluster: &Cluster, reader: &Reader, jobs: &[JobId]) -> Vec<Finding> {
    let starts = cluster.evidence().starts();
    let now = cluster.clock().wall();
    let mut findings = Vec::new();
    for (place, &job) in jobs.iter().enumerate() {
        let rows = reader.ledger(job, Timestamp::MIN, Timestamp::MAX, 100_000);
        let rows = rows.expect("the state can be read");
        findings.extend(check_ledger(job, reader, now));
        findings.extend(check_starts(job, &rows, &starts));
        if matches!(JOBS[place].1.overlap, Overlap::Forbid | Overlap::Queue) {
            findings.extend(check_overlaps(job, PROCESS_TAKES, &starts));
        }
    }
    findings
}

/// Three nodes under faults drawn from `seed`, with their state below `directory`.
///
/// Must run on a single-threaded runtime whose time is paused.
///
/// # Errors
/// What was found on any node, with the node.
pub async fn search(directory: &Path, seed: u64) -> Result<Searched, Vec<(NodeId, Finding)>> {
    let wall = "2026-11-21T10:00:00.2Z".parse().expect("an instant");
    let mut draw = Draw(seed);
    let mut cluster = Cluster::start_seeded(directory, 3, wall, seed).await;
    let leader = cluster.leader().await;
    let jobs = deploy_all(&cluster, leader).await;
    for _ in 0..FAULTS {
        sleep(draw.below(BETWEEN)).await;
        // One at a time: a cluster of three lives with that.
        let node = NodeId(1 + draw.next() % 3);
        let lasts = draw.below(LASTS);
        if draw.next().is_multiple_of(2) {
            cluster.kill_server(node).await;
            sleep(lasts).await;
            cluster.start_server(node).await;
        } else {
            cluster.network().isolate(node);
            sleep(lasts).await;
            cluster.network().heal();
        }
    }
    let gone = NodeId(1 + draw.next() % 3);
    cluster.kill_machine(gone).await;
    cluster.leader().await;
    sleep(LOST_AFTER + SETTLES).await;
    let mut found = Vec::new();
    for node in cluster.running() {
        let reader = &cluster.engine(node).reader;
        let findings = findings(&cluster, reader, &jobs);
        found.extend(findings.into_iter().map(|finding| (node, finding)));
    }
    let starts = cluster.evidence().starts().len();
    if found.is_empty() {
        Ok(Searched {
            starts,
            faults: FAULTS + 1,
        })
    } else {
        Err(found)
    }
}

/// Numbers that a seed repeats: SplitMix64.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A time below `most`, in whole milliseconds.
    fn below(&mut self, most: Duration) -> Duration {
        let most = u64::try_from(most.as_millis()).expect("seconds");
        Duration::from_millis(self.next() % most)
    }
}
