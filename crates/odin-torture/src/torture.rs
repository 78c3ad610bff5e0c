//! Kills the server at random moments and at fault points, under jobs of every policy that are due every second.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_client::{Client, IdempotencyKey, Target};
use odin_executor::fault::{Point, VARIABLE};
use odin_testbed::Server;
use odin_wire::{Job, JobsQuery, Outcome as RunOutcome, RunState, RunsQuery};
use tokio::time::{Instant, sleep};

use crate::arguments::Arguments;
use crate::draw::Draw;
use crate::evidence::{Ends, Findings, check, check_linked};
use crate::outcome::Outcome;

/// The longest that a server lives and stays away.
const LIVES: Duration = Duration::from_secs(8);
const AWAY: Duration = Duration::from_secs(3);

/// A job: what it does beside writing its evidence, and how its runs end.
struct TorturedJob {
    name: &'static str,
    schedule: &'static str,
    policy: &'static str,
    work: &'static str,
    ends: Ends,
}

const fn job(
    name: &'static str,
    schedule: &'static str,
    policy: &'static str,
    work: &'static str,
    ends: Ends,
) -> TorturedJob {
    TorturedJob {
        name,
        schedule,
        policy,
        work,
        ends,
    }
}

const SUCCEEDED: Ends = Ends::As(RunOutcome::Succeeded);

const JOBS: [TorturedJob; 8] = [
    job(
        LINKED.0,
        "every second",
        "concurrency: allow",
        "true",
        SUCCEEDED,
    ),
    job(
        "forbid",
        "every second",
        "concurrency: forbid",
        "sleep 1.4",
        SUCCEEDED,
    ),
    job(
        "slow",
        "every 3 seconds",
        "concurrency: allow",
        "sleep 7",
        SUCCEEDED,
    ),
    job(
        "loud",
        "every 2 seconds",
        "concurrency: allow",
        "seq 1 2000",
        SUCCEEDED,
    ),
    job(
        "queue",
        "every second",
        "concurrency: {policy: queue, max: 1, waiting: 3}",
        "sleep 1.3",
        SUCCEEDED,
    ),
    job(
        "replace",
        "every 2 seconds",
        "concurrency: replace",
        "sleep 3",
        Ends::OrReplaced,
    ),
    job(
        "retry",
        "every 3 seconds",
        "retries: {max: 2, backoff: fixed, delay: 1s}",
        "[ $ODIN_ATTEMPT = 3 ]",
        Ends::AfterAttempts(3),
    ),
    job(
        "timeout",
        "every 3 seconds",
        "timeout: 1s",
        "sleep 30",
        Ends::As(RunOutcome::TimedOut),
    ),
];

/// The first job's success starts the second, which has no schedule.
const LINKED: (&str, &str) = ("allow", "linked");

/// Where a server is ended or frozen, now and then: `docs/contributing/testing.md`.
const POINTS: [Point; 11] = [
    Point::ServerFireBefore,
    Point::ServerFireAfter,
    Point::ServerAssignBefore,
    Point::ServerAssignAfter,
    Point::ServerArmBefore,
    Point::ServerArmAfter,
    Point::ServerReportBefore,
    Point::ServerReportAfter,
    Point::ServerAckBefore,
    Point::ServerPlanBefore,
    Point::ServerApplyBefore,
];
/// The latest pass of a point that it is ended at.
const PASSES: u64 = 40;

