//! Kills the server at random moments under jobs that are due every second.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_client::{Client, IdempotencyKey, Target};
use odin_testbed::Server;
use odin_wire::{Job, JobsQuery, Outcome as RunOutcome, RunState, RunsQuery};
use tokio::time::{Instant, sleep};

use crate::arguments::Arguments;
use crate::draw::Draw;
use crate::evidence::{Findings, check};
use crate::outcome::Outcome;

/// The longest that a server lives and stays away.
const LIVES: Duration = Duration::from_secs(8);
const AWAY: Duration = Duration::from_secs(3);

/// The jobs: name, schedule, policy, what they do beside writing their evidence.
const JOBS: [(&str, &str, &str, &str); 4] = [
    ("allow", "every second", "concurrency: allow", "true"),
    ("forbid", "every second", "concurrency: forbid", "sleep 1.4"),
    ("slow", "every 3 seconds", "concurrency: allow", "sleep 7"),
    (
        "loud",
        "every 2 seconds",
        "concurrency: allow",
        "seq 1 2000",
    ),
];

pub(crate) async fn run(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = Server::start(&arguments.odin, &directory.path().join("data"));
    deploy(&server, directory.path())?;
    let from = now();
    let mut draw = Draw::new(arguments.seed);
    let (mut kills, deadline) = (0u32, Instant::now() + arguments.length);
    let mut slowest_start = Duration::ZERO;
    while Instant::now() < deadline {
        sleep(draw.below(LIVES)).await;
        server.kill();
        kills += 1;
        sleep(draw.below(AWAY)).await;
        let began = Instant::now();
        server.restart();
        slowest_start = slowest_start.max(began.elapsed());
    }
    println!(
        "{kills} times killed in {:?}; slowest start {slowest_start:?}; seed {}",
        arguments.length, arguments.seed
    );

    let client = client(&server).await?;
    let jobs = client.all_jobs(JobsQuery::default()).await?;
    // What is due until here is decided; the pause cancels what was decided ahead.
    sleep(Duration::from_secs(2)).await;
    let to = now();
    for job in &jobs {
        client
            .pause(
                job.id,
                None,
                IdempotencyKey::from_bits(u128::from(draw.next()).to_le_bytes()),
            )
            .await?;
    }
    let mut findings = Findings::default();
    for job in &jobs {
        rest(&client, job).await?;
        let schedule = odin_schedule::parse(&job.schedule)?.in_zone(&TimeZone::UTC);
        // The first second after the deploy may have been computed before `from`.
        let first = schedule
            .next_after(from)
            .ok_or("a schedule of this test never ends")?;
        let evidence = directory.path().join(&job.name);
        let looked = check(
            &client,
            job,
            &schedule,
            (first, to),
            &evidence,
            RunOutcome::Succeeded,
            &mut findings,
        )
        .await?;
        println!(
            "{:<8} {} occurrences: {} started, {} not; {} lines of evidence",
            job.name, looked.occurrences, looked.started, looked.not_started, looked.lines
        );
    }
    findings.none()?;
    println!("1 passed, 0 failed");
    Ok(())
}

fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "the real servers' clock is the machine's"
    )]
    Timestamp::now()
}

fn deploy(server: &Server, directory: &Path) -> Outcome<()> {
    for (name, schedule, policy, work) in JOBS {
        let evidence = directory.join(name).display().to_string();
        std::fs::write(&evidence, "")?;
        let job_file = directory.join(format!("{name}.yml"));
        // One write of one line, to a file opened for appending: lines of many processes do not mix.
        std::fs::write(
            &job_file,
            format!(
                "job:\n  name: {name}\n  description: torture\n  command: 'echo $ODIN_RUN_ID >> {evidence}; {work}'\n  \
                 schedule: {schedule}\n  timezone: UTC\n  {policy}\n"
            ),
        )?;
        let output = server.odin([Path::new("deploy"), Path::new("-f"), &job_file]);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
        }
    }
    Ok(())
}

pub(crate) async fn client(server: &Server) -> Outcome<Client> {
    let target = Target::parse_server(&format!("unix:{}", server.socket.display()))?;
    Ok(Client::find(&target, None).await?)
}

/// Waits until nothing of the job runs.
pub(crate) async fn rest(client: &Client, job: &Job) -> Outcome<()> {
    loop {
        let runs = client
            .runs(
                job.id,
                &RunsQuery {
                    limit: Some(100),
                    ..RunsQuery::default()
                },
            )
            .await?
            .runs;
        match runs.iter().find(|run| run.state != RunState::Finished) {
            None => return Ok(()),
            Some(run) => drop(client.run(run.id, Some(Duration::from_secs(10))).await?),
        }
    }
}
