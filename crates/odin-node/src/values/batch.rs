//! From lines of files to one command of the log.

use odin_executor::protocol::AttemptKey;
use odin_executor::values::{Kept, KeptLine};
use odin_model::Value;
use odin_model::value::{ReportValues, ValuesPart};
use odin_wire::report_line;

/// How much of one file is read for one command, in bytes, where many have something: others get their turn.
const PAGE_BYTES_MIN: usize = 64 * 1024;
/// How much of all files is read for one command: about what fills it, for a line takes more room than its value.
const READ_BYTES: usize = 320 * 1024;
/// How large the values of one command may be, as [`weight`] says: well below the largest command.
const BYTES_MAX: usize = 160 * 1024;

/// How much is read of each of so many files for one command.
pub(super) fn page_bytes_of(files: usize) -> usize {
    (READ_BYTES / files.max(1)).max(PAGE_BYTES_MIN)
}

/// A command's values while they are gathered.
#[derive(Default)]
pub(super) struct Batch {
    parts: Vec<ValuesPart>,
    bytes: usize,
}

impl Batch {
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.bytes >= BYTES_MAX
    }

    /// Takes lines of a file that begin at `from`, as many as there is room for.
    pub(super) fn add(&mut self, key: AttemptKey, from: u64, lines: &[KeptLine]) {
        let Some(first) = lines.first() else {
            return;
        };
        let mut part = ValuesPart {
            run: key.run,
            attempt: key.attempt,
            from,
            to: from,
            values: Vec::new(),
            taken_at: first.at,
        };
        for line in lines {
            if self.is_full() {
                break;
            }
            let value = value_of(line);
            self.bytes += weight(&value);
            part.values.push(value);
            part.to = line.next;
        }
        if part.to > part.from {
            self.parts.push(part);
        }
    }

    pub(super) fn finish(self) -> ReportValues {
        ReportValues { parts: self.parts }
    }
}

fn value_of(line: &KeptLine) -> Value {
    match &line.kept {
        Kept::Line(text) => report_line::value_of_line(text, line.at),
        Kept::CutLine { start, bytes } => report_line::value_of_cut_line(start, *bytes, line.at),
        Kept::Dropped { lines, bytes } => report_line::value_of_dropped(*lines, *bytes, line.at),
    }
}

/// At least what a value takes in a command.
fn weight(value: &Value) -> usize {
    let words = [&value.status, &value.unit];
    let words: usize = words
        .iter()
        .map(|word| word.as_ref().map_or(0, String::len))
        .sum();
    value.name.len() + value.data.text().len() + words + 48
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use odin_model::command::COMMAND_BYTES_MAX;
    use odin_model::{AttemptNumber, Command, RunId, codec};

    use super::*;

    fn line(text: &[u8], next: u64) -> KeptLine {
        KeptLine {
            at: Timestamp::UNIX_EPOCH,
            kept: Kept::Line(text.to_vec()),
            next,
        }
    }

    fn key(run: u64) -> AttemptKey {
        AttemptKey {
            run: RunId::from_bits(run),
            attempt: AttemptNumber::FIRST,
        }
    }

    #[test]
    fn whatever_lines_hold_a_command_stays_below_its_bound_and_takes_each_line_once() {
        let long = format!(
            r#"{{"kind":"watch","name":"n","value":"{}"}}"#,
            "x".repeat(60_000)
        );
        for text in [
            &b"x"[..],
            br#"{"kind":"watch","name":"n","value":1}"#,
            &[0xff; 4000],
            long.as_bytes(),
        ] {
            let lines: Vec<_> = (0..20_000).map(|number| line(text, number + 11)).collect();
            let mut from = 10;
            let mut taken = 0;
            while taken < lines.len() {
                let mut batch = Batch::default();
                batch.add(key(1), from, &lines[taken..]);
                batch.add(key(2), 0, &lines);
                let command = batch.finish();
                assert_eq!(command.parts[0].from, from);
                taken += command.parts[0].values.len();
                from = command.parts[0].to;
                assert_eq!(from, taken as u64 + 10);
                let bytes = codec::encode(&Command::Values(command)).len();
                assert!(bytes <= COMMAND_BYTES_MAX, "{bytes}");
            }
        }
    }
}
