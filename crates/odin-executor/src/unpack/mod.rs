//! Unpacks a bundle: a tar in zstd, into an empty directory, and refuses everything that a bundle does not hold.
//!
//! The executor runs it as the job's owner, so even a fault here could do no more than the owner may.

pub(crate) mod channel;

use std::collections::HashSet;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};
use std::process::ExitCode;

use odin_model::BundleHash;
use rustix::fs::{Mode, OFlags, ResolveFlags};
use sha2::{Digest, Sha256};

/// The hidden subcommand of the binary that ends in [`main`].
pub const SUBCOMMAND: &CStr = c"__unpack";

/// The largest bundle, compressed.
pub const PACKED_BYTES_MAX: u64 = 64 << 20;
/// The largest sum of its files.
pub const UNPACKED_BYTES_MAX: u64 = 256 << 20;
/// The most files and directories.
pub const ENTRIES_MAX: usize = 10_000;

/// The bounds as an argument, so that tests need not reach the real ones.
#[derive(Clone, Copy)]
struct Bounds {
    packed_bytes: u64,
    unpacked_bytes: u64,
    entries: usize,
}

const BOUNDS: Bounds = Bounds {
    packed_bytes: PACKED_BYTES_MAX,
    unpacked_bytes: UNPACKED_BYTES_MAX,
    entries: ENTRIES_MAX,
};

impl Bounds {
    /// With what tar itself adds: a header and padding each, and its end.
    fn tar_bytes(self) -> u64 {
        let entries = u64::try_from(self.entries).expect("usize fits 64 bits");
        self.unpacked_bytes + 4096 * entries + (1 << 20)
    }
}

/// The longest name; also what keeps a long-name header from filling memory.
const NAME_BYTES_MAX: usize = 4096;
/// 128 MiB: what zstd's highest levels use, and the most that an unpacker will allocate.
const WINDOW_LOG_MAX: u32 = 27;

/// Why a bundle is refused. Nothing of a refused bundle is used.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// Larger than [`PACKED_BYTES_MAX`].
    #[error("the bundle is larger than {} MiB packed", PACKED_BYTES_MAX >> 20)]
    TooLargePacked,
    /// Larger than [`UNPACKED_BYTES_MAX`].
    #[error("the bundle is larger than {} MiB unpacked", UNPACKED_BYTES_MAX >> 20)]
    TooLargeUnpacked,
    /// More than [`ENTRIES_MAX`].
    #[error("the bundle has more than {ENTRIES_MAX} files and directories")]
    TooManyFiles,
    /// Not a regular file or directory.
    #[error("`{path}` is {found}; a bundle holds regular files and directories only")]
    NotAFile {
        /// Its name.
        path: String,
        /// What it is.
        found: &'static str,
    },
    /// An absolute name, one with `..` or `.`, an empty one, or one that is too long.
    #[error("`{path}` is not a relative name without `.` and `..`")]
    Outside {
        /// The name.
        path: String,
    },
    /// Another mode than 0644 or 0755.
    #[error("`{path}` has mode {mode:04o}; a bundle's files have 0644 or 0755")]
    Mode {
        /// Its name.
        path: String,
        /// Its mode.
        mode: u32,
    },
    /// A name that is there twice.
    #[error("`{path}` is in the bundle twice")]
    Duplicate {
        /// The name.
        path: String,
    },
    /// Not a tar in zstd, or cut short.
    #[error("the bundle is damaged: {0}")]
    Damaged(String),
    /// Its content is not what its name says.
    #[error("the bundle's content has another hash than its name: fetch it again")]
    OtherHash,
    /// The directory cannot be written.
    #[error("cannot write `{path}`: {error}")]
    Write {
        /// The name.
        path: String,
        /// The system's answer.
        error: io::Error,
    },
}

