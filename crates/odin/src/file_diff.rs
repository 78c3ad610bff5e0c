//! What differs between the files of two bundles.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use odin_model::BundleHash;
use odin_wire::Exit;
use serde::Serialize;
use similar::TextDiff;

use crate::error::CliError;

/// The largest file whose lines are compared.
const TEXT_BYTES_MAX: u64 = 256 * 1024;
/// How long finding the smallest difference may take; after that one that is good enough is shown.
const DIFF_TIME_MAX: Duration = Duration::from_secs(2);
/// How many lines around a change are shown.
const CONTEXT_LINES: usize = 3;

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FileChange {
    /// Its path in the bundle.
    pub(crate) path: String,
    pub(crate) change: Change,
    /// `null`: it was not there.
    pub(crate) before_bytes: Option<u64>,
    /// `null`: it is not there.
    pub(crate) after_bytes: Option<u64>,
    /// The lines that differ, as `diff -u` shows them. `null` for large files, for what is no text, and where only
    /// the right to execute it differs.
    pub(crate) diff: Option<String>,
}

/// What happened to a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Change {
    Added,
    Removed,
    Changed,
    /// Only whether it may be executed.
    Mode,
}

impl FileChange {
    pub(crate) fn words(&self) -> String {
        let bytes = |count: Option<u64>| count.unwrap_or(0);
        match self.change {
            Change::Added => format!("added, {} bytes", bytes(self.after_bytes)),
            Change::Removed => format!("removed, {} bytes", bytes(self.before_bytes)),
            Change::Changed if self.diff.is_some() => "changed".to_owned(),
            Change::Changed => format!(
                "changed, {} → {} bytes",
                bytes(self.before_bytes),
                bytes(self.after_bytes)
            ),
            Change::Mode => "may be executed in one of them only".to_owned(),
        }
    }
}

/// A packed bundle with the hash that it must have.
type Packed<'p> = (&'p [u8], BundleHash);

/// What differs between two bundles, by path.
pub(crate) fn between(before: Packed<'_>, after: Packed<'_>) -> Result<Vec<FileChange>, CliError> {
    Unpacked::of(before)?.compare(&Unpacked::of(after)?)
}

/// All files of a bundle, as if there had been none before.
pub(crate) fn all_added(after: Packed<'_>) -> Result<Vec<FileChange>, CliError> {
    let nothing = Unpacked {
        root: temporary()?,
        files: BTreeMap::new(),
    };
    nothing.compare(&Unpacked::of(after)?)
}

fn temporary() -> Result<tempfile::TempDir, CliError> {
    tempfile::tempdir().map_err(|error| CliError::file(&std::env::temp_dir(), &error))
}

/// A bundle in a directory of its own, which goes with it.
struct Unpacked {
    root: tempfile::TempDir,
    files: BTreeMap<PathBuf, Facts>,
}

/// What is known of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Facts {
    bytes: u64,
    is_executable: bool,
}

impl Unpacked {
    fn of((packed, hash): Packed<'_>) -> Result<Self, CliError> {
        let root = temporary()?;
        let handle =
            File::open(root.path()).map_err(|error| CliError::file(root.path(), &error))?;
        odin_executor::unpack::unpack(packed, handle, hash)
            .map_err(|error| CliError::new(Exit::Failed, error.code(), error.to_string()))?;
        let mut files = BTreeMap::new();
        let mut pending = vec![PathBuf::new()];
        while let Some(directory) = pending.pop() {
            let path = root.path().join(&directory);
            let failed = |error: std::io::Error| CliError::file(&path, &error);
            for entry in std::fs::read_dir(&path).map_err(failed)? {
                let entry = entry.map_err(failed)?;
                let relative = directory.join(entry.file_name());
                let metadata = entry.metadata().map_err(failed)?;
                if metadata.is_dir() {
                    pending.push(relative);
                } else {
                    let facts = Facts {
                        bytes: metadata.len(),
                        is_executable: metadata.permissions().mode() & 0o111 != 0,
                    };
                    files.insert(relative, facts);
                }
            }
        }
        Ok(Self { root, files })
    }

    fn compare(&self, after: &Self) -> Result<Vec<FileChange>, CliError> {
        let mut paths: Vec<_> = self.files.keys().chain(after.files.keys()).collect();
        paths.sort();
        paths.dedup();
        let mut changes = Vec::new();
        for path in paths {
            changes.extend(self.compare_one(after, path)?);
        }
        Ok(changes)
    }

