//! What a live node gives to a backup, held still without holding up the node.
//!
//! The state is copied as of one instant, from a connection of its own. Bundles and sealed history are linked, which
//! costs a name each, so that nothing the state refers to can be removed while the backup is written. What jobs
//! printed only grows; a file that retention removes meanwhile is left out.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use odin_api::BackupContents;
use odin_store::{Contents, Reader};

use super::error::BackupError;
use super::manifest::{FORMAT, Manifest, STATE};
use crate::room;

/// Where a backup's copies and links are while it is written, in the data directory.
const COLLECTED: &str = "backup";

/// Removes what a backup left behind that a crash cut off. For the start of a server.
pub(crate) fn remove_left_overs(root: &Path) -> io::Result<()> {
    match fs::remove_dir_all(root.join(COLLECTED)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What is backed up.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// The data directory.
    pub(crate) root: PathBuf,
    /// The node's name.
    pub(crate) node: String,
    pub(crate) taken_at: Timestamp,
    pub(crate) contents: BackupContents,
}

/// A node's data as it was at one instant. Removed when it is dropped; there is one at a time.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(super) root: PathBuf,
    pub(super) manifest: Manifest,
}

impl Collected {
    /// Holds it still. `reader` is of its state.
    pub(crate) fn of(subject: Subject, reader: &Reader) -> Result<Self, BackupError> {
        let place = subject.root.join(COLLECTED);
        remove_left_overs(&subject.root).map_err(|error| BackupError::io(shown(&place), error))?;
        make_private(&place).map_err(|error| BackupError::io(shown(&place), error))?;
        let mut collected = Self {
            root: subject.root,
            manifest: Manifest {
                format: FORMAT,
                odin: env!("CARGO_PKG_VERSION").to_owned(),
                state_format: 0,
                node: subject.node,
                taken_at: subject.taken_at,
                generation: 0,
                log_index: 0,
                jobs: 0,
                open_runs: 0,
                with_output: subject.contents.with_output,
                with_key: subject.contents.with_key,
            },
        };
        // Before and after: what the state refers to was there at one of the two times.
        collected.link()?;
        let contents = collected.copy_state(reader)?;
        collected.link()?;
        let manifest = &mut collected.manifest;
        manifest.state_format = contents.format;
        manifest.generation = contents.generation;
        manifest.log_index = contents.applied;
        manifest.jobs = contents.jobs;
        manifest.open_runs = contents.open_runs;
        Ok(collected)
    }

    /// Where the copies and links are.
    pub(super) fn place(&self) -> PathBuf {
        self.root.join(COLLECTED)
    }

    fn copy_state(&self, reader: &Reader) -> Result<Contents, BackupError> {
        let frozen = reader.freeze()?;
        let contents = frozen.contents()?;
        let free = room::free_bytes(&self.root).unwrap_or(u64::MAX);
        if free < contents.bytes.saturating_add(room::FREE_BYTES_MIN) {
            let what = format!(
                "a copy of the state in {}: it takes {} MiB, and 64 MiB are to stay free",
                self.root.display(),
                contents.bytes.div_ceil(1 << 20)
            );
            return Err(BackupError::Full { what });
        }
        frozen.write(&self.place().join(STATE))?;
        Ok(contents)
    }

    fn link(&self) -> Result<(), BackupError> {
        for name in ["bundles", "history"] {
            let (from, to) = (self.root.join(name), self.place().join(name));
            link_files(&from, &to).map_err(|error| BackupError::io(shown(&from), error))?;
        }
        Ok(())
    }
}

impl Drop for Collected {
    fn drop(&mut self) {
        if let Err(error) = remove_left_overs(&self.root) {
            tracing::warn!(%error, "what a backup held still cannot be removed");
        }
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.mode(0o700).recursive(true).create(path)
}

/// Gives the finished files of `from` a second name in `to`. Files that vanish meanwhile are left out.
fn link_files(from: &Path, to: &Path) -> io::Result<()> {
    make_private(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if !entry.file_type()?.is_file() || is_unfinished(&entry.file_name()) {
            continue;
        }
        match fs::hard_link(entry.path(), to.join(entry.file_name())) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            linked => linked?,
        }
    }
    Ok(())
}

/// Whether a name is that of a file which is being written and does not count yet.
pub(super) fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    let name = name.as_encoded_bytes();
    [&b".partial"[..], b".new", b"-wal", b"-shm", b"-journal"]
        .iter()
        .any(|ending| name.ends_with(ending))
        || name.starts_with(b".")
}

pub(super) fn shown(path: &Path) -> String {
    path.display().to_string()
}
