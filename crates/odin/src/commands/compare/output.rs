//! What two runs printed, line by line: the beginning of it, as far as that is looked at.

use std::ops::ControlFlow;

use odin_client::Client;
use odin_wire::Run;
use serde::Serialize;

use crate::error::CliError;
use crate::file_diff;
use crate::run_output::{Begin, each_chunk_until};

/// How much of what a run printed is compared, in bytes.
const BYTES_MAX: usize = 256 * 1024;

/// What differs between what two runs printed, on both streams in the order in which it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OutputDifference {
    /// The lines that differ, as `diff -u` shows them; empty where none does.
    pub(crate) diff: String,
    /// Only the beginning of what was printed was compared.
    pub(crate) is_cut: bool,
}

/// Compares the output of their latest attempts.
pub(crate) async fn between(
    client: &Client,
    before: &Run,
    after: &Run,
) -> Result<OutputDifference, CliError> {
    let (old, old_cut) = beginning(client, before).await?;
    let (new, new_cut) = beginning(client, after).await?;
    let diff = match old == new {
        true => String::new(),
        false => file_diff::lines(&old, &new),
    };
    let is_cut = old_cut || new_cut;
    Ok(OutputDifference { diff, is_cut })
}

/// The first lines that a run printed, and whether there are more.
async fn beginning(client: &Client, run: &Run) -> Result<(String, bool), CliError> {
    let mut bytes = Vec::new();
    each_chunk_until(client, run.id, None, Begin::default(), |chunk| {
        bytes.extend(chunk.bytes().unwrap_or_default());
        Ok(match bytes.len() > BYTES_MAX {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        })
    })
    .await?;
    let is_cut = bytes.len() > BYTES_MAX;
    if is_cut {
        bytes.truncate(BYTES_MAX);
        // Half a line would differ although the whole one does not.
        let whole = bytes.iter().rposition(|&byte| byte == b'\n');
        bytes.truncate(whole.map_or(BYTES_MAX, |at| at + 1));
    }
    Ok((String::from_utf8_lossy(&bytes).into_owned(), is_cut))
}
