//! `odin unlink`.

use clap::Args;
use odin_model::JobId;
use odin_wire::LinkQuery;
use serde::Serialize;

use crate::context::Context;
use crate::error::CliError;
use crate::selection;

/// `odin unlink`.
#[derive(Debug, Args)]
pub(crate) struct UnlinkArgs {
    /// The job whose runs' end counts: its id, or its name
    #[arg(short, long, value_name = "JOB")]
    from: String,
    /// The job that it starts: its id, or its name
    #[arg(short, long, value_name = "JOB")]
    to: String,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Unlinked {
    #[serde(with = "odin_wire::as_text")]
    from: JobId,
    #[serde(with = "odin_wire::as_text")]
    to: JobId,
    state: &'static str,
}

/// Takes a link away.
pub(crate) async fn run(args: &UnlinkArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let from = selection::job(&client, &args.from).await?.id;
    let to = selection::job(&client, &args.to).await?.id;
    client.unlink(&LinkQuery { from, to }).await?;
    if context.json() {
        let state = "removed";
        return context.print_json(&Unlinked { from, to, state });
    }
    context.print(&format!("Job {to} unlinked from {from}!\n"))
}
