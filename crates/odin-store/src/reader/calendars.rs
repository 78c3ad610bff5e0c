//! Calendars, and what they moved.

use odin_model::calendar::{Calendar, DueRules, MovedDue};
use odin_model::codec;
use odin_model::owner::Owner;
use rusqlite::params;

use super::Reader;
use crate::{StoreError, columns, settings};

impl Reader {
    /// All calendars, by name.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn calendars(&self) -> Result<Vec<Calendar>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT name, owner_uid, owner_user, days, revision, set_at FROM calendars ORDER BY name",
            )?;
            let mut rows = statement.query([])?;
            let mut calendars = Vec::new();
            while let Some(row) = rows.next()? {
                let days = row.get_ref(3)?.as_blob().map_err(rusqlite::Error::from)?;
                calendars.push(Calendar {
                    name: row.get(0)?,
                    owner: Owner {
                        uid: row.get(1)?,
                        user: row.get(2)?,
                    },
                    days: codec::decode(days)?,
                    revision: columns::to_revision(row.get(4)?),
                    set_at: columns::to_at(row.get(5)?),
                });
            }
            Ok(calendars)
        })
    }

    /// What the next due times of all jobs were last computed with. `None`: no sweep has been made.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn due_rules(&self) -> Result<Option<DueRules>, StoreError> {
        self.pool.ask(|conn| {
            let zone_rules = settings::get(conn, settings::DUE_ZONE_RULES)?;
            let calendars = settings::get(conn, settings::DUE_CALENDARS)?;
            let calendars = calendars.map_or(Ok(0), |text| {
                text.parse()
                    .map_err(|_| StoreError::damaged("the number of the calendars' last change"))
            })?;
            Ok(zone_rules.map(|zone_rules| DueRules {
                zone_rules,
                calendars,
            }))
        })
    }

    /// Up to `limit` moved due times, the latest first, before that number.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn moved_dues(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<MovedDue>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT number, job, was, is_now, because, moved_at FROM moved_dues \
                 WHERE number < ?1 ORDER BY number DESC LIMIT ?2",
            )?;
            let before = before.map_or(i64::MAX, columns::count);
            let rows = statement.query_map(params![before, columns::limit(limit)], |row| {
                Ok(MovedDue {
                    number: columns::to_count(row.get(0)?),
                    job: columns::to_job_id(row.get(1)?),
                    was: columns::to_at_option(row.get(2)?),
                    is: columns::to_at_option(row.get(3)?),
                    because: row.get(4)?,
                    moved_at: columns::to_at(row.get(5)?),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }
}
