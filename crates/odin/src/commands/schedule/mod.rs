//! `odin schedule`: what a schedule means, without a server.

mod explain;
mod next;

use clap::Subcommand;
use jiff::tz::TimeZone;
use odin_schedule::Schedule;
use odin_wire::Mistake;

use crate::context::Context;
use crate::error::{CliError, TextMistakes};

/// `odin schedule`.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// Say what a schedule means, in words
    Explain(explain::ExplainArgs),
    /// Show when a schedule comes due
    Next(next::NextArgs),
}

/// Runs a subcommand.
pub(crate) fn run(command: &ScheduleCommand, context: &Context) -> Result<(), CliError> {
    match command {
        ScheduleCommand::Explain(args) => explain::run(args, context),
        ScheduleCommand::Next(args) => next::run(args, context),
    }
}

/// A schedule and the zone in which it is read, with the zone's name.
fn read(text: &str, timezone: Option<&str>) -> Result<(Schedule, TimeZone, String), CliError> {
    let schedule = odin_schedule::parse(text).map_err(|error| refused("schedule", text, &error))?;
    let zone = match (schedule.zone(), timezone) {
        (Some(own), _) => times_zone(own)?,
        (None, Some(name)) => times_zone(name)?,
        (None, None) => TimeZone::system(),
    };
    let name = zone.iana_name().unwrap_or("UTC").to_owned();
    Ok((schedule, zone, name))
}

fn times_zone(name: &str) -> Result<TimeZone, CliError> {
    odin_schedule::find_zone(name).map_err(|error| refused("timezone", name, &error))
}

/// A refused schedule or zone with its place.
fn refused(origin: &str, text: &str, error: &odin_schedule::ScheduleError) -> CliError {
    let mistake = Mistake {
        code: error.code().to_owned(),
        message: error.to_string(),
        span: Some([error.span.start, error.span.end]),
        help: Some(error.help()),
        ..Mistake::default()
    };
    CliError::Text(Box::new(TextMistakes {
        origin: origin.to_owned(),
        text: text.to_owned(),
        mistakes: vec![mistake],
        omitted: 0,
    }))
}
