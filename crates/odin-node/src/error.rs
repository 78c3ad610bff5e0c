//! Why a node does not start, or stops by itself.

use std::io;
use std::path::PathBuf;

const DISK_FULL: &str = "server/disk-full";
const DISK_FULL_HELP: &str = "Everything that was acknowledged is on the disk: free at least 64 MiB there, then start again.";

/// Why a running server ended by itself. What it serves was in doubt, and only a new start can tell.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// There is no space left.
    #[error("the server stops: there is no space left in the file system of {path}: {reason}", path = path.display())]
    Full {
        /// The data directory.
        path: PathBuf,
        /// What failed for want of it.
        reason: String,
    },
    /// The log or the state failed.
    #[error("the server stops: {reason}")]
    Log {
        /// What failed.
        reason: String,
    },
}

impl Broken {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Full { .. } => DISK_FULL,
            Self::Log { .. } => "server/broken",
        }
    }

    /// The next step.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Full { .. } => DISK_FULL_HELP,
            Self::Log { .. } => {
                "Everything that was acknowledged is on the disk: mend the disk, then start again."
            }
        }
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The data directory cannot be made or written.
    #[error("the data directory {path} cannot be used: {source}", path = path.display())]
    DataDir {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The data directory belongs to somebody else.
    #[error("the data directory {path} belongs to uid {uid}", path = path.display())]
    DataDirOwner {
        /// Which.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// Another server has it.
    #[error("another server{} uses the data directory {path}", pid.map_or(String::new(), |pid| format!(" (pid {pid})")), path = path.display())]
    InUse {
        /// Which.
        path: PathBuf,
        /// Who has it, if it said so.
        pid: Option<u32>,
    },
    /// A newer Odin wrote the data.
    #[error("the data directory {path} was written by a newer Odin: {detail}", path = path.display())]
    Newer {
        /// Which.
        path: PathBuf,
        /// What was found and what this Odin reads.
        detail: String,
    },
    /// A build from before the first release wrote the data.
    #[error("the data directory {path} was written by an older Odin: {detail}", path = path.display())]
    Older {
        /// Which.
        path: PathBuf,
        /// What was found and what this Odin reads.
        detail: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: String,
        /// What the system said.
        source: io::Error,
    },
    /// A listener beyond loopback without TLS.
    #[error("{address} is not a loopback address, and there is no TLS yet")]
    NotLoopback {
        /// Which.
        address: String,
    },
    /// The state or the log is damaged or cannot be read.
    #[error("{what} cannot be opened: {detail}")]
    Storage {
        /// `the state` or `the log`.
        what: &'static str,
        /// What was wrong.
        detail: String,
    },
    /// There is no space left.
    #[error("there is no space left in the file system of {path}: {detail}", path = path.display())]
    Full {
        /// The data directory.
        path: PathBuf,
        /// What failed for want of it.
        detail: String,
    },
    /// The executor cannot be started.
    #[error("the executor cannot be started: {0}")]
    Executor(String),
    /// The node's name is taken or not a name.
    #[error("{0}")]
    Name(String),
}

impl StartError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::DataDir { .. } => "server/data-dir",
            Self::DataDirOwner { .. } => "server/data-dir-owner",
            Self::InUse { .. } => "server/data-dir-in-use",
            Self::Newer { .. } => "server/data-dir-newer",
            Self::Older { .. } => "server/data-dir-older",
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "server/port-in-use"
            }
            Self::Listen { .. } => "server/listen",
            Self::NotLoopback { .. } => "server/not-loopback",
            Self::Storage { .. } => "server/storage",
            Self::Full { .. } => DISK_FULL,
            Self::Executor(_) => "server/executor",
            Self::Name(_) => "server/name",
        }
    }

    /// The next step.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::DataDir { .. } => "Choose a directory that you may write with --data-dir.",
            Self::DataDirOwner { .. } => {
                "Start the server as that user, or choose another directory with --data-dir."
            }
            Self::InUse { .. } => {
                "Stop that server first, or choose another directory with --data-dir."
            }
            Self::Newer { .. } => {
                "Start the newer Odin, or choose another directory with --data-dir."
            }
            Self::Older { .. } => "Choose another directory with --data-dir.",
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "Choose another port with --http, such as --http :3940, or :0 to have one picked."
            }
            Self::Listen { .. } => "Choose an address of this machine with --http.",
            Self::NotLoopback { .. } => {
                "Listen on a loopback address, such as --http 127.0.0.1:3939."
            }
            Self::Storage { .. } => {
                "Look at the disk; if it is sound, restore the data directory from a backup."
            }
            Self::Full { .. } => DISK_FULL_HELP,
            Self::Executor(_) => "Look at executor/log in the data directory.",
            Self::Name(_) => "Choose another name with --name.",
        }
    }
}
