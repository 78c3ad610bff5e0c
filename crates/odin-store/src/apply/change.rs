//! Keeps what changed the due times of jobs, so that what a job was at any instant can be told, and its due times of
//! then derived again.

use jiff::Timestamp;
use odin_model::job_change::{
    FORMER_CALENDARS_MAX, JOB_CHANGES_MAX, JobChangeKind, ZONE_RULES_MAX,
};
use odin_model::{JobId, VersionNumber};
use rusqlite::{Connection, OptionalExtension, params};

use super::Batch;
use super::job::JobRow;
use crate::{StoreError, columns, settings};

/// A change to be noted. Its number is the log index of the command.
pub(super) struct Change<'c> {
    pub(super) job: JobId,
    pub(super) kind: JobChangeKind,
    pub(super) version: VersionNumber,
    pub(super) at: Timestamp,
    pub(super) by: Option<&'c str>,
    pub(super) was: Option<Timestamp>,
    pub(super) is: Option<Timestamp>,
    pub(super) after: Option<Timestamp>,
    /// `None`: those of now.
    pub(super) calendars: Option<u64>,
    pub(super) note: Option<&'c str>,
}

impl<'c> Change<'c> {
    /// A change after which nothing comes due.
    pub(super) fn new(
        job: JobId,
        kind: JobChangeKind,
        version: VersionNumber,
        at: Timestamp,
    ) -> Self {
        Self {
            job,
            kind,
            version,
            at,
            by: None,
            was: None,
            is: None,
            after: None,
            calendars: None,
            note: None,
        }
    }

    /// The same of a job that was there before.
    pub(super) fn of(
        known: &JobRow,
        kind: JobChangeKind,
        version: VersionNumber,
        at: Timestamp,
    ) -> Self {
        Self {
            was: known.next_due,
            ..Self::new(known.id, kind, version, at)
        }
    }
}

/// Keeps a change, and of the job's changes the latest.
pub(super) fn note(batch: &Batch<'_>, change: &Change<'_>) -> Result<(), StoreError> {
    let calendars = match change.calendars {
        Some(index) => index,
        None => calendars_of_now(batch.conn)?,
    };
    batch
        .conn
        .prepare_cached(
            "INSERT INTO job_changes (job, number, kind, at, by_user, version, was, is_now, after_at, calendars, note) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?
        .execute(params![
            columns::job_id(change.job),
            columns::count(batch.index),
            columns::job_change_kind(change.kind),
            columns::at(change.at),
            change.by,
            change.version.0,
            columns::at_option(change.was),
            columns::at_option(change.is),
            columns::at_option(change.after),
            columns::count(calendars),
            change.note,
        ])?;
    batch
        .conn
        .prepare_cached(
            "DELETE FROM job_changes WHERE job = ?1 AND number <= \
             (SELECT number FROM job_changes WHERE job = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)",
        )?
        .execute((columns::job_id(change.job), columns::count(JOB_CHANGES_MAX)))?;
    Ok(())
}

/// The contents of calendars that a job's due times are computed with since its latest change.
pub(super) fn calendars_of(conn: &Connection, job: JobId) -> Result<Option<u64>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT calendars FROM job_changes WHERE job = ?1 ORDER BY number DESC LIMIT 1",
    )?;
    let calendars = statement.query_row([columns::job_id(job)], |row| row.get(0));
    Ok(calendars.optional()?.map(columns::to_count))
}

fn calendars_of_now(conn: &Connection) -> Result<u64, StoreError> {
    match settings::get(conn, settings::CALENDARS)? {
        None => Ok(0),
        Some(text) => text
            .parse()
            .map_err(|_| StoreError::damaged("the number of the calendars' last change")),
    }
}

/// Keeps what a calendar holds, which is about to be replaced or removed.
pub(super) fn keep_calendar(batch: &Batch<'_>, name: &str) -> Result<(), StoreError> {
    let kept = batch
        .conn
        .prepare_cached(
            "INSERT INTO former_calendars (until, name, revision, days) \
             SELECT ?1, name, revision, days FROM calendars WHERE name = ?2",
        )?
        .execute(params![columns::count(batch.index), name])?;
    if kept == 0 {
        return Ok(());
    }
    let beyond: Option<i64> = batch
        .conn
        .prepare_cached("SELECT until FROM former_calendars ORDER BY until DESC LIMIT 1 OFFSET ?1")?
        .query_row([columns::count(FORMER_CALENDARS_MAX)], |row| row.get(0))
        .optional()?;
    if let Some(until) = beyond {
        batch
            .conn
            .prepare_cached("DELETE FROM former_calendars WHERE until <= ?1")?
            .execute([until])?;
        let forgotten = columns::to_count(until).to_string();
        settings::set(batch.conn, settings::CALENDARS_FORGOTTEN, &forgotten)?;
    }
    Ok(())
}

/// Remembers the release of the time zone rules that next due times are computed with from now on.
pub(super) fn note_zone_rules(
    batch: &Batch<'_>,
    release: &str,
    since: Timestamp,
) -> Result<(), StoreError> {
    batch
        .conn
        .prepare_cached("INSERT INTO zone_rules (number, release, since) VALUES (?1, ?2, ?3)")?
        .execute(params![
            columns::count(batch.index),
            release,
            columns::at(since)
        ])?;
    batch
        .conn
        .prepare_cached(
            "DELETE FROM zone_rules WHERE number <= \
             (SELECT number FROM zone_rules ORDER BY number DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([columns::count(ZONE_RULES_MAX)])?;
    Ok(())
}
