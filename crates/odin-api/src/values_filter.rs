//! Runs by what they reported: `where` of the lists of runs.

use odin_model::RunId;
use odin_store::{Reader, RunFilter, RunsOf, RunsPage, StoreError};
use odin_wire::{FilterError, ValueFilter};

use crate::failure::Failure;

/// How many runs are read at once.
const RUNS_READ_MAX: usize = 200;
/// What one page may cost. Tests have little.
const UNITS_MAX: u64 = if cfg!(test) { 25 } else { 100_000 };
/// What a run costs; a block of values that is passed costs 1.
const UNITS_OF_RUN: u64 = 10;

pub(crate) fn read(text: &str) -> Result<ValueFilter, Failure> {
    ValueFilter::parse(text)
        .map_err(|error: FilterError| Failure::of_mistakes(vec![error.mistake()]))
}

/// Up to `limit` runs that both filters let through, newest first, older than `before`. What is looked at is bounded, so
/// a page may hold fewer, and even none, while there is a next one; each looks at one run at least.
pub(crate) fn page(
    reader: &Reader,
    of: RunsOf<'_>,
    runs: &RunFilter,
    values: &ValueFilter,
    mut before: Option<RunId>,
    limit: usize,
) -> Result<RunsPage, StoreError> {
    let mut found = Vec::new();
    let mut units = 0;
    let mut is_incomplete = false;
    loop {
        let page = reader.runs_that(of, runs, before, RUNS_READ_MAX)?;
        is_incomplete |= page.is_incomplete;
        // What one page of runs may look at went by without one.
        let is_fruitless = page.runs.is_empty();
        for run in page.runs {
            let id = run.id;
            let latest = reader.latest_named(id, values.names())?;
            units += UNITS_OF_RUN + latest.blocks;
            let value_of = |name: &str| latest.values.get(name).map(|kept| &kept.value.data);
            if values.holds(value_of) {
                found.push(run);
            }
            before = Some(id);
            if found.len() >= limit || units >= UNITS_MAX {
                return Ok(RunsPage {
                    runs: found,
                    next: before,
                    is_incomplete,
                });
            }
        }
        if is_fruitless || page.next.is_none() {
            return Ok(RunsPage {
                runs: found,
                next: page.next,
                is_incomplete,
            });
        }
        before = page.next;
    }
}
