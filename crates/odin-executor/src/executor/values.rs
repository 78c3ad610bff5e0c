//! The socket that jobs report values on. It takes none yet and says so, so that an SDK does not wait.

use std::os::fd::AsFd;

use rustix::net::SendFlags;

use crate::socket;

/// Connections answered in one turn of the loop, at most: anybody on the machine may connect.
const AT_ONCE: usize = 16;

/// Answers who waits, and closes.
pub(super) fn refuse_waiting(listener: impl AsFd) {
    for _ in 0..AT_ONCE {
        let Ok(Some(connection)) = socket::accept(&listener) else {
            return;
        };
        // What the peer said already is read away: a close with unread bytes would take the answer with it.
        let _ = rustix::io::read(&connection, &mut [0u8; 4096]);
        let answer = b"{\"error\":\"values are not supported yet\"}\n";
        let _ = rustix::net::send(
            &connection,
            answer,
            SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
        );
    }
}
