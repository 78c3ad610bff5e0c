//! `odin calendar`.

mod get;
mod list;
mod remove;
mod set;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

/// `odin calendar`.
#[derive(Debug, Subcommand)]
pub(crate) enum CalendarCommand {
    /// Make a calendar, or replace its days
    Set(set::SetArgs),
    /// List the calendars
    #[command(visible_alias = "ls")]
    List,
    /// Show a calendar's days, and the jobs that use it
    Get(get::GetArgs),
    /// Remove a calendar
    #[command(visible_alias = "rm")]
    Remove(remove::RemoveArgs),
}

/// Runs a subcommand.
pub(crate) async fn run(command: &CalendarCommand, context: &Context) -> Result<(), CliError> {
    match command {
        CalendarCommand::Set(args) => set::run(args, context).await,
        CalendarCommand::List => list::run(context).await,
        CalendarCommand::Get(args) => get::run(args, context).await,
        CalendarCommand::Remove(args) => remove::run(args, context).await,
    }
}
