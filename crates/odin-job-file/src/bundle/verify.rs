//! Checks an archive that arrives, without unpacking it.

use std::io::{BufRead, BufReader, Read};

use odin_model::{BundleHash, Program};
use sha2::{Digest, Sha256};

use crate::bundle::archive::{self, corrupt};
use crate::bundle::error::BundleError;
use crate::bundle::path::BundlePath;
use crate::bundle::{
    ENTRIES_MAX, Entry, EntryKind, PACKED_BYTES_MAX, UNPACKED_BYTES_MAX, WINDOW_LOG_MAX,
};
use crate::fault::{FILE_BYTES_MAX, quoted};
use crate::read::JobFile;

/// An archive that is what a bundle must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedBundle {
    /// Its name: the SHA-256 of the tar, computed here.
    pub hash: BundleHash,
    /// The text of the job file.
    pub job_file: String,
    /// All entries, in the order of their names.
    pub entries: Vec<Entry>,
    /// What its files come to, in bytes.
    pub unpacked_bytes: u64,
    /// What it has packed, in bytes.
    pub packed_bytes: u64,
}

impl VerifiedBundle {
    /// The entry of this name.
    #[must_use]
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let place = self
            .entries
            .binary_search_by(|entry| entry.path.as_str().cmp(path))
            .ok()?;
        self.entries.get(place)
    }

    /// Checks that the bundle holds what its job file names: the code and the compiled program as files, `files` as
    /// either.
    ///
    /// # Errors
    /// [`BundleError::Incomplete`], or [`BundleError::NotAFile`] for a directory where a file belongs.
    pub fn check_against(&self, file: &JobFile) -> Result<(), BundleError> {
        let programs: Vec<&str> = match &file.program {
            Program::Interpreted { file, .. } => vec![file],
            Program::Compiled { file, binary, .. } => vec![file, binary],
            Program::Argv(_) | Program::Shell(_) => Vec::new(),
        };
        for path in programs {
            match self.entry(path).map(|entry| entry.kind) {
                Some(EntryKind::File { .. }) => {}
                Some(EntryKind::Directory) => return Err(directory_as_file(path)),
                None => return Err(BundleError::Incomplete { path: quoted(path) }),
            }
        }
        match file
            .files
            .iter()
            .find(|path| self.entry(path.as_str()).is_none())
        {
            Some(path) => Err(BundleError::Incomplete {
                path: quoted(path.as_str()),
            }),
            None => Ok(()),
        }
    }
}

pub(crate) fn directory_as_file(path: &str) -> BundleError {
    BundleError::NotAFile {
        path: quoted(path),
        found: "a directory",
        expected: "a file",
    }
}

/// Reads a packed bundle to its end, and refuses whatever [`Bundle::pack`](crate::bundle::Bundle::pack) would not
/// have written.
///
/// `job_file` is the name of the job file, at the top of the bundle. Memory stays below 32 MiB whatever arrives: the
/// contents of other files are hashed and dropped.
///
/// # Errors
/// For the first thing that is wrong.
pub fn verify(packed: impl Read, job_file: &BundlePath) -> Result<VerifiedBundle, BundleError> {
    let missing = || BundleError::NoJobFile {
        path: quoted(job_file.as_str()),
    };
    if job_file.parent().is_some() {
        return Err(missing());
    }
    // One byte more than is allowed shows that there is more.
    let input = BufReader::new(packed.take(PACKED_BYTES_MAX + 1));
    let mut decoder = zstd::stream::read::Decoder::with_buffer(input)
        .map_err(archive::read_error)?
        .single_frame();
    decoder
        .window_log_max(WINDOW_LOG_MAX)
        .map_err(archive::read_error)?;
    let mut tar = Hashed {
        inner: decoder,
        hash: Sha256::new(),
    };
    let walked = walk(&mut tar, job_file);
    let Hashed {
        inner: mut decoder,
        hash,
    } = tar;
    let taken = PACKED_BYTES_MAX + 1 - decoder.get_ref().get_ref().limit();
    if taken > PACKED_BYTES_MAX {
        return Err(BundleError::PackedTooLarge);
    }
    let walked = walked?;
    if decoder.read(&mut [0]).map_err(archive::read_error)? != 0
        || !decoder
            .get_mut()
            .fill_buf()
            .map_err(archive::read_error)?
            .is_empty()
    {
        return Err(corrupt("its end is followed by something"));
    }
    let text = String::from_utf8(walked.job_file.ok_or_else(missing)?).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        BundleError::NotText {
            path: quoted(job_file.as_str()),
            offset,
        }
    })?;
    let packed_bytes = PACKED_BYTES_MAX + 1 - decoder.get_ref().get_ref().limit();
    Ok(VerifiedBundle {
        hash: BundleHash(hash.finalize().into()),
        job_file: text,
        entries: walked.entries,
        unpacked_bytes: walked.unpacked_bytes,
        packed_bytes,
    })
}

