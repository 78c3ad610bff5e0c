//! A node's files of sealed history, for who looks at a data directory from outside.

use std::path::Path;

pub use odin_store::{HistoryFileStatus, HistoryStatus, StoreError};

/// Reads every byte of the history beside the state in the file `state`, with or without a server over it.
///
/// # Errors
/// The file is no state, is of another version, or cannot be read. What is wrong with the history itself is in the answer.
pub fn look(state: &Path) -> Result<HistoryStatus, StoreError> {
    Ok(odin_store::Reader::of_file(state)?.history(true))
}
