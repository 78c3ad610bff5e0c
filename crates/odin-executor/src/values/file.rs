//! The form of a file of reports: writing and reading frames.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use jiff::Timestamp;
use odin_model::instant;

use super::{LINE_BYTES_MAX, MAGIC};
use crate::data_dir::DataDir;
use crate::protocol::AttemptKey;

const HEADER: usize = 4 + 4 + 8 + 1;
const CHECKED_FROM: usize = 8;
/// A count before the bytes of a cut line, and both counts of what was dropped.
const COUNTS: usize = 16;

/// One thing that an attempt's file holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// A line, without its end.
    Line(Vec<u8>),
    /// The beginning of a line that was longer than a line may be.
    CutLine {
        /// Its beginning.
        start: Vec<u8>,
        /// How long it was.
        bytes: u64,
    },
    /// Lines that were not kept. A later one counts them all again, and those since.
    Dropped {
        /// How many, since the attempt began.
        lines: u64,
        /// Their bytes.
        bytes: u64,
    },
}

impl Kept {
    /// How long the line was; of none, 0.
    pub(super) fn length(&self) -> u64 {
        match self {
            Self::Line(line) => to_u64(line.len()),
            Self::CutLine { bytes, .. } => *bytes,
            Self::Dropped { .. } => 0,
        }
    }
}

/// What a file holds at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLine {
    /// When the executor read it.
    pub at: Timestamp,
    /// What it is.
    pub kept: Kept,
    /// Where the next one begins.
    pub next: u64,
}

/// A part of an attempt's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it holds, in order.
    pub lines: Vec<KeptLine>,
    /// Where the next page begins. Reading there again later follows a running attempt.
    pub next: u64,
    /// Whether the next page has something already. A torn end reads as the end.
    pub more: bool,
}

/// Why an attempt's reports cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ValuesFileError {
    /// The file is not one of ours, or of a newer version.
    #[error("{path} is not a file of reports of this version of Odin")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The system's error.
    #[error("cannot read {path}: {error}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        error: io::Error,
    },
}

impl ValuesFileError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Foreign { .. } => "values/foreign",
            Self::Read { .. } => "values/read",
        }
    }
}

/// Frames on their way into a file.
#[derive(Default)]
pub(super) struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    pub(super) fn push(&mut self, at: Timestamp, kept: &Kept) {
        let (kind, counts, body): (u8, Vec<u64>, &[u8]) = match kept {
            Kept::Line(line) => (1, Vec::new(), line),
            Kept::CutLine { start, bytes } => (2, vec![*bytes], start),
            Kept::Dropped { lines, bytes } => (3, vec![*lines, *bytes], &[]),
        };
        let begin = self.bytes.len();
        let length = u32::try_from(counts.len() * 8 + body.len()).expect("a line is bounded");
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend([0; 4]);
        self.bytes.extend(instant::to_micros(at).to_le_bytes());
        self.bytes.push(kind);
        self.bytes
            .extend(counts.iter().flat_map(|count| count.to_le_bytes()));
        self.bytes.extend_from_slice(body);
        let sum = crc32fast::hash(&self.bytes[begin + CHECKED_FROM..]);
        self.bytes[begin + 4..begin + CHECKED_FROM].copy_from_slice(&sum.to_le_bytes());
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What they hold, in order.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let (mut rest, mut all) = (&self.bytes[..], Vec::new());
        while let Some((_, kept, length)) = frame(rest) {
            all.push(kept);
            rest = &rest[length..];
        }
        all
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(256 << 10);
    }
}

/// A file that grows.
pub(super) struct ValuesFile {
    file: File,
    length: u64,
}

impl ValuesFile {
    /// Makes the file. An earlier one of the same attempt can only be of a process that never was, so it goes.
    pub(super) fn create(dir: &DataDir, key: AttemptKey) -> io::Result<Self> {
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(dir.values_file(key))?;
        (&file).write_all(&MAGIC)?;
        Ok(Self {
            file,
            length: to_u64(MAGIC.len()),
        })
    }

    /// Appends frames. After an error the file ends where it did before.
    pub(super) fn append(&mut self, frames: &Frames) -> io::Result<()> {
        match (&self.file).write_all(&frames.bytes) {
            Ok(()) => {
                self.length += to_u64(frames.len());
                Ok(())
            }
            Err(error) => {
                // A torn frame would hide what is appended behind it once there is space again.
                self.file.set_len(self.length)?;
                io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.length))?;
                Err(error)
            }
        }
    }

    /// The same file, for a thread that waits for the disk.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

/// Reads an attempt's file from `from`: 0, or the `next` of what was read earlier. A page ends after `bytes_max` bytes
/// at the earliest that a frame ends. `None`: there is no such file.
///
/// Safe while the executor appends.
///
/// # Errors
/// When it is not a file of reports, or it cannot be read.
pub fn read(
    dir: &DataDir,
    key: AttemptKey,
    from: u64,
    bytes_max: usize,
) -> Result<Option<Page>, ValuesFileError> {
    let path = dir.values_file(key);
    let failed = |error: io::Error| ValuesFileError::Read {
        path: path.clone(),
        error,
    };
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut page = Page {
        lines: Vec::new(),
        next: from.max(to_u64(MAGIC.len())),
        more: false,
    };
    let mut magic = [0; MAGIC.len()];
    if read_some(&file, &mut magic, 0).map_err(failed)? < magic.len() {
        // Made a moment ago, and nothing written yet.
        page.next = from;
        return Ok(Some(page));
    }
    if magic != MAGIC {
        return Err(ValuesFileError::Foreign { path });
    }
    // In one read: most lines are short.
    let mut buffer = vec![0; bytes_max + HEADER + COUNTS + LINE_BYTES_MAX];
    let filled = read_some(&file, &mut buffer, page.next).map_err(failed)?;
    let mut rest = &buffer[..filled];
    loop {
        if filled - rest.len() >= bytes_max {
            // It may be a torn end: the next page tells.
            page.more = !rest.is_empty();
            break;
        }
        let Some((at, kept, after)) = frame(rest) else {
            break;
        };
        rest = &rest[after..];
        page.next += to_u64(after);
        let next = page.next;
        page.lines.push(KeptLine { at, kept, next });
    }
    Ok(Some(page))
}