impl UnpackError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLargePacked => "bundle/too-large-packed",
            Self::TooLargeUnpacked => "bundle/too-large-unpacked",
            Self::TooManyFiles => "bundle/too-many-files",
            Self::NotAFile { .. } => "bundle/not-a-file",
            Self::Outside { .. } => "bundle/outside",
            Self::Mode { .. } => "bundle/mode",
            Self::Duplicate { .. } => "bundle/duplicate",
            Self::Damaged(_) => "bundle/damaged",
            Self::OtherHash => "bundle/other-hash",
            Self::Write { .. } => "bundle/write",
        }
    }
}

/// The main of the hidden subcommand: unpacks what comes through the socket that is standard input, one bundle after
/// the other, until the executor closes it. Syncs nothing: the executor does that once for many.
#[must_use]
pub fn main() -> ExitCode {
    let socket = rustix::stdio::stdin();
    loop {
        let order = match channel::receive(socket) {
            Ok(Some(order)) => order,
            Ok(None) => return ExitCode::SUCCESS,
            // Nobody is there who could be told.
            Err(_) => return ExitCode::FAILURE,
        };
        let result = unpack_within(
            BOUNDS,
            File::from(order.bundle),
            &order.directory,
            order.hash,
        );
        if channel::answer(socket, result).is_err() {
            return ExitCode::FAILURE;
        }
    }
}

fn write_error(path: &Path, error: impl Into<io::Error>) -> UnpackError {
    UnpackError::Write {
        path: path.display().to_string(),
        error: error.into(),
    }
}

/// Unpacks into `directory`, which must be empty, and syncs what it wrote. Checks that the uncompressed tar has `hash`.
///
/// # Errors
/// At the first thing that a bundle does not hold. What was written by then is left for the caller to remove.
pub fn unpack(
    packed: impl Read,
    directory: impl AsFd,
    hash: BundleHash,
) -> Result<(), UnpackError> {
    unpack_within(BOUNDS, packed, &directory, hash)?;
    let root = Path::new(".");
    let opened = open_beneath(&directory, root, OFlags::RDONLY | OFlags::DIRECTORY, 0)?;
    rustix::fs::syncfs(opened).map_err(|error| write_error(root, error))
}

fn unpack_within(
    bounds: Bounds,
    packed: impl Read,
    directory: impl AsFd,
    hash: BundleHash,
) -> Result<(), UnpackError> {
    let mut packed = Bounded {
        inner: packed,
        left: bounds.packed_bytes,
        is_exceeded: false,
    };
    let mut decoder = zstd::stream::read::Decoder::new(&mut packed).map_err(damaged)?;
    decoder.window_log_max(WINDOW_LOG_MAX).map_err(damaged)?;
    let tar = Bounded {
        inner: decoder,
        left: bounds.tar_bytes(),
        is_exceeded: false,
    };
    let mut hashed = Hashed {
        inner: tar,
        hasher: Sha256::new(),
    };
    let result = unpack_tar(bounds, &mut hashed, directory.as_fd());
    let drained = result.and_then(|()| io::copy(&mut hashed, &mut io::sink()).map_err(damaged));
    let Hashed { inner: tar, hasher } = hashed;
    let unpacked_exceeded = tar.is_exceeded;
    drop(tar);
    // What a bound cut off reads as damage further in.
    match drained {
        _ if packed.is_exceeded => Err(UnpackError::TooLargePacked),
        _ if unpacked_exceeded => Err(UnpackError::TooLargeUnpacked),
        Err(error) => Err(error),
        Ok(_) if hasher.finalize()[..] != hash.0 => Err(UnpackError::OtherHash),
        Ok(_) => Ok(()),
    }
}

fn damaged(error: impl std::fmt::Display) -> UnpackError {
    UnpackError::Damaged(error.to_string())
}

