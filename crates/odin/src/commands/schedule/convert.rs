//! `odin schedule convert`.

use clap::{Args, ValueEnum};
use odin_schedule::{CannotSay, CronDialect, Schedule, to_cron, to_english};
use odin_wire::Exit;
use serde::Serialize;

use super::reading::{is_unknown_calendar, refused};
use crate::context::Context;
use crate::error::CliError;

/// `odin schedule convert`.
#[derive(Debug, Args)]
#[command(
    after_help = "A schedule that cannot be said in the other notation ends with exit code 1 and the reason; \
                        a text that is no schedule, with 2."
)]
pub(crate) struct ConvertArgs {
    /// The schedule, in English or as cron text
    #[arg(value_name = "TEXT")]
    text: String,
    /// What to make of it [default: English of cron text, and cron text of English]
    #[arg(long, value_name = "NOTATION")]
    to: Option<Notation>,
    /// For a cron that reads a sixth field, for seconds, in front
    #[arg(long)]
    seconds: bool,
    /// For a cron that reads L (last day), # (nth weekday) and W (nearest weekday)
    #[arg(long)]
    extensions: bool,
}

/// How a schedule is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Notation {
    Cron,
    English,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Converted {
    /// What was asked, in its normal form.
    schedule: String,
    to: Notation,
    /// The zone that the schedule names. `null`: it names none.
    timezone: Option<String>,
    /// The result: of cron text, a job for each line; of English, one line.
    lines: Vec<String>,
}

/// Says a schedule in the other notation.
pub(crate) fn run(args: &ConvertArgs, context: &Context) -> Result<(), CliError> {
    let schedule = match odin_schedule::parse(&args.text) {
        Ok(schedule) => schedule,
        // Whatever is in the calendar, cron has none; and what names one is English already.
        Err(error) if is_unknown_calendar(&error) => return convert_words(args, context),
        Err(error) => return Err(refused("schedule", &args.text, &error)),
    };
    let canonical = schedule.canonical();
    let to = args.to.unwrap_or(if has_cron(&canonical) {
        Notation::English
    } else {
        Notation::Cron
    });
    let lines = match to {
        Notation::English => to_english(&schedule).map(|english| vec![english.canonical()]),
        Notation::Cron => cron_lines(&schedule, args),
    };
    let converted = Converted {
        timezone: schedule.zone().map(str::to_owned),
        schedule: canonical,
        to,
        lines: lines.map_err(|reason| cannot(&reason))?,
    };
    print(&converted, context)
}

/// A schedule that names calendars which are not at hand.
fn convert_words(args: &ConvertArgs, context: &Context) -> Result<(), CliError> {
    let words = odin_schedule::read_words(&args.text)
        .map_err(|error| refused("schedule", &args.text, &error))?;
    let canonical = words.canonical();
    if args.to != Some(Notation::English) || has_cron(&canonical) {
        return Err(cannot(&CannotSay::Calendar));
    }
    let converted = Converted {
        timezone: words.zone().map(str::to_owned),
        schedule: canonical.clone(),
        to: Notation::English,
        lines: vec![canonical],
    };
    print(&converted, context)
}

fn print(converted: &Converted, context: &Context) -> Result<(), CliError> {
    if context.json() {
        return context.print_json(converted);
    }
    let mut lines = converted.lines.iter();
    lines.try_for_each(|line| context.print_line(line))
}

fn cannot(reason: &CannotSay) -> CliError {
    CliError::new(Exit::Failed, reason.code(), reason.to_string()).with_help(help(reason))
}

/// The next step: where a flag is one, by its name.
fn help(reason: &CannotSay) -> String {
    match reason {
        CannotSay::Seconds => {
            "If your cron reads a field for seconds, give --seconds; else choose whole minutes."
                .to_owned()
        }
        CannotSay::NthWeekday | CannotSay::LastDay | CannotSay::NearestWeekday => {
            "If your cron reads L, # and W, as many do, give --extensions.".to_owned()
        }
        other => other.help(),
    }
}

/// Whether a normal form has a clause of cron text.
fn has_cron(canonical: &str) -> bool {
    canonical.contains("cron \"")
}

/// Five plain fields where they suffice, else what the flags allow.
fn cron_lines(schedule: &Schedule, args: &ConvertArgs) -> Result<Vec<String>, CannotSay> {
    let plain = match to_cron(schedule, CronDialect::Vixie) {
        Ok(cron) => return Ok(cron.texts().collect()),
        Err(reason) if !args.seconds && !args.extensions => return Err(reason),
        Err(reason) => reason,
    };
    let cron = to_cron(schedule, CronDialect::Extended)?;
    for line in cron.lines() {
        if line.split_whitespace().count() > 5 && !args.seconds {
            return Err(CannotSay::Seconds);
        }
        if line.contains(['L', '#', 'W']) && !args.extensions {
            return Err(match plain {
                // Seconds are allowed; what else plain cron lacks is in the line.
                CannotSay::Seconds if line.contains('#') => CannotSay::NthWeekday,
                CannotSay::Seconds if line.contains('W') => CannotSay::NearestWeekday,
                CannotSay::Seconds => CannotSay::LastDay,
                reason => reason,
            });
        }
    }
    Ok(cron.texts().collect())
}
