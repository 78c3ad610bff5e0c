//! `odin remove`.

use clap::Args;
use odin_wire::{JobState, Link, RemovedJob};

use crate::conflict::{self, IfRevision};
use crate::context::Context;
use crate::error::CliError;
use crate::selection;

/// `odin remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: String,
    #[command(flatten)]
    if_revision: IfRevision,
}

/// Removes a job.
pub(crate) async fn run(args: &RemoveArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let removed = match client.remove(job.id, args.if_revision.revision).await {
        Ok(removed) => removed,
        Err(error) => {
            let id = job.id.to_string();
            return Err(conflict::with_who(error, &client, &id, context)
                .await
                .into());
        }
    };
    let removed = removed.unwrap_or(RemovedJob {
        id: job.id,
        name: job.name,
        state: JobState::Removed,
        links: Vec::new(),
    });
    if context.json() {
        return context.print_json(&removed);
    }
    context.print("Job removed!\n")?;
    for link in &removed.links {
        context.print_line(&gone(&removed, link))?;
    }
    Ok(())
}

/// What a link that went meant.
fn gone(removed: &RemovedJob, link: &Link) -> String {
    if link.to == removed.id {
        format!(
            "  {} ({}) is linked to it no longer.",
            link.from_name, link.from
        )
    } else {
        format!(
            "  It is linked to {} ({}) no longer.",
            link.to_name, link.to
        )
    }
}
