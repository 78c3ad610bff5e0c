//! A plan as people read it.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::outcome::{Due, JobPlan, Plan};
use crate::due_list;
use crate::table::{self, Cell, Column};
use crate::terminal::visible;
use crate::times;

/// How many stretches of overlapping runs are drawn.
const STRETCHES_MAX: usize = 10;

/// The plan's text. `limit`: how many jobs are listed.
pub(super) fn drawn(plan: &Plan, zone: &TimeZone, limit: usize, width: Option<usize>) -> String {
    let when = |instant: Timestamp| due_list::local(instant, zone);
    let mut out = format!(
        "{}, {} from {} to {}\n",
        counted(plan.jobs.len() as u64, "job"),
        counted(plan.count, "occurrence"),
        when(plan.from),
        when(plan.to)
    );
    if let Some(until) = plan.complete_until {
        let _ = writeln!(
            out,
            "so much is due that the plan ends before {}: what follows is of the time until then",
            when(until)
        );
    }
    if plan.count > 0 {
        out += "\n";
        out += &occurrences(plan, zone, width);
    }
    if !plan.jobs.is_empty() {
        out += "\n";
        out += &jobs(&plan.jobs, limit, zone, width);
    }
    if !plan.busiest.is_empty() {
        out += "\n";
        out += &busiest(plan, zone, width);
    }
    out += "\n";
    out += &overlaps(plan, zone, width);
    out
}

fn occurrences(plan: &Plan, zone: &TimeZone, width: Option<usize>) -> String {
    let mut columns = vec![Column::fixed("DUE"), Column::flexible("JOB", 8)];
    let has_notes = plan.occurrences.iter().any(|due| due.overlaps);
    if has_notes {
        columns.push(Column::flexible("NOTE", 8));
    }
    let rows: Vec<Vec<Cell>> = plan
        .occurrences
        .iter()
        .map(|due| {
            let mut row = vec![
                Cell::from(due_list::local(due.at, zone)),
                Cell::from(&due.job),
            ];
            if has_notes {
                row.push(note(due).into());
            }
            row
        })
        .collect();
    let mut out = table::render(&columns, &rows, width);
    if let Some(next) = &plan.next {
        let _ = writeln!(out, "there are more: --after {}", quoted(next));
    }
    out
}

fn note(due: &Due) -> &'static str {
    match (due.overlaps, due.skipped) {
        (false, _) => "",
        (true, false) => "beside its earlier run",
        (true, true) => "skipped: its earlier run is running",
    }
}

fn jobs(jobs: &[JobPlan], limit: usize, zone: &TimeZone, width: Option<usize>) -> String {
    let has_durations = jobs.iter().any(|job| job.duration_seconds.is_some());
    let mut columns = vec![
        Column::flexible("JOB", 8),
        Column::flexible("SCHEDULE", 12),
        Column::fixed("COUNT"),
        Column::fixed(Cell::with_short("FIRST DUE", "FIRST")),
    ];
    if has_durations {
        columns.push(Column::fixed("TAKES"));
        columns.push(Column::fixed(Cell::with_short(
            "OVERLAPS ITSELF",
            "OVERLAPS",
        )));
    }
    let rows: Vec<Vec<Cell>> = jobs
        .iter()
        .take(limit)
        .map(|job| {
            let first = job.first.map_or(Cell::from("-"), |first| {
                let short = first
                    .to_zoned(zone.clone())
                    .strftime("%m-%d %H:%M")
                    .to_string();
                Cell::with_short(times::in_zone(first, zone), short)
            });
            let mut row = vec![
                Cell::from(&job.job),
                Cell::from(format!("{} ({})", job.schedule, job.timezone)),
                Cell::from(job.count.to_string()),
                first,
            ];
            if has_durations {
                let takes = job.duration_seconds.map_or("?".to_owned(), |seconds| {
                    short(SignedDuration::from_secs_f64(seconds))
                });
                row.push(takes.into());
                row.push(overlapping(job).into());
            }
            row
        })
        .collect();
    let mut out = table::render(&columns, &rows, width);
    if jobs.len() > limit {
        let _ = writeln!(out, "and {} more jobs", jobs.len() - limit);
    }
    out
}

