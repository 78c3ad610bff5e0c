//! What runs reported goes, as if they had never reported it.

use std::collections::{BTreeMap, BTreeSet};

use odin_model::{RunId, ValueKind};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Block, Cell, LEVELS, Point, PointRef, cell_rows};
use crate::{StoreError, columns};

/// What goes from one series.
#[derive(Default)]
struct Touched {
    slots: BTreeSet<i64>,
    /// How many values go.
    count: i64,
}

/// What went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Removed {
    /// How many values.
    pub(crate) values: u64,
    /// How many of the runs, from the first on, have none left.
    pub(crate) runs: usize,
}

/// Removes what these runs reported, in the order in which they are named and at most so many blocks. Cells and series
/// are then what they would be had what went never been reported: extremes that only it had are gone, the latest value
/// of a name is the latest of those that are left, and a name that has no value left is gone. What later runs are held
/// to stays as long as its name, and what was found unusual about these runs goes. How far the runs' files were taken, and
/// the results that decided their outcomes, stay (`value_cursors`).
///
/// A function of the state and of its arguments, so that apply may call it. It reads what is left in each 16.8 seconds of
/// which a block goes.
pub(crate) fn remove_of_runs(
    conn: &Connection,
    runs: &[RunId],
    blocks_max: usize,
) -> Result<Removed, StoreError> {
    let mut touched = BTreeMap::<i64, Touched>::new();
    let mut removed = Removed::default();
    let mut room = blocks_max;
    for run in runs {
        let gone = remove_blocks(conn, *run, room, &mut touched)?;
        room -= gone;
        if room == 0 {
            break;
        }
        removed.runs += 1;
    }
    for (series, touched) in touched {
        removed.values += columns::to_count(touched.count);
        compute_cells(conn, series, touched.slots)?;
        compute_series(conn, series, touched.count, runs)?;
    }
    Ok(removed)
}

/// Removes blocks of a run, at most so many, in the order in which they came; how many went.
fn remove_blocks(
    conn: &Connection,
    run: RunId,
    room: usize,
    touched: &mut BTreeMap<i64, Touched>,
) -> Result<usize, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, series, slot, count FROM value_blocks INDEXED BY value_blocks_by_run WHERE run = ?1 \
         ORDER BY attempt, part, id LIMIT ?2",
    )?;
    let mut rows = statement.query((columns::run_id(run), columns::limit(room)))?;
    let mut gone: Vec<i64> = Vec::new();
    while let Some(row) = rows.next()? {
        gone.push(row.get(0)?);
        let series = touched.entry(row.get(1)?).or_default();
        series.slots.insert(row.get(2)?);
        series.count += row.get::<_, i64>(3)?;
    }
    let mut delete = conn.prepare_cached("DELETE FROM value_blocks WHERE id = ?1")?;
    for id in &gone {
        delete.execute([id])?;
    }
    conn.prepare_cached("DELETE FROM run_flags WHERE run = ?1")?
        .execute([columns::run_id(run)])?;
    Ok(gone.len())
}

/// Makes the cells above these slots anew: the finest from what is left of the blocks, each other from those below it.
fn compute_cells(
    conn: &Connection,
    series: i64,
    mut slots: BTreeSet<i64>,
) -> Result<(), StoreError> {
    // Where there is no cell nothing is drawn, be it that it has no number or that its series is none to draw.
    let mut drawn = BTreeSet::new();
    for slot in slots {
        if cell_rows::remove(conn, series, LEVELS[0], slot)? {
            drawn.insert(slot);
            if let Some(cell) = cell_of_blocks(conn, series, slot)? {
                cell_rows::add(conn, series, LEVELS[0], slot, &cell)?;
            }
        }
    }
    slots = drawn;
    for pair in LEVELS.windows(2) {
        let (finer, level) = (pair[0], pair[1]);
        let bits = level - finer;
        slots = slots.into_iter().map(|slot| slot >> bits).collect();
        for &slot in &slots {
            cell_rows::remove(conn, series, level, slot)?;
            let below = slot << bits..(slot + 1) << bits;
            let mut whole = None;
            cell_rows::each(conn, series, finer, below, |_, cell| {
                Cell::merge(&mut whole, &cell);
            })?;
            if let Some(cell) = whole {
                cell_rows::add(conn, series, level, slot, &cell)?;
            }
        }
    }
    Ok(())
}

