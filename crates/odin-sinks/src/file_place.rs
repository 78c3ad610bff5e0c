//! Which files records may go to: none of the server's own, none that is no regular file, and none that holds something
//! else. What is not Odin's is neither written to, nor cut, nor moved.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use odin_model::sink::{SinkSpec, SinkTarget};

use crate::json_lines::{HEAD_BYTES_MAX, begins_with_record};

/// A log shipper of the file's group reads it.
const MODE: u32 = 0o640;

/// Why a file takes no records.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// It is in the directory where the server keeps its state, by whatever links or mounts.
    #[error(
        "{} is in {}, where the server keeps its own files: name a file elsewhere, such as /var/log/odin/records.jsonl",
        path.display(), data_dir.display()
    )]
    InDataDir {
        /// The file.
        path: PathBuf,
        /// The server's data directory.
        data_dir: PathBuf,
    },
    /// A directory, a socket, a device or a pipe.
    #[error("{} is {what}, not a file: {next}", path.display())]
    NotAFile {
        /// What is there.
        path: PathBuf,
        /// The word for what it is.
        what: &'static str,
        /// What to do.
        next: String,
    },
    /// A link to what is not there. To make the file at its other end is not the sink's.
    #[error(
        "{} is a link to a file that is not there: remove the link, or make the file",
        path.display()
    )]
    DanglingLink {
        /// The link.
        path: PathBuf,
    },
    /// It holds something else than records of Odin's.
    #[error(
        "{} holds something else than Odin's records and stays as it is: move it away, or name another file",
        path.display()
    )]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be opened, read or written.
    #[error("{} cannot be written: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl FileFault {
    pub(crate) fn io(path: &Path, source: io::Error) -> Self {
        Self::Io {
            path: path.to_owned(),
            source,
        }
    }
}

/// Checks on this machine what a sink of the kind `file` names, before it is kept. Blocking.
///
/// # Errors
/// When its file is there and is not one for records, or would be among those of the server in `data_dir`. What
/// is missing, or may not be read yet, is no error.
pub fn check_file(spec: &SinkSpec, data_dir: &Path) -> Result<(), FileFault> {
    let SinkTarget::File { path, .. } = &spec.target else {
        return Ok(());
    };
    let path = Path::new(path);
    let checked = keep_out(path, Some(data_dir)).and_then(|()| open_own(path));
    match checked {
        Ok(_) | Err(FileFault::Io { .. }) => Ok(()),
        Err(fault) => Err(fault),
    }
}

