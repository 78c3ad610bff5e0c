//! The canonical tar: how an entry's header is written, and the only form in which it is read.
//!
//! The reader takes a header apart, writes it again and compares. Whatever the writer would not have written is
//! refused, so there is nothing in a header that could mean two things to two programs.

use std::io::{self, Read};

use tar::{EntryType, Header};

use crate::bundle::error::BundleError;
use crate::bundle::path::BundlePath;
use crate::bundle::{Entry, EntryKind, Mode};
use crate::fault::quoted;

/// Tar's unit: headers are one block, contents are padded to whole ones.
pub(crate) const BLOCK: usize = 512;
/// What ends an archive: two blocks of zeros.
pub(crate) const END: [u8; 2 * BLOCK] = [0; 2 * BLOCK];
/// The longest name that a header holds itself.
const NAME_BYTES_MAX: usize = 100;
/// The name of GNU tar's entries that hold a long name.
const LONG_NAME: &[u8] = b"././@LongLink";
const DIRECTORY_MODE: u32 = 0o755;

/// How many zeros follow a content of this size.
pub(crate) fn padding(bytes: u64) -> usize {
    let over = usize::try_from(bytes % BLOCK as u64).expect("below 512");
    (BLOCK - over) % BLOCK
}

/// The blocks that stand before an entry's content.
pub(crate) fn header_of(entry: &Entry) -> Vec<u8> {
    let mut name = entry.path.as_str().as_bytes().to_vec();
    let (kind, mode, bytes) = match entry.kind {
        EntryKind::Directory => {
            name.push(b'/');
            (EntryType::Directory, DIRECTORY_MODE, 0)
        }
        EntryKind::File { mode, bytes } => (EntryType::Regular, mode.bits(), bytes),
    };
    let mut blocks = Vec::with_capacity(BLOCK);
    if name.len() > NAME_BYTES_MAX {
        let bytes = name.len() as u64 + 1;
        blocks.extend_from_slice(&block(LONG_NAME, EntryType::GNULongName, 0o644, bytes));
        blocks.extend_from_slice(&name);
        blocks.resize(blocks.len() + 1 + padding(bytes), 0);
        name.truncate(NAME_BYTES_MAX);
    }
    blocks.extend_from_slice(&block(&name, kind, mode, bytes));
    blocks
}

fn block(name: &[u8], kind: EntryType, mode: u32, bytes: u64) -> [u8; BLOCK] {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name);
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(bytes);
    header.set_cksum();
    *header.as_bytes()
}

/// Reads the next entry's header; the reader then stands at its content. `None` at the archive's end, of which
/// nothing more is left to read.
pub(crate) fn read_header(tar: &mut impl Read) -> Result<Option<Entry>, BundleError> {
    let mut seen = vec![0; BLOCK];
    read_exact(tar, &mut seen)?;
    if seen == END[..BLOCK] {
        let mut second = [0; BLOCK];
        read_exact(tar, &mut second)?;
        if second != END[..BLOCK] {
            return Err(corrupt("its end is followed by something"));
        }
        return Ok(None);
    }
    let mut header = Header::from_byte_slice(&seen).clone();
    let mut name = until_zero(&header.as_old().name).to_vec();
    if header.entry_type() == EntryType::GNULongName {
        name = read_long_name(tar, &header, &mut seen)?;
        let start = seen.len();
        seen.resize(start + BLOCK, 0);
        read_exact(tar, &mut seen[start..])?;
        header = Header::from_byte_slice(&seen[start..]).clone();
    }
    let entry = entry_of(&header, name)?;
    if header_of(&entry) != seen {
        let problem = "its header says more than name, size and mode";
        return Err(BundleError::NotCanonical {
            path: quoted(entry.path.as_str()),
            problem,
        });
    }
    Ok(Some(entry))
}

fn read_long_name(
    tar: &mut impl Read,
    header: &Header,
    seen: &mut Vec<u8>,
) -> Result<Vec<u8>, BundleError> {
    // One for a directory's slash, one for the zero at the end.
    let bytes_max = BundlePath::BYTES_MAX as u64 + 2;
    let bytes = header
        .size()
        .map_err(|_| corrupt("a size is not a number"))?;
    if bytes == 0 || bytes > bytes_max {
        return Err(corrupt("a name is too long"));
    }
    let length = usize::try_from(bytes).expect("bounded above");
    let start = seen.len();
    seen.resize(start + length + padding(bytes), 0);
    read_exact(tar, &mut seen[start..])?;
    Ok(until_zero(&seen[start..start + length]).to_vec())
}

fn entry_of(header: &Header, mut name: Vec<u8>) -> Result<Entry, BundleError> {
    let shown = quoted(&String::from_utf8_lossy(&name));
    let kind = header.entry_type();
    let is_directory = kind == EntryType::Directory;
    if kind != EntryType::Regular && !is_directory {
        let (found, expected) = (type_words(kind), "a regular file or a directory");
        return Err(BundleError::NotAFile {
            path: shown,
            found,
            expected,
        });
    }
    if is_directory && name.last() == Some(&b'/') {
        name.pop();
    }
    let name = String::from_utf8(name).map_err(|_| BundleError::NameNotText {
        path: shown.clone(),
    })?;
    let path = BundlePath::parse(&name).map_err(|fault| BundleError::BadName {
        path: shown.clone(),
        fault,
    })?;
    let bytes = header
        .size()
        .map_err(|_| corrupt("a size is not a number"))?;
    let mode = header
        .mode()
        .map_err(|_| corrupt("a mode is not a number"))?;
    let kind = match (is_directory, mode) {
        (true, DIRECTORY_MODE) => EntryKind::Directory,
        (false, 0o644) => EntryKind::File {
            mode: Mode::Plain,
            bytes,
        },
        (false, 0o755) => EntryKind::File {
            mode: Mode::Executable,
            bytes,
        },
        _ => {
            let problem = "its mode is neither 0644 nor 0755";
            return Err(BundleError::NotCanonical {
                path: shown,
                problem,
            });
        }
    };
    Ok(Entry { path, kind })
}

fn type_words(kind: EntryType) -> &'static str {
    match kind {
        EntryType::Symlink => "a symbolic link",
        EntryType::Link => "a hard link",
        EntryType::Char | EntryType::Block => "a device",
        EntryType::Fifo => "a FIFO",
        _ => "an entry of another kind",
    }
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|byte| *byte == 0).next().unwrap_or(bytes)
}

pub(crate) fn corrupt(problem: &str) -> BundleError {
    BundleError::Corrupt {
        problem: problem.to_owned(),
    }
}

/// Fills the buffer; a text that ends before is damaged.
pub(crate) fn read_exact(tar: &mut impl Read, buffer: &mut [u8]) -> Result<(), BundleError> {
    tar.read_exact(buffer).map_err(read_error)
}

/// An error of the disk is not the archive's fault.
pub(crate) fn read_error(error: io::Error) -> BundleError {
    if error.raw_os_error().is_some() {
        return BundleError::Read {
            path: "the bundle".to_owned(),
            error,
        };
    }
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return corrupt("it is cut off");
    }
    BundleError::Corrupt {
        problem: error.to_string(),
    }
}
