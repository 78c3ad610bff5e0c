//! What a run reported last by each name.

use std::collections::BTreeMap;

use odin_model::{AttemptNumber, RunId, ValueKind};
use rusqlite::{Connection, params};

use super::PointRef;
use crate::{KeptValue, StoreError, columns};

/// How far back a run's values are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// To the first of them.
    End,
    /// Until there are so many keys.
    Keys(usize),
    /// Over so many blocks.
    Blocks(u64),
}

/// The value with the highest place of each key that `key_of` makes of a series' id, a value's name and its kind, and how
/// many blocks were passed. A function of the state, so that apply may call it.
pub(crate) fn latest_in<K: Ord>(
    conn: &Connection,
    run: RunId,
    key_of: impl Fn(i64, &str, ValueKind) -> Option<K>,
    until: Until,
) -> Result<(BTreeMap<K, KeptValue>, u64), StoreError> {
    let damaged = || StoreError::damaged("a block of values");
    // CROSS JOIN holds SQLite to this order, in which the latest part comes first, without sorting.
    let mut statement = conn.prepare_cached(
        "SELECT b.attempt, b.part, s.kind, s.name, b.points, s.id \
         FROM value_blocks b INDEXED BY value_blocks_by_run CROSS JOIN value_series s \
         WHERE b.run = ?1 AND s.id = b.series ORDER BY b.attempt DESC, b.part DESC, b.id DESC",
    )?;
    let mut rows = statement.query(params![columns::run_id(run)])?;
    let mut found: BTreeMap<K, ((u32, i64), KeptValue)> = BTreeMap::new();
    let (mut blocks, mut of) = (0, None);
    while let Some(row) = rows.next()? {
        let part: (u32, i64) = (row.get(0)?, row.get(1)?);
        let is_new_part = of.replace(part).is_some_and(|of| of != part);
        let is_enough = match until {
            Until::End => false,
            Until::Keys(count) => is_new_part && found.len() >= count,
            Until::Blocks(count) => blocks >= count,
        };
        if is_enough {
            break;
        }
        blocks += 1;
        let kind = columns::to_value_kind(row.get(2)?)?;
        let name = row.get_ref(3)?.as_str().map_err(|_| damaged())?;
        let series = row.get(5)?;
        let bytes = row.get_ref(4)?.as_blob().map_err(|_| damaged())?;
        for (key, last) in keyed(bytes, (kind, name), |name| key_of(series, name, kind))? {
            let known = found.get(&key);
            // Within a part, blocks are in no order of their numbers.
            let is_later =
                known.is_none_or(|(of, known)| *of == part && last.number > known.number);
            if is_later {
                let value = KeptValue {
                    run,
                    attempt: AttemptNumber(part.0),
                    number: last.number,
                    value: last.value(kind, name)?,
                };
                found.insert(key, (part, value));
            }
        }
    }
    let values = found.into_iter().map(|(key, (_, value))| (key, value));
    Ok((values.collect(), blocks))
}

/// The keys of a block's points, each with the last point that has it.
fn keyed<'b, K: Ord>(
    bytes: &'b [u8],
    (kind, name): (ValueKind, &str),
    key_of: impl Fn(&str) -> Option<K>,
) -> Result<BTreeMap<K, PointRef<'b>>, StoreError> {
    let mut found: BTreeMap<K, PointRef<'b>> = BTreeMap::new();
    if kind == ValueKind::Result {
        // Each has a name of its own.
        for point in PointRef::all(bytes)? {
            if let Some(key) = key_of(&point.value(kind, name)?.name) {
                let latest = found.entry(key).or_insert(point);
                if point.number > latest.number {
                    *latest = point;
                }
            }
        }
        return Ok(found);
    }
    let Some(key) = key_of(name) else {
        return Ok(found);
    };
    let mut last: Option<PointRef<'b>> = None;
    PointRef::each(bytes, |point| {
        if last.is_none_or(|last| point.number > last.number) {
            last = Some(point);
        }
    })?;
    found.extend(last.map(|last| (key, last)));
    Ok(found)
}
