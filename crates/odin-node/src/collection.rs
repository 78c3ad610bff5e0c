//! Removes what nothing needs any more from this node's own disk: bundles, and versions of jobs that were unpacked.
//!
//! A bundle is needed by the latest versions of a job that is there, so that they can be gone back to, and by a job that was
//! removed or is hidden for as long as a run of it is kept. An unpacked version is needed while new runs begin with it,
//! or one of it is not over. The state says all of that; what it does not need once it never needs again, but for a
//! hidden job that somebody runs once more: for that one it is unpacked again.

use std::collections::BTreeSet;
use std::fs::{self, DirEntry, ReadDir};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use odin_model::clock::Clock;
use odin_model::{BundleHash, JobId, VersionNumber};
use odin_store::{Reader, StoreError};

/// How many names one step looks at.
const NAMES_AT_ONCE: usize = 100;
/// How long the steps of one round wait for each other.
const BETWEEN_STEPS: Duration = Duration::from_secs(1);
/// How old a bundle is before it can go: one that is being deployed is in no version yet.
const BUNDLE_AGE: Duration = Duration::from_mins(10);
/// What a name ends with that is on its way out.
const GOING: &str = "going";

/// How often something that the agent remembers as unpacked was removed: it asks the executor again then.
pub(crate) type Collected = Arc<AtomicU64>;

/// What is looked through.
pub(crate) struct Collecting {
    pub(crate) bundles: PathBuf,
    /// Unpacked versions, by job.
    pub(crate) jobs: PathBuf,
    pub(crate) reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) collected: Collected,
    /// From the end of one round to the next.
    pub(crate) every: Duration,
}

/// Why something stays for now.
#[derive(Debug, thiserror::Error)]
enum Kept {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Collecting {
    /// Looks through all of it again and again. What cannot be removed is in the log, and is tried again.
    pub(crate) async fn run(self) {
        loop {
            tokio::time::sleep(self.every).await;
            self.round(&self.bundles, Self::look_at_bundle).await;
            self.round(&self.jobs, Self::look_at_job).await;
        }
    }

    async fn round(&self, directory: &Path, look: impl Fn(&Self, &DirEntry) -> Result<(), Kept>) {
        let mut names = match fs::read_dir(directory) {
            Ok(names) => names,
            Err(error) => {
                tracing::warn!(path = %directory.display(), %error, "what nothing needs cannot be looked for");
                return;
            }
        };
        while tokio::task::block_in_place(|| self.step(&mut names, &look)) {
            tokio::time::sleep(BETWEEN_STEPS).await;
        }
    }

    /// Looks at some names. Whether there may be more.
    fn step(
        &self,
        names: &mut ReadDir,
        look: impl Fn(&Self, &DirEntry) -> Result<(), Kept>,
    ) -> bool {
        let step: Vec<_> = names.flatten().take(NAMES_AT_ONCE).collect();
        for entry in &step {
            match look(self, entry) {
                Ok(()) => {}
                // Somebody else was faster.
                Err(Kept::Io(error)) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    tracing::warn!(path = %entry.path().display(), %error, "what nothing needs stays");
                }
            }
        }
        step.len() == NAMES_AT_ONCE
    }

    fn look_at_bundle(&self, entry: &DirEntry) -> Result<(), Kept> {
        let name = entry.file_name();
        let path = entry.path();
        if path.extension().is_some_and(|it| it == GOING) {
            // A crash came between. It has its name again, and is looked at in the next round.
            return Ok(fs::rename(&path, path.with_extension(""))?);
        }
        // What is no bundle is not ours to delete.
        let Some(hash) = name
            .to_str()
            .and_then(|name| name.parse::<BundleHash>().ok())
        else {
            return Ok(());
        };
        if !self.is_old(&path)? || self.reader.needs_bundle(&hash)? {
            return Ok(());
        }
        // A deploy gives the same name to the same contents at any time: only what is still old under another name goes.
        let going = path.with_extension(GOING);
        fs::rename(&path, &going)?;
        if !self.is_old(&going)? || self.reader.needs_bundle(&hash)? {
            return Ok(fs::rename(&going, &path)?);
        }
        fs::remove_file(&going)?;
        tracing::info!(bundle = %hash, "a bundle that nothing needs was removed");
        Ok(())
    }

    fn is_old(&self, path: &Path) -> io::Result<bool> {
        let modified = fs::metadata(path)?.modified()?;
        let now = SystemTime::from(self.clock.wall());
        Ok(now
            .duration_since(modified)
            .is_ok_and(|age| age >= BUNDLE_AGE))
    }

    fn look_at_job(&self, entry: &DirEntry) -> Result<(), Kept> {
        let name = entry.file_name();
        let Some(job) = name.to_str().and_then(|name| name.parse::<JobId>().ok()) else {
            return Ok(());
        };
        let directory = entry.path();
        let mut is_empty = true;
        for entry in fs::read_dir(&directory)? {
            is_empty = false;
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            let Some(version) = stem.and_then(|stem| stem.parse().ok()).map(VersionNumber) else {
                continue;
            };
            self.look_at_version(job, version, &path)?;
        }
        if is_empty && !self.reader.needs_job_directory(job)? {
            match fs::remove_dir(&directory) {
                Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => {
                    return Err(error.into());
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn look_at_version(&self, job: JobId, version: VersionNumber, path: &Path) -> Result<(), Kept> {
        if path.extension().is_some_and(|it| it == GOING) {
            return Ok(fs::remove_dir_all(path)?);
        }
        if self.reader.needs_version(job, version)? || is_worked_in(path) {
            return Ok(());
        }
        if path.extension().is_some() {
            // The rest of an unpacking that was cut off, which nobody goes on with.
            return Ok(fs::remove_dir_all(path)?);
        }
        let going = path.with_extension(GOING);
        fs::rename(path, &going)?;
        if self.reader.needs_version(job, version)? {
            return Ok(fs::rename(&going, path)?);
        }
        self.collected.fetch_add(1, Ordering::AcqRel);
        // Links that its owner made are removed and not followed.
        fs::remove_dir_all(&going)?;
        tracing::info!(%job, %version, "an unpacked version that nothing needs was removed");
        Ok(())
    }
}

/// Whether a process has its working directory there: one that its run left behind, or a run that counts as lost and
/// goes on.
fn is_worked_in(directory: &Path) -> bool {
    let Ok(processes) = fs::read_dir("/proc") else {
        return false;
    };
    let is_process =
        |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let places: BTreeSet<PathBuf> = processes
        .flatten()
        .filter(|entry| is_process(&entry.file_name()))
        .filter_map(|entry| fs::read_link(entry.path().join("cwd")).ok())
        .collect();
    places.iter().any(|place| place.starts_with(directory))
}
