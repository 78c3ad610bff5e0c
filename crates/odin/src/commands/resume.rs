//! `odin resume`.

use crate::arguments::JobArg;
use crate::context::Context;
use crate::error::CliError;
use crate::selection;
use crate::times;

/// Makes a paused job's schedule count again.
pub(crate) async fn run(args: &JobArg, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let resumed = client.resume(job.id, context.key()?).await?;
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
