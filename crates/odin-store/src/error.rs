//! What can go wrong with the state on disk. Each of these stops the node: a refused command is a reply, not an
//! error.

use std::io;

use odin_model::codec::DecodeError;
use rusqlite::ErrorCode;

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file system, or the limit set for the file, has no room. The state is as it was before.
    #[error("there is no space left for the state: free some, then start again")]
    DiskFull,
    /// The file is not what was written.
    #[error("the state is damaged ({detail}): restore a backup, or take it from another node")]
    Corrupt {
        /// What was found.
        detail: String,
    },
    /// A newer Odin made the file.
    #[error(
        "the state has format {found}, and this Odin reads up to {supported}: start the newer version"
    )]
    Newer {
        /// The format of the file.
        found: i64,
        /// The newest format that this build knows.
        supported: i64,
    },
    /// A build from before the first release made the file. From the first release on, older files are brought up to
    /// date.
    #[error(
        "the state has format {found}, of a build before the first release, and this Odin reads {supported}: begin with a new data directory and deploy the jobs again"
    )]
    Older {
        /// The format of the file.
        found: i64,
        /// The format that this build reads.
        supported: i64,
    },
    /// The file is an SQLite database of something else.
    #[error("the file is not a state of Odin")]
    NotAState,
    /// Another process holds the file for longer than the store waits.
    #[error("the state is in use by another process")]
    InUse,
    /// An entry of the log cannot be decoded. It is never skipped: the nodes would differ.
    #[error("entry {index} of the log cannot be read: {source}")]
    UnreadableEntry {
        /// Its position in the log.
        index: u64,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// An entry that is not after those applied before.
    #[error("entry {index} of the log comes after entry {applied} was applied")]
    OutOfOrder {
        /// Its position in the log.
        index: u64,
        /// The latest applied.
        applied: u64,
    },
    /// An entry makes more runs than ids fit, which a command within the size limit cannot.
    #[error("entry {index} of the log makes too many runs")]
    TooManyRuns {
        /// Its position in the log.
        index: u64,
    },
    /// A generation that cannot follow the present one.
    #[error("generation {asked} cannot follow generation {present}: there are 127 at most")]
    Generation {
        /// What was to begin.
        asked: u8,
        /// What is.
        present: u8,
    },
    /// The file system refused.
    #[error("cannot read or write the state: {0}")]
    Io(#[source] io::Error),
    /// SQLite refused for another reason.
    #[error("cannot read or write the state: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl StoreError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::DiskFull => "store/disk-full",
            Self::Corrupt { .. } => "store/corrupt",
            Self::Newer { .. } => "store/newer-version",
            Self::Older { .. } => "store/older-version",
            Self::NotAState => "store/not-a-state",
            Self::InUse => "store/in-use",
            Self::UnreadableEntry { .. } => "store/unreadable-entry",
            Self::OutOfOrder { .. } => "store/out-of-order",
            Self::TooManyRuns { .. } => "store/too-many-runs",
            Self::Generation { .. } => "store/generation",
            Self::Io(_) => "store/io",
            Self::Sqlite(_) => "store/sqlite",
        }
    }

    /// A stored value that no version of Odin writes.
    pub(crate) fn damaged(what: &str) -> Self {
        Self::Corrupt {
            detail: what.to_owned(),
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt {
                detail: error.to_string(),
            },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse,
            _ => match error {
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..) => Self::Corrupt {
                    detail: error.to_string(),
                },
                other => Self::Sqlite(other),
            },
        }
    }
}

impl From<io::Error> for StoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error),
        }
    }
}

impl From<DecodeError> for StoreError {
    fn from(error: DecodeError) -> Self {
        Self::Corrupt {
            detail: error.to_string(),
        }
    }
}
