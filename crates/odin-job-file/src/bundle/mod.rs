//! Everything of a job that is stored: its file, its code and what else it needs, as one archive.
//!
//! A bundle is a tar of regular files and directories, named by the SHA-256 of that tar and stored as zstd. Its form
//! is canonical, so the same files always have the same name:
//!
//! * GNU tar headers; a name over 100 bytes stands in an `L` entry of its own before its header;
//! * entries in the order of the bytes of their names, each name once, and each directory before what it holds;
//! * modes 0644 or 0755 for files (by the owner's x-bit), 0755 for directories;
//! * owners, groups and times zero; then two blocks of zeros, and nothing after them.
//!
//! The job file lies at the top of the bundle under its own name. The archive does not mark it: the deploy request
//! names it, and [`verify`] hands out its text.
//!
//! [`collect`] makes a bundle on the deployer's machine, [`verify`] checks one that arrives. Neither trusts what it
//! reads: nothing outside the job file's directory gets in, and nothing over the limits is held in memory.

mod archive;
mod collect;
mod directory;
mod error;
mod pack;
pub mod path;
mod verify;

pub use collect::{Bundle, Extra, collect, read_job_file};
pub use error::BundleError;
pub use pack::PackedBundle;
pub use path::{BundlePath, PathFault};
pub use verify::{VerifiedBundle, verify};

/// The largest bundle as it is stored and sent, in bytes.
pub const PACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// The most that the files of a bundle may come to, in bytes.
pub const UNPACKED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// The most files and directories of a bundle.
pub const ENTRIES_MAX: usize = 10_000;
/// The largest zstd window that is accepted, as a power of two: 8 MiB of memory while a bundle is read.
pub const WINDOW_LOG_MAX: u32 = 23;

/// How a file of a bundle is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// 0644.
    Plain,
    /// 0755.
    Executable,
}

impl Mode {
    /// The permission bits.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::Plain => 0o644,
            Self::Executable => 0o755,
        }
    }
}

/// What an entry of a bundle is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A directory, 0755.
    Directory,
    /// A file.
    File {
        /// Its mode.
        mode: Mode,
        /// Its size.
        bytes: u64,
    },
}

/// One entry of a bundle, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub path: BundlePath,
    /// What it is.
    pub kind: EntryKind,
}
