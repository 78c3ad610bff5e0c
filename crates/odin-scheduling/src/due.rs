//! When a job comes due: its schedule with everything that its version, and the job itself, add to the text.

use odin_model::{JobId, JobSpec};
use odin_schedule::{CalendarName, Calendars, ScheduleError, ZonedSchedule, find_zone, parse_with};

/// The schedule of a version of a job: in its zone, with its calendars, its policy for a clock that jumps, and the
/// job's own offset where the text says `around`.
///
/// # Errors
/// When the text cannot be read, or names a zone or a calendar that there is not.
pub fn schedule_of(
    spec: &JobSpec,
    job: JobId,
    calendars: &Calendars,
) -> Result<ZonedSchedule, ScheduleError> {
    let schedule = parse_with(&spec.schedule, calendars)?;
    let zone = find_zone(schedule.zone().unwrap_or(&spec.timezone))?;
    let zoned = schedule.in_zone(&zone).with_dst(spec.dst);
    Ok(zoned.with_spread(job.to_bits()))
}

/// The release of the time zone rules that this process computes with.
#[must_use]
pub fn zone_rules() -> String {
    let version = odin_schedule::time_zones().version();
    version.unwrap_or("of an unknown release").to_owned()
}

/// Whether the schedule of a version refers to a calendar.
#[must_use]
pub fn uses_calendar(spec: &JobSpec, name: &CalendarName) -> bool {
    // Most schedules have no such word, and are not read.
    let text = spec.schedule.to_ascii_lowercase();
    let may_use = text.contains(&name.as_str().to_ascii_lowercase())
        || (text.contains("business") && *name == CalendarName::holidays());
    may_use
        && odin_schedule::read_words(&spec.schedule)
            .is_ok_and(|words| words.calendars().contains(name))
}