fn unpack_tar(bounds: Bounds, tar: impl Read, directory: impl AsFd) -> Result<(), UnpackError> {
    let mut archive = tar::Archive::new(tar);
    let (mut seen, mut bytes) = (HashSet::new(), 0u64);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = checked_path(&entry.path_bytes())?;
        let shown = || path.display().to_string();
        let kind = entry.header().entry_type();
        if !kind.is_file() && !kind.is_dir() {
            return Err(UnpackError::NotAFile {
                path: shown(),
                found: name_of(kind),
            });
        }
        let mode = entry.header().mode().map_err(damaged)?;
        if mode != 0o755 && (kind.is_dir() || mode != 0o644) {
            return Err(UnpackError::Mode {
                path: shown(),
                mode,
            });
        }
        bytes = bytes.saturating_add(entry.size());
        if bytes > bounds.unpacked_bytes {
            return Err(UnpackError::TooLargeUnpacked);
        }
        if !seen.insert(path.clone()) {
            return Err(UnpackError::Duplicate { path: shown() });
        }
        if seen.len() > bounds.entries {
            return Err(UnpackError::TooManyFiles);
        }
        if kind.is_dir() {
            make_directories(&directory, &path)?;
        } else {
            write_file(&directory, &path, mode, &mut entry)?;
        }
    }
    Ok(())
}

fn checked_path(bytes: &[u8]) -> Result<PathBuf, UnpackError> {
    let outside = || UnpackError::Outside {
        path: String::from_utf8_lossy(bytes).chars().take(200).collect(),
    };
    let text = std::str::from_utf8(bytes).map_err(|_| outside())?;
    let text = text.strip_suffix('/').unwrap_or(text);
    let path = Path::new(text);
    // The text itself is compared too: `Path` reads `a//b` and `a/./b` as `a/b`.
    let is_plain = path
        .components()
        .all(|component| matches!(component, Component::Normal(_)));
    let is_canonical = text.split('/').all(|part| !part.is_empty() && part != ".");
    if !is_plain || !is_canonical || text.contains('\0') || text.len() > NAME_BYTES_MAX {
        return Err(outside());
    }
    Ok(path.to_owned())
}

fn name_of(kind: tar::EntryType) -> &'static str {
    match kind {
        tar::EntryType::Symlink => "a symbolic link",
        tar::EntryType::Link => "a hard link",
        tar::EntryType::Char | tar::EntryType::Block => "a device",
        tar::EntryType::Fifo => "a FIFO",
        _ => "something else",
    }
}

/// Opens below `directory`, through real directories only, whatever the names say and whoever changes them meanwhile.
fn open_beneath(
    directory: impl AsFd,
    path: &Path,
    flags: OFlags,
    mode: u32,
) -> Result<OwnedFd, UnpackError> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(
        directory,
        path,
        flags | OFlags::CLOEXEC,
        Mode::from_raw_mode(mode),
        resolve,
    )
    .map_err(|error| write_error(path, error))
}

fn make_directories(directory: impl AsFd, path: &Path) -> Result<(), UnpackError> {
    let mut made = PathBuf::new();
    for component in path.components() {
        let parent = if made.as_os_str().is_empty() {
            Path::new(".")
        } else {
            made.as_path()
        };
        let parent = open_beneath(&directory, parent, OFlags::PATH | OFlags::DIRECTORY, 0)?;
        match rustix::fs::mkdirat(
            &parent,
            Path::new(component.as_os_str()),
            Mode::from_raw_mode(0o755),
        ) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(write_error(path, error)),
        }
        made.push(component);
    }
    // A file by a directory's name would have passed so far.
    open_beneath(&directory, path, OFlags::PATH | OFlags::DIRECTORY, 0).map(drop)
}

fn write_file(
    directory: impl AsFd,
    path: &Path,
    mode: u32,
    content: &mut impl Read,
) -> Result<(), UnpackError> {
    if let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        make_directories(&directory, parent)?;
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
    let mut file = File::from(open_beneath(&directory, path, flags, mode)?);
    let mut buffer = vec![0; 64 << 10];
    loop {
        match content.read(&mut buffer).map_err(damaged)? {
            0 => return Ok(()),
            count => file
                .write_all(&buffer[..count])
                .map_err(|error| write_error(path, error))?,
        }
    }
}