fn overlapping(job: &JobPlan) -> String {
    match (job.overlapping, job.concurrency) {
        (0, _) => "-".to_owned(),
        (count, "forbid") => format!("{count} skipped"),
        (count, _) => count.to_string(),
    }
}

fn busiest(plan: &Plan, zone: &TimeZone, width: Option<usize>) -> String {
    let columns = [
        Column::fixed("BUSIEST MINUTES"),
        Column::fixed("DUE"),
        Column::flexible("JOBS", 12),
    ];
    let rows: Vec<Vec<Cell>> = plan
        .busiest
        .iter()
        .map(|minute| {
            let at = minute.at.to_zoned(zone.clone());
            vec![
                Cell::from(at.strftime("%a %Y-%m-%d %H:%M %Z").to_string()),
                Cell::from(minute.count.to_string()),
                Cell::from(names(&minute.jobs, super::busiest::NAMED_MAX)),
            ]
        })
        .collect();
    table::render(&columns, &rows, width)
}

fn overlaps(plan: &Plan, zone: &TimeZone, width: Option<usize>) -> String {
    let known = plan
        .jobs
        .iter()
        .filter(|job| job.duration_seconds.is_some())
        .count();
    if known == 0 {
        return "what overlaps is not known: --duration JOB=10m says how long runs take\n"
            .to_owned();
    }
    let mut out = String::new();
    if known < plan.jobs.len() {
        let _ = writeln!(
            out,
            "how long runs take is known of {known} of {}; the others overlap nothing here",
            counted(plan.jobs.len() as u64, "job")
        );
    }
    if let Some(peak) = &plan.peak {
        let _ = writeln!(
            out,
            "at most {} at once, first at {}: {}",
            counted(peak.running, "run"),
            due_list::local(peak.at, zone),
            visible(&names(&peak.jobs, 10)),
        );
    }
    let count = plan.overlaps.count;
    if count == 0 {
        out += "no two runs overlap\n";
        return out;
    }
    let seconds = i64::try_from(plan.overlaps.seconds).unwrap_or(i64::MAX);
    let _ = writeln!(
        out,
        "runs overlap in {} of time, {} in all",
        counted(count, "stretch"),
        short(SignedDuration::from_secs(seconds))
    );
    out += "\n";
    let columns = [
        Column::fixed("OVERLAP FROM"),
        Column::fixed("FOR"),
        Column::fixed(Cell::with_short("RUNS AT MOST", "MOST")),
        Column::flexible("JOBS", 12),
    ];
    let rows: Vec<Vec<Cell>> = plan
        .overlaps
        .first
        .iter()
        .take(STRETCHES_MAX)
        .map(|stretch| {
            vec![
                Cell::from(due_list::local(stretch.from, zone)),
                Cell::from(short(stretch.to.duration_since(stretch.from))),
                Cell::from(stretch.most.to_string()),
                Cell::from(names(&stretch.jobs, 10)),
            ]
        })
        .collect();
    out += &table::render(&columns, &rows, width);
    if count > STRETCHES_MAX as u64 {
        let _ = writeln!(out, "and {} more", count - STRETCHES_MAX as u64);
    }
    out
}

/// `1h20m`.
fn short(time: SignedDuration) -> String {
    times::setting(u64::try_from(time.as_millis()).unwrap_or(0))
}

/// Names in a row; where `most` of them are known there may be others.
fn names(names: &[String], most: usize) -> String {
    let others = if names.len() == most { ", …" } else { "" };
    names.join(", ") + others
}

fn counted(count: u64, what: &str) -> String {
    let ending = match (count, what.ends_with("ch")) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {what}{ending}")
}

/// For a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", visible(text).replace('\'', r"'\''"))
}
