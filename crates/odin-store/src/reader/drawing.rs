//! What a series looks like: a few hundred stretches of time with the extremes and ends of each, from however many
//! points.

use std::ops::Range;

use jiff::Timestamp;
use odin_model::instant::{from_micros, to_micros};
use rusqlite::{Connection, params};

use super::Reader;
use super::values::{SeriesQuery, series_of};
use crate::values::{Cell, LEVELS, PointRef, SLOT_BITS, cell_rows, level_for, slot_of, width_of};
use crate::{StoreError, columns};

/// How many points are read one by one for one drawing. Where a stretch has more, it is drawn from the finest cells.
const POINTS_READ_MAX: u64 = 1_000_000;

/// A stretch of time that has numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// How many numbers it has.
    pub count: u64,
    /// The smallest, and when that was.
    pub min: (f64, Timestamp),
    /// The largest.
    pub max: (f64, Timestamp),
    /// The first.
    pub first: (f64, Timestamp),
    /// The last.
    pub last: (f64, Timestamp),
}

impl From<Cell> for Bucket {
    fn from(cell: Cell) -> Self {
        let at = |(number, micros)| (number, from_micros(micros));
        Self {
            count: cell.count,
            min: at(cell.min),
            max: at(cell.max),
            first: at(cell.first),
            last: at(cell.last),
        }
    }
}

impl Reader {
    /// The numbers of a job by one name, in at most `buckets_max` stretches of time, those without any left out. No
    /// extreme is lost, whatever the number of points.
    ///
    /// Text and JSON have no numbers, and numbers that are not finite are left out.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn drawing(
        &self,
        query: &SeriesQuery<'_>,
        buckets_max: u32,
    ) -> Result<Vec<Bucket>, StoreError> {
        self.pool.ask(|conn| {
            for (series, _) in series_of(conn, query)? {
                let (from, to) = (to_micros(query.from), to_micros(query.to));
                let Some((from, to)) = extent(conn, series, from, to)? else {
                    continue;
                };
                return Ok(draw(conn, series, (from, to), buckets_max)?
                    .into_iter()
                    .map(Bucket::from)
                    .collect());
            }
            Ok(Vec::new())
        })
    }
}

/// The part of a stretch, in microseconds, between the first and the last number of a series.
fn extent(
    conn: &Connection,
    series: i64,
    from: i64,
    to: i64,
) -> Result<Option<(i64, i64)>, StoreError> {
    let coarsest = LEVELS[LEVELS.len() - 1];
    let mut statement = conn.prepare_cached(
        "SELECT min(first_at), max(last_at) FROM value_cells WHERE series = ?1 AND level = ?2",
    )?;
    let ends = statement.query_row(params![series, coarsest], |row| {
        Ok((row.get::<_, Option<i64>>(0)?, row.get::<_, Option<i64>>(1)?))
    })?;
    let (Some(first), Some(last)) = ends else {
        return Ok(None);
    };
    let (from, to) = (from.max(first), to.min(last));
    Ok((from <= to).then_some((from, to)))
}

fn draw(
    conn: &Connection,
    series: i64,
    (from, to): (i64, i64),
    buckets_max: u32,
) -> Result<Vec<Cell>, StoreError> {
    let buckets = i64::from(buckets_max.max(1));
    let length = to.saturating_sub(from).saturating_add(1);
    let level = level_for(length, (buckets / 4).max(1));
    let level = match level {
        None if is_crowded(conn, series, from, to)? => Some(LEVELS[0]),
        level => level,
    };
    let mut drawing = Drawing {
        conn,
        series,
        from,
        width: length / buckets + i64::from(length % buckets != 0),
        place: 0,
        within: 0..0,
        cells: vec![None; usize::try_from(buckets).unwrap_or(1)],
    };
    match level {
        Some(level) => drawing.take_cells(level, from, to)?,
        None => drawing.take_points(from, to)?,
    }
    Ok(drawing.cells.into_iter().flatten().collect())
}

/// Whether a stretch has more points than are read one by one.
fn is_crowded(conn: &Connection, series: i64, from: i64, to: i64) -> Result<bool, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT ifnull(sum(count), 0) FROM value_cells WHERE series = ?1 AND level = ?2 AND slot BETWEEN ?3 AND ?4",
    )?;
    let slots = params![series, LEVELS[0], slot_of(from), slot_of(to)];
    let count = statement.query_row(slots, |row| row.get(0))?;
    Ok(columns::to_count(count) > POINTS_READ_MAX)
}

struct Drawing<'d> {
    conn: &'d Connection,
    series: i64,
    from: i64,
    /// Of one bucket, in microseconds.
    width: i64,
    /// The bucket that was added to last, and the instants that are in it: most points are in that of the point before.
    place: usize,
    within: Range<i64>,
    cells: Vec<Option<Cell>>,
}

