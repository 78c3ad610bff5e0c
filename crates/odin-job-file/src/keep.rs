//! `keep`: how much of a job's past is kept.

use odin_model::Keep;
use odin_model::output::{OUTPUT_BYTES_MAX_LEAST, OUTPUT_BYTES_MAX_MOST};
use odin_model::retention::{KEEP_DAYS_MAX, KEEP_RUNS_MAX, KEEP_VALUES_MAX, KEEP_VALUES_MIN};

use crate::execution::mapping;
use crate::fault::{Fault, quoted};
use crate::fields::Fields;
use crate::mistake::Notes;
use crate::shape::Section;
use crate::size;

/// What is kept of all runs, and how much of one run's output where the file says so.
pub(crate) fn read(job: &Fields<'_>, notes: &mut Notes) -> (Keep, Option<u64>) {
    let Some(fields) = job
        .entry("keep")
        .and_then(|entry| mapping(Section::Keep, entry, notes))
    else {
        return (Keep::DEFAULT, None);
    };
    let mut bounded = |key, range: String, parse: &dyn Fn(&str) -> Option<u64>| {
        let (text, entry) = fields.text(key)?;
        let value = parse(text);
        if value.is_none() {
            let value = quoted(text);
            notes.refuse(&Fault::OutOfRange { key, value, range }, entry.place());
        }
        value
    };
    let number = |greatest: u32| {
        move |text: &str| {
            let number = text.parse::<u32>().ok();
            let allowed = number.filter(|number| (1..=greatest).contains(number));
            allowed.map(u64::from)
        }
    };
    let whole = |greatest| format!("a whole number from 1 to {greatest}");
    let runs = bounded("runs", whole(KEEP_RUNS_MAX), &number(KEEP_RUNS_MAX));
    let days = bounded("days", whole(KEEP_DAYS_MAX), &number(KEEP_DAYS_MAX));
    let narrow = |value: Option<u64>, default| {
        let value = value.and_then(|value| u32::try_from(value).ok());
        value.unwrap_or(default)
    };
    let sized = |least: u64, most: u64| {
        move |text: &str| size::parse(text).filter(|bytes| (least..=most).contains(bytes))
    };
    let values = bounded(
        "values",
        "a size from `64KiB` to `1GiB`".to_owned(),
        &sized(KEEP_VALUES_MIN, KEEP_VALUES_MAX),
    );
    let output = bounded("output", "a size, such as `50MiB`".to_owned(), &size::parse);
    // What one run may keep and all together may not would be cut when the run ends.
    let most = output.unwrap_or(OUTPUT_BYTES_MAX_MOST);
    let range = match fields
        .text("output")
        .filter(|_| most < OUTPUT_BYTES_MAX_MOST)
    {
        Some((output, _)) => format!("a size from `64KiB` to `{output}`, which is its `output`"),
        None => "a size from `64KiB` to `16GiB`".to_owned(),
    };
    let most = most.min(OUTPUT_BYTES_MAX_MOST);
    let run_output = bounded("run_output", range, &sized(OUTPUT_BYTES_MAX_LEAST, most));
    let output = output.unwrap_or(Keep::DEFAULT.output_bytes.max(run_output.unwrap_or(0)));
    let keep = Keep {
        runs: narrow(runs, Keep::DEFAULT.runs),
        days: narrow(days, Keep::DEFAULT.days),
        output_bytes: output,
        values_bytes: values.unwrap_or(Keep::DEFAULT.values_bytes),
    };
    (keep, run_output)
}
