//! Lines out of bytes that come in any pieces.

use super::file::Kept;

/// The line that a connection is in the middle of.
#[derive(Default)]
pub(super) struct Lines {
    begun: Vec<u8>,
    /// Bytes of the line beyond what is kept of it.
    beyond: u64,
}

impl Lines {
    /// Takes the next bytes and gives out the lines that end in them, each with its length. Of a line longer than
    /// `bytes_max`, only that much is kept.
    pub(super) fn take(&mut self, bytes: &[u8], bytes_max: usize, mut line: impl FnMut(Kept, u64)) {
        let mut rest = bytes;
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            self.extend(&rest[..end], bytes_max);
            rest = &rest[end + 1..];
            if let Some((kept, length)) = self.finish() {
                line(kept, length);
            } else {
                line(Kept::Line(Vec::new()), 0);
            }
        }
        self.extend(rest, bytes_max);
    }

    fn extend(&mut self, bytes: &[u8], bytes_max: usize) {
        // What was kept under a larger bound stays.
        let room = bytes_max.saturating_sub(self.begun.len());
        let fitting = if self.beyond > 0 {
            0
        } else {
            bytes.len().min(room)
        };
        self.begun.extend_from_slice(&bytes[..fitting]);
        self.beyond += (bytes.len() - fitting) as u64;
    }

    /// What has begun as a line, with its length; `None` when nothing has.
    pub(super) fn finish(&mut self) -> Option<(Kept, u64)> {
        let beyond = std::mem::take(&mut self.beyond);
        let start = std::mem::take(&mut self.begun);
        let length = start.len() as u64 + beyond;
        match (length, beyond) {
            (0, _) => None,
            (_, 0) => Some((Kept::Line(start), length)),
            (bytes, _) => Some((Kept::CutLine { start, bytes }, length)),
        }
    }

    /// How much of a line is in memory.
    pub(super) fn held(&self) -> usize {
        self.begun.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(pieces: &[&[u8]], bytes_max: usize) -> Vec<(Kept, u64)> {
        let (mut lines, mut seen) = (Lines::default(), Vec::new());
        for piece in pieces {
            lines.take(piece, bytes_max, |kept, length| seen.push((kept, length)));
        }
        seen.extend(lines.finish());
        assert_eq!(lines.finish(), None);
        seen
    }

    #[test]
    fn lines_are_the_same_in_whatever_pieces_they_come() {
        let text = b"one\n\ntwo and more\nlast";
        let whole = lines_of(&[text], 5);
        let line = |text: &[u8]| (Kept::Line(text.to_vec()), text.len() as u64);
        let cut = Kept::CutLine {
            start: b"two a".to_vec(),
            bytes: 12,
        };
        assert_eq!(whole, [line(b"one"), line(b""), (cut, 12), line(b"last")]);
        for first in 0..text.len() {
            for second in first..text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                assert_eq!(lines_of(&pieces, 5), whole, "{first} {second}");
            }
        }
        let single: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(lines_of(&single, 5), whole);
    }

    #[test]
    fn a_line_without_end_takes_no_more_memory_than_it_may() {
        let mut lines = Lines::default();
        for _ in 0..1000 {
            lines.take(&[b'x'; 1000], 64, |_, _| panic!("no line ended"));
            assert_eq!(lines.held(), 64);
        }
        assert_eq!(lines.finish().unwrap().1, 1_000_000);
    }
}
