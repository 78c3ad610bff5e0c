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

const HEADER: usize = 4 + 4 + 8 + 8 + 1;
const CHECKED_FROM: usize = 8;
/// Where files have a frame's beginning, whatever is printed.
const BLOCK: u64 = 256 << 10;
const PADDING: [u8; HEADER] = [0; HEADER];

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
    /// The bytes in all frames.
    bytes: u64,
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
        Ok(Self {
            file,
            length: 8,
            bytes: 0,
        })
    }

    /// Appends at most [`FRAME_BYTES_MAX`] bytes, in two frames where a block ends between. After an error the file ends
    /// where it did before.
    pub(super) fn append(&mut self, stream: Stream, at: Timestamp, bytes: &[u8]) -> io::Result<()> {
        let mut frames: Vec<(usize, [u8; HEADER], &[u8])> = Vec::with_capacity(2);
        let (mut length, mut before, mut rest) = (self.length, self.bytes, bytes);
        loop {
            let start = past_padding(length);
            let room = usize::try_from(room_at(start)).expect("a block is short") - HEADER;
            let (piece, later) = rest.split_at(rest.len().min(room));
            let padding = usize::try_from(start - length).expect("shorter than a header");
            frames.push((padding, header(stream, at, before, piece), piece));
            length = start + (HEADER + piece.len()) as u64;
            before += piece.len() as u64;
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        let parts: Vec<_> = frames
            .iter()
            .flat_map(|(padding, header, piece)| {
                [&PADDING[..*padding], header.as_slice(), piece].map(IoSlice::new)
            })
            .collect();
        let whole: usize = parts.iter().map(|part| part.len()).sum();
        let result = match (&self.file).write_vectored(&parts) {
            Ok(written) if written == whole => {
                (self.length, self.bytes) = (length, before);
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

/// How much of its block comes at and after an offset: 1 byte at least.
fn room_at(offset: u64) -> u64 {
    BLOCK - offset % BLOCK
}

/// Where a frame at `offset` or after it begins: in the next block, when this one has no room for its first byte.
fn past_padding(offset: u64) -> u64 {
    match room_at(offset) {
        room if room <= HEADER as u64 => offset + room,
        _ => offset,
    }
}

fn header(stream: Stream, at: Timestamp, before: u64, bytes: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    let length = u32::try_from(bytes.len()).expect("a read is at most 64 KiB");
    header[0..4].copy_from_slice(&length.to_le_bytes());
    header[8..16].copy_from_slice(&instant::to_micros(at).to_le_bytes());
    header[16..24].copy_from_slice(&before.to_le_bytes());
    header[24] = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    let sum = checksum(&header, bytes);
    header[4..8].copy_from_slice(&sum.to_le_bytes());
    header
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
    let opened = Opened::open(dir, key)?;
    if opened.is_empty {
        // Made a moment ago, and nothing written yet.
        return Ok(Page {
            chunks: Vec::new(),
            next: 0,
            more: false,
        });
    }
    let mut page = Page {
        chunks: Vec::new(),
        next: from.max(8),
        more: false,
    };
    let mut taken = 0;
    while let Some(frame) = opened.frame(page.next)? {
        if taken >= bytes_max {
            page.more = true;
            break;
        }
        taken += frame.chunk.bytes.len();
        page.chunks.push(frame.chunk);
        page.next = frame.end;
    }
    Ok(page)
}

/// A place in an output file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where in the file a frame begins or the file ends: what [`read`] takes.
    pub offset: u64,
    /// How many bytes of output come before it.
    pub bytes: u64,
}

/// The beginning of the frame that has the byte of this number, counted from 0 over both streams, or the end of what
/// is there. Found by halving the file: one of a gigabyte takes a dozen reads, wherever the place is.
///
/// # Errors
/// When there is no such file, it is not an output file, or it cannot be read.
pub fn find(dir: &DataDir, key: AttemptKey, byte: u64) -> Result<Place, OutputError> {
    let opened = Opened::open(dir, key)?;
    let mut place = Place {
        offset: 8,
        bytes: 0,
    };
    if opened.is_empty {
        return Ok(Place {
            offset: 0,
            bytes: 0,
        });
    }
    // The last block whose first frame begins at that byte or before it.
    let mut low = 0;
    let mut high = opened.length()?.div_ceil(BLOCK);
    while high.saturating_sub(low) > 1 {
        let middle = low + (high - low) / 2;
        match opened.frame(middle * BLOCK)? {
            Some(frame) if frame.before <= byte => {
                low = middle;
                place = Place {
                    offset: middle * BLOCK,
                    bytes: frame.before,
                };
            }
            Some(_) | None => high = middle,
        }
    }
    while let Some(frame) = opened.frame(place.offset)? {
        let end = frame.before + frame.chunk.bytes.len() as u64;
        if end > byte {
            break;
        }
        place = Place {
            offset: frame.end,
            bytes: end,
        };
    }
    Ok(place)
}

/// How many bytes of output the file has.
///
/// # Errors
/// As [`find`].
pub fn end(dir: &DataDir, key: AttemptKey) -> Result<u64, OutputError> {
    Ok(find(dir, key, u64::MAX)?.bytes)
}

/// An output file that is read.
struct Opened {
    path: PathBuf,
    file: File,
    /// Nothing is in it, not even what it is.
    is_empty: bool,
}

/// A frame of a file.
struct Frame {
    chunk: OutputChunk,
    /// How many bytes of output come before it.
    before: u64,
    /// Where in the file it ends.
    end: u64,
}

impl Opened {
    fn open(dir: &DataDir, key: AttemptKey) -> Result<Self, OutputError> {
        let path = dir.output_file(key);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OutputError::Absent { key });
            }
            Err(error) => return Err(OutputError::Read { path, error }),
        };
        let mut opened = Self {
            path,
            file,
            is_empty: false,
        };
        let mut magic = [0; MAGIC.len()];
        let filled = read_full(&opened.file, &mut magic, 0);
        opened.is_empty = filled.map_err(|error| opened.failed(error))? < magic.len();
        if opened.is_empty || magic == MAGIC {
            Ok(opened)
        } else {
            Err(OutputError::Foreign { path: opened.path })
        }
    }

    fn failed(&self, error: io::Error) -> OutputError {
        OutputError::Read {
            path: self.path.clone(),
            error,
        }
    }

    fn length(&self) -> Result<u64, OutputError> {
        let metadata = self.file.metadata();
        Ok(metadata.map_err(|error| self.failed(error))?.len())
    }

    /// The frame at `offset`, or in the next block where that offset is padding; `None` at the end, torn or not.
    fn frame(&self, offset: u64) -> Result<Option<Frame>, OutputError> {
        read_frame(&self.file, past_padding(offset)).map_err(|error| self.failed(error))
    }
}

