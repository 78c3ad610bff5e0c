//! Snapshots as files: the newest one and nothing else.
//!
//! The directory holds `current`, a description, and the file that it names. A snapshot counts once its
//! description is in place, which is one rename; files that no description names are left-overs of a crash.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::raft_types::{Snapshot, SnapshotMeta};
use crate::record::{LogIdRecord, Mark, StoredMembershipRecord, decode, encode};

const DESCRIPTION: &str = "current";
const DESCRIPTION_BEING_WRITTEN: &str = "current.new";
const FILE_PREFIX: &str = "snapshot-";
/// Where a snapshot is written or received before it counts.
const BUILDING: &str = "building";
const INCOMING: &str = "incoming";

/// A snapshot's file, open: it can be read even after a newer one has taken its place.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotFile {
    file: Arc<File>,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) crc: u32,
}

impl SnapshotFile {
    pub(crate) fn open(path: PathBuf, bytes: u64, crc: u32) -> io::Result<Self> {
        Ok(Self {
            file: Arc::new(File::open(&path)?),
            path,
            bytes,
            crc,
        })
    }

    /// Up to `length` bytes from `offset` on; fewer only at the end.
    pub(crate) fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let left = usize::try_from(self.bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut buffer = vec![0; length.min(left)];
        self.file.read_exact_at(&mut buffer, offset)?;
        Ok(buffer)
    }
}

/// What `current` holds.
#[derive(Debug, Serialize, Deserialize)]
struct Description {
    file: String,
    bytes: u64,
    crc: u32,
    last: Option<LogIdRecord>,
    membership: StoredMembershipRecord,
}

/// The directory of a node's snapshots.
#[derive(Debug, Clone)]
pub(crate) struct SnapshotDirectory {
    dir: Arc<PathBuf>,
    /// Held while a snapshot takes its place: one built here and one received may finish together.
    adopting: Arc<Mutex<()>>,
}