/// Reads at most so much, and remembers that there was more.
struct Bounded<R> {
    inner: R,
    left: u64,
    is_exceeded: bool,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        match self
            .left
            .checked_sub(u64::try_from(count).expect("usize fits 64 bits"))
        {
            Some(left) => self.left = left,
            None => {
                self.is_exceeded = true;
                return Err(io::Error::from(io::ErrorKind::FileTooLarge));
            }
        }
        Ok(count)
    }
}

struct Hashed<R> {
    inner: R,
    hasher: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tar::EntryType;

    const SMALL: Bounds = Bounds {
        packed_bytes: 1 << 16,
        unpacked_bytes: 1 << 18,
        entries: 20,
    };

    struct Entry<'a> {
        path: &'a [u8],
        kind: EntryType,
        mode: u32,
        content: &'a [u8],
    }

    fn file(path: &str) -> Entry<'_> {
        Entry {
            path: path.as_bytes(),
            kind: EntryType::Regular,
            mode: 0o644,
            content: b"x",
        }
    }

    /// A tar written field by field, for the library refuses to write what must be refused.
    fn tar_of(entries: &[Entry<'_>]) -> Vec<u8> {
        let mut tar = Vec::new();
        for entry in entries {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..entry.path.len()].copy_from_slice(entry.path);
            header.set_entry_type(entry.kind);
            header.set_mode(entry.mode);
            header.set_size(u64::try_from(entry.content.len()).unwrap());
            if matches!(entry.kind, EntryType::Symlink | EntryType::Link) {
                header.set_link_name("target").unwrap();
            }
            header.set_cksum();
            tar.extend_from_slice(header.as_bytes());
            tar.extend_from_slice(entry.content);
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    fn unpack_into(directory: &Path, tar: &[u8]) -> Result<(), UnpackError> {
        let hash = BundleHash(Sha256::digest(tar).into());
        let packed = zstd::encode_all(tar, 1).unwrap();
        unpack_within(SMALL, &packed[..], File::open(directory).unwrap(), hash)
    }

    fn check(entries: &[Entry<'_>], code: &str) {
        let temp = tempfile::tempdir().unwrap();
        let inside = temp.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        let error = unpack_into(&inside, &tar_of(entries)).unwrap_err();
        assert_eq!(error.code(), code, "{error}");
        let outside: Vec<_> = std::fs::read_dir(temp.path()).unwrap().collect();
        assert_eq!(outside.len(), 1, "something was written outside");
    }

    #[test]
    fn files_and_directories_arrive_with_their_modes() {
        use std::os::unix::fs::PermissionsExt;
        let temp = tempfile::tempdir().unwrap();
        let directory = Entry {
            path: b"a/b/",
            kind: EntryType::Directory,
            mode: 0o755,
            content: b"",
        };
        let program = Entry {
            mode: 0o755,
            ..file("a/b/run")
        };
        unpack_into(temp.path(), &tar_of(&[directory, program, file("c/d")])).unwrap();
        let mode = |path| {
            std::fs::metadata(temp.path().join(path))
                .unwrap()
                .permissions()
                .mode()
                & 0o7777
        };
        assert_eq!(
            [mode("a/b"), mode("a/b/run"), mode("c/d")],
            [0o755, 0o755, 0o644]
        );
        assert_eq!(std::fs::read(temp.path().join("c/d")).unwrap(), b"x");
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for path in [
            "../x",
            "a/../../x",
            "/etc/x",
            "a//x",
            "./x",
            "a/./x",
            "..",
            ".",
        ] {
            check(&[file(path)], "bundle/outside");
        }
        check(
            &[Entry {
                path: b"\xff\xfe",
                ..file("")
            }],
            "bundle/outside",
        );
        check(&[file("")], "bundle/outside");
    }

    #[test]
    fn what_is_no_file_is_refused() {
        for kind in [
            EntryType::Symlink,
            EntryType::Link,
            EntryType::Char,
            EntryType::Block,
            EntryType::Fifo,
            EntryType::Continuous,
        ] {
            check(
                &[Entry {
                    kind,
                    content: b"",
                    ..file("x")
                }],
                "bundle/not-a-file",
            );
        }
    }

    #[test]
    fn other_modes_are_refused() {
        for mode in [0o4755, 0o2755, 0o1755, 0o777, 0o600, 0] {
            check(&[Entry { mode, ..file("x") }], "bundle/mode");
        }
        let kind = EntryType::Directory;
        check(
            &[Entry {
                kind,
                mode: 0o644,
                content: b"",
                ..file("x")
            }],
            "bundle/mode",
        );
    }

    #[test]
    fn a_name_that_is_there_twice_is_refused() {
        check(&[file("x"), file("x")], "bundle/duplicate");
        check(&[file("x"), file("x/y")], "bundle/write");
        check(&[file("x/y"), file("x")], "bundle/write");
    }

    #[test]
    fn too_much_is_refused() {
        let names: Vec<String> = (0..=SMALL.entries)
            .map(|index| format!("f{index}"))
            .collect();
        let entries: Vec<Entry<'_>> = names
            .iter()
            .map(|name| Entry {
                content: b"",
                ..file(name)
            })
            .collect();
        check(&entries, "bundle/too-many-files");

        // Announced and not there: refused before anything of it is read.
        let mut tar = tar_of(&[file("x")]);
        let mut header = tar::Header::new_gnu();
        header.as_mut_bytes().copy_from_slice(&tar[..512]);
        header.set_size(SMALL.unpacked_bytes + 1);
        header.set_cksum();
        tar[..512].copy_from_slice(header.as_bytes());
        let temp = tempfile::tempdir().unwrap();
        assert_eq!(
            unpack_into(temp.path(), &tar).unwrap_err().code(),
            "bundle/too-large-unpacked"
        );
    }

    #[test]
    fn a_packed_bundle_beyond_the_bound_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let endless = io::repeat(0).take(SMALL.packed_bytes * 2);
        // A skippable frame, which a decoder reads through without unpacking anything.
        let frame = [
            &0x184d_2a50u32.to_le_bytes()[..],
            &u32::MAX.to_le_bytes()[..],
        ]
        .concat();
        let directory = File::open(temp.path()).unwrap();
        let error =
            unpack_within(SMALL, frame.chain(endless), directory, BundleHash([0; 32])).unwrap_err();
        assert_eq!(error.code(), "bundle/too-large-packed");
    }

    #[test]
    fn a_bundle_that_unpacks_without_end_is_refused() {
        let temp = tempfile::tempdir().unwrap();
        let head = tar_of(&[file("x")]);
        let bomb = head[..1024].chain(io::repeat(0).take(SMALL.tar_bytes() * 2));
        let packed = zstd::encode_all(bomb, 1).unwrap();
        assert!(packed.len() < 1 << 16);
        let directory = File::open(temp.path()).unwrap();
        let error = unpack_within(SMALL, &packed[..], directory, BundleHash([0; 32])).unwrap_err();
        assert_eq!(error.code(), "bundle/too-large-unpacked");
    }

    #[test]
    fn damage_and_other_content_are_refused() {
        let temp = tempfile::tempdir().unwrap();
        let directory = || File::open(temp.path()).unwrap();
        let packed = zstd::encode_all(&tar_of(&[file("x")])[..], 1).unwrap();
        let code = |bytes: &[u8]| {
            unpack(bytes, directory(), BundleHash([0; 32]))
                .unwrap_err()
                .code()
        };
        assert_eq!(code(b"not zstd at all"), "bundle/damaged");
        assert_eq!(code(b""), "bundle/damaged");
        assert_eq!(code(&packed[..packed.len() / 2]), "bundle/damaged");
        assert_eq!(code(&packed), "bundle/other-hash");
    }

    #[test]
    fn a_link_that_appears_in_the_directory_is_not_followed() {
        let temp = tempfile::tempdir().unwrap();
        let inside = temp.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        std::os::unix::fs::symlink(temp.path(), inside.join("a")).unwrap();
        let error = unpack_into(&inside, &tar_of(&[file("a/x")])).unwrap_err();
        assert_eq!(error.code(), "bundle/write");
        assert!(!temp.path().join("x").exists());
    }
}
