//! How long a step of a chain of linked jobs takes beside a process alone.

use odin_model::command::Command;
use odin_model::owner::Role;
use odin_model::run::Cause;
use odin_model::{LinkOn, Principal, Reply};
use odin_node::clock::SystemClock;
use odin_node::data_dir::DataDir;

use crate::arguments::Arguments;
use crate::bench::rate::{all_runs, whole_second};
use crate::bench::{now, percentile, populate};
use crate::outcome::Outcome;

/// How many jobs follow one another.
const JOBS: usize = 100;
/// How many times the chain runs; the first time its jobs' files are unpacked, which does not count.
const TIMES: usize = 6;
/// Processes of the raw measurement.
const RAW_PROCESSES: usize = 200;

pub(crate) async fn measure(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = populate::template(&arguments.odin, directory.path())?;
    let never = whole_second(now() + std::time::Duration::from_secs(365 * 86_400));
    populate::jobs(server.data_dir(), JOBS as u64, "never", never).await?;
    link_all(server.data_dir()).await?;
    server.restart();
    for _ in 0..TIMES {
        let started = server.json(["run", "-i", "job-0", "--wait"]);
        let first = started["id"]
            .as_str()
            .ok_or("a run without an id")?
            .to_owned();
        server.wait_for("the end of the chain", |server| {
            let chain = server.json(["runs", "--chain", &first]);
            let runs = chain["runs"].as_array()?;
            let over = runs.iter().all(|run| run["state"] == "finished");
            (over && runs.len() == JOBS).then_some(())
        });
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
    let alone = odin_executor::raw::spawn_and_wait(&SystemClock, RAW_PROCESSES, 1)?;
    #[expect(
        clippy::cast_precision_loss,
        reason = "counts of processes and of steps"
    )]
    let (raw, mean) = (
        1000.0 * alone.as_secs_f64() / RAW_PROCESSES as f64,
        counted.iter().sum::<f64>() / counted.len() as f64,
    );
    println!(
        "  {} steps: mean {mean:.2} ms, p50 {:.2} ms, p99 {:.2} ms; a process alone {raw:.2} ms",
        counted.len(),
        percentile(&counted, 0.5),
        percentile(&counted, 0.99)
    );
    println!(
        "  {:.2} ms a step over raw   (target: under 2 ms)",
        mean - raw
    );
    Ok(())
}

/// Links each job to the next.
async fn link_all(data_dir: &std::path::Path) -> Outcome<()> {
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
