//! How much of the disk each part of the data directory takes.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use odin_model::Boottime;

/// How long sizes are taken for current: directories with many files take a while to look through.
const CURRENT_FOR: Duration = Duration::from_secs(60);
/// How many files are looked at for one part. One with more has no size.
const FILES_MAX: usize = 100_000;

/// The parts of a data directory.
const PARTS: [&str; 7] = [
    "state", "log", "history", "output", "bundles", "jobs", "executor",
];

/// Bytes on the disk by part.
type ByPart = Vec<(&'static str, u64)>;

/// Sizes, looked at again when somebody asks and a while has passed.
#[derive(Debug, Default)]
pub(crate) struct Sizes {
    latest: Mutex<Option<(Boottime, ByPart)>>,
}

impl Sizes {
    /// Bytes on the disk by part; a part with too many files is left out. Blocking.
    pub(crate) fn of(&self, root: &Path, now: Boottime) -> ByPart {
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, sizes)) = &*latest
            && now.0.saturating_sub(at.0) < CURRENT_FOR
        {
            return sizes.clone();
        }
        let sizes: Vec<_> = PARTS
            .iter()
            .filter_map(|part| Some((*part, size(root, part)?)))
            .collect();
        *latest = Some((now, sizes.clone()));
        sizes
    }
}

fn size(root: &Path, part: &str) -> Option<u64> {
    if part == "state" {
        let files = ["state.db", "state.db-wal", "state.db-shm"];
        return Some(files.iter().map(|name| bytes(&root.join(name))).sum());
    }
    let (mut all, mut files) = (0, 0);
    let mut pending: Vec<PathBuf> = vec![root.join(part)];
    while let Some(directory) = pending.pop() {
        // What vanishes meanwhile takes no room.
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            files += 1;
            if files > FILES_MAX {
                return None;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                pending.push(entry.path());
            }
            all += bytes(&entry.path());
        }
    }
    Some(all)
}

fn bytes(path: &Path) -> u64 {
    fs::symlink_metadata(path).map_or(0, |metadata| metadata.blocks() * 512)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_looked_at_again_after_a_while() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("output/deep")).unwrap();
        let sizes = Sizes::default();
        let output = |seconds| {
            let all = sizes.of(root.path(), Boottime(Duration::from_secs(seconds)));
            all.into_iter()
                .find(|(part, _)| *part == "output")
                .unwrap()
                .1
        };
        let empty = output(100);
        fs::write(root.path().join("output/deep/file"), vec![7; 100_000]).unwrap();
        assert_eq!(output(159), empty);
        assert!(output(160) >= empty + 100_000);
    }
}
