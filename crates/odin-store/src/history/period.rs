//! Copies the runs of a period out of the state into a file.

use std::io;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::types::Value;

use super::archive::Period;
use super::file::Writer;
use crate::StoreError;
use crate::schema::OF_RUNS;

/// Rows of tables in one block: few enough that one run is found quickly, enough to compress well.
const ROWS_MAX: usize = if cfg!(test) { 2 } else { 256 };
/// A block of wide rows ends at this many bytes.
const ROW_BYTES_MAX: usize = 128 << 10;
/// Rows in a block of a narrow section.
const NUMBERS_MAX: usize = if cfg!(test) { 3 } else { 4096 };
/// Stands for none in a section of numbers.
pub(crate) const NONE: i64 = i64::MIN;

/// What lists walk over: the runs in order of their ids,
pub(crate) const BY_ID: &str = "by_id";
/// and in order of job and id.
pub(crate) const BY_JOB: &str = "by_job";
/// Runs that links started, in order of the run with which their chain began.
pub(crate) const BY_ROOT: &str = "by_root";
/// The columns of the first two: `at` is when the run was due, or else asked for; `output` is how many bytes of it
/// are in files.
const NARROW: [&str; 7] = ["id", "job", "outcome", "cause", "node", "at", "output"];
const NARROW_OF_JOB: [&str; 7] = ["job", "id", "outcome", "cause", "node", "at", "output"];

/// Writes the file of a period, whole and durable, under the name `path`.
pub(crate) fn write(conn: &Connection, period: Period, path: &Path) -> Result<(), StoreError> {
    let mut ids = conn
        .prepare("SELECT id FROM runs INDEXED BY runs_ended WHERE ended > ?1 AND ended <= ?2")?
        .query_map(
            (period.after.cast_signed(), period.upto.cast_signed()),
            |row| row.get(0),
        )?
        .collect::<Result<Vec<i64>, _>>()?;
    ids.sort_unstable();
    let mut writer = Writer::create(path, period.number, period.after, period.upto)?;
    table(conn, &mut writer, ("runs", "id", "id"), &ids)?;
    for (name, order) in OF_RUNS {
        table(conn, &mut writer, (name, "run", order), &ids)?;
    }
    narrow(conn, &mut writer, &ids)?;
    by_root(conn, &mut writer, &ids)?;
    Ok(writer.finish()?)
}

/// The rows of a table that go with these runs.
fn table(
    conn: &Connection,
    writer: &mut Writer,
    (name, key, order): (&str, &str, &str),
    ids: &[i64],
) -> Result<(), StoreError> {
    let sql = format!("SELECT * FROM {name} WHERE {key} = ?1 ORDER BY {order}");
    let mut statement = conn.prepare(&sql)?;
    let columns = statement.column_count();
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    writer.section(name, &names, false);
    let (mut rows, mut bytes) = (Vec::new(), 0);
    for &id in ids {
        let mut found = statement.query([id])?;
        while let Some(row) = found.next()? {
            let values = (0..columns).map(|place| row.get(place));
            let values = values.collect::<Result<Vec<Value>, _>>()?;
            bytes += values.iter().map(length_of).sum::<usize>();
            rows.push(values);
            if rows.len() >= ROWS_MAX || bytes >= ROW_BYTES_MAX {
                writer.rows(&rows)?;
                rows.clear();
                bytes = 0;
            }
        }
    }
    writer.rows(&rows)?;
    Ok(())
}

fn length_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Integer(_) | Value::Real(_) => 8,
        Value::Text(text) => text.len(),
        Value::Blob(bytes) => bytes.len(),
    }
}

/// What lists walk over, in both orders.
fn narrow(conn: &Connection, writer: &mut Writer, ids: &[i64]) -> Result<(), StoreError> {
    let mut statement = conn.prepare(
        "SELECT r.id, r.job, r.outcome, r.cause, r.node, coalesce(r.due_at, r.queued_at), \
         (SELECT o.output FROM run_outputs o WHERE o.run = r.id) FROM runs r WHERE r.id = ?1",
    )?;
    let mut entries = Vec::with_capacity(ids.len());
    for &id in ids {
        entries.push(statement.query_row([id], |row| {
            let number = |place| {
                row.get::<_, Option<i64>>(place)
                    .map(|it| it.unwrap_or(NONE))
            };
            Ok([
                number(0)?,
                number(1)?,
                number(2)?,
                number(3)?,
                number(4)?,
                number(5)?,
                kept_in_files(row.get::<_, Option<Vec<u8>>>(6)?.as_deref()),
            ])
        })?);
    }
    writer.section(BY_ID, &NARROW.map(str::to_owned), true);
    numbers(writer, &entries)?;
    entries.iter_mut().for_each(|entry| entry.swap(0, 1));
    entries.sort_unstable();
    writer.section(BY_JOB, &NARROW_OF_JOB.map(str::to_owned), true);
    numbers(writer, &entries)?;
    Ok(())
}

/// How many bytes of a run's output its node has in files.
pub(crate) fn kept_in_files(output: Option<&[u8]>) -> i64 {
    use odin_model::output::{OutputKept, OutputSummary};
    let Some(Ok(summary)) = output.map(odin_model::codec::decode::<OutputSummary>) else {
        return 0;
    };
    match summary.kept {
        OutputKept::Inline(_) => 0,
        OutputKept::Segments { .. } => {
            let printed = summary.stdout_bytes.saturating_add(summary.stderr_bytes);
            crate::columns::count(printed.saturating_sub(summary.dropped_bytes))
        }
    }
}

fn by_root(conn: &Connection, writer: &mut Writer, ids: &[i64]) -> Result<(), StoreError> {
    let mut statement = conn.prepare("SELECT root_run FROM runs WHERE id = ?1")?;
    let mut entries = Vec::new();
    for &id in ids {
        if let Some(root) = statement.query_row([id], |row| row.get::<_, Option<i64>>(0))? {
            entries.push([root, id]);
        }
    }
    entries.sort_unstable();
    writer.section(BY_ROOT, &["root_run", "id"].map(str::to_owned), true);
    Ok(numbers(writer, &entries)?)
}

fn numbers<const N: usize>(writer: &mut Writer, entries: &[[i64; N]]) -> io::Result<()> {
    for block in entries.chunks(NUMBERS_MAX) {
        let columns: Vec<Vec<i64>> = (0..N)
            .map(|place| block.iter().map(|entry| entry[place]).collect())
            .collect();
        writer.numbers(&columns)?;
    }
    Ok(())
}