/// The first frame of these bytes and its length; `None` where none is whole.
fn frame(bytes: &[u8]) -> Option<(Timestamp, Kept, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (sum, checked) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    if length > LINE_BYTES_MAX + COUNTS {
        return None;
    }
    let checked = checked.get(..length + HEADER - CHECKED_FROM)?;
    if crc32fast::hash(checked) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (micros, rest) = checked.split_first_chunk::<8>()?;
    let (kind, body) = rest.split_first()?;
    let at = instant::from_micros(i64::from_le_bytes(*micros));
    let kept = match kind {
        1 => Kept::Line(body.to_vec()),
        2 => {
            let (count, start) = body.split_first_chunk::<8>()?;
            Kept::CutLine {
                start: start.to_vec(),
                bytes: u64::from_le_bytes(*count),
            }
        }
        3 => {
            let (lines, rest) = body.split_first_chunk::<8>()?;
            Kept::Dropped {
                lines: u64::from_le_bytes(*lines),
                bytes: u64::from_le_bytes(*rest.first_chunk::<8>()?),
            }
        }
        _ => return None,
    };
    Some((at, kept, HEADER + length))
}

/// Reads until the buffer is full or the file ends; how much that was.
fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read_at(&mut buffer[filled..], offset + to_u64(filled)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Removes an attempt's file, if there is one.
///
/// # Errors
/// When the system refuses.
pub fn remove(dir: &DataDir, key: AttemptKey) -> io::Result<()> {
    match std::fs::remove_file(dir.values_file(key)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The attempts that have a file, in order.
///
/// # Errors
/// When the directory cannot be read; one that is not there is empty.
pub fn list(dir: &DataDir) -> io::Result<Vec<AttemptKey>> {
    let entries = match std::fs::read_dir(dir.values()) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut keys = Vec::new();
    for entry in entries {
        keys.extend(entry?.file_name().to_str().and_then(AttemptKey::parse));
    }
    keys.sort_unstable();
    Ok(keys)
}

fn to_u64(count: usize) -> u64 {
    u64::try_from(count).expect("usize fits 64 bits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_kinds() -> Vec<Kept> {
        vec![
            Kept::Line(b"{\"a\":1}".to_vec()),
            Kept::Line(Vec::new()),
            Kept::CutLine {
                start: vec![b'x'; LINE_BYTES_MAX],
                bytes: 1 << 40,
            },
            Kept::Dropped { lines: 3, bytes: 9 },
            Kept::Line(vec![0xff, 0, b'\r']),
        ]
    }

    fn written() -> (tempfile::TempDir, DataDir, AttemptKey) {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        std::fs::create_dir(dir.values()).unwrap();
        let key = AttemptKey::of_bits(7, 2);
        let mut file = ValuesFile::create(&dir, key).unwrap();
        for kept in all_kinds() {
            let mut frames = Frames::default();
            frames.push(Timestamp::UNIX_EPOCH, &kept);
            file.append(&frames).unwrap();
        }
        (temp, dir, key)
    }

    #[test]
    fn a_file_reads_as_it_was_written_in_pages_of_any_size() {
        let (_temp, dir, key) = written();
        for bytes_max in [1, 100, 1 << 20] {
            let (mut seen, mut from) = (Vec::new(), 0);
            loop {
                let page = read(&dir, key, from, bytes_max).unwrap().unwrap();
                from = page.next;
                seen.extend(page.lines.into_iter().map(|line| line.kept));
                if !page.more {
                    break;
                }
            }
            assert_eq!(seen, all_kinds(), "{bytes_max}");
            let end = read(&dir, key, from, 100).unwrap().unwrap();
            assert_eq!((end.lines, end.next), (vec![], from));
        }
        assert_eq!(list(&dir).unwrap(), [key]);
        remove(&dir, key).unwrap();
        remove(&dir, key).unwrap();
        assert_eq!(list(&dir).unwrap(), []);
        assert_eq!(read(&dir, key, 0, 100).unwrap(), None);
    }

    #[test]
    fn a_file_cut_anywhere_has_its_whole_lines_and_no_others() {
        let (_temp, dir, key) = written();
        let whole = std::fs::read(dir.values_file(key)).unwrap();
        for length in (0..200).chain(whole.len() - 60..whole.len()) {
            std::fs::write(dir.values_file(key), &whole[..length]).unwrap();
            let page = read(&dir, key, 0, 1 << 20).unwrap().unwrap();
            let seen: Vec<_> = page.lines.into_iter().map(|line| line.kept).collect();
            assert_eq!(seen, all_kinds()[..seen.len()], "{length}");
            assert!(seen.len() < all_kinds().len());
        }
        std::fs::write(dir.values_file(key), b"odinout1").unwrap();
        assert_eq!(read(&dir, key, 0, 9).unwrap_err().code(), "values/foreign");
    }
}
