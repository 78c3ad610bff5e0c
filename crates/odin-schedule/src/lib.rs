//! Turns schedule text into occurrences.
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod calendar;
mod cron;
mod day_search;
mod dst;
mod english;
mod error;
mod explain;
mod occurrences;
mod parse;
mod rule;
mod rule_search;
mod schedule;
mod time_set;
mod timeline;
mod token;
mod wall;
mod warning;
mod words;
mod zone;

pub use dst::{DstPolicy, GapPolicy, RepeatPolicy};
pub use error::{ScheduleError, ScheduleErrorKind, TEXT_BYTES_MAX};
pub use occurrences::ZonedSchedule;
pub use schedule::{Schedule, ScheduleKind, parse};
pub use warning::ScheduleWarning;
pub use zone::find_zone;
