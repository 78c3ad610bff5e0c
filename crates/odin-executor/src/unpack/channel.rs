//! What the executor and an unpacker say to each other: a bundle and a directory go there, how it went comes back.
//!
//! A socket that keeps messages apart. An order is the bundle's hash, with the bundle and the directory as descriptors;
//! the unpacker has nothing open but what it was sent. The next order comes after the answer.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use odin_model::BundleHash;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
};

use super::UnpackError;

/// The longest answer; a longer message is cut.
const ANSWER_BYTES_MAX: usize = 8 << 10;

/// A bundle to unpack.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) bundle: OwnedFd,
    pub(super) directory: OwnedFd,
    pub(super) hash: BundleHash,
}

/// Why an unpacker did not unpack.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It refused the bundle; it takes the next one.
    Refused {
        /// [`UnpackError::code`].
        code: String,
        message: String,
    },
    /// It ended, did not answer in time, or cannot be spoken to.
    Gone(io::Error),
}

/// The executor's end and the unpacker's. A read at the executor's end waits for at most `patience`.
pub(crate) fn pair(patience: Duration) -> io::Result<(OwnedFd, OwnedFd)> {
    let (own, unpackers) = rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?;
    set_socket_timeout(&own, Timeout::Recv, Some(patience))?;
    set_socket_timeout(&own, Timeout::Send, Some(patience))?;
    Ok((own, unpackers))
}

/// Has a bundle unpacked, and waits until it is.
///
/// What comes back was written by a process that the job's owner may control: it is shown and not believed. A process
/// that says yes to what it did not do has harmed its own user only.
pub(crate) fn order(
    channel: impl AsFd,
    hash: BundleHash,
    bundle: BorrowedFd<'_>,
    directory: BorrowedFd<'_>,
) -> Result<(), Failed> {
    let descriptors = [bundle, directory];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(
        control.push(SendAncillaryMessage::ScmRights(&descriptors)),
        "the space is for two"
    );
    let gone = |error: rustix::io::Errno| Failed::Gone(error.into());
    rustix::net::sendmsg(
        &channel,
        &[IoSlice::new(&hash.0)],
        &mut control,
        SendFlags::NOSIGNAL,
    )
    .map_err(gone)?;
    let mut answer = vec![0; ANSWER_BYTES_MAX];
    let (count, _) = rustix::net::recv(&channel, &mut answer, RecvFlags::empty()).map_err(gone)?;
    match String::from_utf8_lossy(&answer[..count]).split_once('\n') {
        None if count == 0 => Err(Failed::Gone(io::ErrorKind::UnexpectedEof.into())),
        Some(("", "")) => Ok(()),
        answer => {
            let (code, message) = answer.unwrap_or(("bundle/system", "an unreadable answer"));
            Err(Failed::Refused {
                code: code.to_owned(),
                message: message.to_owned(),
            })
        }
    }
}

/// The next order. `None`: there will be none.
pub(super) fn receive(channel: impl AsFd) -> io::Result<Option<Order>> {
    let mut hash = [0; 32];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = rustix::net::recvmsg(
        &channel,
        &mut [IoSliceMut::new(&mut hash)],
        &mut control,
        RecvFlags::CMSG_CLOEXEC,
    )?;
    if received.bytes == 0 {
        return Ok(None);
    }
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    match <[OwnedFd; 2]>::try_from(descriptors) {
        Ok([bundle, directory]) if received.bytes == hash.len() => Ok(Some(Order {
            bundle,
            directory,
            hash: BundleHash(hash),
        })),
        _ => Err(io::Error::other("an order without its descriptors")),
    }
}

/// Says how an order went.
pub(super) fn answer(channel: impl AsFd, result: Result<(), UnpackError>) -> io::Result<()> {
    let text = match result {
        Ok(()) => "\n".to_owned(),
        Err(error) => format!("{}\n{error}", error.code()),
    };
    let end = text.len().min(ANSWER_BYTES_MAX);
    rustix::net::send(&channel, &text.as_bytes()[..end], SendFlags::NOSIGNAL)?;
    Ok(())
}
