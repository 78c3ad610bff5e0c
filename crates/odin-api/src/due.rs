//! When a schedule comes due next, for commands that carry it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_model::command::DueAfter;
use odin_model::{JobSpec, instant};
use odin_schedule::{Schedule, ScheduleError, find_zone};
use odin_wire::Mistake;

use crate::api::Api;
use crate::failure::Failure;

/// The zone where a job file, a schedule and the cluster name none.
const TIMEZONE_DEFAULT: &str = "UTC";

/// A schedule with the zone in which it is read.
pub(crate) struct Zoned {
    pub(crate) schedule: Schedule,
    pub(crate) zone: TimeZone,
}

impl Zoned {
    /// Reads a schedule; `zone` counts unless the text names one.
    pub(crate) fn read(text: &str, zone: &str) -> Result<Self, ScheduleError> {
        let schedule = odin_schedule::parse(text)?;
        let zone = find_zone(schedule.zone().unwrap_or(zone))?;
        Ok(Self { schedule, zone })
    }

    /// The zone's IANA name.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.iana_name().unwrap_or(TIMEZONE_DEFAULT)
    }

    /// The next due time of a job after both now and its last decided occurrence.
    pub(crate) fn due_after(&self, now: Timestamp, last_decided: Option<Timestamp>) -> DueAfter {
        let now = instant::to_stored_precision(now);
        let after = last_decided.map_or(now, |decided| decided.max(now));
        DueAfter {
            after,
            next_due: self.schedule.in_zone(&self.zone).next_after(after),
        }
    }

    /// Whether `at` is an occurrence.
    pub(crate) fn is_due_at(&self, at: Timestamp) -> bool {
        self.schedule
            .in_zone(&self.zone)
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
        .then(|| odin_schedule::parse(&spec.schedule).ok())
        .flatten();
    let named = named.and_then(|schedule| schedule.zone().map(str::to_owned));
    named.unwrap_or_else(|| spec.timezone.clone())
}

/// The zone of jobs that name none: the cluster's.
pub(crate) async fn cluster_zone(api: &Api) -> Result<String, Failure> {
    let set = api.read(|reader| reader.timezone()).await?;
    Ok(set.unwrap_or_else(|| TIMEZONE_DEFAULT.to_owned()))
}
