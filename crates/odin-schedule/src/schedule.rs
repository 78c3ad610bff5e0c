//! A schedule that was read from text.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::business::BusinessOf;
use crate::calendars::{CalendarName, Calendars};
use crate::dst::DstPolicy;
use crate::error::{ScheduleError, ScheduleErrorKind, TEXT_BYTES_MAX};
use crate::explain::CalendarDays;
use crate::occurrences::ZonedSchedule;
use crate::parse::Known;
use crate::rule::{Days, Passes, Rule, Timing};
use crate::{english, explain};

/// A schedule that was read from text and has no zone yet, unless it names one.
///
/// Cloning is cheap: clones share what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Empty for `never`.
    pub(crate) rules: Arc<[Rule]>,
    pub(crate) zone: Option<TimeZone>,
}

/// What kind of times a schedule has, which decides how it meets a clock that jumps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScheduleKind {
    /// No occurrence at all.
    Never,
    /// Listed dates only.
    Once,
    /// Fixed times of day: the [`DstPolicy`] decides.
    Fixed,
    /// Intervals, and cron text with a `*` in the minute or hour: real time decides.
    Interval,
    /// Clauses of several kinds.
    Mixed,
}

/// Reads a schedule.
///
/// # Errors
/// A [`ScheduleError`] with the place in `text`, a stable code and a next step.
///
/// ```
/// let schedule = odin_schedule::parse("every Monday at 9:30 and friday at 5pm")?;
/// assert_eq!(schedule.canonical(), "every Monday at 09:30 and every Friday at 17:00");
///
/// let error = odin_schedule::parse("every Wendesday at 17:00").unwrap_err();
/// assert_eq!(error.code(), "schedule/unknown-word");
/// assert_eq!(error.span, 6..15);
/// assert_eq!(error.help(), "Did you mean `Wednesday`?");
/// # Ok::<(), odin_schedule::ScheduleError>(())
/// ```
pub fn parse(text: &str) -> Result<Schedule, ScheduleError> {
    parse_with(text, Calendars::NONE)
}

/// Reads a schedule that may refer to these calendars.
///
/// # Errors
/// As [`parse`]; a calendar that is not there is
/// [`UnknownCalendar`](crate::ScheduleErrorKind::UnknownCalendar). Business days need none:
/// without a calendar `holidays` they are Monday to Friday.
///
/// ```
/// use odin_schedule::{Calendar, CalendarName, Calendars, find_zone, parse_with};
///
/// let mut calendars = Calendars::default();
/// let holidays = Calendar::parse_list("2026-12-25 Christmas Day")?;
/// calendars.insert(CalendarName::holidays(), holidays);
///
/// let schedule = parse_with("every last business day of the month at 17:00", &calendars)?;
/// let zoned = schedule.in_zone(&find_zone("UTC")?);
/// let next = zoned.next_after("2026-12-01T00:00:00Z".parse()?).unwrap();
/// assert_eq!(next.to_string(), "2026-12-31T17:00:00Z");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn parse_with(text: &str, calendars: &Calendars) -> Result<Schedule, ScheduleError> {
    read(text, Known::These(calendars))
}

pub(crate) fn read(text: &str, known: Known<'_>) -> Result<Schedule, ScheduleError> {
    let parsed = crate::parse::read(text, known)?;
    let schedule = Schedule {
        rules: parsed.rules.into(),
        zone: parsed.zone,
    };
    // The normal form has to read back. It can be many times longer than the text, since
    // days of different months each get the clause's times.
    if text.len() > ALWAYS_SHORT_BYTES {
        let bytes = schedule.canonical().len();
        if bytes > TEXT_BYTES_MAX {
            let kind = ScheduleErrorKind::NormalFormTooLong { bytes };
            return Err(ScheduleError::new(kind, 0..text.len()));
        }
    }
    Ok(schedule)
}

/// A text up to this long has a normal form within the bound: it grows at most by a
/// clause for each of twelve months and by what abbreviations leave out.
const ALWAYS_SHORT_BYTES: usize = 128;

impl Schedule {
    /// The schedule in its normal form: English, with cron clauses as `cron "..."`.
    /// It reads back as an equal schedule.
    pub fn canonical(&self) -> String {
        english::canonical(self)
    }

    /// What the schedule does, in full sentences: when, by which clock, and what
    /// happens when the clock jumps.
    pub fn explain(&self) -> String {
        explain::explain(self, CalendarDays::Known)
    }

    /// The IANA name of the zone that the text names with `in ZONE` or `CRON_TZ=`;
    /// `None` where the zone is left to the caller.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_ref().and_then(TimeZone::iana_name)
    }

    /// Whether this is `never`. A schedule whose dates cannot come, such as the cron
    /// text `0 0 31 2 *`, is not: see [`warnings`](Schedule::warnings).
    pub fn is_never(&self) -> bool {
        self.rules.is_empty()
    }

    /// The calendars whose days decide when the schedule is due, in order: those that it
    /// names, and `holidays` where it speaks of business days, which that calendar would
    /// change even where there is none yet.
    pub fn calendars(&self) -> Vec<CalendarName> {
        let mut names: Vec<CalendarName> = self.required_calendars();
        let counts_holidays = |rule: &Rule| {
            rule.business_of()
                .any(|of| matches!(of, BusinessOf::Holidays(_)))
        };
        if self.rules.iter().any(counts_holidays) {
            names.push(CalendarName::holidays());
        }
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The calendars that the text names, in order.
    pub(crate) fn required_calendars(&self) -> Vec<CalendarName> {
        let uses = self.rules.iter().flat_map(|rule| rule.calendar_uses());
        let mut names: Vec<CalendarName> = uses.map(|used| used.name.clone()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// What kind of times the schedule has.
    pub fn kind(&self) -> ScheduleKind {
        let mut kinds = self.rules.iter().map(rule_kind);
        let Some(first) = kinds.next() else {
            return ScheduleKind::Never;
        };
        if kinds.all(|kind| kind == first) {
            first
        } else {
            ScheduleKind::Mixed
        }
    }

    /// Binds the schedule to a zone: its own where it names one, else `default`.
    /// Fixed times meet a jumping clock by the default [`DstPolicy`].
    pub fn in_zone(&self, default: &TimeZone) -> ZonedSchedule {
        ZonedSchedule {
            rules: Arc::clone(&self.rules),
            zone: self.zone.as_ref().unwrap_or(default).clone(),
            dst: DstPolicy::default(),
            spread_seed: None,
        }
    }
}

pub(crate) fn rule_kind(rule: &Rule) -> ScheduleKind {
    match (&rule.days, &rule.timing) {
        (Days::Dates(_), _) => ScheduleKind::Once,
        (
            Days::Pattern(_),
            Timing::Wall {
                passes: Passes::Once,
                ..
            },
        ) => ScheduleKind::Fixed,
        (
            Days::Pattern(_),
            Timing::Wall {
                passes: Passes::Each,
                ..
            }
            | Timing::Elapsed { .. },
        ) => ScheduleKind::Interval,
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.canonical())
    }
}

impl std::str::FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text)
    }
}
