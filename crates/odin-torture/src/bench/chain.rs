//! How long a step of a chain of linked jobs takes beside a process alone.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use jiff::SignedDuration;
use odin_client::Client;
use odin_model::Clock;
use odin_model::command::Command;
use odin_model::owner::Role;
use odin_model::run::Cause;
use odin_model::{LinkOn, Principal, Reply};
use odin_node::clock::SystemClock;
use odin_node::data_dir::DataDir;
use odin_wire::RunsQuery;
use tokio::time::sleep;

use crate::arguments::Arguments;
use crate::bench::rate::{all_runs, whole_second};
use crate::bench::{now, percentile, populate};
use crate::outcome::Outcome;
use crate::torture::client;

/// How many jobs follow one another.
const JOBS: usize = 100;
/// How many times the chain runs; the first time its jobs' files are unpacked, which does not count.
const TIMES: u32 = 6;
/// Processes of the raw measurement.
const RAW_PROCESSES: usize = 200;
/// Syncs of the measurement of the disk.
const SYNCS: usize = 100;
/// Between two looks whether the chain is at its end.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// No chain takes longer.
const GIVE_UP_AFTER: SignedDuration = SignedDuration::from_secs(60);

pub(crate) async fn measure(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = populate::template(&arguments.odin, directory.path())?;
    let never = whole_second(now() + std::time::Duration::from_secs(365 * 86_400));
    populate::jobs(server.data_dir(), JOBS as u64, "never", never).await?;
    link_all(server.data_dir()).await?;
    server.restart();
    let client = client(&server).await?;
    for turn in 1..=TIMES {
        // A command that polls would take the processors from what is measured.
        server.json(["run", "-i", "job-0"]);
        ends(&client, turn).await?;
    }
    server.kill();

    let runs = all_runs(&server.data_dir().join("state.db"))?;
    let mut steps = Vec::new();
    for run in runs.iter().rev() {
        // From the end of the run before to this one's end.
        let Some(ended) = run.finished_at else {
            continue;
        };
        if let Cause::Link { .. } = run.cause {
            steps.push(ended.duration_since(run.queued_at).as_secs_f64() * 1000.0);
        }
    }
    let mut counted = steps.split_off((JOBS - 1).min(steps.len()));
    counted.sort_by(f64::total_cmp);
    if counted.len() != (TIMES as usize - 1) * (JOBS - 1) {
        return Err(format!("{} steps were recorded", counted.len()).into());
    }
    let raw = raw_ms()?;
    let sync = sync_ms(directory.path())?;
    let median = percentile(&counted, 0.5);
    #[expect(clippy::cast_precision_loss, reason = "a count of steps")]
    let mean = counted.iter().sum::<f64>() / counted.len() as f64;
    println!(
        "  {} steps: p50 {median:.2} ms, mean {mean:.2} ms, p99 {:.2} ms",
        counted.len(),
        percentile(&counted, 0.99)
    );
    println!("  a process alone: p50 {raw:.2} ms; a sync of this disk: p50 {sync:.2} ms");
    println!(
        "  {:.2} ms a step over raw by the medians   (target: under 2 ms); {:.2} ms without the two syncs of a step",
        median - raw,
        median - raw - 2.0 * sync
    );
    Ok(())
}

/// Waits until the last job of the chain has run for the `turn`th time.
async fn ends(client: &Client, turn: u32) -> Outcome<()> {
    let last = populate::job_id(JOBS as u64 - 1);
    let deadline = now() + GIVE_UP_AFTER;
    let query = RunsQuery {
        limit: Some(TIMES),
        ..RunsQuery::default()
    };
    while now() < deadline {
        sleep(LOOK_EVERY).await;
        let runs = client.runs(last, &query).await?.runs;
        if runs.len() == turn as usize && runs.iter().all(|run| run.finished_at.is_some()) {
            return Ok(());
        }
    }
    Err("the chain did not come to its end".into())
}

/// The median of processes one after the other.
fn raw_ms() -> Outcome<f64> {
    let mut alone = Vec::with_capacity(RAW_PROCESSES);
    for _ in 0..RAW_PROCESSES {
        let took = odin_executor::raw::spawn_and_wait(&SystemClock, 1, 1)?;
        alone.push(took.as_secs_f64() * 1000.0);
    }
    alone.sort_by(f64::total_cmp);
    Ok(percentile(&alone, 0.5))
}

/// The median of appending to a file and waiting for the disk.
fn sync_ms(directory: &Path) -> Outcome<f64> {
    let mut file = std::fs::File::create(directory.join("sync"))?;
    let mut syncs = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[b'x'; 300])?;
        let began = SystemClock.boottime();
        file.sync_data()?;
        syncs.push(SystemClock.boottime().since(began).as_secs_f64() * 1000.0);
    }
    syncs.sort_by(f64::total_cmp);
    Ok(percentile(&syncs, 0.5))
}

/// Links each job to the next.
async fn link_all(data_dir: &Path) -> Outcome<()> {
    let directory = DataDir::open(data_dir)?;
    let engine = populate::engine(&directory, odin_model::NodeId(1)).await?;
    let owner = engine
        .reader
        .jobs(None, None, 1)?
        .jobs
        .pop()
        .ok_or("the jobs are not there")?
        .owner;
    for number in 1..JOBS as u64 {
        let command = Command::Link {
            by: Principal {
                user: owner.clone(),
                role: Role::Admin,
            },
            from: populate::job_id(number - 1),
            to: populate::job_id(number),
            on: LinkOn::Success,
            at: now(),
        };
        match engine.proposer.propose(&command).await? {
            Reply::Linked { .. } => {}
            other => return Err(format!("a link was answered with {other:?}").into()),
        }
    }
    engine.stop().await;
    Ok(())
}
