//! `odin schedule`: what a schedule means, without a server.

mod calendar;
pub(crate) mod calendar_files;
mod convert;
mod explain;
pub(crate) mod moved;
mod next;
mod plan;
pub(crate) mod reading;

use clap::Subcommand;

use crate::context::Context;
use crate::error::CliError;

/// `odin schedule`.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Say what a schedule means, in words
    Explain(explain::ExplainArgs),
    /// Show when a schedule comes due
    Next(next::NextArgs),
    /// Say cron text in English, or English as cron text
    Convert(convert::ConvertArgs),
    /// Draw a month or a year with the days on which a schedule is due
    Calendar(calendar::CalendarArgs),
    /// Say what the jobs of a folder would do: what is due when, what overlaps, the busiest minutes
    Plan(plan::PlanArgs),
    /// List due times that changed calendars or time zone rules moved; asks the server
    Moved(moved::MovedArgs),
}

/// Runs a subcommand.
pub(crate) fn run(command: &ScheduleCommand, context: &Context) -> Result<(), CliError> {
    match command {
        ScheduleCommand::Explain(args) => explain::run(args, context),
        ScheduleCommand::Next(args) => next::run(args, context),
        ScheduleCommand::Convert(args) => convert::run(args, context),
        ScheduleCommand::Calendar(args) => calendar::run(args, context),
        ScheduleCommand::Plan(args) => plan::run(args, context),
        ScheduleCommand::Moved(_) => unreachable!("what asks a server is dispatched before"),
    }
}
