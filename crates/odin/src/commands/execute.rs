//! `odin execute`.

use std::path::PathBuf;

use clap::Args;
use odin_job_file::Purpose;
use odin_wire::Exit;

use crate::commands::deploy::{Sending, send, source};
use crate::commands::run;
use crate::context::Context;
use crate::deployment;
use crate::error::CliError;
use crate::report;

/// `odin execute`.
#[derive(Debug, Args)]
pub(crate) struct ExecuteArgs {
    /// The job file
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
    /// Wait for its end: exit code 0 for succeeded and warning, else 1
    #[arg(long)]
    wait: bool,
}

/// Runs a job file once, as a job without schedule that lists do not show.
pub(crate) async fn run(args: &ExecuteArgs, context: &Context) -> Result<Exit, CliError> {
    let prepared = deployment::prepare(&args.file, Purpose::Execute)?;
    let client = context.client().await?;
    let job = send(&client, &prepared, Sending::Execute, context).await?;
    if !context.json() {
        let warnings = if job.warnings.is_empty() {
            prepared.warnings()
        } else {
            job.warnings
        };
        report::warn(&warnings, Some(source(&prepared)));
    }
    let run = client.run_job(job.id, context.key()?).await?;
    run::report(&client, run, args.wait, context).await
}
