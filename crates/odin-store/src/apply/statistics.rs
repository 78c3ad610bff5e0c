//! Counts what jobs do. Counts of a batch are added up in memory and written once at its end. What is written then is a
//! function of the counts alone, in whatever batches they came: hours, joined into days by the newest hour.

use std::collections::BTreeMap;

use jiff::Timestamp;
use odin_model::run::RunState;
use odin_model::statistics::{
    HOURLY_DAYS, STATISTICS_DAYS, Statistics, TypicalDuration, ends_by_itself,
};
use odin_model::{JobId, Lane, Outcome, codec};
use rusqlite::{Connection, OptionalExtension, params};

use super::Batch;
use super::ledger::Entry;
use super::run::RunRow;
use crate::statistics::{Scope, TYPICAL_DAYS, decode, of_scope};
use crate::{StoreError, columns};

const HOURS_A_DAY: i64 = 24;

/// What this batch has counted, by scope and hour.
pub(crate) type Counted = BTreeMap<(Scope, i64), Statistics>;

/// The hour of an instant, from 1970.
pub(crate) fn hour_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(3600)
}

/// The first hour of its day.
fn day_of(hour: i64) -> i64 {
    hour.div_euclid(HOURS_A_DAY) * HOURS_A_DAY
}

/// Counts due times that were decided.
pub(super) fn decided(batch: &mut Batch<'_>, entry: &Entry) -> Result<(), StoreError> {
    let hour = hour_of(entry.decided_at);
    count(batch, entry.job, hour, |counts| {
        counts.count_due(entry.outcome, entry.count);
    })
}

/// Counts a run that is over.
pub(super) fn ended(batch: &mut Batch<'_>, run: &RunRow) -> Result<(), StoreError> {
    let (RunState::Finished(outcome), Some(result)) = (run.state, &run.result) else {
        return Ok(());
    };
    let took = took(run, outcome);
    let late = run.started_at.zip(run.due_at);
    let late = late.filter(|_| run.lane == Lane::Live);
    let late = late.map(|(started_at, due_at)| between(due_at, started_at));
    count(batch, run.job, hour_of(result.finished_at), |counts| {
        counts.count_run(outcome);
        if let Some(took) = took {
            counts.durations.add(took);
        }
        if let Some(late) = late {
            counts.lateness.add(late);
        }
    })
}

/// From a run's first start to its end, in microseconds. `None`: it says nothing of how long such runs take.
pub(super) fn took(run: &RunRow, outcome: Outcome) -> Option<u64> {
    let ended = run.result.as_ref().filter(|_| ends_by_itself(outcome))?;
    Some(between(run.started_at?, ended.finished_at))
}

fn between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_micros()).unwrap_or(0)
}

fn count(
    batch: &mut Batch<'_>,
    job: JobId,
    hour: i64,
    add: impl Fn(&mut Statistics),
) -> Result<(), StoreError> {
    let owner: Option<u32> = batch
        .conn
        .prepare_cached("SELECT owner_uid FROM jobs WHERE id = ?1")?
        .query_row([columns::job_id(job)], |row| row.get(0))
        .optional()?;
    let scopes = [
        Some(Scope::Job(job)),
        owner.map(Scope::Owner),
        Some(Scope::All),
    ];
    for scope in scopes.into_iter().flatten() {
        add(batch.counted.entry((scope, hour)).or_default());
    }
    Ok(())
}

/// A removed job's counts go with it; those of its owner and of all stay.
pub(super) fn forget(batch: &mut Batch<'_>, job: JobId) -> Result<(), StoreError> {
    batch
        .counted
        .retain(|(scope, _), _| *scope != Scope::Job(job));
    let (kind, of) = Scope::Job(job).columns();
    batch
        .conn
        .prepare_cached("DELETE FROM statistics WHERE scope = ?1 AND scope_of = ?2")?
        .execute((kind, of))?;
    Ok(())
}

/// How long the job's runs usually take, with what this batch has counted. `None`: none is known. Whole days: which of
/// the hours have been joined into their day depends on what batches came.
pub(super) fn typical_duration(
    batch: &Batch<'_>,
    job: JobId,
    at: Timestamp,
) -> Result<Option<TypicalDuration>, StoreError> {
    let today = day_of(hour_of(at));
    let (from, to) = (today - TYPICAL_DAYS * HOURS_A_DAY, today + HOURS_A_DAY - 1);
    let mut counted = of_scope(batch.conn, Scope::Job(job), from, to)?;
    let fresh = (Scope::Job(job), from)..=(Scope::Job(job), to);
    batch
        .counted
        .range(fresh)
        .for_each(|(_, counts)| counted.merge(counts));
    Ok(TypicalDuration::of(&counted))
}

