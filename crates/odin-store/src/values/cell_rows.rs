//! The rows of cells.

use std::ops::Range;

use rusqlite::{Connection, Row, params};

use super::Cell;
use crate::{StoreError, columns};

/// Adds numbers to the cell of that place.
pub(crate) fn add(
    conn: &Connection,
    series: i64,
    level: u32,
    slot: i64,
    cell: &Cell,
) -> Result<(), StoreError> {
    conn.prepare_cached(
        "INSERT INTO value_cells (series, level, slot, count, min, min_at, max, max_at, first, first_at, last, last_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) \
         ON CONFLICT (series, level, slot) DO UPDATE SET count = count + excluded.count, \
         min_at = CASE WHEN excluded.min < min THEN excluded.min_at \
         WHEN excluded.min = min THEN min(min_at, excluded.min_at) ELSE min_at END, min = min(min, excluded.min), \
         max_at = CASE WHEN excluded.max > max THEN excluded.max_at \
         WHEN excluded.max = max THEN min(max_at, excluded.max_at) ELSE max_at END, max = max(max, excluded.max), \
         first = iif(excluded.first_at < first_at, excluded.first, first), first_at = min(first_at, excluded.first_at), \
         last = iif(excluded.last_at >= last_at, excluded.last, last), last_at = max(last_at, excluded.last_at)",
    )?
    .execute(params![
        series,
        level,
        slot,
        columns::count(cell.count),
        cell.min.0,
        cell.min.1,
        cell.max.0,
        cell.max.1,
        cell.first.0,
        cell.first.1,
        cell.last.0,
        cell.last.1,
    ])?;
    Ok(())
}

/// Removes the cell of that place. `false`: there was none.
pub(super) fn remove(
    conn: &Connection,
    series: i64,
    level: u32,
    slot: i64,
) -> Result<bool, StoreError> {
    let mut statement = conn
        .prepare_cached("DELETE FROM value_cells WHERE series = ?1 AND level = ?2 AND slot = ?3")?;
    Ok(statement.execute(params![series, level, slot])? > 0)
}

/// Shows the cells of a level in these slots with their slots, in the order of time.
pub(crate) fn each(
    conn: &Connection,
    series: i64,
    level: u32,
    slots: Range<i64>,
    mut take: impl FnMut(i64, Cell),
) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT slot, count, min, min_at, max, max_at, first, first_at, last, last_at FROM value_cells \
         WHERE series = ?1 AND level = ?2 AND slot >= ?3 AND slot < ?4 ORDER BY slot",
    )?;
    let mut rows = statement.query(params![series, level, slots.start, slots.end])?;
    while let Some(row) = rows.next()? {
        take(row.get(0)?, read(row)?);
    }
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Cell, StoreError> {
    Ok(Cell {
        count: columns::to_count(row.get(1)?),
        min: (row.get(2)?, row.get(3)?),
        max: (row.get(4)?, row.get(5)?),
        first: (row.get(6)?, row.get(7)?),
        last: (row.get(8)?, row.get(9)?),
    })
}
