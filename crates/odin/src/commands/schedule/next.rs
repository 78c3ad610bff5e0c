//! `odin schedule next`.

use clap::Args;
use jiff::Timestamp;
use odin_wire::LIMIT_MAX;
use serde::Serialize;

use super::reading::ReadingArgs;
use crate::clock_change;
use crate::context::Context;
use crate::due_list;
use crate::error::CliError;

/// `odin schedule next`.
#[derive(Debug, Args)]
pub(crate) struct NextArgs {
    #[command(flatten)]
    reading: ReadingArgs,
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
}

/// How many are shown where nothing is said.
const COUNT_DEFAULT: u32 = 5;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Next {
    /// The schedule in its normal form.
    schedule: String,
    /// The IANA zone in which it is read.
    timezone: String,
    /// Every occurrence is after this.
    #[serde(with = "odin_wire::as_text")]
    from: Timestamp,
    #[serde(with = "odin_wire::as_text::list")]
    occurrences: Vec<Timestamp>,
    /// What changes of the clock did to some of them.
    clock_changes: Vec<Change>,
}

#[derive(Debug, Serialize)]
struct Change {
    #[serde(with = "odin_wire::as_text")]
    at: Timestamp,
    /// `moved`, `first_of_two` or `second_of_two`.
    change: &'static str,
}

/// Shows when a schedule comes due.
pub(crate) fn run(args: &NextArgs, context: &Context) -> Result<(), CliError> {
    let reading = args.reading.read()?;
    let from = reading.start(args.from.as_deref(), context)?;
    let until = args.until.as_deref();
    let until = until.map(|text| reading.instant(text)).transpose()?;
    let default = if until.is_some() {
        LIMIT_MAX
    } else {
        COUNT_DEFAULT
    };
    let count = usize::try_from(args.count.unwrap_or(default)).unwrap_or(usize::MAX);
    let occurrences = reading.after(from, until, count);
    if context.json() {
        let change = |due: &Timestamp| {
            clock_change::of(*due, &reading.zoned).map(|change| Change {
                at: *due,
                change: change.word(),
            })
        };
        return context.print_json(&Next {
            schedule: reading.schedule.canonical(),
            timezone: reading.timezone.clone(),
            from,
            clock_changes: occurrences.iter().filter_map(change).collect(),
            occurrences,
        });
    }
    if occurrences.is_empty() {
        return context.print("no occurrence\n");
    }
    context.print(&due_list::table(&occurrences, &reading.zoned, from))
}
