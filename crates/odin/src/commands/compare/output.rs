//! What two runs printed, line by line: the beginning of it, as far as that is looked at.

use std::fmt::Write as _;
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
    /// Whether both printed the same bytes, as far as they were compared.
    pub(crate) is_same: bool,
    /// The lines that differ, as `diff -u` shows them, bytes that are no UTF-8 as `\xff`. Empty where none does.
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
    Ok(of_bytes(&old, &new, old_cut || new_cut))
}

fn of_bytes(before: &[u8], after: &[u8], is_cut: bool) -> OutputDifference {
    let is_same = before == after;
    let diff = match is_same {
        true => String::new(),
        false => file_diff::lines(&text_of(before), &text_of(after)),
    };
    OutputDifference {
        is_same,
        diff,
        is_cut,
    }
}

/// The text, with every byte that is none spelled out: two such bytes are not the same.
fn text_of(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    text
}

/// The first lines that a run printed, and whether there are more.
async fn beginning(client: &Client, run: &Run) -> Result<(Vec<u8>, bool), CliError> {
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
    Ok((bytes, is_cut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_compared_as_they_are() {
        for (before, after, is_same, expected) in [
            (&b"a\n\xff\n"[..], &b"a\n\xff\n"[..], true, ""),
            (
                b"a\n\xff\n",
                b"a\n\xfe\n",
                false,
                "@@ -1,2 +1,2 @@\n a\n-\\xff\n+\\xfe\n",
            ),
            // What is written alike differs all the same.
            (b"\\xff\n", b"\xff\n", false, ""),
        ] {
            let found = of_bytes(before, after, false);
            assert_eq!((found.is_same, found.diff.as_str()), (is_same, expected));
        }
    }
}
