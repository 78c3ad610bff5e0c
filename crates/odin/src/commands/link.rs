//! `odin link`.

use clap::{Args, ValueEnum};
use odin_wire::{LinkOn, MakeLink};

use crate::context::Context;
use crate::error::CliError;
use crate::selection;

/// `odin link`.
#[derive(Debug, Args)]
pub(crate) struct LinkArgs {
    /// The job whose runs' end counts: its id, or its name
    #[arg(short, long, value_name = "JOB")]
    from: String,
    /// The job that it starts: its id, or its name
    #[arg(short, long, value_name = "JOB")]
    to: String,
    /// At which end; of jobs that are linked already, another one replaces it
    #[arg(long, value_enum, default_value_t = End::Success)]
    on: End,
}

/// At which end of a run a link counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum End {
    /// Succeeded, or with a warning
    Success,
    /// Anything else, unless somebody cancelled it
    Failure,
    /// Any end, cancelled too
    Always,
}

impl From<End> for LinkOn {
    fn from(end: End) -> Self {
        match end {
            End::Success => Self::Success,
            End::Failure => Self::Failure,
            End::Always => Self::Always,
        }
    }
}

/// Links two jobs.
pub(crate) async fn run(args: &LinkArgs, context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let from = selection::job(&client, &args.from).await?;
    let to = selection::job(&client, &args.to).await?;
    let wanted = MakeLink {
        from: from.id,
        to: to.id,
        on: args.on.into(),
    };
    let link = client.link(&wanted, context.key()?).await?;
    if context.json() {
        return context.print_json(&link);
    }
    context.print(&format!("Job {} linked to {}!\n", link.from, link.to))?;
    let when = match link.on {
        LinkOn::Success => "has succeeded",
        LinkOn::Failure => "has failed",
        LinkOn::Always => "is over",
    };
    context.print_line(&format!(
        "  When a run of {} {when}, {} is started.",
        link.from_name, link.to_name
    ))
}
