//! Rows out of files, in a database in memory, where the queries of the state read them.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::archive::{Archive, Shelf};
use super::file::{HistoryFile, Section};
use super::rows::each_row;
use crate::StoreError;
use crate::schema::{OF_RUNS, TABLES};

/// A database with the tables of the state and no rows.
#[derive(Debug)]
pub(crate) struct Scratch {
    conn: Connection,
}

impl Scratch {
    pub(crate) fn new() -> Result<Self, StoreError> {
        let conn = Connection::open_in_memory()?;
        conn.execute_batch(TABLES)?;
        conn.set_prepared_statement_cache_capacity(64);
        Ok(Self { conn })
    }

    pub(crate) fn conn(&self) -> &Connection {
        &self.conn
    }

    /// Takes everything out again.
    pub(crate) fn clear(&self) -> Result<(), StoreError> {
        self.conn.prepare_cached("DELETE FROM runs")?.execute([])?;
        for (table, _) in OF_RUNS {
            self.conn
                .prepare_cached(&format!("DELETE FROM {table}"))?
                .execute([])?;
        }
        Ok(())
    }

    /// Puts a run in with all that goes with it. Whether there is one: `false` also where it cannot be read, which
    /// the archive then knows.
    pub(crate) fn load(
        &self,
        archive: &Archive,
        shelf: &Shelf,
        run: i64,
    ) -> Result<bool, StoreError> {
        for file in shelf.files.iter().rev() {
            if self.put(archive, file, "runs", run)? {
                for (table, _) in OF_RUNS {
                    self.put(archive, file, table, run)?;
                }
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts many runs in, with their rows in these tables only; each block that holds some is read once.
    pub(crate) fn load_many(
        &self,
        archive: &Archive,
        shelf: &Shelf,
        runs: &[i64],
        tables: &[&str],
    ) -> Result<(), StoreError> {
        let mut runs = runs.to_vec();
        runs.sort_unstable();
        for table in tables {
            each_row(archive, shelf, &runs, table, |section, row| {
                self.insert(section, row)
            })?;
        }
        Ok(())
    }

    /// Puts a run in without what goes with it, as the root of another's chain.
    pub(crate) fn load_alone(
        &self,
        archive: &Archive,
        shelf: &Shelf,
        run: i64,
    ) -> Result<bool, StoreError> {
        for file in shelf.files.iter().rev() {
            if self.put(archive, file, "runs", run)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts the rows of a table in that go with a run; whether there were any.
    fn put(
        &self,
        archive: &Archive,
        file: &HistoryFile,
        table: &str,
        run: i64,
    ) -> Result<bool, StoreError> {
        let Some(section) = file.section(table) else {
            return Ok(false);
        };
        let from = section.blocks.partition_point(|block| block.last.0 < run);
        let blocks = section.blocks.iter().skip(from);
        let mut found = false;
        for block in blocks.take_while(|block| block.first.0 <= run) {
            let rows = match file.rows(section, block) {
                Ok(rows) => rows,
                Err(error) => {
                    archive.fault(&file.path, &error);
                    continue;
                }
            };
            for row in rows
                .iter()
                .filter(|row| row.first() == Some(&Value::Integer(run)))
            {
                self.insert(section, row)?;
                found = true;
            }
        }
        Ok(found)
    }

    fn insert(&self, section: &Section, row: &[Value]) -> Result<(), StoreError> {
        // Columns that were added since have their defaults.
        let columns = section.columns.join(", ");
        let places = vec!["?"; row.len()].join(", ");
        let sql = format!(
            "INSERT OR IGNORE INTO {} ({columns}) VALUES ({places})",
            section.name
        );
        self.conn
            .prepare_cached(&sql)?
            .execute(params_from_iter(row))?;
        Ok(())
    }
}
