//! Finds and reads the files that a job file names.

use std::collections::BTreeMap;
use std::path::Path;

use odin_model::Program;
use rustix::fs::{CWD, FileType, Mode as Permissions, OFlags, fstat, openat};

use crate::bundle::directory::{Found, Root, expect_file, from_errno, read_regular};
use crate::bundle::error::BundleError;
use crate::bundle::path::BundlePath;
use crate::bundle::verify::directory_as_file;
use crate::bundle::{ENTRIES_MAX, Mode, UNPACKED_BYTES_MAX};
use crate::fault::{FILE_BYTES_MAX, quoted};
use crate::read::JobFile;

/// The files of a bundle with their contents, in memory: at most [`UNPACKED_BYTES_MAX`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    items: BTreeMap<BundlePath, Item>,
    bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    Directory,
    File { mode: Mode, content: Vec<u8> },
}

/// A file of the bundle that is not in the job file's directory, such as a compiled program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extra {
    /// Its name in the bundle.
    pub path: BundlePath,
    /// Its mode.
    pub mode: Mode,
    /// Its content.
    pub content: Vec<u8>,
}

impl Bundle {
    /// A bundle of nothing, to which [`add_extra`](Self::add_extra) adds: for jobs that Odin makes itself.
    #[must_use]
    pub fn empty() -> Self {
        Self {
            items: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// The names in the bundle, directories included, in their order.
    pub fn paths(&self) -> impl Iterator<Item = &BundlePath> {
        self.items.keys()
    }

    /// What the files come to, in bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn items(&self) -> impl Iterator<Item = (&BundlePath, &Item)> {
        self.items.iter()
    }

    /// Adds a file that is not in the job file's directory.
    ///
    /// # Errors
    /// When it is beyond the limits, or something of its name is there.
    pub fn add_extra(&mut self, extra: Extra) -> Result<(), BundleError> {
        self.check_size(&extra.path, extra.content.len() as u64)?;
        self.add_file(&extra.path, extra.mode, extra.content)
    }

    /// What is left of the limit, when this fits.
    fn check_size(&self, path: &BundlePath, bytes: u64) -> Result<u64, BundleError> {
        let bytes_max = UNPACKED_BYTES_MAX - self.bytes;
        if bytes > bytes_max {
            return Err(BundleError::FileTooLarge {
                path: quoted(path.as_str()),
                bytes,
                bytes_max,
            });
        }
        Ok(bytes_max)
    }

    /// Adds a file, and the directories above it.
    fn add_file(
        &mut self,
        path: &BundlePath,
        mode: Mode,
        content: Vec<u8>,
    ) -> Result<(), BundleError> {
        self.add_parents(path)?;
        self.bytes += content.len() as u64;
        self.add(path, Item::File { mode, content })
    }

    fn add_parents(&mut self, path: &BundlePath) -> Result<(), BundleError> {
        let mut above = Vec::new();
        let mut next = path.parent();
        while let Some(directory) = next {
            next = directory.parent();
            above.push(directory);
        }
        above
            .iter()
            .rev()
            .try_for_each(|directory| self.add_directory(directory))
    }

    fn add_directory(&mut self, path: &BundlePath) -> Result<(), BundleError> {
        match self.items.get(path) {
            Some(Item::Directory) => Ok(()),
            Some(Item::File { .. }) => Err(BundleError::DuplicateName {
                path: quoted(path.as_str()),
            }),
            None => self.add(path, Item::Directory),
        }
    }

    fn add(&mut self, path: &BundlePath, item: Item) -> Result<(), BundleError> {
        if self.items.len() == ENTRIES_MAX {
            return Err(BundleError::TooManyEntries);
        }
        match self.items.insert(path.clone(), item) {
            None => Ok(()),
            Some(_) => Err(BundleError::DuplicateName {
                path: quoted(path.as_str()),
            }),
        }
    }
}

/// Reads a job file's text, without waiting for anybody: a FIFO is refused, not opened.
///
/// # Errors
/// When it is not a regular file of at most [`FILE_BYTES_MAX`] bytes of UTF-8, or cannot be read.
pub fn read_job_file(path: &Path) -> Result<String, BundleError> {
    let shown = || quoted(&path.to_string_lossy());
    let refused = |errno| from_errno(shown(), errno);
    let handle = openat(
        CWD,
        path,
        OFlags::PATH | OFlags::CLOEXEC,
        Permissions::empty(),
    )
    .map_err(refused)?;
    let stat = fstat(&handle).map_err(refused)?;
    expect_file(shown(), FileType::from_raw_mode(stat.st_mode))?;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = openat(CWD, path, flags, Permissions::empty()).map_err(refused)?;
    let content = read_regular(file, &stat, FILE_BYTES_MAX as u64, shown());
    let content = content.map_err(|error| match error {
        BundleError::FileTooLarge { path, bytes, .. } => {
            BundleError::JobFileTooLarge { path, bytes }
        }
        error => error,
    })?;
    String::from_utf8(content).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        BundleError::NotText {
            path: shown(),
            offset,
        }
    })
}

