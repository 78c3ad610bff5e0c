//! A schedule that was read from text.

use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::dst::DstPolicy;
use crate::error::ScheduleError;
use crate::occurrences::ZonedSchedule;
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
    let parsed = crate::parse::read(text)?;
    Ok(Schedule {
        rules: parsed.rules.into(),
        zone: parsed.zone,
    })
}

impl Schedule {
    /// The schedule in its normal form: English, with cron clauses as `cron "..."`.
    /// It reads back as an equal schedule.
    pub fn canonical(&self) -> String {
        english::canonical(self)
    }

    /// What the schedule does, in full sentences: when, by which clock, and what
    /// happens when the clock jumps.
    pub fn explain(&self) -> String {
        explain::explain(self)
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
