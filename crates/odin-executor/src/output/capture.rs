//! One running attempt's output: inline first, then in its file up to the cap, with the end kept in memory.

use std::collections::VecDeque;

use jiff::Timestamp;
use odin_model::output::{
    INLINE_BYTES_MAX, OutputChunk, OutputKept, OutputSummary, Stream, TAIL_BYTES_MAX,
};

use super::file::OutputFile;
use crate::data_dir::DataDir;
use crate::protocol::{AttemptKey, PeekedOutput};

/// Pieces held in memory, at most: each costs some 70 bytes beside its own, and a program can print byte by byte.
const PIECES_MAX: usize = 128;

/// Where an attempt's output goes. Its memory is bounded by [`TAIL_BYTES_MAX`] and [`PIECES_MAX`].
pub(crate) struct Capture {
    key: AttemptKey,
    bytes_max: u64,
    stdout_bytes: u64,
    stderr_bytes: u64,
    dropped_bytes: u64,
    kept_bytes: u64,
    place: Place,
}

enum Place {
    /// Everything so far, at most [`INLINE_BYTES_MAX`].
    Memory(Vec<OutputChunk>),
    File {
        file: FileState,
        /// The last bytes printed, kept or not.
        tail: Tail,
    },
}

enum FileState {
    Open(OutputFile),
    /// The cap is reached or the disk is full: the mark is written, the rest is counted.
    Closed,
}

#[derive(Default)]
struct Tail {
    chunks: VecDeque<OutputChunk>,
    bytes: usize,
}

impl Capture {
    /// Nothing printed yet; at most `bytes_max` bytes will be kept.
    pub(crate) fn new(key: AttemptKey, bytes_max: u64) -> Self {
        Self {
            key,
            bytes_max,
            stdout_bytes: 0,
            stderr_bytes: 0,
            dropped_bytes: 0,
            kept_bytes: 0,
            place: Place::Memory(Vec::new()),
        }
    }

    /// Takes what was read at once, at most [`super::FRAME_BYTES_MAX`] bytes.
    ///
    /// A disk that is full, or otherwise fails, costs output and never the job: what does not fit is counted and a
    /// mark says so.
    pub(crate) fn take(&mut self, dir: &DataDir, stream: Stream, at: Timestamp, bytes: &[u8]) {
        let count = to_u64(bytes.len());
        match stream {
            Stream::Stdout => self.stdout_bytes += count,
            Stream::Stderr => self.stderr_bytes += count,
        }
        if let Place::Memory(chunks) = &mut self.place {
            let held: usize = chunks.iter().map(|chunk| chunk.bytes.len()).sum();
            let fits = held + bytes.len() <= INLINE_BYTES_MAX
                && to_u64(held + bytes.len()) <= self.bytes_max;
            if fits && chunks.len() < PIECES_MAX {
                push(chunks, stream, at, bytes);
                return;
            }
            let chunks = std::mem::take(chunks);
            self.move_to_file(dir, chunks);
        }
        self.keep_in_file(stream, at, bytes);
    }

    fn move_to_file(&mut self, dir: &DataDir, chunks: Vec<OutputChunk>) {
        let file = OutputFile::create(dir, self.key).map_or(FileState::Closed, FileState::Open);
        self.place = Place::File {
            file,
            tail: Tail::default(),
        };
        for chunk in chunks {
            self.keep_in_file(chunk.stream, chunk.at, &chunk.bytes);
        }
    }

    fn keep_in_file(&mut self, stream: Stream, at: Timestamp, bytes: &[u8]) {
        let Place::File { file, tail } = &mut self.place else {
            return;
        };
        tail.push(stream, at, bytes);
        let FileState::Open(open) = file else {
            self.dropped_bytes += to_u64(bytes.len());
            return;
        };
        let room = usize::try_from(self.bytes_max - self.kept_bytes).unwrap_or(usize::MAX);
        let fitting = &bytes[..bytes.len().min(room)];
        let mark = if fitting.is_empty() || open.append(stream, at, fitting).is_ok() {
            self.kept_bytes += to_u64(fitting.len());
            self.dropped_bytes += to_u64(bytes.len() - fitting.len());
            (fitting.len() < bytes.len())
                .then(|| format!("beyond {} bytes is not kept", self.bytes_max))
        } else {
            self.dropped_bytes += to_u64(bytes.len());
            Some("from here on is not kept: the disk is full".to_owned())
        };
        if let Some(mark) = mark {
            // When not even the mark fits on the disk, the summary's count still tells.
            let _ = open.append(stream, at, format!("\n[odin: output {mark}]\n").as_bytes());
            *file = FileState::Closed;
        }
    }

    /// What was printed so far, as long as it is not in a file.
    pub(crate) fn peek(&self) -> PeekedOutput {
        match &self.place {
            Place::Memory(chunks) => PeekedOutput::Inline(chunks.clone()),
            Place::File { .. } => PeekedOutput::InFile,
        }
    }

    /// The summary for the result.
    pub(crate) fn finish(self) -> OutputSummary {
        OutputSummary {
            stdout_bytes: self.stdout_bytes,
            stderr_bytes: self.stderr_bytes,
            dropped_bytes: self.dropped_bytes,
            kept: match self.place {
                Place::Memory(chunks) => OutputKept::Inline(chunks),
                Place::File { tail, .. } => OutputKept::Segments {
                    tail: tail.chunks.into(),
                },
            },
        }
    }
}

