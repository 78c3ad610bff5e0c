//! The jobs of a folder.

use std::collections::BTreeMap;
use std::path::Path;

use jiff::tz::TimeZone;
use odin_job_file::{Defaults, JobFile};
use odin_model::{Concurrency, JobId};
use odin_schedule::{Calendars, ZonedSchedule};
use odin_wire::Exit;

use super::super::reading::{self, zone_name};
use crate::commands::deploy;
use crate::context::Context;
use crate::deployment;
use crate::error::CliError;
use crate::report::{self, Form};

/// A job of the folder.
#[derive(Debug)]
pub(crate) struct PlannedJob {
    pub(crate) name: String,
    /// The job file, as its path is shown.
    pub(crate) file: String,
    /// The schedule as written.
    pub(crate) schedule_text: String,
    pub(crate) schedule: ZonedSchedule,
    /// The zone in which it is read.
    pub(crate) timezone: String,
    pub(crate) concurrency: Concurrency,
    /// Jobs with the same text mean the same, wherever they stand.
    pub(crate) key: String,
}

/// What is in a folder.
#[derive(Debug)]
pub(crate) struct Folder {
    /// The jobs, by name.
    pub(crate) jobs: Vec<PlannedJob>,
    /// The files that were refused, by path.
    pub(crate) refused: Vec<String>,
}

/// Reads the job files of a folder as `odin deploy -f DIR` does. Each bad one is told of at once, and left out.
///
/// `zone` counts for jobs that name none; `calendars` are those to which schedules may refer.
pub(crate) fn read(
    directory: &Path,
    zone: &TimeZone,
    calendars: &Calendars,
    context: &Context,
) -> Result<Folder, CliError> {
    let mut jobs: BTreeMap<String, PlannedJob> = BTreeMap::new();
    let mut refused = Vec::new();
    let form = if context.json() {
        Form::Json
    } else {
        Form::Drawn
    };
    for path in deploy::job_files(directory)? {
        let origin = path.display().to_string();
        let job = read_job(&path, zone, calendars).and_then(|job| match jobs.get(&job.name) {
            None => Ok(job),
            Some(other) => {
                let message = format!("{origin} is the same job as {}", other.file);
                Err(CliError::refused("cli/same-job", message)
                    .with_help("Give one of them another name, or move it away."))
            }
        });
        match job {
            Ok(job) => {
                jobs.insert(job.name.clone(), job);
            }
            Err(error) => {
                report::tell(error, form);
                refused.push(origin);
            }
        }
    }
    Ok(Folder {
        jobs: jobs.into_values().collect(),
        refused,
    })
}

/// What a folder with refused files ends with, when all else has been said.
pub(crate) const REFUSED: CliError = CliError::Said(Exit::Refused);

fn read_job(path: &Path, zone: &TimeZone, calendars: &Calendars) -> Result<PlannedJob, CliError> {
    let (file, origin) = deployment::read(path, &Defaults::default())?;
    let zone = match file.schedule.zone().or(file.timezone.as_deref()) {
        Some(name) => crate::times::zone(name),
        None => zone.clone(),
    };
    let timezone = zone_name(&zone);
    // A job without an id gets one when it is deployed; until then it is due at the times that the text names.
    let seed = file.id.map(JobId::to_bits);
    let schedule = odin_schedule::parse_with(&file.schedule_text, calendars)
        .map_err(|error| reading::refused(&origin, &file.schedule_text, &error))?;
    let mut zoned = schedule.in_zone(&zone).with_dst(file.dst);
    if let Some(seed) = seed {
        zoned = zoned.with_spread(seed);
    }
    let canonical = file.schedule.canonical();
    let own_seed = seed.filter(|_| canonical.contains("around"));
    let key = format!("{canonical} | {timezone} | {:?} | {own_seed:?}", file.dst);
    let JobFile {
        name,
        schedule_text,
        concurrency,
        ..
    } = file;
    Ok(PlannedJob {
        name: name.to_string(),
        file: origin,
        schedule_text,
        schedule: zoned,
        timezone,
        concurrency,
        key,
    })
}
