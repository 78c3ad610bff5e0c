//! The job file's directory: looking at and opening what lies below it, and nothing else.

use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    CWD, Dir, FileType, Mode as Permissions, OFlags, ResolveFlags, Stat, fstat, openat, openat2,
};
use rustix::io::Errno;

use crate::bundle::ENTRIES_MAX;
use crate::bundle::error::BundleError;
use crate::bundle::path::BundlePath;
use crate::fault::quoted;

/// How often a lookup is tried again that raced with a rename elsewhere in the tree.
const LOOKUPS_MAX: usize = 16;

/// The job file's directory; nothing above it can be reached through this.
pub(crate) struct Root {
    handle: OwnedFd,
    path: PathBuf,
}

/// What a name leads to.
pub(crate) struct Found {
    pub(crate) kind: FileType,
    pub(crate) stat: Stat,
}

impl Root {
    pub(crate) fn above(job_file: &Path) -> Result<Self, BundleError> {
        let directory = match job_file.parent() {
            Some(parent) if parent != Path::new("") => parent,
            Some(_) | None => Path::new("."),
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let handle = openat(CWD, directory, flags, Permissions::empty())
            .map_err(|errno| from_errno(quoted(&directory.to_string_lossy()), errno))?;
        Ok(Self {
            handle,
            path: directory.to_owned(),
        })
    }

    /// Looks without opening: nothing waits and no device notices.
    pub(crate) fn look(&self, path: &BundlePath) -> Result<Found, BundleError> {
        let refused = |errno| from_errno(quoted(path.as_str()), errno);
        let handle = self.beneath(path, OFlags::PATH).map_err(refused)?;
        let stat = fstat(&handle).map_err(refused)?;
        Ok(Found {
            kind: FileType::from_raw_mode(stat.st_mode),
            stat,
        })
    }

    /// Opens for reading what [`Root::look`] found to be a file or a directory. Does not wait even if it has become
    /// something else since.
    pub(crate) fn open(&self, path: &BundlePath, flags: OFlags) -> Result<OwnedFd, BundleError> {
        let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY;
        self.beneath(path, flags)
            .map_err(|errno| from_errno(quoted(path.as_str()), errno))
    }

    fn beneath(&self, path: &BundlePath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        for _ in 0..LOOKUPS_MAX {
            match openat2(
                self.handle.as_fd(),
                path.as_str(),
                flags,
                Permissions::empty(),
                resolve,
            ) {
                // The kernel asks for another try when a rename elsewhere made it unsure.
                Err(Errno::AGAIN) => {}
                // Linux before 5.6, and sandboxes that do not know the call.
                Err(Errno::NOSYS) => return self.beneath_by_name(path, flags),
                answer => return answer,
            }
        }
        Err(Errno::AGAIN)
    }

    /// The same by resolving the name first. Somebody who swaps links in between could lead it astray, but it runs
    /// as the person whose directory it is.
    fn beneath_by_name(&self, path: &BundlePath, flags: OFlags) -> Result<OwnedFd, Errno> {
        let errno = |error: std::io::Error| Errno::from_io_error(&error).unwrap_or(Errno::IO);
        let root = self.path.canonicalize().map_err(errno)?;
        let target = root.join(path.as_str()).canonicalize().map_err(errno)?;
        if !target.starts_with(&root) {
            return Err(Errno::XDEV);
        }
        openat(CWD, &target, flags | OFlags::NOFOLLOW, Permissions::empty())
    }

    /// The names in a directory, sorted.
    pub(crate) fn names(&self, path: &BundlePath) -> Result<Vec<String>, BundleError> {
        let refused = |errno| from_errno(quoted(path.as_str()), errno);
        let handle = self.open(path, OFlags::DIRECTORY)?;
        let mut names = Vec::new();
        for entry in Dir::new(handle).map_err(refused)? {
            let entry = entry.map_err(refused)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == ENTRIES_MAX {
                return Err(BundleError::TooManyEntries);
            }
            let name = String::from_utf8(name.to_vec()).map_err(|error| {
                let name = String::from_utf8_lossy(error.as_bytes()).into_owned();
                BundleError::NameNotText {
                    path: quoted(&format!("{path}/{name}")),
                }
            })?;
            names.push(name);
        }
        names.sort();
        Ok(names)
    }
}

/// Reads a regular file that was seen before as `seen`.
pub(crate) fn read_regular(
    file: OwnedFd,
    seen: &Stat,
    bytes_max: u64,
    shown: String,
) -> Result<Vec<u8>, BundleError> {
    let stat = fstat(&file).map_err(|errno| from_errno(shown.clone(), errno))?;
    if (stat.st_dev, stat.st_ino) != (seen.st_dev, seen.st_ino) {
        return Err(BundleError::Changed { path: shown });
    }
    let bytes = u64::try_from(stat.st_size).unwrap_or(u64::MAX);
    if bytes > bytes_max {
        return Err(BundleError::FileTooLarge {
            path: shown,
            bytes,
            bytes_max,
        });
    }
    let mut content = Vec::new();
    // One byte more shows a file that grows, or one of /proc that tells no size.
    let read = File::from(file).take(bytes + 1).read_to_end(&mut content);
    if let Err(error) = read {
        return Err(BundleError::Read { path: shown, error });
    }
    if content.len() as u64 != bytes {
        return Err(BundleError::Changed { path: shown });
    }
    Ok(content)
}

pub(crate) fn expect_file(shown: String, kind: FileType) -> Result<(), BundleError> {
    let found = match kind {
        FileType::RegularFile => return Ok(()),
        FileType::Directory => "a directory",
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "not a regular file",
    };
    Err(BundleError::NotAFile {
        path: shown,
        found,
        expected: "a file",
    })
}

pub(crate) fn from_errno(path: String, errno: Errno) -> BundleError {
    match errno {
        Errno::NOENT | Errno::NOTDIR => BundleError::Missing { path },
        Errno::ACCESS | Errno::PERM => BundleError::Denied { path },
        Errno::XDEV => BundleError::LeavesDirectory { path },
        Errno::LOOP => BundleError::LinkLoop { path },
        errno => BundleError::Read {
            path,
            error: errno.into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ways of looking up give the same answer.
    #[track_caller]
    fn check(root: &Root, name: &str, expected: Result<FileType, Errno>) {
        let path = BundlePath::parse(name).unwrap();
        let kind = |handle| FileType::from_raw_mode(fstat(handle).unwrap().st_mode);
        assert_eq!(
            root.beneath(&path, OFlags::PATH).map(kind),
            expected,
            "{name}"
        );
        let by_name = root.beneath_by_name(&path, OFlags::PATH | OFlags::CLOEXEC);
        assert_eq!(by_name.map(kind), expected, "{name} by name");
    }

    #[test]
    fn what_lies_below_is_found_and_nothing_else() {
        use std::os::unix::fs::symlink;
        let directory = tempfile::tempdir().unwrap();
        let below = directory.path().join("below");
        std::fs::create_dir_all(below.join("lib")).unwrap();
        std::fs::write(below.join("lib/a"), "a").unwrap();
        std::fs::write(directory.path().join("secret"), "x").unwrap();
        symlink("lib/a", below.join("inside")).unwrap();
        symlink("../secret", below.join("upwards")).unwrap();
        symlink("..", below.join("lib/up")).unwrap();
        symlink("round", below.join("round")).unwrap();
        let root = Root::above(&below.join("job.yml")).unwrap();
        for (name, expected) in [
            ("lib/a", Ok(FileType::RegularFile)),
            ("lib", Ok(FileType::Directory)),
            ("inside", Ok(FileType::RegularFile)),
            ("lib/up", Ok(FileType::Directory)),
            ("lib/up/inside", Ok(FileType::RegularFile)),
            ("upwards", Err(Errno::XDEV)),
            ("lib/up/upwards", Err(Errno::XDEV)),
            ("round", Err(Errno::LOOP)),
            ("none", Err(Errno::NOENT)),
            ("lib/a/b", Err(Errno::NOTDIR)),
        ] {
            check(&root, name, expected);
        }
    }
}
