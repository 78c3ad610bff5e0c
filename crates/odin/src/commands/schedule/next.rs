//! `odin schedule next`.

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_schedule::ZonedSchedule;
use odin_wire::{LIMIT_MAX, Occurrences};

use crate::context::Context;
use crate::error::CliError;
use crate::times;

/// `odin schedule next`.
#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    /// The schedule, such as "every weekday at 09:00"
    #[arg(value_name = "TEXT")]
    text: String,
    /// Only occurrences after this time, local or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many, 1 to 1000 [default: 5, or 1000 with --until]
    #[arg(long, value_name = "N")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=i64::from(LIMIT_MAX)))]
    count: Option<u32>,
    /// Only occurrences at this time or before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// The IANA zone in which it is read when it names none [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
}

/// How many are shown where nothing is said.
const COUNT_DEFAULT: u32 = 5;

/// Shows when a schedule comes due.
pub(crate) fn run(args: &NextArgs, context: &Context) -> Result<(), CliError> {
    let (schedule, zone, timezone) = super::read(&args.text, args.timezone.as_deref())?;
    let instant = |text: &Option<String>| -> Result<Option<Timestamp>, CliError> {
        let Some(text) = text else { return Ok(None) };
        Ok(times::parse(text, &zone)?.first().copied())
    };
    let (from, until) = (instant(&args.from)?, instant(&args.until)?);
    let default = if until.is_some() {
        LIMIT_MAX
    } else {
        COUNT_DEFAULT
    };
    let count = usize::try_from(args.count.unwrap_or(default)).unwrap_or(usize::MAX);
    let zoned = schedule.in_zone(&zone);
    let occurrences = after(&zoned, from.unwrap_or_else(|| context.now()), until, count);
    let occurrences = Occurrences {
        timezone,
        occurrences,
    };
    print(&occurrences, &zone, context)
}

/// The occurrences strictly after an instant.
fn after(
    schedule: &ZonedSchedule,
    instant: Timestamp,
    until: Option<Timestamp>,
    count: usize,
) -> Vec<Timestamp> {
    let next = |instant: &Timestamp| schedule.next_after(*instant);
    std::iter::successors(schedule.next_after(instant), next)
        .take_while(|due| until.is_none_or(|until| *due <= until))
        .take(count)
        .collect()
}

fn print(occurrences: &Occurrences, zone: &TimeZone, context: &Context) -> Result<(), CliError> {
    if context.json() {
        return context.print_json(occurrences);
    }
    if occurrences.occurrences.is_empty() {
        return context.print("no occurrence\n");
    }
    let lines = occurrences.occurrences.iter().map(|due| {
        let day = due.to_zoned(zone.clone()).strftime("%a").to_string();
        format!("{day} {}\n", times::in_zone(*due, zone))
    });
    context.print(&lines.collect::<String>())
}