impl Drawing<'_> {
    fn add(&mut self, at: i64, cell: &Cell) {
        if !self.within.contains(&at) {
            let place = ((at - self.from) / self.width).max(0);
            let start = self.from + place * self.width;
            self.within = start..start.saturating_add(self.width);
            let last = self.cells.len() - 1;
            self.place = usize::try_from(place).map_or(last, |place| place.min(last));
        }
        Cell::merge(&mut self.cells[self.place], cell);
    }

    /// Takes the cells that lie in the stretch whole, and what is left at both ends from finer ones.
    fn take_cells(&mut self, level: u32, from: i64, to: i64) -> Result<(), StoreError> {
        let bits = SLOT_BITS + level;
        let first = ((from - 1) >> bits) + 1;
        let after = (to.saturating_add(1)) >> bits;
        if first >= after {
            return self.take_finer(level, from, to);
        }
        let start = first << bits;
        if from < start {
            self.take_finer(level, from, start - 1)?;
        }
        cell_rows::each(self.conn, self.series, level, first..after, |slot, cell| {
            self.add(slot << bits, &cell);
        })?;
        let end = after << bits;
        if end <= to {
            self.take_finer(level, end, to)?;
        }
        Ok(())
    }

    fn take_finer(&mut self, level: u32, from: i64, to: i64) -> Result<(), StoreError> {
        let finer = LEVELS.iter().rev().find(|finer| **finer < level);
        match finer {
            Some(finer) => self.take_cells(*finer, from, to),
            None if is_crowded(self.conn, self.series, from, to)? => {
                self.take_whole_slots(from, to)
            }
            None => self.take_points(from, to),
        }
    }

    /// What is in the slots of a stretch, though they reach beyond it by up to 16.8 seconds: they have too many points
    /// to be read.
    fn take_whole_slots(&mut self, from: i64, to: i64) -> Result<(), StoreError> {
        let width = width_of(LEVELS[0]);
        let (first, last) = (slot_of(from) * width, slot_of(to) * width + width - 1);
        self.take_cells(LEVELS[0], first, last)
    }

    fn take_points(&mut self, from: i64, to: i64) -> Result<(), StoreError> {
        let mut statement = self.conn.prepare_cached(
            "SELECT points FROM value_blocks INDEXED BY value_blocks_by_series \
             WHERE series = ?1 AND slot BETWEEN ?2 AND ?3 ORDER BY slot, id",
        )?;
        let mut rows = statement.query(params![self.series, slot_of(from), slot_of(to)])?;
        while let Some(row) = rows.next()? {
            let bytes = row.get_ref(0)?.as_blob();
            let bytes = bytes.map_err(|_| StoreError::damaged("a block of values"))?;
            PointRef::each(bytes, |point| {
                if let Some(number) = point.drawn()
                    && (from..=to).contains(&point.micros)
                {
                    self.add(point.micros, &Cell::of(number, point.micros));
                }
            })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use odin_model::{AttemptNumber, Command, ValueKind, instant};
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::{Scenario, deploy, number_at, part_of};

    /// What the drawing must be made of: every number within the stretch.
    fn check_against_all(points: &[(i64, i32)], from: i64, to: i64, buckets: u32) {
        let mut scenario = Scenario::with_node();
        let job = scenario.deploy(deploy("nightly"));
        let run = scenario.run_of(job, 1);
        let mut at = 0;
        for part in points.chunks(7) {
            let values = part
                .iter()
                .map(|&(micros, number)| number_at("n", instant::from_micros(micros), number))
                .collect();
            let part = part_of(run, at, at + 10, values);
            scenario.apply(&Command::Values(odin_model::value::ReportValues {
                parts: vec![part],
            }));
            at += 10;
        }
        let reader = scenario.store.reader();
        assert_eq!(reader.values_up_to(run, AttemptNumber::FIRST).unwrap(), at);
        let query = SeriesQuery {
            job,
            name: "n",
            kind: Some(ValueKind::Watch),
            from: instant::from_micros(from),
            to: instant::from_micros(to),
        };
        let drawn = reader.drawing(&query, buckets).unwrap();
        let inside: Vec<_> = points
            .iter()
            .filter(|(micros, _)| (from..=to).contains(micros))
            .collect();
        assert!(drawn.len() <= buckets as usize);
        let count: u64 = drawn.iter().map(|bucket| bucket.count).sum();
        assert_eq!(count, inside.len() as u64, "{drawn:?}");
        let least = |pick: fn(&Bucket) -> f64| drawn.iter().map(pick).reduce(f64::min);
        let most = |pick: fn(&Bucket) -> f64| drawn.iter().map(pick).reduce(f64::max);
        let numbers = || inside.iter().map(|(_, number)| f64::from(*number));
        assert_eq!(least(|it| it.min.0), numbers().reduce(f64::min));
        assert_eq!(most(|it| it.max.0), numbers().reduce(f64::max));
        let firsts: Vec<_> = drawn.iter().map(|bucket| bucket.first.1).collect();
        assert!(firsts.is_sorted(), "{firsts:?}");
        let micros = |at: Timestamp| to_micros(at);
        assert_eq!(
            drawn.first().map(|it| micros(it.first.1)),
            inside.iter().map(|(at, _)| *at).min()
        );
        assert_eq!(
            drawn.iter().map(|it| micros(it.last.1)).max(),
            inside.iter().map(|(at, _)| *at).max()
        );
    }

    /// Instants from within a second to years apart: every level is used.
    fn micros() -> impl Strategy<Value = i64> {
        (0u32..48, 0i64..1 << 20)
            .prop_map(|(bits, low)| 1_800_000_000_000_000 + (low << bits >> 20) + (1i64 << bits))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_drawing_has_every_extreme_and_both_ends_of_any_stretch(
            points in proptest::collection::vec((micros(), any::<i32>()), 1..60),
            ends in (micros(), micros()),
            buckets in 1u32..40,
        ) {
            check_against_all(&points, ends.0.min(ends.1), ends.0.max(ends.1), buckets);
        }
    }
}
