//! `odin rollback`.

use clap::Args;

use crate::conflict;
use crate::context::Context;
use crate::error::CliError;
use crate::report;
use crate::selection;
use crate::times;

/// `odin rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: String,
    /// The version that the new one is to equal
    #[arg(long, value_name = "VERSION")]
    to: u32,
}

/// Makes a new version that equals an earlier one.
pub(crate) async fn run(args: &RollbackArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let changed = match client.roll_back(job.id, args.to, job.revision).await {
        Ok(changed) => changed,
        Err(error) => {
            let id = job.id.to_string();
            return Err(conflict::with_who(error, &client, &id, context)
                .await
                .into());
        }
    };
    if context.json() {
        return context.print_json(&changed);
    }
    report::warn(&changed.warnings, None);
    context.print_line(&format!(
        "Job {} is as in version {}; this is version {}.",
        changed.id, args.to, changed.version
    ))?;
    let zone = times::zone(&changed.timezone);
    let next = changed
        .next_due
        .map_or("never".to_owned(), |due| times::in_zone(due, &zone));
    context.print_line(&format!("  next due: {next}"))?;
    report::decided(&changed.decided);
    Ok(())
}
