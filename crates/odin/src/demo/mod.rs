//! The demonstration: a real server, real jobs, and a look at what they do.

mod examples;
mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::tz::TimeZone;
use odin_client::{Client, Target};
use odin_job_file::Purpose;
use odin_model::{JobId, RunId};
use odin_node::{Ready, Server, ServerOptions};
use odin_wire::{
    EventKind, EventsQuery, Exit, Outcome, OutputQuery, Run, RunState, RunsQuery, Stream,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::arguments::Everywhere;
use crate::commands::deploy::{self, Sending};
use crate::commands::server::{not_started, stopped};
use crate::conflict::IfRevision;
use crate::context::Context;
use crate::deployment;
use crate::error::CliError;
use crate::times;
use examples::{EXAMPLES, Example};
use services::Services;

/// How long runs under way may take once the demonstration ends.
const LAST_RUNS: Duration = Duration::from_secs(15);
/// How many succeeded runs of an example are asked for what they printed.
const RUNS_LOOKED_AT: u32 = 50;

const OVER: &str = "\nThe demo is over; its server and files are gone.\n";

/// A deployed example.
struct Deployed {
    example: &'static Example,
    job: JobId,
    env: BTreeMap<&'static str, String>,
}

/// Runs the demonstration for `duration`, or until `interrupted`; leaves nothing behind.
pub(crate) async fn run(
    program: PathBuf,
    duration: Option<Duration>,
    interrupted: impl Future<Output = ()>,
) -> Result<(), CliError> {
    let failed = |error: io::Error| {
        CliError::new(
            Exit::Failed,
            "demo/files",
            format!("the demo's files: {error}"),
        )
    };
    let directory = tempfile::Builder::new()
        .prefix("odin-demo-")
        .tempdir()
        .map_err(failed)?;
    let services = Services::start().await.map_err(failed)?;
    let options = ServerOptions {
        data_dir: directory.path().join("data"),
        name: None,
        http: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        program,
        slots: None,
        history_bytes: None,
        metrics_open: false,
        history_period: None,
        keep_ledger: None,
    };
    let server = Server::start(options)
        .await
        .map_err(|error| not_started(&error))?;
    let ready = server.ready().clone();
    let (end_server, ended) = oneshot::channel::<()>();
    let serving = tokio::spawn(server.run(async {
        // Told to end, or the demonstration was cut off: both mean the same.
        let _ = ended.await;
    }));

    let shown = show(directory.path(), &ready, &services, duration, interrupted).await;

    // Whoever holds the other end is the server, which may have ended by itself.
    let _ = end_server.send(());
    let served = serving.await.expect("the server does not panic");
    directory.close().map_err(failed)?;
    shown?;
    served.map_err(|broken| stopped(&broken))
}

async fn show(
    directory: &Path,
    ready: &Ready,
    services: &Services,
    duration: Option<Duration>,
    interrupted: impl Future<Output = ()>,
) -> Result<(), CliError> {
    let server = format!("unix:{}", ready.socket.display());
    let context = Context::new(Everywhere {
        json: false,
        port: None,
        server: Some(server.clone()),
        token: None,
    });
    let client = Client::find(&Target::parse_server(&server).expect("a socket"), None).await?;
    introduce(&context, ready)?;
    let deployed = deploy_all(directory, services, &client, &context).await?;
    context
        .print("\nRuns, as they happen (Ctrl-C ends the demo and leaves nothing behind):\n\n")?;

    let end = async {
        match duration {
            Some(duration) => tokio::time::sleep(duration).await,
            None => std::future::pending().await,
        }
    };
    let cut_short = tokio::select! {
        narrated = narrate(&client, &context) => { narrated?; false }
        () = end => false,
        () = interrupted => true,
    };
    settle(&client, &context, &deployed).await?;
    if cut_short {
        return context.print(OVER);
    }
    prove(&client, &context, &deployed).await
}

fn introduce(context: &Context, ready: &Ready) -> Result<(), CliError> {
    let socket = ready.socket.display();
    let at = format!("--server unix:{socket}");
    for line in [
        format!("A server runs on {} and {socket}.", ready.http),
        "Look at it from another terminal:".to_owned(),
        format!("  odin list {at}"),
        format!("  odin log -i refresh-token -f {at}"),
        format!("  odin why scrape-timetable TIME {at}"),
        String::new(),
        "Deploying four examples (their files are in examples/ of the repository):".to_owned(),
    ] {
        context.print_line(&line)?;
    }
    Ok(())
}

async fn deploy_all(
    directory: &Path,
    services: &Services,
    client: &Client,
    context: &Context,
) -> Result<Vec<Deployed>, CliError> {
    let mut deployed = Vec::new();
    for example in &EXAMPLES {
        let work_dir = directory.join("work").join(example.name);
        let env = BTreeMap::from([
            ("WORK_DIR", work_dir.display().to_string()),
            ("TOKEN_URL", services.token_url()),
            ("TIMETABLE_URL", services.timetable_url()),
        ]);
        let job_file = example
            .write(&directory.join("jobs"), &env)
            .map_err(|error| {
                CliError::new(
                    Exit::Failed,
                    "demo/files",
                    format!("the demo's files: {error}"),
                )
            })?;
        let prepared = deployment::prepare(&job_file, Purpose::Deploy)?;
        let job = deploy::send(
            client,
            &prepared,
            Sending::Deploy(IfRevision::default()),
            context,
        )
        .await?;
        context.print_line(&format!(
            "  {:<18} {:<8} {}",
            job.name, job.language, job.schedule
        ))?;
        deployed.push(Deployed {
            example,
            job: job.id,
            env,
        });
    }
    Ok(deployed)
}

/// Prints each run that ends, with what it said last. Never returns while the server is there.
async fn narrate(client: &Client, context: &Context) -> Result<(), CliError> {
    let zone = TimeZone::system();
    let mut told: BTreeSet<RunId> = BTreeSet::new();
    let mut events = client.events(&EventsQuery::default(), None).await?;
    while let Some(event) = events.next().await? {
        if event.name != EventKind::Run.word() {
            continue;
        }
        let Ok(run) = serde_json::from_str::<Run>(&event.data) else {
            continue;
        };
        if run.state != RunState::Finished || !told.insert(run.id) {
            continue;
        }
        let said = stdout_of(client, run.id).await.unwrap_or_default();
        let last = said.lines().last().or(run.reason.as_deref());
        let at = run.finished_at.map_or_else(String::new, |at| {
            at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
        });
        context.print_line(&format!(
            "  {at}  {:<18} {:<10} {}",
            run.job_name,
            words(&run),
            last.unwrap_or_default()
        ))?;
    }
    Ok(())
}

fn words(run: &Run) -> String {
    let outcome = run.outcome.map_or("", Outcome::word);
    match run.started_at.zip(run.finished_at) {
        Some((started_at, finished_at)) => format!(
            "{outcome} in {}",
            times::duration(finished_at.duration_since(started_at))
        ),
        None => outcome.to_owned(),
    }
}

async fn stdout_of(client: &Client, run: RunId) -> Result<String, CliError> {
    // The examples print UTF-8, and little: one page.
    let page = client.output(run, &OutputQuery::default()).await?;
    let chunks = page
        .output
        .into_iter()
        .filter(|chunk| chunk.stream == Stream::Stdout);
    Ok(chunks.filter_map(|chunk| chunk.text).collect())
}

/// Pauses the examples and waits until nothing of them runs.
async fn settle(client: &Client, context: &Context, deployed: &[Deployed]) -> Result<(), CliError> {
    for Deployed { job, .. } in deployed {
        client.pause(*job, None, context.key()?).await?;
    }
    let deadline = Instant::now() + LAST_RUNS;
    for Deployed { job, .. } in deployed {
        let query = RunsQuery {
            limit: Some(RUNS_LOOKED_AT),
            ..RunsQuery::default()
        };
        let runs = client.runs(*job, &query).await?.runs;
        for run in runs.iter().filter(|run| run.state != RunState::Finished) {
            if tokio::time::timeout_at(deadline, client.run_when_over(run.id))
                .await
                .is_err()
            {
                client.cancel(run.id, context.key()?).await?;
                client.run_when_over(run.id).await?;
            }
        }
    }
    Ok(())
}

/// Whether it was decided ahead and then cancelled by the end of the demo. One that could not start is another matter.
fn was_called_off(run: &Run) -> bool {
    run.started_at.is_none() && run.outcome == Some(Outcome::Cancelled)
}

/// Says of each example whether it did its work. An error unless all did.
async fn prove(client: &Client, context: &Context, deployed: &[Deployed]) -> Result<(), CliError> {
    context.print("\nWhat they did:\n\n")?;
    let mut all = true;
    for Deployed { example, job, env } in deployed {
        let query = RunsQuery {
            limit: Some(RUNS_LOOKED_AT),
            ..RunsQuery::default()
        };
        let mut runs = client.runs(*job, &query).await?.runs;
        runs.retain(|run| !was_called_off(run));
        let good: Vec<_> = runs
            .iter()
            .filter(|run| run.outcome == Some(Outcome::Succeeded))
            .collect();
        let mut outputs = Vec::new();
        for run in &good {
            outputs.push(stdout_of(client, run.id).await?);
        }
        let missing = example.unproven(env, &outputs);
        let verdict = if missing.is_empty() {
            "did its work"
        } else {
            "did NOT do its work"
        };
        let count = good.len();
        context.print_line(&format!(
            "  {:<18} {count:>3} of {} runs succeeded; it {verdict}",
            example.name,
            runs.len()
        ))?;
        // Newest first: why it did not, as far as a run knows.
        let reason = runs.iter().find_map(|run| run.reason.as_ref());
        let reason = reason.filter(|_| !missing.is_empty());
        for fact in reason.into_iter().chain(&missing) {
            context.print_line(&format!("      {fact}"))?;
        }
        all &= missing.is_empty();
    }
    if all {
        return context.print(OVER);
    }
    Err(CliError::new(
        Exit::Failed,
        "demo/unproven",
        "an example did not do its work",
    )
    .with_help("Give it more time with --for 1m, and see that python3 and bash are in /usr/bin."))
}
