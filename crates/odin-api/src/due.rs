//! When a schedule comes due next, for commands that carry it.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_model::command::DueAfter;
use odin_model::{JobId, JobSpec, instant};
use odin_schedule::{Calendars, DstPolicy, Schedule, ScheduleError, ZonedSchedule, find_zone};
use odin_wire::Mistake;

use crate::api::Api;
use crate::failure::Failure;

/// The zone where a job file, a schedule and the cluster name none.
const TIMEZONE_DEFAULT: &str = "UTC";

/// A schedule with the zone in which it is read.
pub(crate) struct Zoned {
    pub(crate) schedule: Schedule,
    pub(crate) zone: TimeZone,
    dst: DstPolicy,
}

impl Zoned {
    /// Reads a schedule; `zone` counts unless the text names one.
    pub(crate) fn read(
        text: &str,
        zone: &str,
        dst: DstPolicy,
        calendars: &Calendars,
    ) -> Result<Self, ScheduleError> {
        let schedule = odin_schedule::parse_with(text, calendars)?;
        let zone = find_zone(schedule.zone().unwrap_or(zone))?;
        Ok(Self {
            schedule,
            zone,
            dst,
        })
    }

    /// The schedule of a version.
    pub(crate) fn of(spec: &JobSpec, calendars: &Calendars) -> Result<Self, ScheduleError> {
        Self::read(&spec.schedule, &spec.timezone, spec.dst, calendars)
    }

    /// The calculator of its occurrences; of those of a job, where one is named.
    pub(crate) fn calculator(&self, job: Option<JobId>) -> ZonedSchedule {
        let zoned = self.schedule.in_zone(&self.zone).with_dst(self.dst);
        match job {
            Some(job) => zoned.with_spread(job.to_bits()),
            None => zoned,
        }
    }

    /// The zone's IANA name.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or(TIMEZONE_DEFAULT)
    }

    /// The next due time of a job after both now and its last decided occurrence.
    pub(crate) fn due_after(
        &self,
        job: JobId,
        now: Timestamp,
        last_decided: Option<Timestamp>,
    ) -> DueAfter {
        let now = instant::to_stored_precision(now);
        let after = last_decided.map_or(now, |decided| decided.max(now));
        DueAfter {
            after,
            next_due: self.calculator(Some(job)).next_after(after),
        }
    }

    /// Whether `at` is an occurrence of the job.
    pub(crate) fn is_due_at(&self, job: JobId, at: Timestamp) -> bool {
        self.calculator(Some(job))
            .occurrences(at, at)
            .next()
            .is_some()
    }

    /// What may surprise in it.
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<Mistake> {
        let warnings = self.schedule.warnings(now, &self.zone).into_iter();
        let to_wire = |warning: odin_schedule::ScheduleWarning| Mistake {
            code: warning.code().to_owned(),
            message: warning.to_string(),
            help: Some(warning.help().to_owned()),
            ..Mistake::default()
        };
        warnings.map(to_wire).collect()
    }
}

/// The zone in which a job's schedule is read: its text's own, else the job's.
pub(crate) fn effective_zone(spec: &JobSpec) -> String {
    // Few schedules name a zone, and lists are long: most texts are not read.
    let text = spec.schedule.to_ascii_lowercase();
    let may_name_one = text.contains("in ") || text.contains("tz=");
    let named = may_name_one
        .then(|| odin_schedule::read_words(&spec.schedule).ok())
        .flatten();
    let named = named.and_then(|schedule| schedule.zone().map(str::to_owned));
    named.unwrap_or_else(|| spec.timezone.clone())
}

/// The calendars as they are now.
pub(crate) async fn calendars(api: &Api) -> Result<Arc<Calendars>, Failure> {
    Ok(api.blocking(|backend| backend.calendars()).await??)
}

/// The zone of jobs that name none: the cluster's.
pub(crate) async fn cluster_zone(api: &Api) -> Result<String, Failure> {
    let set = api.read(|reader| reader.timezone()).await?;
    Ok(set.unwrap_or_else(|| TIMEZONE_DEFAULT.to_owned()))
}
