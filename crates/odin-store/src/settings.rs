//! Replicated values that there is one of.

use rusqlite::{Connection, OptionalExtension};

use crate::StoreError;
use crate::store::GENERATION_MAX;

/// The IANA zone of jobs that name none.
pub(crate) const TIMEZONE: &str = "timezone";
/// The log index of the latest change of a calendar.
pub(crate) const CALENDARS: &str = "calendars";
/// What the next due times were computed with: see `DueRules`.
pub(crate) const DUE_ZONE_RULES: &str = "due_zone_rules";
/// See [`DUE_ZONE_RULES`].
pub(crate) const DUE_CALENDARS: &str = "due_calendars";
/// The largest log index of which the contents of calendars were forgotten: see `former_calendars`.
pub(crate) const CALENDARS_FORGOTTEN: &str = "calendars_forgotten";
/// Grows with each restore from a backup, so that run ids of before and after never meet.
const GENERATION: &str = "generation";

/// The value, if it was ever set.
pub(crate) fn get(conn: &Connection, key: &str) -> Result<Option<String>, StoreError> {
    let mut statement = conn.prepare_cached("SELECT value FROM settings WHERE key = ?1")?;
    Ok(statement.query_row([key], |row| row.get(0)).optional()?)
}

/// Sets a value.
pub(crate) fn set(conn: &Connection, key: &str, value: &str) -> Result<(), StoreError> {
    conn.prepare_cached("INSERT OR REPLACE INTO settings (key, value) VALUES (?1, ?2)")?
        .execute((key, value))?;
    Ok(())
}

/// The generation, 0 to 127: run ids order as signed numbers.
pub(crate) fn generation(conn: &Connection) -> Result<u8, StoreError> {
    get(conn, GENERATION)?
        .and_then(|text| text.parse().ok())
        .filter(|generation| *generation <= GENERATION_MAX)
        .ok_or_else(|| StoreError::damaged("the generation"))
}

/// Sets the generation.
pub(crate) fn set_generation(conn: &Connection, generation: u8) -> Result<(), StoreError> {
    set(conn, GENERATION, &generation.to_string())
}
