//! Why files cannot become a bundle, or why a bundle is refused.

use std::io;

use crate::bundle::path::PathFault;
use crate::bundle::{ENTRIES_MAX, PACKED_BYTES_MAX, UNPACKED_BYTES_MAX};
use crate::fault::FILE_BYTES_MAX;

/// Why files cannot become a bundle, or why a bundle is refused. Paths are shortened and safe to print.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// A file that the job file names is not there.
    #[error("`{path}` is not there")]
    Missing {
        /// Relative to the job file's directory, or the job file itself.
        path: String,
    },
    /// The permissions of a file or of a directory above it forbid reading.
    #[error("`{path}` cannot be read: permission denied")]
    Denied {
        /// Relative to the job file's directory.
        path: String,
    },
    /// A FIFO, a socket, a device, a link in an archive, or a directory where a file belongs.
    #[error("`{path}` is {found}, not {expected}")]
    NotAFile {
        /// Its name.
        path: String,
        /// What it is.
        found: &'static str,
        /// What belongs there.
        expected: &'static str,
    },
    /// A symbolic link that leads out of the job file's directory.
    #[error("`{path}` leads out of the job file's directory")]
    LeavesDirectory {
        /// Relative to the job file's directory.
        path: String,
    },
    /// Symbolic links that lead to each other, or a directory that contains itself by one.
    #[error("`{path}` leads back to itself by symbolic links")]
    LinkLoop {
        /// Relative to the job file's directory.
        path: String,
    },
    /// One file is too large.
    #[error("`{path}` has {bytes} bytes; at most {bytes_max} are left for it")]
    FileTooLarge {
        /// Its name.
        path: String,
        /// Its size.
        bytes: u64,
        /// What is left of the limit at this file.
        bytes_max: u64,
    },
    /// The job file itself is too large.
    #[error("`{path}` has {bytes} bytes; a job file has at most {FILE_BYTES_MAX}")]
    JobFileTooLarge {
        /// Its name.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// The archive is too large once it is packed.
    #[error("the bundle has more than {PACKED_BYTES_MAX} bytes packed")]
    PackedTooLarge,
    /// Too many files and directories.
    #[error("the bundle has more than {ENTRIES_MAX} files and directories")]
    TooManyEntries,
    /// A name that a bundle cannot hold.
    #[error("`{path}` cannot be a file of the bundle: {fault}")]
    BadName {
        /// The name.
        path: String,
        /// Why.
        fault: PathFault,
    },
    /// A name that is not UTF-8.
    #[error("the name `{path}` is not UTF-8")]
    NameNotText {
        /// The name, with replacement characters.
        path: String,
    },
    /// Two things of one name.
    #[error("the bundle would hold two files named `{path}`")]
    DuplicateName {
        /// The name.
        path: String,
    },
    /// A file changed while it was read.
    #[error("`{path}` changed while it was read")]
    Changed {
        /// Its name.
        path: String,
    },
    /// The job file is not UTF-8.
    #[error("`{path}` is not text in UTF-8: byte {offset} is not")]
    NotText {
        /// Its name.
        path: String,
        /// The first byte that is wrong.
        offset: usize,
    },
    /// The archive does not hold the job file that the request names.
    #[error("the bundle holds no job file `{path}` at its top")]
    NoJobFile {
        /// The name.
        path: String,
    },
    /// The archive lacks something that its job file names.
    #[error("the bundle lacks `{path}`, which its job file names")]
    Incomplete {
        /// The name.
        path: String,
    },
    /// The archive holds the same as another one in a form that is not the canonical one.
    #[error("the bundle is not in its canonical form at `{path}`: {problem}")]
    NotCanonical {
        /// The entry.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Not zstd, not tar, or cut off.
    #[error("the bundle is damaged: {problem}")]
    Corrupt {
        /// What is wrong.
        problem: String,
    },
    /// Reading failed for another reason.
    #[error("`{path}` cannot be read: {error}")]
    Read {
        /// Its name.
        path: String,
        /// The reason.
        error: io::Error,
    },
}

impl BundleError {
    /// The file that it is about, shortened and safe to print. `None`: it is about the bundle as a whole.
    #[must_use]
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Missing { path }
            | Self::Denied { path }
            | Self::NotAFile { path, .. }
            | Self::LeavesDirectory { path }
            | Self::LinkLoop { path }
            | Self::FileTooLarge { path, .. }
            | Self::JobFileTooLarge { path, .. }
            | Self::BadName { path, .. }
            | Self::NameNotText { path }
            | Self::DuplicateName { path }
            | Self::Changed { path }
            | Self::NotText { path, .. }
            | Self::NoJobFile { path }
            | Self::Incomplete { path }
            | Self::NotCanonical { path, .. }
            | Self::Read { path, .. } => Some(path),
            Self::PackedTooLarge | Self::TooManyEntries | Self::Corrupt { .. } => None,
        }
    }

    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "bundle/missing-file",
            Self::Denied { .. } => "bundle/unreadable",
            Self::NotAFile { .. } => "bundle/not-a-file",
            Self::LeavesDirectory { .. } => "bundle/leaves-directory",
            Self::LinkLoop { .. } => "bundle/link-loop",
            Self::FileTooLarge { .. } | Self::JobFileTooLarge { .. } => "bundle/too-large",
            Self::PackedTooLarge => "bundle/too-large-packed",
            Self::TooManyEntries => "bundle/too-many-files",
            Self::BadName { .. } | Self::NameNotText { .. } => "bundle/bad-name",
            Self::DuplicateName { .. } => "bundle/duplicate",
            Self::Changed { .. } => "bundle/changed",
            Self::NotText { .. } => "bundle/not-text",
            Self::NoJobFile { .. } => "bundle/no-job-file",
            Self::Incomplete { .. } => "bundle/incomplete",
            Self::NotCanonical { .. } => "bundle/not-canonical",
            Self::Corrupt { .. } => "bundle/damaged",
            Self::Read { .. } => "bundle/read-failed",
        }
    }

    /// The next thing to do, as a sentence.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Missing { .. } => {
                "Paths are relative to the job file's directory: check the spelling, or add the file.".into()
            }
            Self::Denied { .. } => "Deploy as somebody who may read it.".into(),
            Self::NotAFile { .. } => "A bundle holds regular files and directories only.".into(),
            Self::LeavesDirectory { .. } => "Copy what it leads to below the job file's directory.".into(),
            Self::LinkLoop { .. } => "Remove the symbolic link.".into(),
            Self::FileTooLarge { .. } => format!(
                "A bundle's files may come to {} MiB; let the job fetch larger data itself.",
                UNPACKED_BYTES_MAX / 1024 / 1024
            ),
            Self::JobFileTooLarge { .. } => {
                "Is this the job file? Data belongs into files of its own, named under `files`.".into()
            }
            Self::PackedTooLarge => format!(
                "At most {} MiB are stored; let the job fetch larger data itself.",
                PACKED_BYTES_MAX / 1024 / 1024
            ),
            Self::TooManyEntries => "List only what the job needs, or put it into an archive.".into(),
            Self::BadName { .. } | Self::NameNotText { .. } | Self::DuplicateName { .. } => "Rename it.".into(),
            Self::Changed { .. } => "Deploy again when nothing writes to it.".into(),
            Self::NotText { .. } => "Save the job file as UTF-8.".into(),
            Self::NoJobFile { .. } | Self::Incomplete { .. } | Self::NotCanonical { .. } | Self::Corrupt { .. } => {
                "Deploy with `odin deploy`, of the server's version.".into()
            }
            Self::Read { .. } => "Check the disk and the mount.".into(),
        }
    }
}
