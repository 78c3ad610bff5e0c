//! The schedule that a command is asked about, and the zone and rules by which it is read.

use std::path::Path;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use odin_model::JobId;
use odin_schedule::{
    Calendars, DstPolicy, GapPolicy, RepeatPolicy, Schedule, ScheduleError, ScheduleErrorKind,
    TimeZones, Wording, ZonedSchedule,
};
use odin_wire::Mistake;
use serde::Serialize;

use super::calendar_files::CalendarFiles;
use crate::context::Context;
use crate::error::{CliError, TextMistakes};
use crate::times;

/// A schedule's text and by which zone and rules it is read.
#[derive(Debug, Args)]
pub(crate) struct ReadingArgs {
    /// The schedule, such as "every weekday at 09:00"
    #[arg(value_name = "TEXT")]
    text: String,
    /// The IANA zone in which it is read when it names none [default: this machine's]
    #[arg(long, value_name = "ZONE")]
    timezone: Option<String>,
    #[command(flatten)]
    zones: ZonesArgs,
    /// A fixed time that the clock skips: after the gap, not at all, or just before the gap
    #[arg(long, value_name = "RULE", default_value = "shift")]
    gap: Gap,
    /// A fixed time that the clock shows twice: the first time, the last, or both
    #[arg(long, value_name = "RULE", default_value = "first")]
    repeat: Repeat,
    /// The job whose offset counts where the schedule says `around`, by its id [default: no offset]
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    #[command(flatten)]
    calendars: CalendarFiles,
}

/// Which time zone database is used.
#[derive(Debug, Args)]
pub(crate) struct ZonesArgs {
    /// Use this machine's time zone rules where they are newer than the built-in ones
    #[arg(long)]
    system_zones: bool,
}

/// Where Linux keeps its time zone database.
const SYSTEM_ZONES: &str = "/usr/share/zoneinfo";

impl ZonesArgs {
    /// Chooses the database, before any zone is looked up.
    pub(crate) fn choose(&self) -> Result<(), CliError> {
        if !self.system_zones {
            return Ok(());
        }
        let zones = TimeZones::newest(Path::new(SYSTEM_ZONES)).map_err(|error| {
            CliError::refused(error.code(), error.to_string()).with_help(error.help())
        })?;
        zones
            .use_from_now_on()
            .expect("a command chooses before it looks a zone up");
        Ok(())
    }
}

/// What a fixed time does that the clock skips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Gap {
    Shift,
    Skip,
    Before,
}

/// What a fixed time does that the clock shows twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Repeat {
    First,
    Last,
    Both,
}

/// A schedule that was read, in its zone.
#[derive(Debug)]
pub(crate) struct Reading {
    /// What the text means.
    pub(crate) schedule: Schedule,
    /// When it is due.
    pub(crate) zoned: ZonedSchedule,
    /// The zone's name.
    pub(crate) timezone: String,
    pub(crate) gap: Gap,
    pub(crate) repeat: Repeat,
    /// The calendars that were given.
    pub(crate) calendars: Calendars,
}

/// A schedule that was read as far as the calendars at hand allow.
#[derive(Debug)]
pub(crate) enum Read {
    Whole(Box<Reading>),
    /// It names calendars that were not given: it has words and no occurrences.
    Words(Box<Wording>),
}

impl ReadingArgs {
    /// Reads the schedule, or its words alone where it names a calendar that was not given.
    pub(crate) fn read_or_words(&self) -> Result<Read, CliError> {
        self.zones.choose()?;
        let calendars = self.calendars.read()?;
        match odin_schedule::parse_with(&self.text, &calendars) {
            Err(error) if is_unknown_calendar(&error) => odin_schedule::read_words(&self.text)
                .map(|words| Read::Words(Box::new(words)))
                .map_err(|error| refused("schedule", &self.text, &error)),
            Err(error) => Err(refused("schedule", &self.text, &error)),
            Ok(schedule) => self
                .bind(schedule, calendars)
                .map(Box::new)
                .map(Read::Whole),
        }
    }

    /// Reads the schedule, or says where it is mistaken.
    pub(crate) fn read(&self) -> Result<Reading, CliError> {
        self.zones.choose()?;
        let calendars = self.calendars.read()?;
        let schedule = odin_schedule::parse_with(&self.text, &calendars)
            .map_err(|error| refused("schedule", &self.text, &error))?;
        self.bind(schedule, calendars)
    }

    /// What the flags say about clocks that jump.
    pub(crate) fn clock_rules(&self) -> (Gap, Repeat) {
        (self.gap, self.repeat)
    }

