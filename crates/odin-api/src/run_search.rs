//! Looks for a text in what runs printed.

use std::collections::{BTreeMap, BTreeSet};

use odin_model::output::{OutputKept, OutputSummary};
use odin_model::run::{Run, RunState};
use odin_model::{AttemptNumber, RunId};
use odin_wire::RunsAfter;

use crate::api::Api;
use crate::backend::{OutputFault, OutputPosition};
use crate::failure::Failure;
use crate::output::PLACE_MAX;

/// How many runs one answer looks at.
pub(crate) const RUNS_MAX: usize = 200;
/// The longest text that is looked for, in bytes.
const TEXT_BYTES_MAX: usize = 1000;
/// How much output one answer reads, apart from what is in results.
const BYTES_MAX: u64 = if cfg!(test) { 100 } else { 16 << 20 };

/// A text to look for.
pub(crate) struct Search {
    text: Vec<u8>,
}

/// What was found within the budget.
pub(crate) struct Searched {
    /// The runs that printed the text.
    pub(crate) found: BTreeSet<RunId>,
    /// The budget was spent: where the next answer goes on.
    pub(crate) stopped: Option<RunsAfter>,
}

/// What came of one run.
enum Looked {
    /// Whether it printed the text.
    Through(bool),
    /// The budget was spent at this byte.
    UpTo(u64),
}

impl Search {
    /// Refuses a text that cannot be looked for.
    pub(crate) fn of(text: &str) -> Result<Self, Failure> {
        if text.is_empty() || text.len() > TEXT_BYTES_MAX {
            return Err(Failure::new(
                "request/bad-query",
                format!("`text` has 1 to {TEXT_BYTES_MAX} bytes"),
            ));
        }
        Ok(Self { text: text.into() })
    }

    /// Looks through what these runs printed, in order, as long as the budget lasts. Of the run at which `after` stopped,
    /// only the rest.
    pub(crate) async fn through(
        &self,
        api: &Api,
        runs: Vec<Run>,
        after: Option<RunsAfter>,
    ) -> Result<Searched, Failure> {
        let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
        let outputs: BTreeMap<RunId, OutputSummary> = api
            .read(move |reader| reader.run_outputs(&ids))
            .await?
            .into_iter()
            .collect();
        let mut found = BTreeSet::new();
        let mut left = BYTES_MAX;
        for run in &runs {
            let resumed = after.filter(|after| after.run == run.id);
            let from = resumed.and_then(|after| after.output_from).unwrap_or(0);
            let looked = match outputs.get(&run.id) {
                Some(output) if self.is_in_result(output) => Looked::Through(true),
                Some(output) if is_whole(run, output) => Looked::Through(false),
                Some(_) | None => self.look(api, run, from, &mut left).await?,
            };
            match looked {
                Looked::Through(true) => {
                    found.insert(run.id);
                }
                Looked::Through(false) => {}
                Looked::UpTo(byte) => {
                    let stopped = Some(RunsAfter {
                        run: run.id,
                        output_from: Some(byte),
                    });
                    return Ok(Searched { found, stopped });
                }
            }
        }
        let stopped = None;
        Ok(Searched { found, stopped })
    }

    fn is_in_result(&self, output: &OutputSummary) -> bool {
        let (OutputKept::Inline(chunks) | OutputKept::Segments { tail: chunks }) = &output.kept;
        let mut seen = Window::default();
        chunks
            .iter()
            .any(|chunk| seen.holds(&chunk.bytes, &self.text))
    }

    /// Looks through the output of the run's latest attempt, from a byte on.
    async fn look(
        &self,
        api: &Api,
        run: &Run,
        from: u64,
        left: &mut u64,
    ) -> Result<Looked, Failure> {
        let mut seen = Window::default();
        let attempt = run.attempt.unwrap_or(AttemptNumber::FIRST);
        let mut position = OutputPosition {
            bytes: from.min(PLACE_MAX - 1),
            hint: 0,
        };
        loop {
            if *left == 0 {
                // The text may begin in what was seen last.
                let overlap = self.text.len().saturating_sub(1) as u64;
                let byte = position.bytes.saturating_sub(overlap);
                return Ok(Looked::UpTo(byte));
            }
            let page = match api.backend().output(run, attempt, position).await {
                Ok(page) => page,
                // What is not here cannot be looked through: its end was.
                Err(OutputFault::NotHere) => return Ok(Looked::Through(false)),
                Err(fault) => return Err(fault.into()),
            };
            for chunk in &page.chunks {
                *left = left.saturating_sub(chunk.bytes.len() as u64);
                if seen.holds(&chunk.bytes, &self.text) {
                    return Ok(Looked::Through(true));
                }
            }
            if !page.more {
                return Ok(Looked::Through(false));
            }
            position = page.next;
        }
    }
}

/// Whether the result has all that the run printed.
fn is_whole(run: &Run, output: &OutputSummary) -> bool {
    let is_over = matches!(run.state, RunState::Finished(_));
    is_over && matches!(output.kept, OutputKept::Inline(_))
}

/// The end of what was seen, in which a text that is cut by a chunk's end begins.
#[derive(Default)]
struct Window(Vec<u8>);

impl Window {
    /// Whether the text is in what was seen with these bytes after it.
    fn holds(&mut self, bytes: &[u8], text: &[u8]) -> bool {
        self.0.extend_from_slice(bytes);
        let found = memchr::memmem::find(&self.0, text).is_some();
        let keep = self.0.len().min(text.len().saturating_sub(1));
        self.0.drain(..self.0.len() - keep);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_across_the_ends_of_chunks() {
        let holds = |chunks: &[&str], text: &str| {
            let mut seen = Window::default();
            chunks
                .iter()
                .any(|chunk| seen.holds(chunk.as_bytes(), text.as_bytes()))
        };
        assert!(holds(&["one two"], "two"));
        assert!(holds(&["on", "e t", "wo"], "one two"));
        assert!(holds(&["aab"], "ab"));
        assert!(!holds(&["one", "three"], "two"));
        assert!(!holds(&[], "x"));
    }
}