/// Opens a file to append to it, and makes it where there is none. `None`: it was made by somebody else just now.
pub(crate) fn open_or_make(
    path: &Path,
    data_dir: Option<&Path>,
) -> Result<Option<File>, FileFault> {
    keep_out(path, data_dir)?;
    let of = |source| FileFault::io(path, source);
    let mut options = OpenOptions::new();
    options.read(true).append(true);
    match options.open(path) {
        Ok(file) => return Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(of(error)),
    }
    // Only where nothing is: not through a link, which may lead anywhere by now.
    match options.create_new(true).mode(MODE).open(path) {
        Ok(file) => {
            // The server's umask takes the group's right away. Where a file system has no modes, the file is as good.
            let _ = file.set_permissions(Permissions::from_mode(MODE));
            sync_folder(path).map_err(of)?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(of(error)),
    }
}

/// Checks that a file that is open is empty or begins with a record of Odin's.
pub(crate) fn must_be_own(path: &Path, file: &File) -> Result<(), FileFault> {
    let of = |source| FileFault::io(path, source);
    let kind = file.metadata().map_err(of)?;
    must_be_file(path, &kind)?;
    let mut head = [0; HEAD_BYTES_MAX];
    let mut length = 0;
    while length < head.len() {
        match file.read_at(&mut head[length..], length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(of(error)),
        }
    }
    match length == 0 || begins_with_record(&head[..length]) {
        true => Ok(()),
        false => Err(FileFault::NotOurs {
            path: path.to_owned(),
        }),
    }
}

/// A file of records, to read it. `None`: there is no such file.
pub(crate) fn open_own(path: &Path) -> Result<Option<File>, FileFault> {
    let is_missing = |error: &io::Error| error.kind() == ErrorKind::NotFound;
    let of = |source| FileFault::io(path, source);
    match fs::metadata(path) {
        Ok(found) => must_be_file(path, &found)?,
        Err(error) if is_missing(&error) => return Ok(None),
        Err(error) => return Err(of(error)),
    }
    match File::open(path) {
        Ok(file) => must_be_own(path, &file).map(|()| Some(file)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(of(error)),
    }
}

/// Makes what was done to a file's name durable.
pub(crate) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Refuses what is no regular file, and what is among the server's own. Without opening it: to open a device or a pipe
/// does something.
fn keep_out(path: &Path, data_dir: Option<&Path>) -> Result<(), FileFault> {
    let of = |source| FileFault::io(path, source);
    if let Some(data_dir) = data_dir
        && leads_into(path, data_dir).map_err(of)?
    {
        return Err(FileFault::InDataDir {
            path: path.to_owned(),
            data_dir: data_dir.to_owned(),
        });
    }
    match fs::metadata(path) {
        Ok(found) => must_be_file(path, &found),
        Err(error) if error.kind() == ErrorKind::NotFound => match fs::symlink_metadata(path) {
            Ok(_) => Err(FileFault::DanglingLink {
                path: path.to_owned(),
            }),
            Err(_) => Ok(()),
        },
        Err(error) => Err(of(error)),
    }
}

fn must_be_file(path: &Path, found: &Metadata) -> Result<(), FileFault> {
    let kind = found.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let what = match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a pipe",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    let next = match kind.is_dir() {
        true => format!(
            "name a file in it, such as {}",
            path.join("records.jsonl").display()
        ),
        false => "name a file, or a path where nothing is yet".to_owned(),
    };
    Err(FileFault::NotAFile {
        path: path.to_owned(),
        what,
        next,
    })
}

/// Whether a path is in a directory, or is it. The same directory may be reached by links and mounts, so what counts is
/// which directory it is and not its name.
fn leads_into(path: &Path, directory: &Path) -> io::Result<bool> {
    let id = |found: &Metadata| (found.dev(), found.ino());
    let directory = id(&fs::metadata(directory)?);
    let resolved = nearest(path)?;
    let mut folders = resolved.ancestors();
    Ok(folders.any(|folder| fs::metadata(folder).is_ok_and(|found| id(&found) == directory)))
}

/// The part of a path that is there, without links.
fn nearest(path: &Path) -> io::Result<PathBuf> {
    let mut rest = path;
    loop {
        match rest.canonicalize() {
            Ok(resolved) => return Ok(resolved),
            Err(error) if error.kind() == ErrorKind::NotFound => match rest.parent() {
                Some(parent) => rest = parent,
                None => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use odin_model::sink::METRICS_EVERY_SECONDS_DEFAULT;

    use super::*;

    fn spec(path: &Path) -> SinkSpec {
        SinkSpec {
            target: SinkTarget::File {
                path: path.to_str().unwrap().to_owned(),
                rotate_bytes: 1 << 20,
                keep: 5,
            },
            secret: None,
            values: true,
            runs: true,
            metrics_every_seconds: Some(METRICS_EVERY_SECONDS_DEFAULT),
            kinds: Vec::new(),
            jobs: Vec::new(),
        }
    }

    #[test]
    fn what_is_no_file_for_records_is_refused_with_the_next_step_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let data_dir = at("data");
        fs::create_dir_all(data_dir.join("history")).unwrap();
        fs::write(data_dir.join("state.db"), "SQLite format 3\0").unwrap();
        symlink(&data_dir, at("linked")).unwrap();
        symlink(data_dir.join("state.db"), at("state.jsonl")).unwrap();
        fs::hard_link(data_dir.join("state.db"), at("hard.jsonl")).unwrap();
        symlink(at("nothing"), at("dangling")).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        for (path, expected) in [
            (data_dir.clone(), "where the server keeps its own files"),
            (
                data_dir.join("state.db"),
                "where the server keeps its own files",
            ),
            (
                data_dir.join("new/deep.jsonl"),
                "where the server keeps its own files",
            ),
            (
                at("linked/history/x.jsonl"),
                "where the server keeps its own files",
            ),
            (at("state.jsonl"), "where the server keeps its own files"),
            (at("hard.jsonl"), "holds something else than Odin's records"),
            (
                at("dangling"),
                "is a link to a file that is not there: remove the link",
            ),
            (
                at(""),
                "is a directory, not a file: name a file in it, such as",
            ),
            (at("socket"), "is a socket, not a file: name a file"),
            ("/dev/null".into(), "/dev/null is a device, not a file"),
        ] {
            for fault in [
                check_file(&spec(&path), &data_dir).unwrap_err(),
                open_or_make(&path, Some(&data_dir))
                    .and_then(|file| must_be_own(&path, &file.unwrap()))
                    .unwrap_err(),
            ] {
                let said = fault.to_string();
                assert!(said.contains(expected), "{}: {said}", path.display());
            }
        }
        let state = fs::read(data_dir.join("state.db")).unwrap();
        assert_eq!(state, b"SQLite format 3\0");
        assert!(!at("nothing").exists());
        // What is not there yet may come.
        for path in [at("records.jsonl"), at("later/records.jsonl")] {
            check_file(&spec(&path), &data_dir).unwrap();
        }
    }

    #[test]
    fn a_file_that_is_made_is_readable_by_its_group_whatever_the_umask_says() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        // The mode that a umask of 077 leaves.
        let made = open_or_make(&path, None).unwrap().unwrap();
        assert_eq!(made.metadata().unwrap().permissions().mode() & 0o777, MODE);
        // One that is there keeps the mode that somebody gave it.
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let found = open_or_make(&path, None).unwrap().unwrap();
        assert_eq!(
            found.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}
