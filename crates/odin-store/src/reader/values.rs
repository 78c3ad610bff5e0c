//! Values: of a run in the order of its reports, of a job's series in the order of time, and what they look like.

use jiff::Timestamp;
use odin_model::instant::to_micros;
use odin_model::reported_result::ReportedResult;
use odin_model::{AttemptNumber, JobId, RunId, Value, ValueKind, codec};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::Reader;
use crate::values::{PointRef, slot_of};
use crate::{StoreError, columns};

/// A value with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptValue {
    /// Which run reported it.
    pub run: RunId,
    /// Which process of the run.
    pub attempt: AttemptNumber,
    /// Counts the attempt's values from 0.
    pub number: u64,
    /// What was reported.
    pub value: Value,
}

/// What a job reports by one name and kind; or its results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// How many values it has.
    pub count: u64,
    /// The latest by its instant. Its name and kind are the series', but of a result, whose name is its own.
    pub last: KeptValue,
}

/// A page of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuesPage<K> {
    /// The values in order.
    pub values: Vec<KeptValue>,
    /// The next page begins after this. `None`: this was the last.
    pub next: Option<K>,
}

/// A place among the values of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunPlace {
    /// Which process of the run.
    pub attempt: AttemptNumber,
    /// The number among the attempt's values.
    pub number: u64,
}

/// A place among the values of a series: by time, then by who reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SeriesPlace {
    /// The value's instant.
    pub at: Timestamp,
    /// Which run.
    pub run: RunId,
    /// Which process of the run.
    pub attempt: AttemptNumber,
    /// The number among the attempt's values.
    pub number: u64,
}

/// Which values of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeriesQuery<'a> {
    /// Which job.
    pub job: JobId,
    /// The name of the series; of results, empty.
    pub name: &'a str,
    /// The kind. `None`: any that has the name.
    pub kind: Option<ValueKind>,
    /// From this instant on.
    pub from: Timestamp,
    /// Up to this instant, which is included.
    pub to: Timestamp,
}

impl Reader {
    /// Where in an attempt's file the next part begins: everything before it is applied.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn values_up_to(&self, run: RunId, attempt: AttemptNumber) -> Result<u64, StoreError> {
        self.pool.ask(|state| {
            let applied = self.of_run(state, run, |conn| {
                let mut statement = conn.prepare_cached(
                    "SELECT applied FROM value_cursors WHERE run = ?1 AND attempt = ?2",
                )?;
                let applied =
                    statement.query_row(params![columns::run_id(run), attempt.0], |row| row.get(0));
                Ok(applied.optional()?)
            })?;
            Ok(applied.map_or(0, columns::to_count))
        })
    }

    /// The result that an attempt reported; its latest.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn reported_result(
        &self,
        run: RunId,
        attempt: AttemptNumber,
    ) -> Result<Option<ReportedResult>, StoreError> {
        self.pool.ask(|state| {
            let bytes = self.of_run(state, run, |conn| {
                let mut statement = conn.prepare_cached(
                    "SELECT result FROM value_cursors WHERE run = ?1 AND attempt = ?2 AND result IS NOT NULL",
                )?;
                let bytes = statement
                    .query_row(params![columns::run_id(run), attempt.0], |row| row.get::<_, Vec<u8>>(0));
                Ok(bytes.optional()?)
            })?;
            Ok(match bytes {
                Some(bytes) => Some(codec::decode(&bytes)?),
                None => None,
            })
        })
    }

    /// Up to `limit` series of a job, by name and kind, after this one. The next page begins after the last one's.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn series(
        &self,
        job: JobId,
        after: Option<(&str, ValueKind)>,
        limit: usize,
    ) -> Result<Vec<Series>, StoreError> {
        let (name, kind) = match after {
            Some((name, kind)) => (Some(name), columns::value_kind(kind)),
            None => (None, 0),
        };
        self.pool.ask(|conn| {
            let mut statement = conn.prepare_cached(
                "SELECT name, kind, count, last_run, last_attempt, last FROM value_series \
                 WHERE job = ?1 AND (name, kind) > (ifnull(?2, ''), iif(?2 IS NULL, -1, ?3)) \
                 ORDER BY name, kind LIMIT ?4",
            )?;
            let rows = statement.query_map(
                params![columns::job_id(job), name, kind, columns::limit(limit)],
                |row| Ok(read_series(row)),
            )?;
            rows.map(|row| row?).collect()
        })
    }

    /// Up to `limit` values of a run after this place, in the order in which they were reported; of one name where
    /// one is given.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn values_of_run(
        &self,
        run: RunId,
        name: Option<&str>,
        after: Option<RunPlace>,
        limit: usize,
    ) -> Result<ValuesPage<RunPlace>, StoreError> {
        self.pool
            .ask(|conn| of_run(conn, run, name, after, limit.max(1)))
    }

    /// Up to `limit` values of a job by one name after this place, in the order of time.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn values_of_series(
        &self,
        query: &SeriesQuery<'_>,
        after: Option<SeriesPlace>,
        limit: usize,
    ) -> Result<ValuesPage<SeriesPlace>, StoreError> {
        self.pool.ask(|conn| {
            let limit = limit.max(1);
            let mut values = Vec::new();
            for (series, kind) in series_of(conn, query)? {
                values.extend(of_series(conn, series, kind, query, after, limit + 1)?);
            }
            values.sort_unstable_by_key(place_of);
            let more = values.len() > limit;
            values.truncate(limit);
            let next = values.last().filter(|_| more).map(place_of);
            Ok(ValuesPage { values, next })
        })
    }
}