fn push(chunks: &mut Vec<OutputChunk>, stream: Stream, at: Timestamp, bytes: &[u8]) {
    match chunks.last_mut() {
        Some(last) if last.stream == stream && last.at == at => last.bytes.extend_from_slice(bytes),
        _ => chunks.push(OutputChunk {
            stream,
            at,
            bytes: bytes.to_vec(),
        }),
    }
}

impl Tail {
    fn push(&mut self, stream: Stream, at: Timestamp, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_BYTES_MAX)..];
        self.bytes += bytes.len();
        let is_crowded = self.chunks.len() > PIECES_MAX / 2;
        match self.chunks.back_mut() {
            // Past half of the bound, neighbours are joined even when their times differ by a little.
            Some(last) if last.stream == stream && (last.at == at || is_crowded) => {
                last.bytes.extend_from_slice(bytes);
            }
            _ => self.chunks.push_back(OutputChunk {
                stream,
                at,
                bytes: bytes.to_vec(),
            }),
        }
        while self.bytes > TAIL_BYTES_MAX || self.chunks.len() > PIECES_MAX {
            let Some(first) = self.chunks.front_mut() else {
                return;
            };
            let surplus = self.bytes.saturating_sub(TAIL_BYTES_MAX);
            if surplus > 0 && surplus < first.bytes.len() {
                first.bytes.drain(..surplus);
                self.bytes -= surplus;
            } else {
                self.bytes -= first.bytes.len();
                self.chunks.pop_front();
            }
        }
    }
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).expect("usize fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(
        bytes_max: u64,
        printed: &[(Stream, usize)],
        kept_in_file: Option<&str>,
        dropped: u64,
    ) {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        std::fs::create_dir(dir.output()).unwrap();
        let key = AttemptKey::of_bits(1, 1);
        let mut capture = Capture::new(key, bytes_max);
        for &(stream, count) in printed {
            capture.take(&dir, stream, Timestamp::UNIX_EPOCH, &vec![b'x'; count]);
        }
        let summary = capture.finish();
        let total: usize = printed.iter().map(|&(_, count)| count).sum();
        assert_eq!(summary.stdout_bytes + summary.stderr_bytes, to_u64(total));
        assert_eq!(summary.dropped_bytes, dropped);
        let (OutputKept::Inline(held) | OutputKept::Segments { tail: held }) = &summary.kept;
        let held: usize = held.iter().map(|chunk| chunk.bytes.len()).sum();
        let Some(expected) = kept_in_file else {
            assert_eq!(held, total);
            assert!(!dir.output_file(key).exists());
            return;
        };
        assert_eq!(held, total.min(TAIL_BYTES_MAX));
        let page = super::super::read(&dir, key, 0, usize::MAX).unwrap();
        let text: String = page
            .chunks
            .iter()
            .map(|chunk| String::from_utf8_lossy(&chunk.bytes))
            .collect();
        let text = format!("{}{}", text.matches('x').count(), text.replace('x', ""));
        assert_eq!(text, expected);
    }

    use Stream::{Stderr, Stdout};

    #[test]
    fn small_output_makes_no_file() {
        check(1 << 20, &[], None, 0);
        check(1 << 20, &[(Stdout, 1000), (Stderr, 24)], None, 0);
    }

    #[test]
    fn larger_output_is_in_the_file_from_its_first_byte() {
        check(1 << 20, &[(Stdout, 1000), (Stderr, 25)], Some("1025"), 0);
        check(
            1 << 20,
            &[(Stdout, 60_000), (Stdout, 60_000)],
            Some("120000"),
            0,
        );
    }

    #[test]
    fn output_beyond_the_cap_is_counted_and_marked_once() {
        let mark = "\n[odin: output beyond 2000 bytes is not kept]\n";
        check(2000, &[(Stdout, 1500), (Stdout, 500)], Some("2000"), 0);
        check(
            2000,
            &[(Stdout, 1500), (Stdout, 501), (Stderr, 9)],
            Some(&format!("2000{mark}")),
            10,
        );
        check(
            0,
            &[(Stdout, 5)],
            Some("0\n[odin: output beyond 0 bytes is not kept]\n"),
            5,
        );
    }

    #[test]
    fn a_disk_that_refuses_costs_output_only() {
        let dir = DataDir::new("/proc/nothing".into());
        let mut capture = Capture::new(AttemptKey::of_bits(1, 1), 1 << 20);
        capture.take(&dir, Stdout, Timestamp::UNIX_EPOCH, &[0; 5000]);
        let summary = capture.finish();
        assert_eq!((summary.stdout_bytes, summary.dropped_bytes), (5000, 5000));
    }

    #[test]
    fn a_million_single_bytes_stay_within_the_bounds_of_memory() {
        let mut tail = Tail::default();
        for index in 0..1_000_000 {
            let stream = if index % 2 == 0 { Stdout } else { Stderr };
            tail.push(stream, Timestamp::from_microsecond(index).unwrap(), b"x");
            assert!(tail.chunks.len() <= PIECES_MAX && tail.bytes <= TAIL_BYTES_MAX);
        }
    }
}
