//! `odin remove`.

use odin_model::JobId;
use serde::Serialize;

use crate::arguments::JobArg;
use crate::context::Context;
use crate::error::CliError;
use crate::selection;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Removed {
    #[serde(with = "odin_wire::as_text")]
    id: JobId,
    name: String,
    state: &'static str,
}

/// Removes a job.
pub(crate) async fn run(args: &JobArg, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let job = selection::job(&client, &args.id).await?;
    client.remove(job.id).await?;
    if context.json() {
        return context.print_json(&Removed {
            id: job.id,
            name: job.name,
            state: "removed",
        });
    }
    context.print("Job removed!\n")
}