#[derive(Default)]
struct Walked {
    entries: Vec<Entry>,
    unpacked_bytes: u64,
    job_file: Option<Vec<u8>>,
}

/// Goes through the tar, up to and including its end.
fn walk(tar: &mut impl Read, job_file: &BundlePath) -> Result<Walked, BundleError> {
    let mut walked = Walked::default();
    while let Some(entry) = archive::read_header(tar)? {
        if walked.entries.len() == ENTRIES_MAX {
            return Err(BundleError::TooManyEntries);
        }
        check_place(&entry, &walked.entries)?;
        if let EntryKind::File { bytes, .. } = entry.kind {
            let is_job_file = entry.path == *job_file;
            let left = UNPACKED_BYTES_MAX - walked.unpacked_bytes;
            let bytes_max = if is_job_file {
                left.min(FILE_BYTES_MAX as u64)
            } else {
                left
            };
            if bytes > bytes_max {
                let path = quoted(entry.path.as_str());
                return Err(BundleError::FileTooLarge {
                    path,
                    bytes,
                    bytes_max,
                });
            }
            walked.unpacked_bytes += bytes;
            let content = read_content(tar, bytes, is_job_file, &entry.path)?;
            if is_job_file {
                walked.job_file = Some(content);
            }
        }
        walked.entries.push(entry);
    }
    Ok(walked)
}

/// Whether an entry may follow these: names ascend, and a name's directory was there before.
fn check_place(entry: &Entry, before: &[Entry]) -> Result<(), BundleError> {
    let path = || quoted(entry.path.as_str());
    if let Some(last) = before.last() {
        if last.path == entry.path {
            return Err(BundleError::DuplicateName { path: path() });
        }
        if last.path > entry.path {
            let problem = "its name stands before the one that precedes it";
            return Err(BundleError::NotCanonical {
                path: path(),
                problem,
            });
        }
    }
    let Some(parent) = entry.path.parent() else {
        return Ok(());
    };
    let held = before
        .binary_search_by(|entry| entry.path.cmp(&parent))
        .map(|place| before[place].kind);
    if held != Ok(EntryKind::Directory) {
        let problem = "its directory has no entry before it";
        return Err(BundleError::NotCanonical {
            path: path(),
            problem,
        });
    }
    Ok(())
}

/// Reads a content with its padding, and keeps it if `keep`; sizes are checked before.
fn read_content(
    tar: &mut impl Read,
    bytes: u64,
    keep: bool,
    path: &BundlePath,
) -> Result<Vec<u8>, BundleError> {
    let mut kept = Vec::new();
    let mut content = tar.by_ref().take(bytes);
    let read = if keep {
        content.read_to_end(&mut kept).map(|read| read as u64)
    } else {
        std::io::copy(&mut content, &mut std::io::sink())
    };
    if read.map_err(archive::read_error)? < bytes {
        return Err(corrupt("it is cut off"));
    }
    let mut padding = [0; archive::BLOCK];
    let padding = &mut padding[..archive::padding(bytes)];
    archive::read_exact(tar, padding)?;
    if padding.iter().any(|byte| *byte != 0) {
        let problem = "something stands in its padding";
        return Err(BundleError::NotCanonical {
            path: quoted(path.as_str()),
            problem,
        });
    }
    Ok(kept)
}

/// Hashes what comes out of the decompressor.
struct Hashed<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        Ok(read)
    }
}
