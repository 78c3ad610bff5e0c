//! Where the executor's files are inside a data directory.

use std::path::{Path, PathBuf};

use odin_model::{JobId, VersionNumber};

use crate::protocol::AttemptKey;

/// A node's data directory. Only names are made here; nothing is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir(PathBuf);

impl DataDir {
    /// The directory `path`, which must be absolute: jobs see paths below it and have other working directories.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The socket that servers speak [`protocol`](crate::protocol) on.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.0.join("executor.sock")
    }

    /// The socket that jobs report values on.
    #[must_use]
    pub fn values_socket(&self) -> PathBuf {
        self.0.join("values.sock")
    }

    /// The executor's own directory: journal, lock and log.
    #[must_use]
    pub fn executor(&self) -> PathBuf {
        self.0.join("executor")
    }

    /// What the executor itself prints: only what no server could be told.
    #[must_use]
    pub fn executor_log(&self) -> PathBuf {
        self.executor().join("log")
    }

    /// Output that was too large for a result.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.0.join("output")
    }

    /// The output file of one attempt.
    #[must_use]
    pub fn output_file(&self, key: AttemptKey) -> PathBuf {
        self.output().join(key.to_string())
    }

    /// All unpacked bundles.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.0.join("jobs")
    }

    /// One job's unpacked bundles.
    #[must_use]
    pub fn job(&self, job: JobId) -> PathBuf {
        self.jobs().join(job.to_string())
    }

    /// The working directory of a version's processes.
    #[must_use]
    pub fn version(&self, job: JobId, version: VersionNumber) -> PathBuf {
        self.job(job).join(version.to_string())
    }
}