/// The series that a query is of, with their kinds, in the order of those.
pub(super) fn series_of(
    conn: &Connection,
    query: &SeriesQuery<'_>,
) -> Result<Vec<(i64, ValueKind)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, kind FROM value_series WHERE job = ?1 AND name = ?2 ORDER BY kind",
    )?;
    let rows = statement.query_map(params![columns::job_id(query.job), query.name], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (series, kind) = row?;
        let kind = columns::to_value_kind(kind)?;
        if query.kind.is_none_or(|wanted| wanted == kind) {
            found.push((series, kind));
        }
    }
    Ok(found)
}

fn place_of(kept: &KeptValue) -> SeriesPlace {
    SeriesPlace {
        at: kept.value.at,
        run: kept.run,
        attempt: kept.attempt,
        number: kept.number,
    }
}

fn read_series(row: &Row<'_>) -> Result<Series, StoreError> {
    let name: String = row.get(0)?;
    let kind = columns::to_value_kind(row.get(1)?)?;
    let bytes: Vec<u8> = row.get(5)?;
    let points = PointRef::all(&bytes)?;
    let [point] = points[..] else {
        return Err(StoreError::damaged("the latest value of a series"));
    };
    Ok(Series {
        count: columns::to_count(row.get(2)?),
        last: KeptValue {
            run: columns::to_run_id(row.get(3)?),
            attempt: AttemptNumber(row.get(4)?),
            number: point.number,
            value: point.value(kind, &name)?,
        },
    })
}