    fn compare_one(&self, after: &Self, path: &Path) -> Result<Option<FileChange>, CliError> {
        let (was, is) = (self.files.get(path), after.files.get(path));
        let (change, diff) = match (was, is) {
            (None, None) => return Ok(None),
            (None, Some(_)) => (Change::Added, None),
            (Some(_), None) => (Change::Removed, None),
            (Some(was), Some(is)) => {
                let (old, new) = (self.root.path().join(path), after.root.path().join(path));
                let failed = |error: std::io::Error| CliError::file(path, &error);
                if was.bytes == is.bytes && is_same(&old, &new).map_err(failed)? {
                    if was.is_executable == is.is_executable {
                        return Ok(None);
                    }
                    (Change::Mode, None)
                } else {
                    let is_small = was.bytes.max(is.bytes) <= TEXT_BYTES_MAX;
                    let texts = is_small.then(|| text(&old).zip(text(&new))).flatten();
                    (Change::Changed, texts.map(|(old, new)| lines(&old, &new)))
                }
            }
        };
        Ok(Some(FileChange {
            path: path.display().to_string(),
            change,
            before_bytes: was.map(|was| was.bytes),
            after_bytes: is.map(|is| is.bytes),
            diff,
        }))
    }
}

/// Whether two files of one length hold the same.
fn is_same(one: &Path, other: &Path) -> std::io::Result<bool> {
    let (mut one, mut other) = (File::open(one)?, File::open(other)?);
    let (mut first, mut second) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    loop {
        let read = one.read(&mut first)?;
        if read == 0 {
            return Ok(true);
        }
        other.read_exact(&mut second[..read])?;
        if first[..read] != second[..read] {
            return Ok(false);
        }
    }
}

/// The text of a file, if it is one.
fn text(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    (!text.contains('\0')).then_some(text)
}

/// The lines that differ, as `diff -u` shows them.
pub(crate) fn lines(before: &str, after: &str) -> String {
    let diff = TextDiff::configure()
        .timeout(DIFF_TIME_MAX)
        .diff_lines(before, after);
    diff.unified_diff()
        .context_radius(CONTEXT_LINES)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    /// A directory as if it had been unpacked.
    fn unpacked(files: &[(&str, &[u8], bool)]) -> Unpacked {
        let root = tempfile::tempdir().unwrap();
        let mut found = BTreeMap::new();
        for &(path, bytes, is_executable) in files {
            let place = root.path().join(path);
            std::fs::create_dir_all(place.parent().unwrap()).unwrap();
            std::fs::write(place, bytes).unwrap();
            let bytes = bytes.len() as u64;
            let facts = Facts {
                bytes,
                is_executable,
            };
            found.insert(PathBuf::from(path), facts);
        }
        Unpacked { root, files: found }
    }

    #[test]
    fn each_file_that_differs_is_told_by_its_path() {
        let before = unpacked(&[
            ("gone", b"x", false),
            ("job.sh", b"echo 1\necho 2\n", false),
            ("lib/data", b"\0\x01", false),
            ("lib/same", b"same", false),
            ("run", b"run", false),
        ]);
        let after = unpacked(&[
            ("job.sh", b"echo 1\necho 3\n", false),
            ("lib/data", b"\0\x02", false),
            ("lib/same", b"same", false),
            ("new", b"12345", false),
            ("run", b"run", true),
        ]);
        let mut seen = String::new();
        for change in before.compare(&after).unwrap() {
            seen += &format!("{}: {}\n", change.path, change.words());
            seen += &change.diff.unwrap_or_default();
        }
        expect![[r#"
            gone: removed, 1 bytes
            job.sh: changed
            @@ -1,2 +1,2 @@
             echo 1
            -echo 2
            +echo 3
            lib/data: changed, 2 → 2 bytes
            new: added, 5 bytes
            run: may be executed in one of them only
        "#]]
        .assert_eq(&seen);
    }

    #[test]
    fn a_large_file_is_compared_and_not_shown() {
        let bytes = vec![b'x'; 300 * 1024];
        let mut other = bytes.clone();
        other[299 * 1024] = b'y';
        let [one, two] = [&bytes, &other].map(|bytes| unpacked(&[("large", bytes, false)]));
        let changes = one.compare(&two).unwrap();
        assert_eq!((changes.len(), &changes[0].diff), (1, &None));
        assert_eq!(one.compare(&one).unwrap(), []);
    }
}