fn read_frame(file: &File, offset: u64) -> io::Result<Option<Frame>> {
    let mut header = [0; HEADER];
    if read_full(file, &mut header, offset)? < HEADER {
        return Ok(None);
    }
    let (length, rest) = header.split_first_chunk::<4>().expect("a header is longer");
    let (sum, rest) = rest.split_first_chunk::<4>().expect("a header is longer");
    let (micros, rest) = rest.split_first_chunk::<8>().expect("a header is longer");
    let (before, stream) = rest.split_first_chunk::<8>().expect("a header is longer");
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
    Ok(Some(Frame {
        chunk: OutputChunk { stream, at, bytes },
        before: u64::from_le_bytes(*before),
        end: body + u64::from(length),
    }))
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
            let frames = [36, 64, 94].iter().filter(|&&end| end <= length).count();
            assert_eq!(
                texts(&page),
                ["one", "two", "three"][..frames],
                "cut at {length}"
            );
        }
    }

    #[test]
    fn a_place_in_the_middle_is_found_wherever_frames_begin() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        std::fs::create_dir(dir.output()).unwrap();
        let mut file = OutputFile::create(&dir, key()).unwrap();
        let mut printed = Vec::new();
        for number in 0..160usize {
            let length = [1, 17, 5_000, FRAME_BYTES_MAX, 60_001][number % 5];
            let bytes: Vec<u8> = (0..length)
                .map(|at| u8::try_from((at * 31 + number) % 251).unwrap())
                .collect();
            file.append(Stream::Stdout, Timestamp::UNIX_EPOCH, &bytes)
                .unwrap();
            printed.extend(bytes);
        }
        let end_of_all = printed.len() as u64;
        assert_eq!(end(&dir, key()).unwrap(), end_of_all);
        let whole = read(&dir, key(), 0, usize::MAX).unwrap();
        let read_back = whole.chunks.iter().flat_map(|chunk| &chunk.bytes);
        assert!(read_back.eq(&printed));
        let places = (0..end_of_all).step_by(99_991);
        let places = places.chain([
            1,
            17,
            18,
            5_017,
            BLOCK - 9,
            BLOCK,
            BLOCK + 1,
            end_of_all - 1,
        ]);
        for byte in places {
            let place = find(&dir, key(), byte).unwrap();
            let page = read(&dir, key(), place.offset, 1).unwrap();
            let first = &page.chunks[0].bytes;
            let within = place.bytes..place.bytes + first.len() as u64;
            assert!(within.contains(&byte), "byte {byte}, found {within:?}");
            let at = usize::try_from(place.bytes).unwrap();
            assert_eq!(first[..], printed[at..at + first.len()], "byte {byte}");
        }
        let past = find(&dir, key(), end_of_all).unwrap();
        assert_eq!(past.bytes, end_of_all);
        assert_eq!(read(&dir, key(), past.offset, 1).unwrap().chunks, []);
    }

    #[test]
    fn a_file_of_a_gigabyte_is_not_read_through_for_a_place_in_it() {
        let (_temp, dir) = written(&["first"]);
        let file = File::options()
            .write(true)
            .open(dir.output_file(key()))
            .unwrap();
        // After the first frame of each block nothing can be read: whoever goes from frame to frame stops there.
        let blocks = (1u64 << 30) / BLOCK;
        for block in 1..blocks {
            let before = block * 1000;
            let header = header(Stream::Stdout, Timestamp::UNIX_EPOCH, before, b"0123456789");
            file.write_all_at(&header, block * BLOCK).unwrap();
            file.write_all_at(b"0123456789", block * BLOCK + HEADER as u64)
                .unwrap();
        }
        file.set_len(blocks * BLOCK).unwrap();
        for block in [1, 2, blocks / 2, blocks - 1] {
            let expected = Place {
                offset: block * BLOCK,
                bytes: block * 1000,
            };
            assert_eq!(find(&dir, key(), block * 1000 + 5).unwrap(), expected);
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
