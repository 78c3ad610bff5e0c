//! `odin resume`.

use super::pause::StateArgs;
use crate::conflict;
use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::times;

/// Makes a paused job's schedule count again.
pub(crate) async fn run(args: &StateArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let revision = args.if_revision.revision;
    let resumed = match client.resume(job.id, revision, context.key()?).await {
        Ok(resumed) => resumed,
        Err(error) => {
            let id = job.id.to_string();
            let error = conflict::with_who(error, &client, &id, context).await;
            return Err(error.into());
        }
    };
    if context.json() {
        return context.print_json(&resumed);
    }
    let next = match resumed.next_due {
        Some(due) => format!(
            "next due {}",
            times::in_zone(due, &times::zone(&resumed.timezone))
        ),
        None => "no time is due any more".to_owned(),
    };
    context.print_line(&format!(
        "Job {} ({}) is enabled; {next}",
        resumed.id, resumed.name
    ))
}
