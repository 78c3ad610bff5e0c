//! Secrets that jobs get as files: on a memory file system, each readable by the job's owner alone, gone with the run.
//!
//! All are in one directory of the executor, in which only the executor can make or remove anything: a job cannot fill
//! it, and what another user knows of it is its path. Not a descriptor that is handed down: most programs close those,
//! and scripts do not pass them on.

use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use odin_model::SecretName;
use rustix::fs::{AtFlags, Gid, Mode, OFlags, Uid};

use super::identity::Account;
use crate::data_dir::DataDir;
use crate::protocol::AttemptKey;

/// What the directory's name begins with.
const PREFIX: &str = "odin-secrets-";
/// `TMPFS_MAGIC` and `RAMFS_MAGIC` of the kernel: what is there is not on a disk.
const MEMORY_FILE_SYSTEMS: [i64; 2] = [0x0102_1994, 0x8584_58f6];

/// Where secret files are made. The directory is made with the first.
#[derive(Clone)]
pub(crate) struct SecretFiles {
    /// Where the directory's path is written down, for the executor after a crash.
    record: PathBuf,
    directory: Arc<Mutex<Option<Arc<Directory>>>>,
}

struct Directory {
    fd: OwnedFd,
    path: PathBuf,
    record: PathBuf,
}

/// A file that is removed when this is dropped.
pub(crate) struct SecretFile {
    directory: Arc<Directory>,
    name: String,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretFileError {
    #[error(
        "there is no memory file system for secrets that are files: mount a tmpfs on /dev/shm that the server can write to"
    )]
    NoMemoryFileSystem,
    #[error("a secret's file cannot be made in {path}: {error}")]
    System { path: PathBuf, error: io::Error },
}

impl SecretFiles {
    /// For the executor of `dir`. Removes what one that crashed has left.
    pub(crate) fn new(dir: &DataDir) -> Self {
        let record = dir.executor().join("secret-files");
        remove_left(&record);
        Self {
            record,
            directory: Arc::default(),
        }
    }

    /// Where the file of an attempt's secret is, or will be.
    pub(crate) fn path(
        &self,
        key: AttemptKey,
        name: &SecretName,
    ) -> Result<PathBuf, SecretFileError> {
        Ok(self.directory()?.path.join(file_name(key, name)))
    }

    /// Makes the file. `account` is who is to own it; `None` is who runs the executor.
    pub(crate) fn make(
        &self,
        key: AttemptKey,
        name: &SecretName,
        value: &[u8],
        account: Option<&Account>,
    ) -> Result<SecretFile, SecretFileError> {
        let directory = self.directory()?;
        let name = file_name(key, name);
        let failed = |error: io::Error| SecretFileError::System {
            path: directory.path.clone(),
            error,
        };
        // A file of this attempt is there when its lease ended before its process was made, and then only.
        let _ = rustix::fs::unlinkat(&directory.fd, &name, AtFlags::empty());
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&directory.fd, &name, flags, Mode::RUSR)
            .map_err(|error| failed(error.into()))?;
        let made = SecretFile {
            directory: Arc::clone(&directory),
            name,
        };
        let mut file = std::fs::File::from(fd);
        file.write_all(value).map_err(failed)?;
        if let Some(account) = account {
            let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
            rustix::fs::fchown(&file, Some(uid), Some(gid))
                .map_err(|error| failed(error.into()))?;
        }
        Ok(made)
    }

    fn directory(&self) -> Result<Arc<Directory>, SecretFileError> {
        let mut known = self
            .directory
            .lock()
            .expect("no code that holds this lock panics");
        if let Some(directory) = &*known {
            return Ok(Arc::clone(directory));
        }
        let directory = Arc::new(Directory::make(&self.record)?);
        *known = Some(Arc::clone(&directory));
        Ok(directory)
    }
}

impl Drop for SecretFile {
    fn drop(&mut self) {
        // It fails only when somebody has removed it already.
        let _ = rustix::fs::unlinkat(&self.directory.fd, &self.name, AtFlags::empty());
    }
}

impl Directory {
    fn make(record: &Path) -> Result<Self, SecretFileError> {
        let mut last = SecretFileError::NoMemoryFileSystem;
        for place in places() {
            if !is_in_memory(&place) {
                continue;
            }
            match Self::make_in(&place, record) {
                Ok(directory) => return Ok(directory),
                Err(error) => last = SecretFileError::System { path: place, error },
            }
        }
        Err(last)
    }

