//! `expect.values`: what the numbers should be that runs report.

use odin_model::ValueBounds;
use odin_model::alerting::VALUE_BOUNDS_MAX;
use odin_model::value::{NAME_BYTES_MAX, compare_numbers};

use crate::document::{Entry, Value};
use crate::fault::{Fault, quoted};
use crate::fields::Fields;
use crate::mistake::Notes;
use crate::shape::Section;

/// The bounds in the order of their names; those that are refused are left out.
pub(crate) fn read(expect: &Fields<'_>, notes: &mut Notes) -> Vec<ValueBounds> {
    let Some(Value::Mapping(entries)) = expect.entry("values").map(|entry| &entry.value.value)
    else {
        return Vec::new();
    };
    if let Some(entry) = entries.get(VALUE_BOUNDS_MAX) {
        let fault = Fault::TooMany {
            key: "values",
            count: entries.len(),
            count_max: VALUE_BOUNDS_MAX,
            help: "Keep the bounds that matter most: numbers far from a job's own history are flagged without any.",
        };
        notes.refuse(&fault, entry.key_span.clone());
        return Vec::new();
    }
    let mut bounds: Vec<_> = entries
        .iter()
        .filter_map(|entry| of_name(entry, notes))
        .collect();
    bounds.sort_by(|one, other| one.name.cmp(&other.name));
    bounds
}

fn of_name(entry: &Entry, notes: &mut Notes) -> Option<ValueBounds> {
    if entry.key.len() > NAME_BYTES_MAX {
        let fault = Fault::ValueNameTooLong {
            bytes: entry.key.len(),
        };
        notes.refuse(&fault, entry.key_span.clone());
        return None;
    }
    let fields = Fields::read(Section::Bounds, &entry.value, entry.key_span.clone(), notes);
    let bounds = ValueBounds {
        name: entry.key.clone(),
        min: number(&fields, "min", notes),
        max: number(&fields, "max", notes),
    };
    if !fields.is_written("min") && !fields.is_written("max") {
        // Keys that are neither have been refused as such.
        if matches!(&entry.value.value, Value::Mapping(keys) if keys.is_empty()) {
            fields.refuse_missing("min", "Write `min`, `max` or both.", notes);
        }
        return None;
    }
    if let (Some(min), Some(max), Some((text, place))) =
        (&bounds.min, &bounds.max, fields.text("max"))
        && compare_numbers(min, max).is_none_or(std::cmp::Ordering::is_gt)
    {
        let fault = Fault::OutOfRange {
            key: "max",
            value: quoted(text),
            range: "a number that is not below `min`".to_owned(),
        };
        notes.refuse(&fault, place.place());
    }
    Some(bounds)
}

fn number(fields: &Fields<'_>, key: &'static str, notes: &mut Notes) -> Option<String> {
    let (text, entry) = fields.text(key)?;
    let text = text.trim();
    let is_plain = text.bytes().all(|byte| b"0123456789.eE+-".contains(&byte));
    match text.parse::<f64>() {
        Ok(number) if is_plain && number.is_finite() => Some(text.to_owned()),
        _ => {
            let fault = Fault::OutOfRange {
                key,
                value: quoted(text),
                range: "a finite number, such as `-1.5`".to_owned(),
            };
            notes.refuse(&fault, entry.place());
            None
        }
    }
}
