//! `odin schedule calendar`.

use clap::Args;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use odin_schedule::CalendarName;
use serde::Serialize;

use super::reading::{Reading, ReadingArgs};
use crate::context::Context;
use crate::error::CliError;
use crate::local_day;
use crate::month_grid::{self, DrawnDay};
use crate::report;
use crate::terminal::{self, Style};

/// `odin schedule calendar`.
#[derive(Debug, Args)]
pub(crate) struct CalendarArgs {
    #[command(flatten)]
    reading: ReadingArgs,
    /// The month to draw, such as 2026-12 [default: this one]
    #[arg(long, value_name = "YYYY-MM", value_parser = parse_month)]
    month: Option<Date>,
    /// A whole year instead
    #[arg(long, value_name = "YYYY", conflicts_with = "month")]
    #[arg(value_parser = clap::value_parser!(i16).range(i64::from(YEAR_MIN)..=i64::from(YEAR_MAX)))]
    year: Option<i16>,
}

const YEAR_MIN: i16 = 1900;
/// The year 9999 ends after the last instant in most zones.
const YEAR_MAX: i16 = 9998;

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Calendar {
    /// The schedule in its normal form.
    schedule: String,
    /// The IANA zone in which it is read, and whose days these are.
    timezone: String,
    /// The first day.
    #[serde(with = "odin_wire::as_text")]
    from: Date,
    /// The last day.
    #[serde(with = "odin_wire::as_text")]
    to: Date,
    /// How many occurrences there are in all.
    count: u64,
    /// Every day, in order. A day that the zone left out has none.
    days: Vec<Day>,
}

#[derive(Debug, Serialize)]
struct Day {
    #[serde(with = "odin_wire::as_text")]
    date: Date,
    /// How many occurrences it has.
    count: u64,
    /// The first of them. `null`: it has none.
    #[serde(with = "odin_wire::as_text::option")]
    first: Option<Timestamp>,
    /// Whether the zone left this day out.
    is_missing: bool,
    /// The given calendars that have this day.
    calendars: Vec<String>,
    /// The day's name in the first of them that has one, such as `Christmas Day`.
    name: Option<String>,
}

/// Draws the days on which a schedule is due.
pub(crate) fn run(args: &CalendarArgs, context: &Context) -> Result<(), CliError> {
    let reading = args.reading.read()?;
    let (from, to) = match (args.month, args.year) {
        (Some(month), _) => (month, month.last_of_month()),
        (None, Some(year)) => (
            jiff::civil::date(year, 1, 1),
            jiff::civil::date(year, 12, 31),
        ),
        (None, None) => {
            let today = context.now().to_zoned(reading.zone().clone()).date();
            (today.first_of_month(), today.last_of_month())
        }
    };
    let calendar = calendar_of(&reading, from, to);
    if context.json() {
        return context.print_json(&calendar);
    }
    report::warn(&reading.warnings(context.now()), None);
    let width = terminal::stdout_width();
    let has_colour = terminal::stdout_has_colour();
    context.print(&drawn(&calendar, reading.zone(), width, has_colour))
}

fn calendar_of(reading: &Reading, from: Date, to: Date) -> Calendar {
    let days: Vec<Day> = from
        .series(jiff::Span::new().days(1))
        .take_while(|date| *date <= to)
        .map(|date| day_of(date, reading))
        .collect();
    Calendar {
        schedule: reading.schedule.canonical(),
        timezone: reading.timezone.clone(),
        from,
        to,
        count: days.iter().map(|day| day.count).sum(),
        days,
    }
}

fn day_of(date: Date, reading: &Reading) -> Day {
    let schedule = &reading.zoned;
    let calendars = || {
        let having = |name: &&CalendarName| {
            reading
                .calendars
                .get(name)
                .is_some_and(|it| it.contains(date))
        };
        reading.calendars.names().filter(having)
    };
    let name_in = |name: &CalendarName| reading.calendars.get(name)?.name_of(date);
    let stretches = local_day::stretches(date, schedule.time_zone());
    let count = |(from, to): &(Timestamp, Timestamp)| schedule.count(*from, *to);
    let first = |(from, to): &(Timestamp, Timestamp)| schedule.occurrences(*from, *to).next();
    Day {
        date,
        count: stretches.iter().map(count).sum(),
        first: stretches.iter().find_map(first),
        is_missing: stretches.is_empty(),
        calendars: calendars().map(|name| name.as_str().to_owned()).collect(),
        name: calendars().find_map(name_in).map(str::to_owned),
    }
}

