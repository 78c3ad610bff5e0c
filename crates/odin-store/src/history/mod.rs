//! Sealed history: finished runs of the past, with everything that goes with them, in files that never change.
//!
//! A replicated [`Seal`](odin_model::retention::Seal) names a period of the log; from then on the runs that ended in
//! it are no part of the state. Each node writes its own file of them ([`period`]), makes it durable, and only then
//! takes the rows out of its state ([`Historian`]). A file has the rows as they were in the tables ([`file`],
//! [`block`]), so a run out of a file is read by the very queries that read it in the state: its rows are put into an
//! empty database in memory ([`scratch`]). Two narrow sections, by id and by job, are what lists walk over ([`walk`]).

mod archive;
mod block;
mod file;
mod historian;
#[cfg(test)]
mod kept_tests;
mod period;
mod rows;
mod scratch;
#[cfg(test)]
mod tests;
mod walk;

pub(crate) use archive::{Archive, Shelf};
pub use archive::{HistoryFileStatus, HistoryStatus};
pub(crate) use file::{HistoryFile, Section};
pub use historian::{Historian, HistoryStage, HistoryStep};
pub(crate) use rows::{each_row, number_in, run_of};
pub(crate) use scratch::Scratch;
pub(crate) use walk::{Entry, LIVE_COLUMNS, Ranges, UNITS, Walk, latest_by_job, of_root};
