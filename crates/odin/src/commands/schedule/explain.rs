//! `odin schedule explain`.

use clap::Args;
use odin_schedule::{CalendarName, ScheduleKind, Wording};
use odin_wire::{LIMIT_MAX, Mistake};
use serde::Serialize;

use super::reading::{Gap, Read, Reading, ReadingArgs, Repeat};
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
    /// The IANA zone in which it is read. `null`: a calendar is missing, and the text names no zone.
    timezone: Option<String>,
    /// The release of the time zone rules, such as `2026e`. `null`: their source does not say.
    zone_rules: Option<String>,
    /// What a fixed time does that the clock skips.
    gap: Gap,
    /// What a fixed time does that the clock shows twice.
    repeat: Repeat,
    /// What changes of the clock do to this schedule, in words.
    clock_changes: String,
    /// `null` where a calendar is missing.
    occurrences: Option<Vec<String>>,
    /// The calendars that it refers to.
    calendars: Vec<String>,
    /// Those of them that were not given, and without which nobody knows when it is due.
    missing_calendars: Vec<String>,
    warnings: Vec<Mistake>,
}

/// Says what a schedule means.
pub(crate) fn run(args: &ExplainArgs, context: &Context) -> Result<(), CliError> {
    match args.reading.read_or_words()? {
        Read::Whole(reading) => explain(&reading, args, context),
        Read::Words(words) => explain_words(&words, args, context),
    }
}

fn explain(reading: &Reading, args: &ExplainArgs, context: &Context) -> Result<(), CliError> {
    let from = reading.start(args.from.as_deref(), context)?;
    let count = usize::try_from(args.count).unwrap_or(usize::MAX);
    let occurrences = reading.after(from, None, count);
    let kind = reading.schedule.kind();
    let explained = Explained {
        schedule: reading.schedule.canonical(),
        words: reading.schedule.explain(),
        kind: kind_word(kind),
        timezone: Some(reading.timezone.clone()),
        zone_rules: zone_rules(),
        gap: reading.gap,
        repeat: reading.repeat,
        clock_changes: clock_changes(kind, reading.gap, reading.repeat),
        occurrences: Some(occurrences.iter().map(ToString::to_string).collect()),
        calendars: names(&reading.schedule.calendars()),
        missing_calendars: Vec::new(),
        warnings: reading.warnings(from),
    };
    if context.json() {
        return context.print_json(&explained);
    }
    report::warn(&explained.warnings, None);
    print_words(&explained, kind, context)?;
    if count == 0 {
        return Ok(());
    }
    if occurrences.is_empty() {
        return context.print("\nno occurrence\n");
    }
    let table = due_list::table(&occurrences, &reading.zoned, from);
    context.print(&format!("\n{table}"))
}

/// What the words alone tell, where a calendar was not given.
fn explain_words(words: &Wording, args: &ExplainArgs, context: &Context) -> Result<(), CliError> {
    let (gap, repeat) = args.reading.clock_rules();
    let missing = names(&words.required_calendars());
    let explained = Explained {
        schedule: words.canonical(),
        words: words.explain(),
        kind: kind_word(words.kind()),
        timezone: words.zone().map(str::to_owned),
        zone_rules: zone_rules(),
        gap,
        repeat,
        clock_changes: clock_changes(words.kind(), gap, repeat),
        occurrences: None,
        calendars: names(&words.calendars()),
        missing_calendars: missing.clone(),
        warnings: Vec::new(),
    };
    if context.json() {
        return context.print_json(&explained);
    }
    print_words(&explained, words.kind(), context)?;
    context.print("\n")?;
    let flags: Vec<String> = missing
        .iter()
        .map(|name| format!("--calendar {name}=FILE"))
        .collect();
    context.print_line(&format!(
        "when it is due depends on a calendar: give {}",
        flags.join(" ")
    ))
}

fn print_words(
    explained: &Explained,
    kind: ScheduleKind,
    context: &Context,
) -> Result<(), CliError> {
    context.print_line(&explained.words)?;
    context.print_line(&format!("normal form:   {}", explained.schedule))?;
    if let Some(timezone) = &explained.timezone {
        let rules = explained.zone_rules.as_deref();
        let rules = rules.map_or(String::new(), |rules| format!(" (rules of {rules})"));
        context.print_line(&format!("timezone:      {timezone}{rules}"))?;
    }
    context.print_line(&format!("kind:          {}", kind_words(kind)))?;
    context.print_line(&format!("clock changes: {}", explained.clock_changes))
}

fn zone_rules() -> Option<String> {
    odin_schedule::time_zones().version().map(str::to_owned)
}

fn names(calendars: &[CalendarName]) -> Vec<String> {
    let name = |calendar: &CalendarName| calendar.as_str().to_owned();
    calendars.iter().map(name).collect()
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
fn clock_changes(kind: ScheduleKind, gap: Gap, repeat: Repeat) -> String {
    let gap = match gap {
        Gap::Shift => "one that the clock skips is due at the first instant after the gap",
        Gap::Skip => "one that the clock skips is left out",
        Gap::Before => "one that the clock skips is due in the last second before the gap",
    };
    let repeat = match repeat {
        Repeat::First => "one that it shows twice is due the first time",
        Repeat::Last => "one that it shows twice is due the last time",
        Repeat::Both => "one that it shows twice is due both times",
    };
    let fixed = format!("{gap}; {repeat}");
    match kind {
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