    fn make_in(place: &Path, record: &Path) -> io::Result<Self> {
        let mut bits = [0; 8];
        // SAFETY: the buffer's length is given. Requests up to 256 bytes are answered whole.
        let count = unsafe { libc::getrandom(bits.as_mut_ptr().cast(), bits.len(), 0) };
        if count != 8 {
            return Err(io::Error::last_os_error());
        }
        let path = place.join(format!("{PREFIX}{:016x}", u64::from_ne_bytes(bits)));
        // Written down first: a crash must not leave secrets that nobody knows of.
        std::fs::write(record, path.as_os_str().as_encoded_bytes())?;
        // Fails when something of that name is there. Owners enter it, and cannot list it.
        rustix::fs::mkdir(&path, Mode::RWXU)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::open(&path, flags, Mode::empty())?;
        if rustix::fs::fstat(&fd)?.st_uid != rustix::process::geteuid().as_raw() {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        rustix::fs::fchmod(&fd, Mode::RWXU | Mode::XGRP | Mode::XOTH)?;
        Ok(Self {
            fd,
            path,
            record: record.to_owned(),
        })
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // Empty: every file in it has held on to it.
        if std::fs::remove_dir(&self.path).is_ok() {
            let _ = std::fs::remove_file(&self.record);
        }
    }
}

fn file_name(key: AttemptKey, name: &SecretName) -> String {
    format!("{key}.{name}")
}

/// Where the directory may be. Others than the executor's user must be able to get there when it is root.
fn places() -> Vec<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return vec!["/run".into(), "/dev/shm".into()];
    }
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let own = own.filter(|path| path.is_absolute());
    std::iter::once("/dev/shm".into()).chain(own).collect()
}

/// The memory file system on which an executor that this process starts makes files of secrets. `None`: there is none
/// that this process may write to, and runs with such files are not started.
#[must_use]
pub fn place() -> Option<PathBuf> {
    let may_write = |place: &PathBuf| {
        let needed = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        rustix::fs::access(place, needed).is_ok()
    };
    places()
        .into_iter()
        .find(|place| is_in_memory(place) && may_write(place))
}

fn is_in_memory(place: &Path) -> bool {
    rustix::fs::statfs(place).is_ok_and(|it| {
        // The type's width differs between architectures.
        #[allow(clippy::unnecessary_cast)]
        let kind = it.f_type as i64;
        MEMORY_FILE_SYSTEMS.contains(&kind)
    })
}

/// Removes the directory of an executor that crashed: what is written down is not trusted further than that.
fn remove_left(record: &Path) {
    use std::os::unix::ffi::OsStrExt;
    let Ok(bytes) = std::fs::read(record) else {
        return;
    };
    let path = Path::new(std::ffi::OsStr::from_bytes(&bytes));
    let is_ours = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        let known = path
            .parent()
            .is_some_and(|place| places().iter().any(|it| it == place));
        let metadata = std::fs::symlink_metadata(path);
        known
            && name.is_some_and(|name| name.starts_with(PREFIX))
            && metadata
                .is_ok_and(|it| it.is_dir() && it.uid() == rustix::process::geteuid().as_raw())
    };
    if is_ours(path) {
        let _ = std::fs::remove_dir_all(path);
    }
    let _ = std::fs::remove_file(record);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_its_owners_alone_and_goes_with_its_run() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        std::fs::create_dir(dir.executor()).unwrap();
        let (key, name) = (AttemptKey::of_bits(1, 1), SecretName::parse("KEY").unwrap());
        let files = SecretFiles::new(&dir);
        let path = files.path(key, &name).unwrap();
        let file = files.make(key, &name, b"\0hunter22", None).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"\0hunter22");
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o400);
        let directory = path.parent().unwrap();
        assert!(is_in_memory(directory));
        assert_eq!(std::fs::metadata(directory).unwrap().mode() & 0o777, 0o711);
        drop(file);
        assert!(!path.exists());
        drop(files);
        assert!(!directory.exists());
        assert!(!dir.executor().join("secret-files").exists());
    }

    #[test]
    fn what_a_crashed_executor_left_is_removed_by_the_next() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        std::fs::create_dir(dir.executor()).unwrap();
        let (key, name) = (AttemptKey::of_bits(1, 1), SecretName::parse("KEY").unwrap());
        let files = SecretFiles::new(&dir);
        let path = files.path(key, &name).unwrap();
        std::mem::forget(files.make(key, &name, b"hunter22", None).unwrap());
        std::mem::forget(files);
        drop(SecretFiles::new(&dir));
        assert!(!path.parent().unwrap().exists());
        // A record that names something else removes nothing.
        let record = dir.executor().join("secret-files");
        std::fs::write(&record, temp.path().as_os_str().as_encoded_bytes()).unwrap();
        drop(SecretFiles::new(&dir));
        assert!(temp.path().exists());
    }
}
