//! `odin pause`.

use crate::arguments::JobArg;
use crate::context::Context;
use crate::error::CliError;
use crate::selection;

/// Stops a job's schedule from counting.
pub(crate) async fn run(args: &JobArg, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let paused = client.pause(job.id, context.key()?).await?;
    if context.json() {
        return context.print_json(&paused);
    }
    context.print_line(&format!("Job {} ({}) is paused", paused.id, paused.name))
}
