//! Queries of the committed state.
//!
//! Who may see what is the caller's to ask for: lists take an owner (`None` for those who may see all), and what is
//! asked for by id comes with its owner or its job.

pub(crate) mod alerts;
mod calendars;
mod catch_ups;
pub(crate) mod changes;
mod cluster;
mod drawing;
mod flags;
mod jobs;
mod latest;
mod ledger;
mod links;
mod needs;
mod past_runs;
#[cfg(test)]
mod plans;
mod pool;
mod proof;
mod retention;
mod runs;
mod secrets;
mod sinks;
mod statistics;
mod values;

use std::path::Path;
use std::sync::{Arc, Mutex};

pub use alerts::{AlertsOf, Overdue};
pub use drawing::Bucket;
pub use jobs::{JobsAfter, JobsPage, Version};
pub use latest::LatestNamed;
pub use links::NamedLink;
pub use needs::VERSIONS_WITH_FILES;
pub use past_runs::{CauseKind, OpenState, RunFilter, RunsOf, RunsPage};
pub use proof::{LooseRun, LooseRuns};
pub use retention::{JobKept, SealDue};
pub use runs::{CancelRequest, OpenRun};
pub use secrets::{SecretEntry, SecretsAfter, SecretsPage};
pub use sinks::Unsent;
pub use values::{KeptValue, RunPlace, Series, SeriesPlace, SeriesQuery, ValuesPage};

use crate::history::{Archive, HistoryStatus, Scratch};
use crate::schema::{self, Found};
use crate::{Frozen, StoreError};
use pool::Pool;

/// Answers from a few connections that cannot write; more callers wait for a free one. Each answer is of one
/// committed state; two answers may be of different ones.
///
/// Its calls block on the disk.
#[derive(Debug, Clone)]
pub struct Reader {
    pool: Arc<Pool>,
    archive: Arc<Archive>,
    scratches: Arc<Mutex<Vec<Scratch>>>,
}

impl Reader {
    /// Answers of a state in a file that no server need have open, such as a backup.
    ///
    /// # Errors
    /// The file is no state, is of another version, or cannot be read.
    pub fn of_file(path: &Path) -> Result<Self, StoreError> {
        let reader = Self::open(path, Arc::new(Archive::beside(path)))?;
        match reader.pool.ask(schema::check)? {
            Found::Ours => {
                reader.pool.ask(|conn| reader.archive.load(conn))?;
                Ok(reader)
            }
            Found::Empty => Err(StoreError::NotAState),
        }
    }

    pub(crate) fn open(path: &Path, archive: Arc<Archive>) -> Result<Self, StoreError> {
        Ok(Self {
            pool: Arc::new(Pool::open(path)?),
            archive,
            scratches: Arc::default(),
        })
    }

    /// The directory that the state's file is in: a server's data directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.pool.path().parent().unwrap_or(Path::new("."))
    }

    /// The files of sealed history, and what of them cannot be read. With `check`, every byte is read: seconds for a
    /// gigabyte.
    #[must_use]
    pub fn history(&self, check: bool) -> HistoryStatus {
        self.archive.status(check)
    }

    /// Fixes the committed state of now, on a connection of its own: for a backup that is written while more is applied.
    ///
    /// # Errors
    /// The state cannot be opened once more.
    pub fn freeze(&self) -> Result<Frozen, StoreError> {
        Frozen::of(self.pool.path())
    }
}
