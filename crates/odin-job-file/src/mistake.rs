//! A mistake in a job file, as data: drawing it is the caller's business.

use std::fmt;
use std::ops::Range;

use crate::fault::{Fault, printable};

/// Whether a mistake refuses the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted; the deployer should know.
    Warning,
}

/// One mistake and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// Stable across releases: `file/…`, or the code of the schedule, name or id that is wrong.
    pub code: &'static str,
    /// What is wrong, as one sentence without a full stop.
    pub message: String,
    /// Where: bytes of the file's text, on character boundaries. Empty where something is missing.
    pub span: Range<usize>,
    /// The next thing to do, as a sentence. Empty when the message says it all.
    pub help: String,
    /// Whether it refuses the file.
    pub severity: Severity,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Why a file was refused: at least one error, perhaps warnings too, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistakes {
    list: Vec<Mistake>,
    omitted: usize,
}

impl Mistakes {
    /// How many are kept; further ones are only counted.
    pub const KEPT_MAX: usize = 100;

    /// The mistakes, in the order of their places; never empty.
    #[must_use]
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }

    /// How many more there are than [`Mistakes::list`] holds.
    #[must_use]
    pub fn omitted(&self) -> usize {
        self.omitted
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, mistake) in self.list.iter().enumerate() {
            let separator = if position == 0 { "" } else { "\n" };
            write!(f, "{separator}{mistake}")?;
        }
        match self.omitted {
            0 => Ok(()),
            omitted => write!(f, "\nand {omitted} more"),
        }
    }
}

impl std::error::Error for Mistakes {}

/// The line and the column of a place in a text, both from 1; the column counts characters.
///
/// A place inside a character or past the end counts as the nearest one before it.
#[must_use]
pub fn line_and_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// Gathers mistakes while a file is read.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    list: Vec<Mistake>,
    omitted: usize,
    errors: usize,
}

impl Notes {
    pub(crate) fn refuse(&mut self, fault: &Fault, span: Range<usize>) {
        self.errors += 1;
        self.note(fault, span, Severity::Error);
    }

    pub(crate) fn warn(&mut self, fault: &Fault, span: Range<usize>) {
        self.note(fault, span, Severity::Warning);
    }

    /// Whether further mistakes are only counted: what they would say need not be worked out. Keeps the time linear
    /// for a file that is nothing but mistakes.
    pub(crate) fn is_full(&self) -> bool {
        self.list.len() == Mistakes::KEPT_MAX
    }

    fn note(&mut self, fault: &Fault, span: Range<usize>, severity: Severity) {
        if self.is_full() {
            self.omitted += 1;
            return;
        }
        self.list.push(Mistake {
            code: fault.code(),
            // A schedule's error quotes the file as it is, and escapes can put any character there.
            message: printable(&fault.to_string()),
            span,
            help: printable(&fault.help()),
            severity,
        });
    }

    /// The warnings of a file without errors, or what refuses it.
    pub(crate) fn finish(mut self) -> Result<Vec<Mistake>, Mistakes> {
        self.list
            .sort_by_key(|mistake| (mistake.span.start, mistake.span.end));
        if self.errors == 0 {
            return Ok(self.list);
        }
        Err(Mistakes {
            list: self.list,
            omitted: self.omitted,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_lines_and_characters_from_one() {
        let text = "a\nbörk: x\n";
        for (offset, expected) in [
            (0, (1, 1)),
            (1, (1, 2)),
            (2, (2, 1)),
            (4, (2, 2)),
            (5, (2, 3)),
            (99, (3, 1)),
        ] {
            assert_eq!(line_and_column(text, offset), expected, "{offset}");
        }
    }
}
