//! The replicated state on disk.
//!
//! [`Store`] applies committed commands in order, in transactions of many; [`View`] holds in memory what the leader's
//! loop asks all the time; [`Reader`] answers queries of the committed state from any thread.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::needless_pass_by_value))]

mod apply;
mod channels;
mod checkpoint;
mod columns;
mod effect;
mod error;
mod history;
#[cfg(test)]
mod invariants;
mod local;
mod observation;
mod reader;
#[cfg(test)]
mod scenario;
mod schema;
mod secrets;
mod settings;
mod sinks;
mod snapshot;
mod state_hash;
mod statistics;
mod store;
mod values;
mod view;

pub use checkpoint::{Checkpoint, Checkpointer};
pub use effect::{CancelWhen, Effect};
pub use error::StoreError;
pub use history::{Historian, HistoryFileStatus, HistoryStage, HistoryStatus, HistoryStep};
pub use observation::Observation;
pub use reader::{
    AlertsOf, Bucket, CancelRequest, CauseKind, JobKept, JobsAfter, JobsPage, KeptValue,
    LatestNamed, LooseRun, LooseRuns, NamedLink, OpenRun, OpenState, Overdue, Reader, RunFilter,
    RunPlace, RunsOf, RunsPage, SealDue, SecretEntry, SecretsAfter, SecretsPage, Series,
    SeriesPlace, SeriesQuery, Unsent, VERSIONS_WITH_FILES, ValuesPage, Version,
};
pub use snapshot::{Contents, Frozen, generation_of, inspect};
pub use statistics::{Scope, TYPICAL_DAYS};
pub use store::{Applied, Entry, GENERATION_MAX, Store};
pub use view::{Counts, View};
