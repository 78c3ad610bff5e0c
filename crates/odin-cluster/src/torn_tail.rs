//! The one kind of torn tail that raft-log refuses: a record of which only the beginning reached the disk, in a file
//! that had its full length already, so that zeros stand for the rest.
//!
//! Such a record was never synced, so nobody was told of it. Without the zeros it is a record that ends too early,
//! which raft-log cuts off. A record before it that ends in a zero of its own is safe: there are other bytes behind
//! it, or raft-log would not have refused.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// What is read at once.
const BLOCK_BYTES: u64 = 64 * 1024;

/// Removes the zeros at the end of the newest file of the log in `dir`, which must have failed to open because a
/// record in it is damaged. Whether there were any.
pub(crate) fn trim_zeros(dir: &Path) -> io::Result<bool> {
    let Some(path) = newest(dir)? else {
        return Ok(false);
    };
    let file = OpenOptions::new().read(true).write(true).open(&path)?;
    let whole = file.metadata()?.len();
    let kept = end_of_contents(&file, whole)?;
    if kept == whole {
        return Ok(false);
    }
    tracing::warn!(file = %path.display(), zeros = whole - kept, "cutting zeros off a half-written record");
    file.set_len(kept)?;
    file.sync_all()?;
    Ok(true)
}

/// The file being written when the node stopped: their names sort as they were begun.
fn newest(dir: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wal") {
            newest = newest.max(Some(path));
        }
    }
    Ok(newest)
}

/// The length of a file without the zeros at its end.
fn end_of_contents(file: &File, whole: u64) -> io::Result<u64> {
    let mut end = whole;
    while end > 0 {
        let begin = end.saturating_sub(BLOCK_BYTES);
        let length = usize::try_from(end - begin).expect("a block fits the address space");
        let mut block = vec![0; length];
        file.read_exact_at(&mut block, begin)?;
        if let Some(last) = block.iter().rposition(|&byte| byte != 0) {
            return Ok(begin + u64::try_from(last).expect("a length fits 64 bits") + 1);
        }
        end = begin;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zeros_at_the_end_of_the_newest_file_go() {
        let zeros = |count| vec![0; count];
        for (contents, kept) in [
            (b"".to_vec(), 0),
            (b"ab\0c".to_vec(), 4),
            ([b"ab\0c".to_vec(), zeros(3)].concat(), 4),
            ([b"ab".to_vec(), zeros(200_000)].concat(), 2),
            (zeros(70_000), 0),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let (old, new) = (dir.path().join("r-1.wal"), dir.path().join("r-2.wal"));
            fs::write(&old, [0, 0]).unwrap();
            fs::write(&new, &contents).unwrap();
            let trimmed = trim_zeros(dir.path()).unwrap();
            assert_eq!(fs::metadata(&new).unwrap().len(), kept);
            assert_eq!(trimmed, usize::try_from(kept).unwrap() != contents.len());
            assert_eq!(fs::metadata(&old).unwrap().len(), 2);
        }
    }
}
