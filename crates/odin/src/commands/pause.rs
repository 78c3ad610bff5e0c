//! `odin pause`.

use clap::Args;

use crate::conflict::{self, IfRevision};
use crate::context::Context;
use crate::error::CliError;
use crate::selection;

/// `odin pause` and `odin resume`.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) if_revision: IfRevision,
}

/// Stops a job's schedule from counting.
pub(crate) async fn run(args: &StateArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let revision = args.if_revision.revision;
    let paused = match client.pause(job.id, revision, context.key()?).await {
        Ok(paused) => paused,
        Err(error) => {
            let id = job.id.to_string();
            let error = conflict::with_who(error, &client, &id, context).await;
            return Err(error.into());
        }
    };
    if context.json() {
        return context.print_json(&paused);
    }
    context.print_line(&format!("Job {} ({}) is paused", paused.id, paused.name))
}