/// Ends the server at random for as long as was asked, and leaves it running.
async fn torment(server: &mut Server, arguments: &Arguments, draw: &mut Draw) {
    let (mut kills, mut faults) = (0u32, 0u32);
    let mut slowest_start = Duration::ZERO;
    let deadline = Instant::now() + arguments.length;
    while Instant::now() < deadline {
        sleep(draw.below(LIVES)).await;
        server.kill();
        kills += 1;
        sleep(draw.below(AWAY)).await;
        // Every second life ends at a fault point, if it lasts until then.
        let drawn = draw.next();
        let point = POINTS[usize::try_from(drawn >> 32).unwrap_or(0) % POINTS.len()];
        let fault = format!("{}:{}", point.name(), 1 + (drawn >> 8) % PASSES);
        let environment = [(VARIABLE, fault.as_str())];
        let is_armed = drawn & 1 == 1;
        server.set_environment(if is_armed { &environment } else { &[] });
        faults += u32::from(is_armed);
        let began = Instant::now();
        // It may be ended before it is ready.
        if server.try_restart().is_err() {
            server.set_environment(&[]);
            server.restart();
        }
        slowest_start = slowest_start.max(began.elapsed());
    }
    server.kill();
    server.set_environment(&[]);
    server.restart();
    println!(
        "{kills} times killed in {:?}, {faults} lives with a fault point; slowest start {slowest_start:?}; seed {}",
        arguments.length, arguments.seed
    );
}

pub(crate) async fn run(arguments: &Arguments) -> Outcome<()> {
    let directory = tempfile::tempdir()?;
    let mut server = Server::start(&arguments.odin, &directory.path().join("data"));
    deploy_all(&server, directory.path())?;
    let from = now();
    let mut draw = Draw::new(arguments.seed);
    torment(&mut server, arguments, &mut draw).await;

    let client = client(&server).await?;
    let jobs = client.all_jobs(JobsQuery::default()).await?;
    // What is due until here is decided; the pause cancels what was decided ahead.
    sleep(Duration::from_secs(2)).await;
    let to = now();
    for job in jobs.iter().filter(|job| job.name != LINKED.1) {
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
        // A linked run is there as soon as the run before it is over.
        rest(&client, job).await?;
        let Some(known) = JOBS.iter().find(|known| known.name == job.name) else {
            continue;
        };
        let schedule = odin_schedule::parse(&job.schedule)?.in_zone(&TimeZone::UTC);
        // The first second after the deploy may have been computed before `from`.
        let first = schedule
            .next_after(from)
            .ok_or("a schedule of this test never ends")?;
        let evidence = directory.path().join(&job.name);
        let period = (first, to);
        let looked = check(
            &client,
            job,
            &schedule,
            period,
            &evidence,
            known.ends,
            &mut findings,
        )
        .await?;
        println!(
            "{:<8} {} occurrences: {} started, {} not; {} lines of evidence",
            job.name, looked.occurrences, looked.started, looked.not_started, looked.lines
        );
    }
    let find = |name| jobs.iter().find(|job| job.name == name);
    let both = find(LINKED.0).zip(find(LINKED.1));
    let both = both.ok_or("a linked job is gone")?;
    rest(&client, both.1).await?;
    let evidence = directory.path().join(LINKED.1);
    let linked = check_linked(&client, both, &evidence, &mut findings).await?;
    println!(
        "{:<8} {linked} runs, each after one of {}",
        LINKED.1, LINKED.0
    );
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

fn deploy_all(server: &Server, directory: &Path) -> Outcome<()> {
    let (from, to) = LINKED;
    deploy(
        server,
        directory,
        &job(to, "never", "retries: 0", "true", SUCCEEDED),
    )?;
    for job in &JOBS {
        deploy(server, directory, job)?;
        if job.name == from {
            done(&server.odin(["link", "-f", from, "-t", to]))?;
        }
    }
    Ok(())
}

fn deploy(server: &Server, directory: &Path, job: &TorturedJob) -> Outcome<()> {
    let TorturedJob {
        name,
        schedule,
        policy,
        work,
        ..
    } = job;
    let evidence = directory.join(name).display().to_string();
    std::fs::write(&evidence, "")?;
    let job_file = directory.join(format!("{name}.yml"));
    // One write of one line, to a file opened for appending: lines of many processes do not mix.
    std::fs::write(
        &job_file,
        format!(
            "job:\n  name: {name}\n  description: torture\n  \
             command: 'echo $ODIN_RUN_ID $ODIN_ATTEMPT >> {evidence}; {work}'\n  \
             schedule: {schedule}\n  timezone: UTC\n  {policy}\n"
        ),
    )?;
    done(&server.odin([Path::new("deploy"), Path::new("-f"), &job_file]))
}

fn done(output: &std::process::Output) -> Outcome<()> {
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
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
