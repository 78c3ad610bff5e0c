//! The rows that go with many runs, out of files.

use rusqlite::types::Value;

use super::archive::{Archive, Shelf};
use super::file::{HistoryFile, Section};
use crate::StoreError;

/// Shows each row that a table has of these runs, which ascend; every block that holds some is read once. What cannot be
/// read is left out, and the archive then knows of it.
pub(crate) fn each_row(
    archive: &Archive,
    shelf: &Shelf,
    runs: &[i64],
    table: &str,
    mut take: impl FnMut(&Section, &[Value]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    debug_assert!(runs.is_sorted(), "blocks are found in order");
    for file in &shelf.files {
        if let Some(section) = file.section(table) {
            each_row_in(archive, file, section, runs, &mut take)?;
        }
    }
    Ok(())
}

fn each_row_in(
    archive: &Archive,
    file: &HistoryFile,
    section: &Section,
    runs: &[i64],
    take: &mut impl FnMut(&Section, &[Value]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut rest = runs;
    let mut blocks = section.blocks.as_slice();
    while let Some(&run) = rest.first() {
        blocks = &blocks[blocks.partition_point(|block| block.last.0 < run)..];
        let Some((block, later_blocks)) = blocks.split_first() else {
            return Ok(());
        };
        // Rows of the block's last run may go on in the next one.
        blocks = later_blocks;
        let within = rest.partition_point(|run| *run <= block.last.0);
        let asked = &rest[..within];
        rest = &rest[rest.partition_point(|run| *run < block.last.0)..];
        if asked.last().is_none_or(|last| *last < block.first.0) {
            continue;
        }
        match file.rows(section, block) {
            Ok(rows) => {
                let is_asked = |row: &&Vec<Value>| {
                    run_of(row).is_some_and(|run| asked.binary_search(&run).is_ok())
                };
                rows.iter()
                    .filter(is_asked)
                    .try_for_each(|row| take(section, row))?;
            }
            Err(error) => archive.fault(&file.path, &error),
        }
    }
    Ok(())
}

/// The run that a row goes with.
pub(crate) fn run_of(row: &[Value]) -> Option<i64> {
    match row.first() {
        Some(Value::Integer(run)) => Some(*run),
        _ => None,
    }
}

/// A number in a row. `None`: there is none, or the file is from before there was such a column.
pub(crate) fn number_in(section: &Section, row: &[Value], column: &str) -> Option<i64> {
    let place = section.columns.iter().position(|name| name == column)?;
    match row.get(place) {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    }
}
