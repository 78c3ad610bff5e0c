//! The one step at which restored data takes the place of what was there.
//!
//! A restore unpacks into `restore/` of the data directory: on the same file system, and a directory that is a mount
//! point can be restored into. While `restore/` has no mark, the old data is whole and in force. The mark is one
//! rename; from then on the new data is in force, and whoever opens the directory next finishes what is left to do:
//! the old files are moved aside, then the new ones in. Each move is one rename, so a crash between any two of them is
//! taken up where it was.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use odin_executor::fault::{self, Point};

/// Where a restore unpacks.
const STAGING: &str = "restore";
/// In it: the new data.
const NEW: &str = "new";
/// In it: the mark that the new data is in force and the old is to be moved aside, into the directory that it names.
const COMMITTED: &str = "committed";
/// In it: the mark that the old data has been moved aside.
const CLEARED: &str = "cleared";
/// What the names of directories with replaced data begin with.
pub(super) const REPLACED: &str = "replaced-";

/// Whether restored data waits to be moved into its place in `root`.
#[must_use]
pub fn is_committed(root: &Path) -> bool {
    let staging = root.join(STAGING);
    staging.join(COMMITTED).exists() || staging.join(CLEARED).exists()
}

/// A place for new data, with nothing in it.
pub(super) fn begin(root: &Path) -> io::Result<PathBuf> {
    debug_assert!(!is_committed(root), "finished first");
    remove(&root.join(STAGING))?;
    let new = root.join(STAGING).join(NEW);
    DirBuilder::new().recursive(true).mode(0o700).create(&new)?;
    Ok(new)
}

/// Gives up what [`begin`] began.
pub(super) fn abandon(root: &Path) -> io::Result<()> {
    remove(&root.join(STAGING))
}

/// The new data, which is whole and on the disk, is in force from here on. `aside`: the name for the old data.
pub(super) fn commit(root: &Path, aside: &str) -> io::Result<()> {
    let staging = root.join(STAGING);
    sync(&staging.join(NEW))?;
    let partial = staging.join("committed.partial");
    let file = File::create(&partial)?;
    io::Write::write_all(&mut &file, aside.as_bytes())?;
    file.sync_all()?;
    sync(root)?;
    fault::reach(Point::RestoreCommitBefore);
    fs::rename(&partial, staging.join(COMMITTED))?;
    sync(&staging)?;
    fault::reach(Point::RestoreCommitAfter);
    Ok(())
}

/// Finishes what a committed restore left to do, or removes what one left that was not committed. Only for who holds
/// the directory's lock. True: the data directory holds restored data now.
///
/// # Errors
/// The system's. It can be called again.
pub(crate) fn finish(root: &Path) -> io::Result<bool> {
    finish_by_steps(root, &mut || {
        fault::reach(Point::RestoreMove);
        Ok(())
    })
}

/// `step` is called after each step.
fn finish_by_steps(root: &Path, step: &mut dyn FnMut() -> io::Result<()>) -> io::Result<bool> {
    let staging = root.join(STAGING);
    if !is_committed(root) {
        remove(&staging)?;
        return Ok(false);
    }
    if staging.join(COMMITTED).exists() {
        let aside = fs::read_to_string(staging.join(COMMITTED))?;
        let aside = root.join(&aside);
        for name in names(root)? {
            if is_data(&name) {
                DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&aside)?;
                fs::rename(root.join(&name), aside.join(&name))?;
                step()?;
            }
        }
        if aside.exists() {
            sync(&aside)?;
        }
        sync(root)?;
        fs::rename(staging.join(COMMITTED), staging.join(CLEARED))?;
        sync(&staging)?;
        step()?;
    }
    let new = staging.join(NEW);
    for name in names(&new)? {
        fs::rename(new.join(&name), root.join(&name))?;
        step()?;
    }
    sync(root)?;
    // Without the mark, what is left of the place counts for nothing.
    fs::remove_file(staging.join(CLEARED))?;
    step()?;
    remove(&staging)?;
    sync(root)?;
    Ok(true)
}

/// Whether a name in a data directory is a node's data: all but the lock and what restores make.
pub(super) fn is_data(name: &str) -> bool {
    !matches!(name, "LOCK" | STAGING | "lost+found") && !name.starts_with(REPLACED)
}

/// The names in a directory, in order.
pub(super) fn names(directory: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name().into_string();
        names.push(name.map_err(|name| {
            let message = format!("{} is not a name of Odin's", name.display());
            io::Error::new(io::ErrorKind::InvalidData, message)
        })?);
    }
    names.sort();
    Ok(names)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A data directory with old data, and new data that is in force or not.
    fn bed(is_in_force: bool) -> tempfile::TempDir {
        let bed = tempfile::tempdir().unwrap();
        let root = bed.path();
        for name in ["LOCK", "state.db", "old only"] {
            fs::write(root.join(name), "old").unwrap();
        }
        fs::create_dir(root.join("log")).unwrap();
        fs::write(root.join("log/entries"), "old").unwrap();
        fs::create_dir(root.join("replaced-earlier")).unwrap();
        let new = begin(root).unwrap();
        fs::write(new.join("state.db"), "new").unwrap();
        fs::create_dir(new.join("log")).unwrap();
        fs::write(new.join("log/entries"), "new").unwrap();
        if is_in_force {
            commit(root, "replaced-now").unwrap();
        }
        bed
    }

    fn check(root: &Path, expected: &str) {
        let read = |name: &str| fs::read_to_string(root.join(name)).unwrap_or_default();
        assert_eq!(
            (read("state.db"), read("log/entries")),
            (expected.into(), expected.into())
        );
        assert_eq!(root.join("old only").exists(), expected == "old");
        assert!(!root.join(STAGING).exists() && root.join("LOCK").exists());
        if expected == "new" {
            assert_eq!(read("replaced-now/state.db"), "old");
            assert_eq!(read("replaced-now/log/entries"), "old");
            assert_eq!(read("replaced-now/old only"), "old");
        }
    }

    #[test]
    fn what_is_not_in_force_leaves_the_old_data() {
        let bed = bed(false);
        assert!(!is_committed(bed.path()));
        assert!(!finish(bed.path()).unwrap());
        check(bed.path(), "old");
    }

    #[test]
    fn what_is_in_force_is_finished_after_an_end_at_any_step() {
        for end in 1.. {
            let bed = bed(true);
            let mut steps = 0;
            let ended = finish_by_steps(bed.path(), &mut || {
                steps += 1;
                match steps == end {
                    true => Err(io::Error::other("the end")),
                    false => Ok(()),
                }
            });
            if ended.is_ok() {
                assert!(end > 6, "{end} steps");
                check(bed.path(), "new");
                return;
            }
            finish(bed.path()).unwrap();
            check(bed.path(), "new");
        }
    }
}