/// Collects the job file, its code, its `files` and `extra`.
///
/// `job_file` is the path from which `file` was read; the bundle gets the text that was read then, under the name
/// that the path ends in. The names in it are looked up below the path's directory. Symbolic links are followed as
/// long as they lead to something below it, and become what they lead to. Nothing is opened for reading before it is
/// known to be a regular file or a directory, so nothing here waits.
///
/// # Errors
/// For the first thing that cannot be part of the bundle.
pub fn collect(job_file: &Path, file: &JobFile, extra: Vec<Extra>) -> Result<Bundle, BundleError> {
    let mut collector = Collector {
        root: Root::above(job_file)?,
        bundle: Bundle {
            items: BTreeMap::new(),
            bytes: 0,
        },
    };
    let name = name_of(job_file)?;
    collector
        .bundle
        .add_file(&name, Mode::Plain, file.text.clone().into_bytes())?;
    if let Program::Interpreted { file, .. } | Program::Compiled { file, .. } = &file.program {
        let path = BundlePath::parse(file).map_err(|fault| BundleError::BadName {
            path: quoted(file),
            fault,
        })?;
        match collector.root.look(&path)? {
            Found {
                kind: FileType::Directory,
                ..
            } => return Err(directory_as_file(path.as_str())),
            found => collector.file(&path, &found)?,
        }
    }
    for path in &file.files {
        collector.path(path, &mut Vec::new())?;
    }
    let mut bundle = collector.bundle;
    extra
        .into_iter()
        .try_for_each(|extra| bundle.add_extra(extra))?;
    Ok(bundle)
}

/// The job file's name in its bundle.
fn name_of(job_file: &Path) -> Result<BundlePath, BundleError> {
    let shown = || quoted(&job_file.to_string_lossy());
    let name = job_file
        .file_name()
        .ok_or_else(|| directory_as_file(&shown()))?;
    let name = name
        .to_str()
        .ok_or_else(|| BundleError::NameNotText { path: shown() })?;
    BundlePath::parse(name).map_err(|fault| BundleError::BadName {
        path: shown(),
        fault,
    })
}

struct Collector {
    root: Root,
    bundle: Bundle,
}

impl Collector {
    /// Adds a file, or a directory with all that it holds. `above` are the directories on the way here: one that is
    /// among them leads back to itself.
    fn path(&mut self, path: &BundlePath, above: &mut Vec<(u64, u64)>) -> Result<(), BundleError> {
        let found = self.root.look(path)?;
        if found.kind != FileType::Directory {
            return self.file(path, &found);
        }
        let identity = (found.stat.st_dev, found.stat.st_ino);
        if above.contains(&identity) {
            return Err(BundleError::LinkLoop {
                path: quoted(path.as_str()),
            });
        }
        self.bundle.add_parents(path)?;
        self.bundle.add_directory(path)?;
        above.push(identity);
        for name in self.root.names(path)? {
            let inner = path.join(&name).map_err(|fault| BundleError::BadName {
                path: quoted(&format!("{path}/{name}")),
                fault,
            })?;
            self.path(&inner, above)?;
        }
        above.pop();
        Ok(())
    }

    fn file(&mut self, path: &BundlePath, found: &Found) -> Result<(), BundleError> {
        // A file may be named twice: by itself, by its directory, as the code.
        if matches!(self.bundle.items.get(path), Some(Item::File { .. })) {
            return Ok(());
        }
        let shown = quoted(path.as_str());
        expect_file(shown.clone(), found.kind)?;
        let bytes = u64::try_from(found.stat.st_size).unwrap_or(u64::MAX);
        let left = self.bundle.check_size(path, bytes)?;
        let file = self.root.open(path, OFlags::empty())?;
        let content = read_regular(file, &found.stat, left, shown)?;
        let owner_may_execute = found.stat.st_mode & 0o100 != 0;
        let mode = if owner_may_execute {
            Mode::Executable
        } else {
            Mode::Plain
        };
        self.bundle.add_file(path, mode, content)
    }
}
