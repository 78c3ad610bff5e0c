//! Unix sockets at paths of any length, and who is at the other end.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// What `sockaddr_un` holds, without the end mark.
const PATH_BYTES_MAX: usize = 107;

/// A name of `path` that fits a socket address, and the directory that must stay open while it is used.
fn short(path: &Path) -> io::Result<(PathBuf, Option<OwnedFd>)> {
    if path.as_os_str().len() <= PATH_BYTES_MAX {
        return Ok((path.to_owned(), None));
    }
    let missing = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            "a socket's path needs a directory and a name",
        )
    };
    let (parent, name) = path.parent().zip(path.file_name()).ok_or_else(missing)?;
    let directory = rustix::fs::open(
        parent,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", directory.as_raw_fd())).join(name);
    Ok((short, Some(directory)))
}

/// A listening socket at `path` with `mode`, in place of whatever socket a dead process left there.
///
/// The caller must hold the lock that says that nobody listens there.
///
/// # Errors
/// The system's.
pub fn listen(path: &Path, mode: u32) -> io::Result<OwnedFd> {
    let (name, _directory) = short(path)?;
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    // Bound without any permission, opened up afterwards: nobody connects in between.
    let bound = {
        let before = rustix::process::umask(Mode::from_raw_mode(0o777));
        let bound = rustix::net::bind(&socket, &SocketAddrUnix::new(&name)?);
        rustix::process::umask(before);
        bound
    };
    bound?;
    rustix::fs::chmod(&name, Mode::from_raw_mode(mode))?;
    rustix::net::listen(&socket, 64)?;
    Ok(socket)
}

/// A connection to the socket at `path`, blocking.
///
/// # Errors
/// The system's.
pub(crate) fn connect(path: &Path) -> io::Result<OwnedFd> {
    let (name, _directory) = short(path)?;
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(&name)?)?;
    Ok(socket)
}

/// The next connection, not blocking; `None` when none waits.
///
/// # Errors
/// The system's.
pub(crate) fn accept(listener: impl AsFd) -> io::Result<Option<OwnedFd>> {
    match rustix::net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
        Ok(connection) => Ok(Some(connection)),
        Err(
            rustix::io::Errno::AGAIN | rustix::io::Errno::CONNABORTED | rustix::io::Errno::INTR,
        ) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The uid of the process that connected, as the kernel saw it.
///
/// # Errors
/// The system's.
pub(crate) fn peer_uid(connection: impl AsFd) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(connection)?
        .uid
        .as_raw())
}

/// An exclusive lock on `path`, which lasts as long as the file is open; `None` when another process has it.
///
/// # Errors
/// The system's.
pub(crate) fn lock(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::CREATE | OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(File::from(file))),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
