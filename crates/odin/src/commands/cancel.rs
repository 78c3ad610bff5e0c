//! `odin cancel`.

use clap::Args;
use odin_model::RunId;
use odin_wire::RunState;

use crate::context::Context;
use crate::error::CliError;

/// `odin cancel`.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The run's id; `odin runs` shows it
    #[arg(short, long, value_name = "RUN")]
    id: String,
}

/// Stops a run.
pub(crate) async fn run(args: &CancelArgs, context: &Context) -> Result<(), CliError> {
    let id: RunId = args.id.parse().map_err(|error: odin_model::id::IdError| {
        CliError::refused("run/bad-id", error.to_string())
            .with_help("`odin runs -i JOB` shows the ids of a job's runs.")
    })?;
    let run = context.client().await?.cancel(id, context.key()?).await?;
    if context.json() {
        return context.print_json(&run);
    }
    let how = if run.state == RunState::Finished {
        "cancelled"
    } else {
        "being stopped"
    };
    context.print_line(&format!("Run {} of {} is {how}", run.id, run.job_name))
}
