//! The job's own environment variables.

use crate::document::Value;
use crate::fault::{Fault, quoted};
use crate::fields::{Fields, scalar_text};
use crate::mistake::Notes;
use crate::text;

/// The variables in the order of their names; those that are refused are left out.
pub(crate) fn read(job: &Fields<'_>, notes: &mut Notes) -> Vec<(String, String)> {
    let Some(Value::Mapping(entries)) = job.entry("env").map(|entry| &entry.value.value) else {
        return Vec::new();
    };
    if let Some(entry) = entries.get(text::ENTRIES_MAX) {
        let fault = Fault::TooMany {
            key: "env",
            count: entries.len(),
            count_max: text::ENTRIES_MAX,
            help: "Put them into a file that the program reads, and list it under `files`.",
        };
        notes.refuse(&fault, entry.key_span.clone());
        return Vec::new();
    }
    let mut variables = Vec::with_capacity(entries.len());
    for entry in entries {
        if let Some(help) = wrong_name(&entry.key) {
            let fault = Fault::EnvName {
                name: quoted(&entry.key),
                help,
            };
            notes.refuse(&fault, entry.key_span.clone());
            continue;
        }
        let Some(value) = scalar_text(&entry.value) else {
            continue;
        };
        let bytes = entry.key.len() + 1 + value.len();
        if bytes > text::ARGUMENT_BYTES_MAX {
            let fault = Fault::TooLong {
                what: "env",
                bytes,
                bytes_max: text::ARGUMENT_BYTES_MAX,
                help: text::INTO_A_FILE,
            };
            notes.refuse(&fault, entry.place());
        } else if text::check_argument("env", value, &entry.place(), notes) {
            variables.push((entry.key.clone(), value.to_owned()));
        }
    }
    variables.sort();
    variables
}

/// Why a name cannot be a variable's, as the next step.
fn wrong_name(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("Write a name before the colon.");
    }
    if name.contains('=') || name.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Some("A name has no `=`, no white space and no control characters.");
    }
    if name.starts_with("ODIN_") {
        return Some("Names that begin with `ODIN_` are Odin's own; choose another.");
    }
    None
}
