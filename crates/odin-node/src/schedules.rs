//! Parsed schedules, kept for as long as they are asked for.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use odin_schedule::ZonedSchedule;

/// Schedules by text and zone. A million jobs have few different ones; beyond the bound the cache starts over.
#[derive(Debug, Default)]
pub struct Schedules {
    parsed: Mutex<HashMap<(String, String), Arc<ZonedSchedule>>>,
}

/// How many different schedules are kept: some 10 MB.
const PARSED_MAX: usize = 20_000;

/// A stored schedule that this Odin cannot read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the schedule `{text}` in zone {zone} cannot be read: {detail}")]
pub struct UnreadableSchedule {
    /// Its text.
    pub text: String,
    /// Its zone.
    pub zone: String,
    /// What was wrong.
    pub detail: String,
}

impl Schedules {
    /// The schedule of `text`, read in `zone` unless it names one itself.
    ///
    /// # Errors
    /// When either cannot be read, as after a downgrade.
    pub fn get(&self, text: &str, zone: &str) -> Result<Arc<ZonedSchedule>, UnreadableSchedule> {
        let key = (text.to_owned(), zone.to_owned());
        let mut parsed = self.parsed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schedule) = parsed.get(&key) {
            return Ok(Arc::clone(schedule));
        }
        let unreadable = |detail: String| UnreadableSchedule {
            text: text.to_owned(),
            zone: zone.to_owned(),
            detail,
        };
        let schedule = odin_schedule::parse(text).map_err(|error| unreadable(error.to_string()))?;
        let zone = odin_schedule::find_zone(schedule.zone().unwrap_or(zone))
            .map_err(|error| unreadable(error.to_string()))?;
        let zoned = Arc::new(schedule.in_zone(&zone));
        if parsed.len() >= PARSED_MAX {
            parsed.clear();
        }
        parsed.insert(key, Arc::clone(&zoned));
        Ok(zoned)
    }
}
