//! `odin modify`.

use clap::Args;
use odin_wire::ModifyJob;

use crate::context::Context;
use crate::error::CliError;
use crate::report;
use crate::selection;

/// `odin modify`.
#[derive(Debug, Args)]
pub(crate) struct ModifyArgs {
    /// The job's id, or its name
    #[arg(short, long, value_name = "JOB")]
    id: String,
    /// A new name
    #[arg(short, long)]
    name: Option<String>,
    /// A new description
    #[arg(short, long)]
    description: Option<String>,
    /// A new schedule
    #[arg(short, long)]
    schedule: Option<String>,
}

/// Changes a job's name, description or schedule.
pub(crate) async fn run(args: ModifyArgs, context: &Context) -> Result<(), CliError> {
    let ModifyArgs {
        id,
        name,
        description,
        schedule,
    } = args;
    let change = ModifyJob {
        name,
        description,
        schedule,
    };
    if change == ModifyJob::default() {
        let message = format!("Please specify which field you want to modify in job {id}");
        return Err(CliError::refused("cli/nothing-to-modify", message)
            .with_help("Give at least one of --name, --description and --schedule."));
    }
    let client = context.client().await?;
    let job = selection::job(&client, &id).await?;
    let changed = match client.modify(job.id, &change, None).await {
        Ok(changed) => changed,
        Err(error) => {
            return Err(report::about_text(
                error,
                "schedule",
                change.schedule.as_deref(),
            ));
        }
    };
    if context.json() {
        return context.print_json(&changed);
    }
    report::warn(&changed.warnings, None);
    context.print(&format!("Updated job {} successfully\n", changed.id))?;
    report::decided(&changed.decided);
    Ok(())
}