impl SnapshotDirectory {
    /// Opens or makes the directory and removes what a crash left unfinished.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let directory = Self {
            dir: Arc::new(dir.to_owned()),
            adopting: Arc::default(),
        };
        let kept = directory.description()?.map(|description| description.file);
        directory.remove_all_but(kept.as_deref())?;
        Ok(directory)
    }

    /// The newest snapshot, if there is one.
    pub(crate) fn current(&self) -> io::Result<Option<Snapshot>> {
        let Some(description) = self.description()? else {
            return Ok(None);
        };
        let path = self.dir.join(&description.file);
        if fs::metadata(&path)?.len() != description.bytes {
            let message = format!(
                "{} is not {} bytes long, as its description says",
                path.display(),
                description.bytes
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let meta = SnapshotMeta {
            last_log_id: description.last.map(Into::into),
            last_membership: description.membership.into(),
        };
        let snapshot = SnapshotFile::open(path, description.bytes, description.crc)?;
        Ok(Some(Snapshot { meta, snapshot }))
    }

    /// Where to write the next snapshot. Nothing is there.
    pub(crate) fn building(&self) -> io::Result<PathBuf> {
        self.fresh(BUILDING)
    }

    /// Where to receive a snapshot. Nothing is there.
    pub(crate) fn incoming(&self) -> io::Result<PathBuf> {
        self.fresh(INCOMING)
    }

    fn fresh(&self, name: &str) -> io::Result<PathBuf> {
        let path = self.dir.join(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(path),
        }
    }

    /// Makes the file at `path`, which is in this directory, the current snapshot, durably, and removes the last.
    /// When the current one is as new or newer, that one stays, and is the answer.
    pub(crate) fn adopt(&self, path: &Path, meta: &SnapshotMeta) -> io::Result<Snapshot> {
        let _adopting = self.adopting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = self
            .current()?
            .filter(|current| current.meta.last_log_id >= meta.last_log_id)
        {
            fs::remove_file(path)?;
            return Ok(current);
        }
        File::open(path)?.sync_all()?;
        let (bytes, crc) = checksum(path)?;
        let name = self.unused_name(meta);
        fs::rename(path, self.dir.join(&name))?;
        let description = Description {
            file: name,
            bytes,
            crc,
            last: meta.last_log_id.map(Into::into),
            membership: (&meta.last_membership).into(),
        };
        let mut new = File::create(self.dir.join(DESCRIPTION_BEING_WRITTEN))?;
        new.write_all(&encode(&description))?;
        new.sync_all()?;
        // The renamed snapshot must be on the disk before the description that names it.
        self.sync()?;
        fs::rename(
            self.dir.join(DESCRIPTION_BEING_WRITTEN),
            self.dir.join(DESCRIPTION),
        )?;
        self.sync()?;
        self.remove_all_but(Some(&description.file))?;
        self.current()?
            .ok_or_else(|| io::Error::other("a snapshot vanished while it was adopted"))
    }

    fn unused_name(&self, meta: &SnapshotMeta) -> String {
        let index = meta.last_log_id.map_or(0, |id| id.index);
        (0u32..)
            .map(|number| format!("{FILE_PREFIX}{index}-{number}"))
            .find(|name| !self.dir.join(name).exists())
            .expect("a directory holds few snapshots")
    }

    fn sync(&self) -> io::Result<()> {
        File::open(self.dir.as_path())?.sync_all()
    }

    fn description(&self) -> io::Result<Option<Description>> {
        let path = self.dir.join(DESCRIPTION);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let invalid = |error| {
            let message = format!("{} cannot be read: {error}", path.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        };
        decode(&bytes).map(Some).map_err(invalid)
    }

    /// Removes every snapshot but the one named. What is being written or received stays: its writer owns it.
    fn remove_all_but(&self, kept: Option<&str>) -> io::Result<()> {
        for entry in fs::read_dir(self.dir.as_path())? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.starts_with(FILE_PREFIX) && Some(&*name) != kept {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// The length and the CRC-32 of a file.
pub(crate) fn checksum(path: &Path) -> io::Result<(u64, u32)> {
    let mut file = File::open(path)?;
    let mut hasher = crc32fast::Hasher::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((bytes, hasher.finalize())),
            read => {
                hasher.update(&buffer[..read]);
                bytes += u64::try_from(read).expect("a length fits 64 bits");
            }
        }
    }
}

/// The mark of the state in a snapshot.
pub(crate) fn mark(meta: &SnapshotMeta) -> Option<Mark> {
    let applied = meta.last_log_id?.into();
    Some(Mark {
        applied,
        membership: (&meta.last_membership).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raft_types::{Membership, StoredMembership, log_id};

    fn meta(index: u64) -> SnapshotMeta {
        let membership = Membership::new_with_defaults(vec![[1].into()], [1]);
        SnapshotMeta {
            last_log_id: Some(log_id(1, index)),
            last_membership: StoredMembership::new(Some(log_id(1, 0)), membership),
        }
    }

    fn adopt(directory: &SnapshotDirectory, index: u64, contents: &[u8]) -> Snapshot {
        let path = directory.building().unwrap();
        fs::write(&path, contents).unwrap();
        directory.adopt(&path, &meta(index)).unwrap()
    }

    #[test]
    fn the_newest_snapshot_is_found_again_and_the_old_one_stays_readable_while_open() {
        let dir = tempfile::tempdir().unwrap();
        let directory = SnapshotDirectory::open(dir.path()).unwrap();
        assert!(directory.current().unwrap().is_none());
        let old = adopt(&directory, 5, b"old");
        adopt(&directory, 6, b"newer");
        let late = adopt(&directory, 5, b"late");
        assert_eq!(
            late.meta,
            meta(6),
            "an older snapshot does not take the place of a newer one"
        );
        assert_eq!(old.snapshot.read_at(1, 100).unwrap(), b"ld");
        let found = SnapshotDirectory::open(dir.path())
            .unwrap()
            .current()
            .unwrap()
            .unwrap();
        assert_eq!((found.meta, found.snapshot.bytes), (meta(6), 5));
        assert_eq!(found.snapshot.crc, crc32fast::hash(b"newer"));
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            2,
            "the description and one snapshot"
        );
    }

    #[test]
    fn a_snapshot_without_a_description_is_a_left_over() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("snapshot-9-0"), "half").unwrap();
        let directory = SnapshotDirectory::open(dir.path()).unwrap();
        assert!(directory.current().unwrap().is_none());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_of_another_length_than_described_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let directory = SnapshotDirectory::open(dir.path()).unwrap();
        let snapshot = adopt(&directory, 5, b"whole");
        fs::write(&snapshot.snapshot.path, "who").unwrap();
        assert_eq!(
            directory.current().unwrap_err().kind(),
            io::ErrorKind::InvalidData
        );
    }
}
