//! Durable proposals a second on one voter, beside a loop that only writes and syncs.
//!
//! `cargo bench -p odin-cluster`. The directory is a temporary one: set `TMPDIR` to measure another disk.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a bench ends at its first error, and prints"
)]

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use odin_cluster::memory_transport::MemoryNetwork;
use odin_cluster::{
    Committed, Environment, Leadership, LeaseAuthority, LeaseRequest, Log, Machine, NotAdmitted,
    Options, SnapshotJob,
};
use odin_model::{Boottime, Clock, NodeId};

const COMMAND_BYTES: usize = 120;
/// The two are measured in turn, and the best of each counts: other work on the machine only ever slows them down.
const ROUNDS: usize = 4;
const EACH: Duration = Duration::from_millis(700);
const IDLE: Duration = Duration::from_secs(5);
const IN_FLIGHT: [usize; 3] = [1, 64, 1024];

/// Forgets everything but its mark: what is measured is the log.
#[derive(Default)]
struct Nothing {
    mark: Option<Vec<u8>>,
}

impl Machine for Nothing {
    type Error = std::io::Error;

    fn mark(&self) -> std::io::Result<Option<Vec<u8>>> {
        Ok(self.mark.clone())
    }

    fn apply(&mut self, commands: &[Committed], mark: &[u8]) -> std::io::Result<Vec<Bytes>> {
        self.mark = Some(mark.to_vec());
        Ok(vec![Bytes::new(); commands.len()])
    }

    fn snapshot(&mut self) -> std::io::Result<SnapshotJob<std::io::Error>> {
        let mark = self.mark.clone().unwrap_or_default();
        Ok(Box::new(move |into| std::fs::write(into, mark)))
    }

    fn install(&mut self, from: &Path) -> std::io::Result<()> {
        self.mark = Some(std::fs::read(from)?);
        Ok(())
    }
}

struct NoTime;

impl Clock for NoTime {
    fn wall(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn boottime(&self) -> Boottime {
        Boottime(Duration::ZERO)
    }
}

impl LeaseAuthority for NoTime {
    fn admit(&self, _request: LeaseRequest, _now: Boottime) -> Result<(), NotAdmitted> {
        Ok(())
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a bench measures this machine's time"
)]
fn now() -> Instant {
    Instant::now()
}

/// Syncs a second when each follows a write of `commands` commands at the end of a file.
fn raw(dir: &Path, commands: usize) -> f64 {
    let path = dir.join(format!("raw-{commands}"));
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    let buffer = vec![7; COMMAND_BYTES * commands];
    let (began, mut syncs) = (now(), 0.0);
    while began.elapsed() < EACH {
        file.write_all(&buffer).unwrap();
        file.sync_data().unwrap();
        syncs += 1.0;
    }
    syncs / began.elapsed().as_secs_f64()
}

/// Proposals a second with so many callers, each of whom waits for its answer.
async fn proposed(log: &Log, callers: usize) -> f64 {
    let done = Arc::new(AtomicU64::new(0));
    let began = now();
    let callers: Vec<_> = (0..callers)
        .map(|_| {
            let (log, done) = (log.clone(), done.clone());
            tokio::spawn(async move {
                while began.elapsed() < EACH {
                    log.propose(Bytes::from(vec![7; COMMAND_BYTES]))
                        .await
                        .unwrap();
                    done.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    let done = u32::try_from(done.load(Ordering::Relaxed)).unwrap();
    f64::from(done) / began.elapsed().as_secs_f64()
}

async fn run() {
    let dir = tempfile::tempdir().unwrap();
    let node = NodeId(1);
    let log = start(dir.path(), node).await;
    log.bootstrap().await.unwrap();
    let before = resident_kib();
    println!("{COMMAND_BYTES} bytes a command, one voter");
    println!(
        "{:>10} {:>16} {:>22} {:>8}",
        "in flight", "proposals/s", "raw, same batch, /s", "share"
    );
    for callers in IN_FLIGHT {
        let (mut best_raw, mut best) = (0f64, 0f64);
        for _ in 0..ROUNDS {
            let syncs = tokio::task::block_in_place(|| raw(dir.path(), callers));
            best_raw = best_raw.max(syncs * f64::from(u32::try_from(callers).unwrap()));
            best = best.max(proposed(&log, callers).await);
        }
        println!(
            "{callers:>10} {best:>16.0} {best_raw:>22.0} {:>7.0}%",
            100.0 * best / best_raw
        );
    }
    let status = log.status();
    let (last, purged) = (status.last_log.unwrap(), status.purged.unwrap_or(0));
    log.shutdown().await;
    let began = now();
    let log = start(dir.path(), node).await;
    let mut leadership = log.leadership();
    leadership
        .wait_for(|now| matches!(now, Leadership::Leading { .. }))
        .await
        .unwrap();
    println!(
        "leads again {:.0?} after the start; entries {purged} to {last}",
        began.elapsed()
    );
    println!(
        "resident memory: {before} KiB at first, {} KiB now",
        resident_kib()
    );
    let busy = cpu_time();
    tokio::time::sleep(IDLE).await;
    let share = (cpu_time() - busy).as_secs_f64() / IDLE.as_secs_f64();
    println!("idle: {:.2}% of a core", 100.0 * share);
    log.shutdown().await;
}

async fn start(dir: &Path, node: NodeId) -> Log {
    let environment = Environment {
        transport: MemoryNetwork::new().transport(node),
        clock: Arc::new(NoTime),
        leases: Arc::new(NoTime),
    };
    let options = Options::on_disk(node, dir.join("log"), dir.join("snapshots"));
    Log::start(options, Nothing::default(), environment)
        .await
        .unwrap()
}

/// What all threads have used of the processors.
fn cpu_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let used = threads.map(|thread| {
        let stat = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(used.sum())
}

fn resident_kib() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim().trim_end_matches(" kB").to_owned()
}

fn main() {
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    runtime
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(run());
}
