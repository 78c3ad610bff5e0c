//! What is unusual about runs.

use odin_model::{RunFlag, RunId, codec};
use rusqlite::OptionalExtension;

use super::Reader;
use crate::{StoreError, columns};

impl Reader {
    /// What is unusual about a run beside its job's earlier ones; empty until it is over.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn flags_of(&self, run: RunId) -> Result<Vec<RunFlag>, StoreError> {
        self.pool.ask(|conn| {
            let mut statement =
                conn.prepare_cached("SELECT flags FROM run_flags WHERE run = ?1")?;
            let found: Option<Vec<u8>> = statement
                .query_row([columns::run_id(run)], |row| row.get(0))
                .optional()?;
            Ok(match found {
                Some(bytes) => codec::decode(&bytes)?,
                None => Vec::new(),
            })
        })
    }
}
