//! The form of an output file: writing and reading frames.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::PathBuf;

use jiff::Timestamp;
use odin_model::instant;
use odin_model::output::{OutputChunk, Stream};

use super::{FRAME_BYTES_MAX, MAGIC};
use crate::data_dir::DataDir;
use crate::protocol::AttemptKey;

const HEADER: usize = 4 + 4 + 8 + 1;
const CHECKED_FROM: usize = 8;

/// Why an attempt's output cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// There is no file: the output is in the result, was removed, or is on another node.
    #[error("attempt {key} has no output file here")]
    Absent {
        /// Which attempt.
        key: AttemptKey,
    },
    /// The file is not one of ours, or of a newer version.
    #[error("{path} is not an output file of this version of Odin")]
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

impl OutputError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "output/absent",
            Self::Foreign { .. } => "output/foreign",
            Self::Read { .. } => "output/read",
        }
    }
}

/// A piece of an attempt's output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What was printed, in order.
    pub chunks: Vec<OutputChunk>,
    /// Where the next page begins. Reading there again later follows a running attempt.
    pub next: u64,
    /// Whether the next page has something already. The end of a running attempt's file, a torn end and damage
    /// all read as no more.
    pub more: bool,
}

/// An output file that grows.
pub(super) struct OutputFile {
    file: File,
    length: u64,
}

impl OutputFile {
    /// Makes the file. An earlier one of the same attempt can only be of a process that never was, so it goes.
    pub(super) fn create(dir: &DataDir, key: AttemptKey) -> io::Result<Self> {
        let path = dir.output_file(key);
        let file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        (&file).write_all(&MAGIC)?;
        Ok(Self { file, length: 8 })
    }

    /// Appends one frame of at most [`FRAME_BYTES_MAX`] bytes. After an error the file ends where it did before.
    pub(super) fn append(&mut self, stream: Stream, at: Timestamp, bytes: &[u8]) -> io::Result<()> {
        let mut header = [0; HEADER];
        let length = u32::try_from(bytes.len()).expect("a read is at most 64 KiB");
        header[0..4].copy_from_slice(&length.to_le_bytes());
        header[8..16].copy_from_slice(&instant::to_micros(at).to_le_bytes());
        header[16] = match stream {
            Stream::Stdout => 1,
            Stream::Stderr => 2,
        };
        let sum = checksum(&header, bytes);
        header[4..8].copy_from_slice(&sum.to_le_bytes());
        let whole = HEADER + bytes.len();
        let written = (&self.file).write_vectored(&[IoSlice::new(&header), IoSlice::new(bytes)]);
        let result = match written {
            Ok(written) if written == whole => {
                self.length += u64::try_from(whole).expect("usize fits 64 bits");
                return Ok(());
            }
            Ok(_) => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Err(error) => Err(error),
        };
        // A torn frame would hide what is appended behind it once there is space again.
        self.file.set_len(self.length)?;
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(self.length))?;
        result
    }
}

fn checksum(header: &[u8; HEADER], bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&header[CHECKED_FROM..]);
    hasher.update(bytes);
    hasher.finalize()
}

/// Reads an attempt's output file from `from`: 0, or the `next` of an earlier page. A page ends after
/// `bytes_max` bytes at the earliest that a frame ends, so it has at most [`FRAME_BYTES_MAX`] more.
///
/// Safe while the executor appends.
///
/// # Errors
/// When there is no such file, it is not an output file, or it cannot be read.
pub fn read(
    dir: &DataDir,
    key: AttemptKey,
    from: u64,
    bytes_max: usize,
) -> Result<Page, OutputError> {
    let path = dir.output_file(key);
    let failed = |error: io::Error| OutputError::Read {
        path: path.clone(),
        error,
    };
    let file = File::open(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OutputError::Absent { key },
        _ => OutputError::Read {
            path: path.clone(),
            error,
        },
    })?;
    let mut magic = [0; MAGIC.len()];
    if read_full(&file, &mut magic, 0).map_err(failed)? < magic.len() {
        // Made a moment ago, and nothing written yet.
        return Ok(Page {
            chunks: Vec::new(),
            next: 0,
            more: false,
        });
    }
    if magic != MAGIC {
        return Err(OutputError::Foreign { path });
    }
    let mut page = Page {
        chunks: Vec::new(),
        next: from.max(8),
        more: false,
    };
    let mut taken = 0;
    while let Some((chunk, after)) = read_frame(&file, page.next).map_err(failed)? {
        if taken >= bytes_max {
            page.more = true;
            break;
        }
        taken += chunk.bytes.len();
        page.chunks.push(chunk);
        page.next = after;
    }
    Ok(page)
}