fn drawn(calendar: &Calendar, zone: &TimeZone, width: Option<usize>, has_colour: bool) -> String {
    let due_days = calendar.days.iter().filter(|day| day.count > 0).count();
    let span = if calendar.from.month() == calendar.to.month() {
        calendar.from.strftime("%B %Y").to_string()
    } else {
        calendar.from.strftime("%Y").to_string()
    };
    let title = format!(
        "{span}, {}: {} on {}\n\n",
        terminal::visible(&calendar.timezone),
        counted(calendar.count, "occurrence"),
        counted(due_days.try_into().unwrap_or(u64::MAX), "day"),
    );
    let is_month = calendar.days.len() <= 31;
    let has_room = width.is_none_or(|width| width >= month_grid::WIDE_COLUMNS);
    let days: Vec<DrawnDay> = calendar
        .days
        .iter()
        .map(|day| drawn_day(day, zone))
        .collect();
    let named = named_days(&calendar.days);
    if is_month && has_room {
        let legend = if named.is_empty() { "" } else { "\n" };
        return title + &month_grid::wide(&days, has_colour) + legend + &named;
    }
    let months: Vec<(String, Vec<DrawnDay>)> = days
        .chunk_by(|a, b| a.date.month() == b.date.month())
        .map(|month| {
            let name = month[0].date.strftime("%B").to_string();
            let number = month[0].date.month();
            let of_month = |day: &&Day| day.date.month() == number;
            let count: u64 = calendar
                .days
                .iter()
                .filter(of_month)
                .map(|day| day.count)
                .sum();
            (format!("{name} ({count})"), month.to_vec())
        })
        .collect();
    let days_off = if named.is_empty() {
        ""
    } else {
        "   - a day of a calendar, and none"
    };
    let legend = format!("\n* one occurrence   + several{days_off}\n");
    title + &month_grid::narrow(&months, width, has_colour) + &legend + &named
}

/// The days of calendars, a line each: `- Fri 25 December: holidays, Christmas Day`.
fn named_days(days: &[Day]) -> String {
    let in_calendar = days.iter().filter(|day| !day.calendars.is_empty());
    let line = |day: &Day| {
        let name = day.name.as_ref();
        let name = name.map_or(String::new(), |name| format!(", {name}"));
        let text = format!(
            "- {}: {}{name}",
            day.date.strftime("%a %e %B"),
            day.calendars.join(", ")
        );
        format!("{}\n", terminal::visible(&text))
    };
    in_calendar.map(line).collect()
}

fn drawn_day(day: &Day, zone: &TimeZone) -> DrawnDay {
    let (mut note, mark, style) = match (day.count, day.first) {
        _ if day.is_missing => ("no day".to_owned(), ' ', Style::Dim),
        (0, _) | (_, None) if !day.calendars.is_empty() => ("-".to_owned(), '-', Style::Dim),
        (0, _) | (_, None) => (String::new(), ' ', Style::Plain),
        (1, Some(first)) if first.as_second() % 60 == 0 => {
            let time = first.to_zoned(zone.clone()).strftime("%H:%M").to_string();
            (time, '*', Style::Strong)
        }
        (1, Some(_)) => ("×1".to_owned(), '*', Style::Strong),
        (count, Some(_)) => (format!("×{count}"), '+', Style::Strong),
    };
    if day.count > 0 && !day.calendars.is_empty() {
        note += " -";
    }
    DrawnDay {
        date: day.date,
        note,
        mark,
        style,
    }
}

fn counted(count: u64, what: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{count} {what}{ending}")
}

/// Reads `2026-12`, for clap.
fn parse_month(text: &str) -> Result<Date, String> {
    let refused = || {
        format!("`{text}` is not a month from {YEAR_MIN}-01 to {YEAR_MAX}-12: write it as 2026-12")
    };
    let is_plain = text.len() == 7 && text.is_ascii();
    let date: Date = is_plain
        .then(|| format!("{text}-01"))
        .and_then(|text| text.parse().ok())
        .ok_or_else(refused)?;
    if (YEAR_MIN..=YEAR_MAX).contains(&date.year()) {
        Ok(date)
    } else {
        Err(refused())
    }
}
