//! When a job of a server comes due, worked out here by the code that the server decides with.

use std::sync::Arc;

use jiff::civil::Date;
use odin_client::Client;
use odin_schedule::{
    Calendar, CalendarName, Calendars, DstPolicy, GapPolicy, RepeatPolicy, Wording, ZonedSchedule,
};
use odin_wire::Job;

use crate::error::CliError;
use crate::times;

/// The server's calendars that schedules refer to, as far as there are such.
pub(crate) async fn calendars(client: &Client, texts: &[&str]) -> Result<Calendars, CliError> {
    let mut calendars = Calendars::default();
    let readable = texts
        .iter()
        .filter_map(|text| odin_schedule::read_words(text).ok());
    for name in readable.flat_map(|words| words.calendars()) {
        if calendars.get(&name).is_some() {
            continue;
        }
        match client.calendar(name.as_str()).await {
            Ok(calendar) => {
                let dates = calendar.dates.iter().flatten();
                let dates = dates.filter_map(|date| date.parse::<Date>().ok());
                // What a server keeps is within the bounds, or it is a newer one: then its days are not known here.
                if let Ok(days) = Calendar::from_dates(dates) {
                    calendars.insert(name, Arc::new(days));
                }
            }
            Err(error) if error.code() == "calendar/not-found" => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(calendars)
}

/// The schedule of a deployed job. `None`: this build cannot read it, or it names a calendar that is not there.
pub(crate) fn of_job(job: &Job, calendars: &Calendars) -> Option<ZonedSchedule> {
    in_place_of(job, &job.schedule, &job.timezone, calendars)
}

/// What a schedule means as that of a deployed job; `timezone` counts where it names none.
pub(crate) fn in_place_of(
    job: &Job,
    text: &str,
    timezone: &str,
    calendars: &Calendars,
) -> Option<ZonedSchedule> {
    let schedule = odin_schedule::parse_with(text, calendars).ok()?;
    let zoned = schedule.in_zone(&times::zone(timezone));
    Some(
        zoned
            .with_dst(clock_rules(job))
            .with_spread(job.id.to_bits()),
    )
}

/// What the job says about clocks that jump.
fn clock_rules(job: &Job) -> DstPolicy {
    let Some(settings) = &job.settings else {
        return DstPolicy::default();
    };
    let gaps = [GapPolicy::Shift, GapPolicy::Skip, GapPolicy::Before];
    let repeats = [RepeatPolicy::First, RepeatPolicy::Last, RepeatPolicy::Both];
    let gap = gaps.into_iter().find(|it| it.word() == settings.dst_gap);
    let repeat = repeats
        .into_iter()
        .find(|it| it.word() == settings.dst_repeat);
    DstPolicy {
        gap: gap.unwrap_or_default(),
        repeat: repeat.unwrap_or_default(),
    }
}

/// A calendar that a schedule needs and that is not there.
pub(crate) fn lacks(wording: &Wording, calendars: &Calendars) -> Option<CalendarName> {
    let required = wording.required_calendars();
    required
        .into_iter()
        .find(|name| calendars.get(name).is_none())
}