/// The frame at `offset` and where the next one begins; `None` at the end, torn or not.
fn read_frame(file: &File, offset: u64) -> io::Result<Option<(OutputChunk, u64)>> {
    let mut header = [0; HEADER];
    if read_full(file, &mut header, offset)? < HEADER {
        return Ok(None);
    }
    let (length, rest) = header.split_first_chunk::<4>().expect("a header is longer");
    let (sum, rest) = rest.split_first_chunk::<4>().expect("a header is longer");
    let (micros, stream) = rest.split_first_chunk::<8>().expect("a header is longer");
    let length = u32::from_le_bytes(*length);
    let Some(size) = usize::try_from(length)
        .ok()
        .filter(|&size| size <= FRAME_BYTES_MAX)
    else {
        return Ok(None);
    };
    let stream = match stream {
        [1] => Stream::Stdout,
        [2] => Stream::Stderr,
        _ => return Ok(None),
    };
    let body = offset + u64::try_from(HEADER).expect("usize fits 64 bits");
    let mut bytes = vec![0; size];
    if read_full(file, &mut bytes, body)? < size
        || checksum(&header, &bytes) != u32::from_le_bytes(*sum)
    {
        return Ok(None);
    }
    let at = instant::from_micros(i64::from_le_bytes(*micros));
    Ok(Some((
        OutputChunk { stream, at, bytes },
        body + u64::from(length),
    )))
}

/// Reads until the buffer is full or the file ends; how much that was.
fn read_full(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        let at = offset + u64::try_from(filled).expect("usize fits 64 bits");
        match file.read_at(&mut buffer[filled..], at) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Removes an attempt's output file, if there is one.
///
/// # Errors
/// The system's.
pub fn remove(dir: &DataDir, key: AttemptKey) -> io::Result<()> {
    match std::fs::remove_file(dir.output_file(key)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> AttemptKey {
        AttemptKey::of_bits(7, 1)
    }

    fn written(pieces: &[&str]) -> (tempfile::TempDir, DataDir) {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        std::fs::create_dir(dir.output()).unwrap();
        let mut file = OutputFile::create(&dir, key()).unwrap();
        for piece in pieces {
            file.append(Stream::Stdout, Timestamp::UNIX_EPOCH, piece.as_bytes())
                .unwrap();
        }
        (temp, dir)
    }

    fn texts(page: &Page) -> Vec<String> {
        page.chunks
            .iter()
            .map(|chunk| String::from_utf8(chunk.bytes.clone()).unwrap())
            .collect()
    }

    #[test]
    fn pages_follow_each_other() {
        let (_temp, dir) = written(&["one", "two", "three"]);
        let first = read(&dir, key(), 0, 4).unwrap();
        assert_eq!(
            (texts(&first), first.more),
            (vec!["one".to_owned(), "two".to_owned()], true)
        );
        let second = read(&dir, key(), first.next, 4).unwrap();
        assert_eq!(
            (texts(&second), second.more),
            (vec!["three".to_owned()], false)
        );
        assert_eq!(read(&dir, key(), second.next, 4).unwrap().chunks, []);
    }

    #[test]
    fn a_file_cut_anywhere_reads_up_to_its_last_whole_frame() {
        let (_temp, dir) = written(&["one", "two", "three"]);
        let whole = std::fs::read(dir.output_file(key())).unwrap();
        for length in 0..whole.len() {
            std::fs::write(dir.output_file(key()), &whole[..length]).unwrap();
            let page = read(&dir, key(), 0, 1000).unwrap();
            let frames = [28, 48, 70].iter().filter(|&&end| end <= length).count();
            assert_eq!(
                texts(&page),
                ["one", "two", "three"][..frames],
                "cut at {length}"
            );
        }
    }

    #[test]
    fn a_changed_byte_ends_the_output_there() {
        let (_temp, dir) = written(&["one", "two"]);
        let mut bytes = std::fs::read(dir.output_file(key())).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(dir.output_file(key()), &bytes).unwrap();
        assert_eq!(texts(&read(&dir, key(), 0, 1000).unwrap()), ["one"]);
    }

    #[test]
    fn what_is_not_there_or_not_ours_is_said() {
        let (_temp, dir) = written(&[]);
        std::fs::write(dir.output_file(key()), b"something else").unwrap();
        assert_eq!(
            read(&dir, key(), 0, 1).unwrap_err().code(),
            "output/foreign"
        );
        remove(&dir, key()).unwrap();
        remove(&dir, key()).unwrap();
        assert_eq!(read(&dir, key(), 0, 1).unwrap_err().code(), "output/absent");
    }
}
