//! English as cron text and cron text as English, where the other can say exactly the
//! same: the same occurrences in every zone, whatever its clock does.

mod cron_set;
mod reason;
mod to_cron;
mod to_english;

use std::fmt;

use crate::schedule::Schedule;
use crate::zone::zone_name;

pub use reason::CannotSay;

/// Which cron has to understand the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum CronDialect {
    /// Five fields as Vixie's cron and its descendants read them.
    #[default]
    Vixie,
    /// Also a field for seconds, `L`, `L-3`, `W` and `#`, as Odin and many libraries have
    /// them.
    Extended,
}

/// A schedule as lines of cron text.
///
/// No two lines name the same minute of the same day, so that cron, which starts a job
/// for each of its lines, starts it once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronText {
    zone: Option<String>,
    lines: Vec<String>,
}

impl CronText {
    /// The zone in which the lines are to be read, if the schedule names one.
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// The fields of each line, without the zone; at least one.
    pub fn lines(&self) -> &[String] {
        &self.lines
    }

    /// Each line with its zone in front, as [`parse`](crate::parse) reads it.
    pub fn texts(&self) -> impl Iterator<Item = String> + '_ {
        self.lines.iter().map(|line| match &self.zone {
            Some(zone) => format!("CRON_TZ={zone} {line}"),
            None => line.clone(),
        })
    }
}

/// The texts, one on each line.
impl fmt::Display for CronText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, text) in self.texts().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&text)?;
        }
        Ok(())
    }
}

/// The schedule as cron text, several lines where one cannot hold all its times.
///
/// # Errors
/// Why cron cannot say exactly this; where only a jumping clock tells the two apart,
/// [`CannotSay::ClockChange`] has the text that is nearest.
///
/// ```
/// use odin_schedule::{CronDialect, parse, to_cron};
///
/// let cron = |text| to_cron(&parse(text).unwrap(), CronDialect::Vixie);
/// assert_eq!(cron("every weekday at 09:00 in Europe/Dublin")?.to_string(),
///     "CRON_TZ=Europe/Dublin 0 9 * * 1-5");
/// assert_eq!(cron("every 15 minutes")?.to_string(), "*/15 * * * *");
/// assert_eq!(cron("every day at 9:00 and 17:30")?.lines(), ["0 9 * * *", "30 17 * * *"]);
///
/// let reason = cron("every 2nd Tuesday at 10:00").unwrap_err();
/// assert_eq!(reason.code(), "convert/nth-weekday");
/// # Ok::<(), odin_schedule::CannotSay>(())
/// ```
pub fn to_cron(schedule: &Schedule, dialect: CronDialect) -> Result<CronText, CannotSay> {
    Ok(CronText {
        zone: schedule.zone.as_ref().map(zone_name),
        lines: to_cron::lines(schedule, dialect)?,
    })
}

/// The schedule with its cron clauses in English; its
/// [`canonical`](Schedule::canonical) form is the text. What is English stays as it is.
///
/// # Errors
/// Why English cannot say exactly this.
///
/// ```
/// use odin_schedule::{parse, to_english};
///
/// let english = |text| to_english(&parse(text).unwrap()).map(|it| it.canonical());
/// assert_eq!(english("30 18 * * 3,5")?, "every Wednesday and Friday at 18:30");
/// assert_eq!(english("*/15 9-17 * * 1-5")?, "every 15 minutes from 09:00 to 17:45 on weekdays");
/// assert_eq!(english("0 0 13 * 5")?, "every 13th at 00:00 and every Friday at 00:00");
///
/// let reason = english("*/7 * * * *").unwrap_err();
/// assert_eq!(reason.code(), "convert/uneven-step");
/// # Ok::<(), odin_schedule::CannotSay>(())
/// ```
pub fn to_english(schedule: &Schedule) -> Result<Schedule, CannotSay> {
    to_english::english(schedule)
}