    /// Puts a schedule into its zone.
    fn bind(&self, schedule: Schedule, calendars: Calendars) -> Result<Reading, CliError> {
        let zone = zone_or_system(schedule.zone().or(self.timezone.as_deref()))?;
        // A flag that is misspelt is refused though the schedule's own zone counts.
        if let Some(name) = &self.timezone {
            find_zone(name)?;
        }
        let policy = DstPolicy {
            gap: self.gap.into(),
            repeat: self.repeat.into(),
        };
        let zoned = schedule.in_zone(&zone).with_dst(policy);
        Ok(Reading {
            zoned: match self.job {
                Some(job) => zoned.with_spread(job.to_bits()),
                None => zoned,
            },
            timezone: zone_name(&zone),
            schedule,
            gap: self.gap,
            repeat: self.repeat,
            calendars,
        })
    }
}

impl Reading {
    /// The zone in which the schedule is read.
    pub(crate) fn zone(&self) -> &TimeZone {
        self.zoned.time_zone()
    }

    /// What the schedule's author may not have meant.
    pub(crate) fn warnings(&self, now: Timestamp) -> Vec<Mistake> {
        let warnings = self.schedule.warnings(now, self.zone()).into_iter();
        warnings
            .map(|warning| Mistake {
                code: warning.code().to_owned(),
                message: warning.to_string(),
                help: Some(warning.help().to_owned()),
                ..Mistake::default()
            })
            .collect()
    }

    /// The first occurrences strictly after an instant.
    pub(crate) fn after(
        &self,
        instant: Timestamp,
        until: Option<Timestamp>,
        count: usize,
    ) -> Vec<Timestamp> {
        let next = |instant: &Timestamp| self.zoned.next_after(*instant);
        std::iter::successors(self.zoned.next_after(instant), next)
            .take_while(|due| until.is_none_or(|until| *due <= until))
            .take(count)
            .collect()
    }

    /// The instant that a flag names, in the schedule's zone; of two, the first.
    pub(crate) fn instant(&self, text: &str) -> Result<Timestamp, CliError> {
        instant_in(text, self.zone())
    }

    /// The instant that `--from` names, else now.
    pub(crate) fn start(
        &self,
        text: Option<&str>,
        context: &Context,
    ) -> Result<Timestamp, CliError> {
        text.map_or_else(|| Ok(context.now()), |text| self.instant(text))
    }
}

/// An instant as people write it; of two that a clock shows alike, the first.
pub(crate) fn instant_in(text: &str, zone: &TimeZone) -> Result<Timestamp, CliError> {
    let instants = times::parse(text, zone)?;
    Ok(*instants.first().expect("a time that is read is an instant"))
}

/// The zone of this name, else this machine's.
pub(crate) fn zone_or_system(name: Option<&str>) -> Result<TimeZone, CliError> {
    let system = || {
        let system = TimeZone::system();
        // The same rules as for a zone that is named: the machine says only which one it is in.
        let named = system.iana_name().map(odin_schedule::find_zone);
        Ok(named.and_then(Result::ok).unwrap_or(system))
    };
    name.map_or_else(system, find_zone)
}

fn find_zone(name: &str) -> Result<TimeZone, CliError> {
    odin_schedule::find_zone(name).map_err(|error| refused("timezone", name, &error))
}

/// A zone's name to print.
pub(crate) fn zone_name(zone: &TimeZone) -> String {
    zone.iana_name().unwrap_or("UTC").to_owned()
}

/// Whether a schedule was refused for a calendar that is not at hand.
pub(crate) fn is_unknown_calendar(error: &ScheduleError) -> bool {
    matches!(error.kind, ScheduleErrorKind::UnknownCalendar { .. })
}

/// A refused schedule or zone with its place.
pub(crate) fn refused(origin: &str, text: &str, error: &ScheduleError) -> CliError {
    let mistake = Mistake {
        code: error.code().to_owned(),
        message: error.to_string(),
        span: Some([error.span.start, error.span.end]),
        help: Some(error.help()),
        ..Mistake::default()
    };
    CliError::Text(Box::new(TextMistakes {
        origin: origin.to_owned(),
        text: text.to_owned(),
        mistakes: vec![mistake],
        omitted: 0,
    }))
}

impl From<Gap> for GapPolicy {
    fn from(gap: Gap) -> Self {
        match gap {
            Gap::Shift => Self::Shift,
            Gap::Skip => Self::Skip,
            Gap::Before => Self::Before,
        }
    }
}

impl From<Repeat> for RepeatPolicy {
    fn from(repeat: Repeat) -> Self {
        match repeat {
            Repeat::First => Self::First,
            Repeat::Last => Self::Last,
            Repeat::Both => Self::Both,
        }
    }
}
