//! Bounds of the texts that become arguments and environment of a process.

use std::ops::Range;

use crate::fault::Fault;
use crate::mistake::Notes;

/// The longest argument or `NAME=value`, in bytes: Linux takes 128 KiB with its end (`MAX_ARG_STRLEN`).
pub(crate) const ARGUMENT_BYTES_MAX: usize = 128 * 1024 - 1;
/// The most entries of a list or mapping.
pub(crate) const ENTRIES_MAX: usize = 10_000;

/// What to do with a text that is longer.
pub(crate) const INTO_A_FILE: &str = "Put the text into a file and list it under `files`.";

/// Whether a text has no control characters: it is a path, a name, or printed in lists.
pub(crate) fn check_characters(
    key: &'static str,
    text: &str,
    span: &Range<usize>,
    notes: &mut Notes,
) -> bool {
    match text.chars().find(|c| c.is_control()) {
        Some(character) => {
            notes.refuse(&Fault::ControlInValue { key, character }, span.clone());
            false
        }
        None => true,
    }
}

/// Whether a text can be an argument of a process: not too long, and without the character that ends it.
pub(crate) fn check_argument(
    key: &'static str,
    text: &str,
    span: &Range<usize>,
    notes: &mut Notes,
) -> bool {
    if text.len() > ARGUMENT_BYTES_MAX {
        let fault = Fault::TooLong {
            what: key,
            bytes: text.len(),
            bytes_max: ARGUMENT_BYTES_MAX,
            help: INTO_A_FILE,
        };
        notes.refuse(&fault, span.clone());
        return false;
    }
    if text.contains('\0') {
        notes.refuse(
            &Fault::ControlInValue {
                key,
                character: '\0',
            },
            span.clone(),
        );
        return false;
    }
    true
}

/// [`check_argument`] for each, and whether they are not too many.
pub(crate) fn check_all(
    key: &'static str,
    texts: &[(&str, Range<usize>)],
    notes: &mut Notes,
) -> bool {
    if let Some((_, span)) = texts.get(ENTRIES_MAX) {
        let fault = Fault::TooMany {
            key,
            count: texts.len(),
            count_max: ENTRIES_MAX,
            help: "Put them into a file that the program reads, and list it under `files`.",
        };
        notes.refuse(&fault, span.clone());
        return false;
    }
    let mut sound = true;
    for (text, span) in texts {
        sound &= check_argument(key, text, span, notes);
    }
    sound
}
