//! `odin remove`.

use odin_wire::{JobState, Link, RemovedJob};

use crate::arguments::JobArg;
use crate::context::Context;
use crate::error::CliError;
use crate::selection;

/// Removes a job.
pub(crate) async fn run(args: &JobArg, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    let removed = client.remove(job.id).await?.unwrap_or(RemovedJob {
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
