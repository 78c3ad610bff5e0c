//! Why a backup is not made, not read or not restored.

use std::io;
use std::path::PathBuf;

use odin_store::StoreError;

use super::manifest::FORMAT;
use crate::error::StartError;

/// Why a backup is not made or not read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The file is something else.
    #[error("this is not a backup of Odin: {0}")]
    NotABackup(String),
    /// A newer Odin made it.
    #[error(
        "the backup has form {found}, and this Odin reads up to {FORMAT}: use the newer version"
    )]
    Newer {
        /// Its form.
        found: u32,
    },
    /// A member is not what was written.
    #[error("{member} in the backup is damaged: {detail}")]
    Damaged {
        /// Which, or the one before it.
        member: String,
        /// What was found.
        detail: String,
    },
    /// It ends too early: the backup was cut off.
    #[error("the backup is cut off after {after}")]
    CutOff {
        /// The last member that is there.
        after: String,
    },
    /// The state cannot be read.
    #[error("the state: {0}")]
    State(#[from] StoreError),
    /// There is no room.
    #[error("there is no space left for {what}")]
    Full {
        /// What was being written.
        what: String,
    },
    /// The system refused.
    #[error("{what}: {source}")]
    Io {
        /// What was read or written.
        what: String,
        /// What the system said.
        source: io::Error,
    },
}

impl BackupError {
    /// What went wrong with `what`.
    pub(crate) fn io(what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full { what },
            _ => Self::Io { what, source },
        }
    }

    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotABackup(_) => "backup/not-a-backup",
            Self::Newer { .. } => "backup/newer-version",
            Self::Damaged { .. } => "backup/damaged",
            Self::CutOff { .. } => "backup/cut-off",
            Self::State(StoreError::DiskFull) | Self::Full { .. } => "backup/disk-full",
            Self::State(_) => "backup/state",
            Self::Io { .. } => "backup/io",
        }
    }

    /// The next step.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::NotABackup(_) => "Name a file that `odin backup FILE` has written.",
            Self::Newer { .. } => "Install the version that made it, or a later one.",
            Self::Damaged { .. } | Self::CutOff { .. } => {
                "Use another backup, or another copy of this one: nothing was changed."
            }
            Self::State(StoreError::DiskFull) | Self::Full { .. } => {
                "Free some space there, or choose another place; nothing was left behind."
            }
            Self::State(_) => "Use another backup: the state in this one cannot be used.",
            Self::Io { .. } => "Mend what the system says, then try again.",
        }
    }
}

/// Why a backup is not restored. Unless it says otherwise, the data directory is as it was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// There is data already.
    #[error("{path} holds a node's data already", path = path.display())]
    NotEmpty {
        /// The data directory.
        path: PathBuf,
    },
    /// Jobs of the data that is there still run.
    #[error("an executor still runs jobs of {path}", path = path.display())]
    ExecutorRuns {
        /// The data directory.
        path: PathBuf,
    },
    /// The data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] StartError),
    /// The new log cannot be begun.
    #[error("the log cannot be begun: {0}")]
    Log(String),
    /// The restored state refuses what a restore does to it.
    #[error("the state cannot be made ready: {0}")]
    State(#[from] StoreError),
}

impl RestoreError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Backup(error) => error.code(),
            Self::NotEmpty { .. } => "restore/not-empty",
            Self::ExecutorRuns { .. } => "restore/executor-runs",
            Self::DataDir(error) => error.code(),
            Self::Log(_) => "restore/log",
            Self::State(StoreError::DiskFull) => "backup/disk-full",
            Self::State(_) => "restore/state",
        }
    }

    /// The next step.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Backup(error) => error.help(),
            Self::NotEmpty { .. } => {
                "Choose an empty directory with --data-dir, or move that data aside with --force."
            }
            Self::ExecutorRuns { .. } => {
                "Wait until they have ended, or end them: `odin cancel` before the server is stopped."
            }
            Self::DataDir(error) => error.help(),
            Self::Log(_) => {
                "Look at the disk, then restore again: the data directory is as it was."
            }
            Self::State(StoreError::DiskFull) => {
                "Free some space there, or choose another place; nothing was left behind."
            }
            Self::State(_) => "Use another backup: the state in this one cannot be used.",
        }
    }
}
