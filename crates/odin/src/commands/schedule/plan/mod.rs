//! `odin schedule plan`: what a folder of job files would do.

mod busiest;
mod drawing;
mod durations;
mod folder;
mod outcome;
mod overlaps;
mod walk;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::{SignedDuration, Timestamp};
use odin_model::Concurrency;

use super::calendar_files::CalendarFiles;
use super::reading::{ZonesArgs, instant_in, zone_name, zone_or_system};
use crate::context::Context;
use crate::error::{CliError, not_a_file};
use crate::report;
use crate::terminal;
use crate::times;
use durations::{Durations, Given};
use folder::Folder;
use outcome::Plan;
use walk::{Group, Span};

/// `odin schedule plan`.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// The folder: every job file in it, as `odin deploy -f DIR` takes them
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// The first instant, local or RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// The end, which is no longer included [default: seven days after --from]
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
    /// The IANA zone of times here, and of jobs that name none [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    #[command(flatten)]
    zones: ZonesArgs,
    #[command(flatten)]
    calendars: CalendarFiles,
    /// How long each run takes: of one job, or without JOB= of all others; may be repeated
    #[arg(long = "duration", value_name = "[JOB=]TIME", value_parser = durations::parse)]
    durations: Vec<Given>,
    /// The same from a file, a line each
    #[arg(long = "durations", value_name = "FILE")]
    durations_file: Option<PathBuf>,
    /// How many occurrences, and how many jobs, are listed, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// List only what comes after this: what an earlier page ends with
    #[arg(long, value_name = "TIME/JOB")]
    after: Option<String>,
}

/// How long a plan is where nothing is said.
const SPAN_DEFAULT: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How many starts and ends of different schedules are looked at: some ten seconds of work.
const STEPS_MAX: u64 = 10_000_000;

/// Says what would run when.
pub(crate) fn run(args: &PlanArgs, context: &Context) -> Result<(), CliError> {
    args.zones.choose()?;
    let zone = zone_or_system(args.timezone.as_deref())?;
    let (from, to) = span(args, &zone, context)?;
    if !args.directory.is_dir() {
        return Err(not_a_file(&args.directory, "not a directory"));
    }
    let durations = Durations::read(args.durations_file.as_deref(), &args.durations)?;
    let folder = folder::read(&args.directory, &zone, &args.calendars.read()?, context)?;
    refuse_strangers(&durations, &folder)?;
    let after = args.after.as_deref();
    let after = after.map(|key| key_of(key, &folder)).transpose()?;
    let groups = groups_of(&folder, &durations);
    let walked = walk::walk(
        &groups,
        Span {
            from,
            to,
            after,
            rows_max: usize::from(args.limit),
            steps_max: STEPS_MAX,
        },
    );
    let plan = Plan::new(&folder, &groups, &walked, (from, to), zone_name(&zone));
    if context.json() {
        context.print_json(&plan)?;
    } else {
        let width = terminal::stdout_width();
        let limit = usize::from(args.limit);
        context.print(&drawing::drawn(&plan, &zone, limit, width))?;
    }
    if folder.refused.is_empty() {
        Ok(())
    } else {
        Err(folder::REFUSED)
    }
}

fn span(
    args: &PlanArgs,
    zone: &jiff::tz::TimeZone,
    context: &Context,
) -> Result<(Timestamp, Timestamp), CliError> {
    let instant = |text: &String| instant_in(text, zone);
    let from = args.from.as_ref().map(instant).transpose()?;
    let from = from.unwrap_or_else(|| context.now());
    let to = args.to.as_ref().map(instant).transpose()?;
    let to = to.unwrap_or_else(|| from.checked_add(SPAN_DEFAULT).unwrap_or(Timestamp::MAX));
    if from < to {
        return Ok((from, to));
    }
    let message = format!(
        "the plan ends at {} before it begins at {}",
        times::in_zone(to, zone),
        times::in_zone(from, zone)
    );
    Err(CliError::refused("cli/bad-time", message).with_help("Give a --to that is after --from."))
}

/// A duration of a job that is not there would change nothing, and nobody would notice.
fn refuse_strangers(durations: &Durations, folder: &Folder) -> Result<(), CliError> {
    let is_known = |name: &&str| find(folder, name).is_some();
    let Some(stranger) = durations.jobs().find(|name| !is_known(name)) else {
        return Ok(());
    };
    // It may be in a file that was refused.
    if !folder.refused.is_empty() {
        report::note(&format!("no job that can be planned is named `{stranger}`"));
        return Ok(());
    }
    let message = format!("no job file of the folder has the job `{stranger}`");
    Err(CliError::refused("cli/no-such-job", message)
        .with_help("A duration is given by the job's `name`."))
}

/// The place of a job in the folder's list.
fn find(folder: &Folder, name: &str) -> Option<usize> {
    folder
        .jobs
        .binary_search_by(|job| job.name.as_str().cmp(name))
        .ok()
}

/// Where an earlier page ended.
fn key_of(key: &str, folder: &Folder) -> Result<(Timestamp, usize), CliError> {
    let read = || {
        let (instant, name) = key.split_once('/')?;
        let instant = instant.parse::<Timestamp>().ok()?;
        // A job that is gone has a place all the same: between its neighbours.
        let place = folder.jobs.partition_point(|job| job.name.as_str() <= name);
        Some(match place {
            // Before every job: after all that came earlier.
            0 => (earlier(instant), usize::MAX),
            place => (instant, place - 1),
        })
    };
    read().ok_or_else(|| {
        CliError::refused("cli/bad-time", format!("`{key}` is not the end of a page")).with_help(
            "Copy it from the end of an earlier page: an instant, `/`, and a job's name.",
        )
    })
}

fn earlier(instant: Timestamp) -> Timestamp {
    instant
        .checked_sub(SignedDuration::from_nanos(1))
        .unwrap_or(Timestamp::MIN)
}

/// Jobs that mean the same are walked as one.
fn groups_of(folder: &Folder, durations: &Durations) -> Vec<Group> {
    let mut places: HashMap<(&str, Option<Duration>, Concurrency), usize> = HashMap::new();
    let mut groups: Vec<Group> = Vec::new();
    for (index, job) in folder.jobs.iter().enumerate() {
        let duration = durations.of(&job.name);
        let place = *places
            .entry((job.key.as_str(), duration, job.concurrency))
            .or_insert_with(|| {
                groups.push(Group {
                    schedule: job.schedule.clone(),
                    duration,
                    concurrency: job.concurrency,
                    jobs: Vec::new(),
                });
                groups.len() - 1
            });
        groups[place].jobs.push(index);
    }
    groups
}