/// Writes what was counted.
pub(crate) fn write(conn: &Connection, counted: &Counted) -> Result<(), StoreError> {
    let mut rest = counted.iter().peekable();
    while let Some(&(&(scope, _), _)) = rest.peek() {
        let of_one = std::iter::from_fn(|| rest.next_if(|((other, _), _)| *other == scope));
        let hours: Vec<_> = of_one.map(|(&(_, hour), counts)| (hour, counts)).collect();
        write_scope(conn, scope, &hours)?;
    }
    Ok(())
}

/// `hours` ascend, and are not empty.
fn write_scope(
    conn: &Connection,
    scope: Scope,
    hours: &[(i64, &Statistics)],
) -> Result<(), StoreError> {
    let (kind, of) = scope.columns();
    let known: Option<i64> = conn
        .prepare_cached(
            "SELECT from_hour + hours - 1 FROM statistics WHERE scope = ?1 AND scope_of = ?2 \
             ORDER BY from_hour DESC LIMIT 1",
        )?
        .query_row((kind, of), |row| row.get(0))
        .optional()?;
    let newest = hours.last().map(|(hour, _)| *hour).max(known).unwrap_or(0);
    let hourly_from = day_of(newest) - HOURLY_DAYS * HOURS_A_DAY;
    let kept_from = day_of(newest) - STATISTICS_DAYS * HOURS_A_DAY;
    for &(hour, counts) in hours.iter().filter(|(hour, _)| *hour >= kept_from) {
        let (from, length) = match hour >= hourly_from {
            true => (hour, 1),
            false => (day_of(hour), HOURS_A_DAY),
        };
        add(conn, (kind, of), from, length, counts)?;
    }
    if known.is_none_or(|known| day_of(known) == day_of(newest)) {
        return Ok(());
    }
    join_hours(conn, (kind, of), hourly_from)?;
    conn.prepare_cached(
        "DELETE FROM statistics WHERE scope = ?1 AND scope_of = ?2 AND from_hour < ?3",
    )?
    .execute((kind, of, kept_from))?;
    Ok(())
}

/// Joins hours before `hourly_from` into their days.
fn join_hours(
    conn: &Connection,
    (kind, of): (i64, i64),
    hourly_from: i64,
) -> Result<(), StoreError> {
    let mut old = conn.prepare_cached(
        "SELECT from_hour, counts FROM statistics \
         WHERE scope = ?1 AND scope_of = ?2 AND from_hour < ?3 AND hours = 1 ORDER BY from_hour",
    )?;
    let rows = old.query_map((kind, of, hourly_from), |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let mut days: BTreeMap<i64, Statistics> = BTreeMap::new();
    for row in rows {
        let (hour, counts) = row?;
        days.entry(day_of(hour))
            .or_default()
            .merge(&decode(&counts)?);
    }
    conn.prepare_cached(
        "DELETE FROM statistics WHERE scope = ?1 AND scope_of = ?2 AND from_hour < ?3 AND hours = 1",
    )?
    .execute((kind, of, hourly_from))?;
    for (day, counts) in days {
        add(conn, (kind, of), day, HOURS_A_DAY, &counts)?;
    }
    Ok(())
}

fn add(
    conn: &Connection,
    (kind, of): (i64, i64),
    from: i64,
    length: i64,
    counts: &Statistics,
) -> Result<(), StoreError> {
    let stored: Option<Vec<u8>> = conn
        .prepare_cached(
            "SELECT counts FROM statistics WHERE scope = ?1 AND scope_of = ?2 AND from_hour = ?3 AND hours = ?4",
        )?
        .query_row((kind, of, from, length), |row| row.get(0))
        .optional()?;
    let bytes = match stored {
        None => codec::encode(counts),
        Some(bytes) => {
            let mut sum = decode(&bytes)?;
            sum.merge(counts);
            codec::encode(&sum)
        }
    };
    conn.prepare_cached(
        "INSERT OR REPLACE INTO statistics (scope, scope_of, from_hour, hours, counts) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![kind, of, from, length, bytes])?;
    Ok(())
}
