//! `odin log`.

mod follow;
mod printing;

use clap::Args;
use odin_client::Client;
use odin_wire::{Run, RunsQuery};

use crate::commands::log::follow::Follower;
use crate::commands::log::printing::Log;
use crate::context::Context;
use crate::error::CliError;
use crate::log_line::JobFields;
use crate::run_output::Begin;
use crate::selection::{self, Selected};

/// `odin log`.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// A job's id or name, or a run's id
    #[arg(short, long, value_name = "JOB|RUN")]
    id: String,
    /// Go on with what happens, until Ctrl-C or the end of the run; with --json an object a line
    #[arg(short, long)]
    follow: bool,
    /// Begin after so many bytes of a run's output
    #[arg(long, value_name = "BYTES", conflicts_with_all = ["tail", "follow"])]
    from: Option<u64>,
    /// Only the last so many bytes of each run's output
    #[arg(long, value_name = "BYTES", conflicts_with = "follow")]
    tail: Option<u64>,
}

/// How many of a job's runs are shown.
const RUNS_SHOWN: u32 = 20;

/// Shows log lines and output.
///
/// Output goes into a pipe as it was printed. On a terminal, control sequences other than colours are spelled out.
pub(crate) async fn run(args: &LogArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let selected = selection::job_or_run(&client, &args.id).await?;
    let showing = show(&client, selected, args, context);
    if !args.follow {
        return showing.await;
    }
    tokio::select! {
        shown = showing => shown,
        // Who follows ends it this way: all is well.
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn show(
    client: &Client,
    selected: Selected,
    args: &LogArgs,
    context: &Context,
) -> Result<(), CliError> {
    let (follow, begin) = (
        args.follow,
        Begin {
            from: args.from,
            tail: args.tail,
        },
    );
    match selected {
        Selected::Job(job) if follow => {
            let log = Log::new(client, JobFields::of(&job), context);
            Follower::new(log, job.id).job(RUNS_SHOWN).await
        }
        Selected::Job(job) => {
            let query = RunsQuery {
                limit: Some(RUNS_SHOWN),
                ..RunsQuery::default()
            };
            let mut runs = client.runs(job.id, &query).await?.runs;
            runs.sort_by_key(beginning);
            Log::new(client, JobFields::of(&job), context)
                .beginning_at(begin)
                .all(&runs)
                .await
        }
        Selected::Run(run) => {
            let log = Log::new(client, fields(client, &run).await?, context);
            if follow {
                return Follower::new(log, run.job).run(*run).await;
            }
            log.beginning_at(begin).all(&[*run]).await
        }
    }
}

/// What a log is ordered by: when runs began, which need not be the order in which they were decided.
pub(super) fn beginning(run: &Run) -> (Option<jiff::Timestamp>, odin_model::RunId) {
    (run.started_at.or(run.finished_at), run.id)
}

/// What a run's line says of its job; less once the job was removed.
async fn fields(client: &Client, run: &Run) -> Result<JobFields, CliError> {
    match client.job(run.job).await {
        Ok(job) => Ok(JobFields::of(&job)),
        Err(error) if error.exit() == odin_wire::Exit::NotFound => {
            Ok(JobFields::of_removed(run.job))
        }
        Err(error) => Err(error.into()),
    }
}