fn cell_of_blocks(conn: &Connection, series: i64, slot: i64) -> Result<Option<Cell>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT points FROM value_blocks INDEXED BY value_blocks_by_series \
         WHERE series = ?1 AND slot = ?2 ORDER BY id",
    )?;
    let mut rows = statement.query([series, slot])?;
    let mut whole = None;
    while let Some(row) = rows.next()? {
        PointRef::each(points(row.get_ref(0)?)?, |point| {
            if let Some(number) = point.drawn() {
                Cell::merge(&mut whole, &Cell::of(number, point.micros));
            }
        })?;
    }
    Ok(whole)
}

fn points(column: rusqlite::types::ValueRef<'_>) -> Result<&[u8], StoreError> {
    let bytes = column.as_blob();
    bytes.map_err(|_| StoreError::damaged("a block of values"))
}

/// Takes so many values off a series, and finds its latest where that went.
fn compute_series(
    conn: &Connection,
    series: i64,
    removed: i64,
    runs: &[RunId],
) -> Result<(), StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT count, last_run FROM value_series WHERE id = ?1")?;
    let found = statement.query_row([series], |row| {
        Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?))
    });
    let Some((count, last_run)) = found.optional()? else {
        return Err(StoreError::damaged("a block of values"));
    };
    if count <= removed {
        for sql in [
            "DELETE FROM value_series WHERE id = ?1",
            "DELETE FROM value_histories WHERE series = ?1",
        ] {
            conn.prepare_cached(sql)?.execute([series])?;
        }
        return Ok(());
    }
    conn.prepare_cached("UPDATE value_series SET count = ?2 WHERE id = ?1")?
        .execute([series, count - removed])?;
    if runs.contains(&columns::to_run_id(last_run)) {
        find_latest(conn, series)?;
    }
    Ok(())
}

