//! Where the executor's files are inside a data directory.

use std::path::{Path, PathBuf};

use odin_model::{JobId, VersionNumber};

use crate::protocol::AttemptKey;

/// A node's data directory. Only names are made here; nothing is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    path: PathBuf,
    generation: u32,
}

impl DataDir {
    /// The directory `path`, which must be absolute: jobs see paths below it and have other working directories.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self::of_generation(path, 1)
    }

    /// As [`new`](Self::new), for the executor of that generation, counted from 1: while one of another version has
    /// processes, it and the one that takes new launches each have sockets and a journal of their own.
    #[must_use]
    pub fn of_generation(path: PathBuf, generation: u32) -> Self {
        Self { path, generation }
    }

    /// Which generation's executor this is for.
    #[must_use]
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// A name of the generation's own: the first has the plain one.
    fn own(&self, name: &str, extension: &str) -> PathBuf {
        self.path.join(match self.generation {
            1 => format!("{name}{extension}"),
            generation => format!("{name}-{generation}{extension}"),
        })
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The socket that servers speak [`protocol`](crate::protocol) on.
    #[must_use]
    pub fn control_socket(&self) -> PathBuf {
        self.own("executor", ".sock")
    }

    /// The socket that jobs report values on.
    #[must_use]
    pub fn values_socket(&self) -> PathBuf {
        self.own("values", ".sock")
    }

    /// The executor's own directory: journal, lock and log.
    #[must_use]
    pub fn executor(&self) -> PathBuf {
        self.own("executor", "")
    }

    /// What the executor knows of its attempts.
    #[must_use]
    pub fn journal(&self) -> PathBuf {
        self.executor().join("journal")
    }

    /// What the executor itself prints: only what no server could be told.
    #[must_use]
    pub fn executor_log(&self) -> PathBuf {
        self.executor().join("log")
    }

    /// Output that was too large for a result.
    #[must_use]
    pub fn output(&self) -> PathBuf {
        self.path.join("output")
    }

    /// The output file of one attempt.
    #[must_use]
    pub fn output_file(&self, key: AttemptKey) -> PathBuf {
        self.output().join(key.to_string())
    }

    /// What attempts reported, until a server has it.
    #[must_use]
    pub fn values(&self) -> PathBuf {
        self.path.join("values")
    }

    /// The file of what one attempt reported.
    #[must_use]
    pub fn values_file(&self, key: AttemptKey) -> PathBuf {
        self.values().join(key.to_string())
    }

    /// All unpacked bundles.
    #[must_use]
    pub fn jobs(&self) -> PathBuf {
        self.path.join("jobs")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generations_share_what_is_the_nodes_and_nothing_else() {
        let names = |generation| {
            let dir = DataDir::of_generation("/d".into(), generation);
            [
                dir.control_socket(),
                dir.values_socket(),
                dir.journal(),
                dir.jobs(),
                dir.output(),
                dir.values(),
            ]
            .map(|path| path.display().to_string())
        };
        let shared = ["/d/jobs", "/d/output", "/d/values"];
        let first = ["/d/executor.sock", "/d/values.sock", "/d/executor/journal"];
        let second = [
            "/d/executor-2.sock",
            "/d/values-2.sock",
            "/d/executor-2/journal",
        ];
        assert_eq!(names(1)[..], [&first[..], &shared].concat());
        assert_eq!(names(2)[..], [&second[..], &shared].concat());
    }
}
