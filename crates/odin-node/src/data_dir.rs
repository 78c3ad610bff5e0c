//! The data directory: where everything of a node is, with the modes of DESIGN 12.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use crate::error::StartError;

/// A node's data directory, held by this process until it is dropped.
#[derive(Debug)]
pub struct DataDir {
    root: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

/// Directories of the server's user alone.
const PRIVATE: [&str; 5] = ["log", "history", "output", "bundles", "executor"];

impl DataDir {
    /// Makes what is missing and takes the lock.
    ///
    /// # Errors
    /// When the directory cannot be made or written, belongs to somebody else, or another server holds it.
    pub fn open(root: &Path) -> Result<Self, StartError> {
        let failed = |source| StartError::DataDir {
            path: root.to_owned(),
            source,
        };
        let made = !root.exists();
        if !made && !root.is_dir() {
            return Err(failed(ErrorKind::NotADirectory.into()));
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(root)
            .map_err(failed)?;
        let metadata = std::fs::metadata(root).map_err(failed)?;
        let me = rustix::process::geteuid().as_raw();
        if metadata.uid() != me {
            return Err(StartError::DataDirOwner {
                path: root.to_owned(),
                uid: metadata.uid(),
            });
        }
        // The lock first: a directory that another server holds is left as it is.
        let lock = take_lock(root)?;
        // A restore that was put in force and then cut off.
        crate::backup::finish(root).map_err(failed)?;
        if made || metadata.mode() & 0o777 != 0o711 {
            std::fs::set_permissions(root, Permissions::from_mode(0o711)).map_err(failed)?;
        }
        for (name, mode) in PRIVATE
            .map(|name| (name, 0o700))
            .into_iter()
            .chain([("jobs", 0o711)])
        {
            let path = root.join(name);
            DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(&path)
                .map_err(failed)?;
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).map_err(failed)?;
        }
        let root = root.canonicalize().map_err(failed)?;
        Ok(Self { root, _lock: lock })
    }

    /// Says when another server holds `root`, without touching it.
    ///
    /// # Errors
    /// When one does. That the directory cannot be looked into is not its question.
    pub fn refuse_held(root: &Path) -> Result<(), StartError> {
        let Ok(lock) = File::open(root.join("LOCK")) else {
            return Ok(());
        };
        match flock(&lock, FlockOperation::NonBlockingLockShared) {
            Err(rustix::io::Errno::WOULDBLOCK) => Err(held(root, lock)),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// The directory itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The replicated state.
    #[must_use]
    pub fn state_db(&self) -> PathBuf {
        self.root.join("state.db")
    }

    /// The replicated log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// Bundles by hash.
    #[must_use]
    pub fn bundles(&self) -> PathBuf {
        self.root.join("bundles")
    }

    /// The keys that seal secrets.
    #[must_use]
    pub fn secrets_key(&self) -> PathBuf {
        self.root.join("secrets.key")
    }

    /// The socket of the API.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.root.join("odin.sock")
    }

    /// The token for the server's own user over TCP, made when it is not there.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub fn local_token(&self, draw: &mut dyn FnMut(&mut [u8; 32])) -> Result<String, StartError> {
        let path = self.root.join("local.token");
        let failed = |source| StartError::DataDir {
            path: path.clone(),
            source,
        };
        match std::fs::read_to_string(&path) {
            Ok(token) if token.trim().len() >= 64 => return Ok(token.trim().to_owned()),
            // An empty or cut one is what a crash in the middle of the first start leaves.
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let mut bits = [0; 32];
        draw(&mut bits);
        let token: String = bits.iter().map(|byte| format!("{byte:02x}")).collect();
        let partial = self.root.join("local.token.partial");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)
            .map_err(failed)?;
        file.write_all(token.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(failed)?;
        std::fs::rename(&partial, &path).map_err(failed)?;
        Ok(token)
    }
}

/// Who holds it is told only for the message.
fn held(root: &Path, mut lock: File) -> StartError {
    let mut pid = String::new();
    let _ = lock.read_to_string(&mut pid);
    StartError::InUse {
        path: root.to_owned(),
        pid: pid.trim().parse().ok(),
    }
}

fn take_lock(root: &Path) -> Result<File, StartError> {
    let path = root.join("LOCK");
    let failed = |source| StartError::DataDir {
        path: root.to_owned(),
        source,
    };
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::WOULDBLOCK) => {
            return Err(held(root, lock));
        }
        Err(error) => return Err(failed(error.into())),
    }
    lock.set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .map_err(failed)?;
    Ok(lock)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn modes_are_those_of_the_design() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&temp.path().join("a/b")).unwrap();
        dir.local_token(&mut |bits| bits.fill(7)).unwrap();
        assert_eq!(mode(dir.root()), 0o711);
        assert_eq!(mode(&dir.root().join("jobs")), 0o711);
        assert_eq!(mode(&dir.root().join("local.token")), 0o600);
        assert_eq!(mode(&dir.root().join("LOCK")), 0o600);
        for name in PRIVATE {
            assert_eq!(mode(&dir.root().join(name)), 0o700, "{name}");
        }
    }

    #[test]
    fn a_second_server_on_the_same_directory_is_refused_and_told_who_has_it() {
        let temp = tempfile::tempdir().unwrap();
        let first = DataDir::open(temp.path()).unwrap();
        for refused in [
            DataDir::open(temp.path()).unwrap_err(),
            DataDir::refuse_held(temp.path()).unwrap_err(),
        ] {
            assert_eq!(refused.code(), "server/data-dir-in-use");
            let pid = std::process::id().to_string();
            assert!(refused.to_string().contains(&pid), "{refused}");
        }
        drop(first);
        DataDir::refuse_held(temp.path()).unwrap();
        DataDir::open(temp.path()).unwrap();
    }

    #[test]
    fn the_token_stays_over_a_restart() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::open(temp.path()).unwrap();
        let first = dir.local_token(&mut |bits| bits.fill(7)).unwrap();
        assert_eq!(dir.local_token(&mut |bits| bits.fill(8)).unwrap(), first);
        std::fs::write(dir.root().join("local.token"), "cut").unwrap();
        assert_eq!(
            dir.local_token(&mut |bits| bits.fill(8)).unwrap(),
            "08".repeat(32)
        );
    }

    #[test]
    fn a_path_that_is_a_file_or_cannot_be_made_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(DataDir::open(&file).unwrap_err().code(), "server/data-dir");
        assert_eq!(
            DataDir::open(&file.join("below")).unwrap_err().code(),
            "server/data-dir"
        );
        assert_eq!(
            DataDir::open(Path::new("/proc/odin")).unwrap_err().code(),
            "server/data-dir"
        );
    }
}