fn find_latest(conn: &Connection, series: i64) -> Result<(), StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT run, attempt, points FROM value_blocks INDEXED BY value_blocks_by_series WHERE series = ?1 \
         AND slot = (SELECT max(slot) FROM value_blocks WHERE series = ?1) ORDER BY id",
    )?;
    let mut rows = statement.query([series])?;
    let mut latest: Option<(i64, i64, i64, Vec<u8>)> = None;
    while let Some(row) = rows.next()? {
        let all = PointRef::all(points(row.get_ref(2)?)?)?;
        // Of several at one instant it is the last that came, as it is when they come.
        let Some(last) = all.into_iter().max_by_key(|point| point.micros) else {
            continue;
        };
        if latest.as_ref().is_some_and(|it| it.0 > last.micros) {
            continue;
        }
        // The kind is the series', and so is the name, but of a result, which keeps its own.
        let value = last.value(ValueKind::Result, "")?;
        let mut block = Block::new();
        block.push(&Point {
            number: last.number,
            value: &value,
        });
        latest = Some((last.micros, row.get(0)?, row.get(1)?, block.finish()));
    }
    let Some((at, run, attempt, block)) = latest else {
        return Err(StoreError::damaged("the count of a series"));
    };
    conn.prepare_cached(
        "UPDATE value_series SET last_at = ?2, last_run = ?3, last_attempt = ?4, last = ?5 WHERE id = ?1",
    )?
    .execute(params![series, at, run, attempt, block])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use odin_model::value::ReportValues;
    use odin_model::{Command, Missed, Overlap, Value, ValueData, instant};
    use proptest::prelude::*;

    use super::*;
    use crate::scenario::{Scenario, number_at, part_of, watched};

    /// What one of three runs says at a time: a number, or a text in place of 0.
    type Said = (usize, usize, i64, i32);

    const NAMES: [&str; 2] = ["price", "rows"];

    fn value((_, name, micros, number): Said) -> Value {
        let (name, at) = (NAMES[name], instant::from_micros(micros));
        match number {
            0 => watched(name, at, ValueData::Text("none".to_owned())),
            number => number_at(name, at, number),
        }
    }

    /// Everything about values by what it is of, for ids differ.
    fn all_of(scenario: &Scenario) -> Vec<String> {
        let conn = scenario.store.connection();
        let mut lines = Vec::new();
        for sql in [
            "SELECT name, kind, count, last_at, last_run, last_attempt, hex(last) FROM value_series ORDER BY name, kind",
            "SELECT s.name, b.slot, b.run, b.attempt, b.part, b.count, hex(b.points) \
             FROM value_blocks b JOIN value_series s ON s.id = b.series ORDER BY b.id",
            "SELECT s.name, c.level, c.slot, c.count, min, min_at, max, max_at, first, first_at, last_c, c.last_at \
             FROM (SELECT *, last AS last_c FROM value_cells) c JOIN value_series s ON s.id = c.series \
             ORDER BY s.name, c.level, c.slot",
            "SELECT count(*) FROM value_cells",
        ] {
            let mut statement = conn.prepare(sql).unwrap();
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                let shown = |column| row.get_ref(column).map(|it| format!("{it:?}"));
                let shown: rusqlite::Result<Vec<_>> = (0..columns).map(shown).collect();
                Ok(shown?.join(" "))
            });
            lines.extend(rows.unwrap().map(Result::unwrap));
        }
        lines
    }

    /// A state in which only these of three runs have reported.
    fn reported(said: &[Said], of: &[usize]) -> (Scenario, Vec<RunId>) {
        let mut scenario = Scenario::with_node();
        let job = scenario.job_with("nightly", Overlap::Allow, Missed::Once);
        let runs: Vec<_> = (1..=3).map(|at| scenario.run_of(job, at)).collect();
        let mut upto = [0; 3];
        for command in said.chunks(5) {
            let of_command = |run: usize| command.iter().filter(move |it| it.0 == run).copied();
            let parts = of
                .iter()
                .map(|&run| {
                    let from = upto[run];
                    upto[run] += 10;
                    part_of(
                        runs[run],
                        from,
                        from + 10,
                        of_command(run).map(value).collect(),
                    )
                })
                .collect();
            scenario.apply(&Command::Values(ReportValues { parts }));
        }
        (scenario, runs)
    }

    /// Removing the values of some runs leaves what would be there had only the others reported.
    fn check(said: &[Said], gone: &[usize], blocks_max: usize) {
        let rest: Vec<_> = (0..3).filter(|run| !gone.contains(run)).collect();
        let (all, runs) = reported(said, &[0, 1, 2]);
        let gone_runs: Vec<_> = gone.iter().map(|&run| runs[run]).collect();
        let transaction = all.store.connection().unchecked_transaction().unwrap();
        let (mut values, mut left) = (0, &gone_runs[..]);
        while !left.is_empty() {
            let removed = remove_of_runs(&transaction, left, blocks_max).unwrap();
            assert!(removed.values > 0 || removed.runs > 0, "a step further");
            values += removed.values;
            left = &left[removed.runs..];
        }
        transaction.commit().unwrap();
        let expected = said.iter().filter(|it| gone.contains(&it.0)).count();
        assert_eq!(values, expected as u64);
        assert_eq!(all_of(&all), all_of(&reported(said, &rest).0));
    }

    /// Few instants, so that there are ties, in slots of every distance.
    fn micros() -> impl Strategy<Value = i64> {
        (
            prop::sample::select(vec![0u32, 20, 25, 31, 37, 43]),
            0i64..3,
        )
            .prop_map(|(bits, low)| 1_800_000_000_000_000 + (low << bits))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn removing_the_values_of_runs_leaves_what_the_others_reported(
            said in prop::collection::vec((0usize..3, 0usize..2, micros(), -3i32..4), 1..40),
            gone in prop::sample::subsequence(vec![0usize, 1, 2], 1..=3),
            blocks_max in prop::sample::select(vec![1usize, 2, 5, 1000]),
        ) {
            check(&said, &gone, blocks_max);
        }
    }
}
