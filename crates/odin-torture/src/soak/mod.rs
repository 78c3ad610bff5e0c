//! A server under a mix of jobs for as long as wanted: its memory, descriptors, threads and files must stay flat.

mod growth;
mod jobs;
mod sample;

use std::path::Path;
use std::time::Duration;

use odin_client::{Client, IdempotencyKey};
use odin_model::Clock;
use odin_node::clock::SystemClock;
use odin_testbed::Server;
use odin_wire::{JobsQuery, RunsQuery};
use tokio::time::{Instant, sleep_until};

use crate::arguments::Arguments;
use crate::draw::Draw;
use crate::evidence::{Ends, Findings, check};
use crate::outcome::Outcome;
use crate::torture::{client, rest};

use growth::Growth;
use jobs::JOBS;
use sample::{MEASURES, Sample};

/// Between two samples.
const EVERY: Duration = Duration::from_secs(10);
/// Between two looks by a person: the interface is part of what must not grow.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long finished runs stay in the state: many files of history are sealed, and let go of, in a soak.
const HISTORY_PERIOD: &str = "1m";
/// The shortest soak that can tell something: its warm-up and a dozen samples after it.
const SHORTEST: Duration = Duration::from_secs(180);

pub(crate) async fn run(arguments: &Arguments) -> Outcome<()> {
    if arguments.length < SHORTEST {
        return Err("a soak takes three minutes at least: --minutes 3".into());
    }
    let directory = tempfile::tempdir()?;
    let period = ["--history-period", HISTORY_PERIOD];
    let server = Server::try_start(&arguments.odin, &directory.path().join("data"), &period);
    let server = server.map_err(|error| format!("the server is not ready: {error:?}"))?;
    jobs::deploy(&server, &arguments.odin, directory.path())?;
    let from = SystemClock.wall();
    let client = client(&server).await?;
    let samples = soak(&server, &client, arguments.length).await?;
    tell(&samples);
    let flat = growth::verdicts(&samples);
    evidence(&client, directory.path(), from, arguments.seed).await?;
    flat?;
    println!("1 passed, 0 failed");
    Ok(())
}

/// Samples until the time is over.
async fn soak(server: &Server, client: &Client, length: Duration) -> Outcome<Vec<Sample>> {
    let began = Instant::now();
    let mut samples = Vec::new();
    let (mut look_at, mut sample_at) = (began, began + EVERY);
    println!("{}", Sample::heading());
    while began.elapsed() < length {
        sleep_until(look_at).await;
        look_at += LOOK_EVERY;
        look(client).await?;
        if Instant::now() >= sample_at {
            sample_at += EVERY;
            let sample = Sample::take(server, began.elapsed())?;
            println!("{sample}");
            samples.push(sample);
        }
    }
    Ok(samples)
}

/// What a person with a page open asks for.
async fn look(client: &Client) -> Outcome<()> {
    let jobs = client.all_jobs(JobsQuery::default()).await?;
    for job in jobs.iter().take(2) {
        let query = RunsQuery {
            limit: Some(20),
            ..RunsQuery::default()
        };
        client.runs(job.id, &query).await?;
    }
    Ok(())
}

/// Prints how much each measure grew after the warm-up, beside what it may.
fn tell(samples: &[Sample]) {
    println!("\nafter the warm-up, by the median slope:");
    for measure in MEASURES {
        println!("  {}", Growth::of(measure, samples));
    }
}

/// Whether the jobs did what the server says they did.
async fn evidence(
    client: &Client,
    directory: &Path,
    from: jiff::Timestamp,
    seed: u64,
) -> Outcome<()> {
    let mut draw = Draw::new(seed);
    let listed = client.all_jobs(JobsQuery::default()).await?;
    let to = SystemClock.wall();
    for job in &listed {
        let key = IdempotencyKey::from_bits(u128::from(draw.next()).to_le_bytes());
        client.pause(job.id, None, key).await?;
    }
    let mut findings = Findings::default();
    for job in &listed {
        rest(client, job).await?;
        let Some(known) = JOBS.iter().find(|known| known.name == job.name) else {
            continue;
        };
        let schedule = odin_schedule::parse(&job.schedule)?.in_zone(&jiff::tz::TimeZone::UTC);
        // A linked job has no occurrences, only runs.
        let Some(first) = schedule.next_after(from) else {
            continue;
        };
        let looked = check(
            client,
            job,
            &schedule,
            (first, to),
            &directory.join(known.name),
            Ends::As(known.ends),
            &mut findings,
        )
        .await?;
        println!(
            "{:<8} {} occurrences: {} started ({} no longer kept), {} not; {} lines of evidence",
            job.name,
            looked.occurrences,
            looked.started,
            looked.forgotten,
            looked.not_started,
            looked.lines
        );
    }
    findings.none()
}
