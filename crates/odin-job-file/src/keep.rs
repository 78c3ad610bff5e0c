//! `keep`: how much of a job's past is kept.

use odin_model::Keep;
use odin_model::retention::{KEEP_DAYS_MAX, KEEP_RUNS_MAX, KEEP_VALUES_MAX, KEEP_VALUES_MIN};

use crate::execution::mapping;
use crate::fault::{Fault, quoted};
use crate::fields::Fields;
use crate::mistake::Notes;
use crate::shape::Section;
use crate::size;

pub(crate) fn read(job: &Fields<'_>, notes: &mut Notes) -> Keep {
    let Some(fields) = job
        .entry("keep")
        .and_then(|entry| mapping(Section::Keep, entry, notes))
    else {
        return Keep::DEFAULT;
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
    let of_values = |text: &str| {
        size::parse(text).filter(|bytes| (KEEP_VALUES_MIN..=KEEP_VALUES_MAX).contains(bytes))
    };
    let range = "a size from `64KiB` to `1GiB`".to_owned();
    let values = bounded("values", range, &of_values);
    Keep {
        runs: narrow(runs, Keep::DEFAULT.runs),
        days: narrow(days, Keep::DEFAULT.days),
        output_bytes: bounded("output", "a size, such as `50MiB`".to_owned(), &size::parse)
            .unwrap_or(Keep::DEFAULT.output_bytes),
        values_bytes: values.unwrap_or(Keep::DEFAULT.values_bytes),
    }
}
