//! `odin schedule explain`.

use clap::Args;
use jiff::Timestamp;
use odin_schedule::ScheduleKind;
use odin_wire::{LIMIT_MAX, Mistake};
use serde::Serialize;

use super::reading::{Gap, Reading, ReadingArgs, Repeat};
use crate::context::Context;
use crate::due_list;
use crate::error::CliError;
use crate::report;

/// `odin schedule explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    #[command(flatten)]
    reading: ReadingArgs,
    /// Show the occurrences after this time, local or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// How many occurrences to show, 0 to 1000
    #[arg(long, value_name = "N", default_value_t = COUNT_DEFAULT)]
    #[arg(value_parser = clap::value_parser!(u32).range(0..=i64::from(LIMIT_MAX)))]
    count: u32,
}

/// How many occurrences are shown where nothing is said.
const COUNT_DEFAULT: u32 = 3;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Explained {
    /// The schedule in its normal form, which means the same as what was asked.
    schedule: String,
    /// What it means, in words.
    words: String,
    /// `never`, `once`, `fixed`, `interval` or `mixed`.
    kind: &'static str,
    /// The IANA zone in which it is read.
    timezone: String,
    /// What a fixed time does that the clock skips.
    gap: Gap,
    /// What a fixed time does that the clock shows twice.
    repeat: Repeat,
    /// What changes of the clock do to this schedule, in words.
    clock_changes: String,
    #[serde(with = "odin_wire::as_text::list")]
    occurrences: Vec<Timestamp>,
    warnings: Vec<Mistake>,
}

/// Says what a schedule means.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<(), CliError> {
    let reading = args.reading.read()?;
    let from = reading.start(args.from.as_deref(), context)?;
    let count = usize::try_from(args.count).unwrap_or(usize::MAX);
    let explained = Explained {
        schedule: reading.schedule.canonical(),
        words: reading.schedule.explain(),
        kind: kind_word(reading.schedule.kind()),
        timezone: reading.timezone.clone(),
        gap: reading.gap,
        repeat: reading.repeat,
        clock_changes: clock_changes(&reading),
        occurrences: reading.after(from, None, count),
        warnings: reading.warnings(from),
    };
    if context.json() {
        return context.print_json(&explained);
    }
    report::warn(&explained.warnings, None);
    context.print_line(&explained.words)?;
    context.print_line(&format!("normal form:   {}", explained.schedule))?;
    context.print_line(&format!("timezone:      {}", explained.timezone))?;
    context.print_line(&format!(
        "kind:          {}",
        kind_words(reading.schedule.kind())
    ))?;
    context.print_line(&format!("clock changes: {}", explained.clock_changes))?;
    if count == 0 {
        return Ok(());
    }
    if explained.occurrences.is_empty() {
        return context.print("\nno occurrence\n");
    }
    let table = due_list::table(&explained.occurrences, &reading.zoned, from);
    context.print(&format!("\n{table}"))
}

fn kind_word(kind: ScheduleKind) -> &'static str {
    match kind {
        ScheduleKind::Never => "never",
        ScheduleKind::Once => "once",
        ScheduleKind::Fixed => "fixed",
        ScheduleKind::Interval => "interval",
        ScheduleKind::Mixed => "mixed",
    }
}

fn kind_words(kind: ScheduleKind) -> &'static str {
    match kind {
        ScheduleKind::Never => "never due by itself",
        ScheduleKind::Once => "dates of its own",
        ScheduleKind::Fixed => "fixed times",
        ScheduleKind::Interval => "an interval",
        ScheduleKind::Mixed => "mixed: each clause by its own kind",
    }
}

/// What changes of the clock do, by the rules that the flags name.
fn clock_changes(reading: &Reading) -> String {
    let gap = match reading.gap {
        Gap::Shift => "one that the clock skips is due at the first instant after the gap",
        Gap::Skip => "one that the clock skips is left out",
        Gap::Before => "one that the clock skips is due in the last second before the gap",
    };
    let repeat = match reading.repeat {
        Repeat::First => "one that it shows twice is due the first time",
        Repeat::Last => "one that it shows twice is due the last time",
        Repeat::Both => "one that it shows twice is due both times",
    };
    let fixed = format!("{gap}; {repeat}");
    match reading.schedule.kind() {
        ScheduleKind::Never => "nothing to move".to_owned(),
        ScheduleKind::Once | ScheduleKind::Fixed => format!("of fixed times, {fixed}"),
        ScheduleKind::Interval => {
            "intervals follow real time, and no occurrence is moved".to_owned()
        }
        ScheduleKind::Mixed => {
            format!("intervals follow real time; of fixed times, {fixed}")
        }
    }
}
