//! Writes a node's data as a backup, with bounded memory.

use std::fs::{self, File};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};

use super::collect::{Collected, is_unfinished, shown};
use super::error::BackupError;
use super::frames::Frames;
use super::manifest::{DIRECTORIES, KEY, MANIFEST, STATE, SUMS};

impl Collected {
    /// Writes all of it into `out`. A full or broken `out` ends it, and what was written is then cut off, which a
    /// reader sees.
    pub(crate) fn write(&self, out: impl Write, key: &Path) -> Result<(), BackupError> {
        let place = self.place();
        let sums = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(place.join(SUMS))
            .map_err(|error| BackupError::io(shown(&place), error))?;
        let written = |error| BackupError::io("the backup", error);
        let mut archive = Archive {
            tar: Builder::new(Frames::new(out).map_err(written)?),
            sums,
            modified: self.manifest.taken_at.as_second().max(0).cast_unsigned(),
        };
        let manifest = serde_json::to_vec_pretty(&self.manifest).expect("it is plain data");
        archive.add(MANIFEST, manifest.len() as u64, &manifest[..])?;
        archive.add_file(STATE, &place.join(STATE))?;
        if self.manifest.with_key {
            archive.add_file(KEY, key)?;
        }
        for name in DIRECTORIES {
            let from = match name {
                "output" if !self.manifest.with_output => continue,
                "output" => self.root.join(name),
                _ => place.join(name),
            };
            archive.add_directory(&from, name)?;
        }
        archive.finish()
    }
}

struct Archive<W: Write> {
    tar: Builder<Frames<W>>,
    /// A line for each member, on the disk: there may be a million.
    sums: File,
    modified: u64,
}

impl<W: Write> Archive<W> {
    /// Adds a member of so many bytes.
    fn add(&mut self, name: &str, bytes: u64, data: impl Read) -> Result<(), BackupError> {
        let mut hashed = Hashed::new(data.take(bytes));
        let mut header = Header::new_ustar();
        header.set_entry_type(EntryType::Regular);
        header.set_mode(0o600);
        header.set_mtime(self.modified);
        header.set_size(bytes);
        let added = self
            .tar
            .get_mut()
            .next_member()
            .and_then(|()| self.tar.append_data(&mut header, name, &mut hashed));
        added.map_err(|error| BackupError::io(format!("{name} of the backup"), error))?;
        if hashed.bytes != bytes {
            // The head said more than there was: a tar cannot take that back.
            let source = io::Error::other("it became shorter while it was read");
            return Err(BackupError::io(name, source));
        }
        let line = format!("{}  {name}\n", hashed.sum());
        self.sums
            .write_all(line.as_bytes())
            .map_err(|error| BackupError::io("the sums of the backup", error))
    }

    fn add_file(&mut self, name: &str, path: &Path) -> Result<(), BackupError> {
        let file = File::open(path).map_err(|error| BackupError::io(shown(path), error))?;
        self.add_open(name, &file, path)
    }

    fn add_open(&mut self, name: &str, file: &File, path: &Path) -> Result<(), BackupError> {
        let metadata = file.metadata();
        let bytes = metadata
            .map_err(|error| BackupError::io(shown(path), error))?
            .len();
        self.add(name, bytes, BufReader::with_capacity(128 * 1024, file))
    }

    /// Adds the files of a directory and of those in it, as `name/...`.
    fn add_directory(&mut self, root: &Path, name: &str) -> Result<(), BackupError> {
        let mut pending = vec![PathBuf::new()];
        while let Some(below) = pending.pop() {
            let directory = root.join(&below);
            let failed = |error| BackupError::io(shown(&directory), error);
            for entry in fs::read_dir(&directory).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let (path, below) = (entry.path(), below.join(entry.file_name()));
                let kind = entry.file_type().map_err(failed)?;
                if kind.is_dir() {
                    pending.push(below);
                } else if kind.is_file() && !is_unfinished(&entry.file_name()) {
                    // What retention has removed meanwhile is not in the backup.
                    match File::open(&path) {
                        Ok(file) => {
                            let name = format!("{name}/{}", below.display());
                            self.add_open(&name, &file, &path)?;
                        }
                        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                        Err(error) => return Err(BackupError::io(shown(&path), error)),
                    }
                }
            }
        }
        Ok(())
    }

    /// The sums, and the end.
    fn finish(mut self) -> Result<(), BackupError> {
        let failed = |error| BackupError::io("the backup", error);
        let mut sums = self.sums.try_clone().map_err(failed)?;
        let bytes = sums.metadata().map_err(failed)?.len();
        sums.seek(SeekFrom::Start(0)).map_err(failed)?;
        self.add(SUMS, bytes, BufReader::new(sums))?;
        let frames = self.tar.into_inner().map_err(failed)?;
        frames
            .finish()
            .and_then(|mut out| out.flush())
            .map_err(failed)
    }
}

/// A reader that remembers the SHA-256 of what was read.
pub(super) struct Hashed<R> {
    inner: R,
    hash: Sha256,
    pub(super) bytes: u64,
}

impl<R> Hashed<R> {
    pub(super) fn new(inner: R) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            bytes: 0,
        }
    }

    /// In hexadecimal digits.
    pub(super) fn sum(self) -> String {
        let digest: [u8; 32] = self.hash.finalize().into();
        digest.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hash.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
