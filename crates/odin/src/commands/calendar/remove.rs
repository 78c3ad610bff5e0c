//! `odin calendar remove`.

use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;

/// `odin calendar remove`.
#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The calendar's name
    name: String,
    /// Remove it although jobs use it: they are not due until it is back
    #[arg(long)]
    force: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Removed<'a> {
    name: &'a str,
    state: &'static str,
}

/// Removes a calendar.
pub(crate) async fn run(args: &RemoveArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    client.remove_calendar(&args.name, args.force).await?;
    if context.json() {
        return context.print_json(&Removed {
            name: &args.name,
            state: "removed",
        });
    }
    context.print("Calendar removed!\n")
}