fn of_run(
    conn: &Connection,
    run: RunId,
    name: Option<&str>,
    after: Option<RunPlace>,
    limit: usize,
) -> Result<ValuesPage<RunPlace>, StoreError> {
    let id = columns::run_id(run);
    // The part that the place is in: what follows it there comes first.
    let (attempt, part): (u32, i64) = match after {
        None => (0, 0),
        Some(after) => {
            let sql =
                "SELECT max(part) FROM value_blocks WHERE run = ?1 AND attempt = ?2 AND part <= ?3";
            let part: Option<i64> = conn.prepare_cached(sql)?.query_row(
                params![id, after.attempt.0, columns::count(after.number)],
                |row| row.get(0),
            )?;
            (after.attempt.0, part.unwrap_or(0))
        }
    };
    let mut statement = conn.prepare_cached(
        "SELECT b.attempt, b.part, s.kind, s.name, b.points \
         FROM value_blocks b INDEXED BY value_blocks_by_run JOIN value_series s ON s.id = b.series \
         WHERE b.run = ?1 AND (b.attempt, b.part) >= (?2, ?3) ORDER BY b.attempt, b.part, b.id",
    )?;
    let mut rows = statement.query(params![id, attempt, part])?;
    let (mut values, mut in_part, mut of) = (Vec::new(), Vec::new(), None);
    while let Some(row) = rows.next()? {
        let place = (AttemptNumber(row.get(0)?), row.get::<_, i64>(1)?);
        if of.replace(place).is_some_and(|of| of != place) {
            take_part(&mut values, &mut in_part);
            if values.len() > limit {
                break;
            }
        }
        let named: String = row.get(3)?;
        let kind = columns::to_value_kind(row.get(2)?)?;
        if name.is_some_and(|name| kind.series_name(name) != named) {
            continue;
        }
        for point in PointRef::all(row.get_ref(4)?.as_blob().map_err(|_| damaged())?)? {
            let number = point.number;
            let here = RunPlace {
                attempt: place.0,
                number,
            };
            if after.is_some_and(|after| here <= after) {
                continue;
            }
            let value = point.value(kind, &named)?;
            if name.is_none_or(|name| name == value.name) {
                in_part.push(KeptValue {
                    run,
                    attempt: place.0,
                    number,
                    value,
                });
            }
        }
    }
    take_part(&mut values, &mut in_part);
    let more = values.len() > limit;
    values.truncate(limit);
    let last = values.last().map(|last| RunPlace {
        attempt: last.attempt,
        number: last.number,
    });
    Ok(ValuesPage {
        values,
        next: last.filter(|_| more),
    })
}

fn damaged() -> StoreError {
    StoreError::damaged("a block of values")
}

/// What one command brought is in a block for each series: in order again.
fn take_part(values: &mut Vec<KeptValue>, in_part: &mut Vec<KeptValue>) {
    in_part.sort_unstable_by_key(|kept| kept.number);
    values.append(in_part);
}

/// Values of one series after a place, at least `enough` of them if there are as many, in order.
fn of_series(
    conn: &Connection,
    series: i64,
    kind: ValueKind,
    query: &SeriesQuery<'_>,
    after: Option<SeriesPlace>,
    enough: usize,
) -> Result<Vec<KeptValue>, StoreError> {
    let (from, to) = (to_micros(query.from), to_micros(query.to));
    let from = after.map_or(from, |after| from.max(to_micros(after.at)));
    let mut statement = conn.prepare_cached(
        "SELECT slot, run, attempt, points FROM value_blocks INDEXED BY value_blocks_by_series \
         WHERE series = ?1 AND slot BETWEEN ?2 AND ?3 ORDER BY slot, id",
    )?;
    let mut rows = statement.query(params![series, slot_of(from), slot_of(to)])?;
    let (mut values, mut slot): (Vec<KeptValue>, Option<i64>) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let here: i64 = row.get(0)?;
        // Slots follow one another in time: what is there is complete.
        if slot.replace(here).is_some_and(|slot| slot != here) && values.len() >= enough {
            break;
        }
        let run = columns::to_run_id(row.get(1)?);
        let attempt = AttemptNumber(row.get(2)?);
        for point in PointRef::all(row.get_ref(3)?.as_blob().map_err(|_| damaged())?)? {
            if point.micros < from || point.micros > to {
                continue;
            }
            let kept = KeptValue {
                run,
                attempt,
                number: point.number,
                value: point.value(kind, query.name)?,
            };
            if after.is_none_or(|after| place_of(&kept) > after) {
                values.push(kept);
            }
        }
    }
    values.sort_unstable_by_key(place_of);
    Ok(values)
}
