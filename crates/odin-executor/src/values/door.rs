//! The thread that serves the values socket: it lets in who shows the token of an attempt of its own.
//!
//! Nothing here waits for a peer, and everything is bounded: strangers, by user and in number, by what they send and
//! by the time until their hello; those let in, by attempt and in number.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use odin_model::{Boottime, Clock};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::SendFlags;

use super::access::Accesses;
use super::hello::{self, Refusal, WELCOME};
use crate::protocol::AttemptKey;
use crate::socket;

/// A line, at most, without its end.
const LINE_BYTES_MAX: usize = 64 << 10;
/// Until the hello must be there.
const HELLO_WITHIN: Duration = Duration::from_secs(1);
/// Connections of one attempt, at most.
const GUESTS_OF_ONE_MAX: usize = 64;
/// Strangers of one group, at most: what they have sent so far is in memory. Each user with a running attempt is a
/// group, and all others together are one: they have no token, and are there only to be told so.
const STRANGERS_OF_ONE_MAX: usize = 32;
/// Connections taken, and events handled, before the rest is looked at again.
const AT_ONCE: usize = 64;
/// How long nobody is let in when the system has no descriptor for it.
const LISTEN_AGAIN_AFTER: Duration = Duration::from_millis(100);

const LISTENER: u64 = 0;
const WAKE: u64 = 1;
const FIRST_PEER: u64 = 2;

/// How many connections there may be, beside one of each attempt, which there is always room for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections without a hello yet. At the bound the oldest makes room: an honest one says hello at once.
    pub(crate) strangers_max: usize,
    /// Second and further connections of attempts. At the bound, the next one is refused.
    pub(crate) further_max: usize,
}

/// Serves `listener` on a thread of its own, until the process ends.
///
/// # Errors
/// The system's.
pub(crate) fn open(
    listener: OwnedFd,
    accesses: Accesses,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
) -> io::Result<()> {
    let door = Door::new(listener, accesses, clock, bounds)?;
    let builder = std::thread::Builder::new()
        .name("values".to_owned())
        .stack_size(256 << 10);
    builder.spawn(move || door.serve())?;
    Ok(())
}

struct Door {
    epoll: OwnedFd,
    listener: OwnedFd,
    /// Set while the system has no descriptor for another connection.
    listen_again_at: Option<Boottime>,
    accesses: Accesses,
    clock: Arc<dyn Clock>,
    now: Boottime,
    bounds: Bounds,
    /// Never used twice, and what the kernel names a connection by.
    next_peer: u64,
    /// By number, so the first is the oldest and the next to be late.
    strangers: BTreeMap<u64, Stranger>,
    guests: HashMap<u64, Guest>,
    /// The guests of each attempt that has any; none is listed twice.
    by_attempt: HashMap<AttemptKey, Vec<u64>>,
    buffer: Box<[u8]>,
}

/// Connected, and has not said hello.
struct Stranger {
    socket: OwnedFd,
    uid: u32,
    group: Option<u32>,
    until: Boottime,
    /// The beginning of its first line.
    line: Vec<u8>,
}

/// Let in.
struct Guest {
    socket: OwnedFd,
    uid: u32,
    of: AttemptKey,
}

/// What was received from a connection.
enum Received {
    Bytes(usize),
    Nothing,
    End,
}

impl Door {
    fn new(
        listener: OwnedFd,
        accesses: Accesses,
        clock: Arc<dyn Clock>,
        bounds: Bounds,
    ) -> io::Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let watch = |descriptor, number| {
            epoll::add(
                &epoll,
                descriptor,
                EventData::new_u64(number),
                EventFlags::IN,
            )
        };
        watch(listener.as_fd(), LISTENER)?;
        watch(accesses.wake().as_fd(), WAKE)?;
        let now = clock.boottime();
        Ok(Self {
            epoll,
            listener,
            listen_again_at: None,
            accesses,
            clock,
            now,
            bounds,
            next_peer: FIRST_PEER,
            strangers: BTreeMap::new(),
            guests: HashMap::new(),
            by_attempt: HashMap::new(),
            buffer: vec![0; LINE_BYTES_MAX].into(),
        })
    }

    fn serve(mut self) {
        // Waiting fails only for what cannot be: a wrong descriptor or address. The socket is closed then.
        while let Ok(peers) = self.wait() {
            self.now = self.clock.boottime();
            // First of all, so that nobody of an attempt that is over is heard.
            if peers.contains(&WAKE) {
                self.send_off_those_of_the_past();
            }
            for peer in peers {
                match peer {
                    WAKE => {}
                    LISTENER => self.accept(),
                    peer if self.guests.contains_key(&peer) => self.take_from_guest(peer),
                    peer => self.take_from_stranger(peer),
                }
            }
            self.send_off_the_late();
            self.listen_again();
        }
    }

    /// Waits until somebody did something, or is late.
    fn wait(&self) -> rustix::io::Result<Vec<u64>> {
        let late_at = self.strangers.values().next().map(|oldest| oldest.until);
        let next = late_at.into_iter().chain(self.listen_again_at).min();
        let timeout = next.map(|at| {
            // Rounded up: a wait that ends early would be a turn for nothing.
            let left = at.0.saturating_sub(self.now.0) + Duration::from_micros(1);
            Timespec::try_from(left).expect("a second at most")
        });
        let mut ready = Vec::with_capacity(AT_ONCE);
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut ready),
            timeout.as_ref(),
        ) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {
                Ok(ready.into_iter().map(|event| event.data.u64()).collect())
            }
            Err(error) => Err(error),
        }
    }

    fn accept(&mut self) {
        for _ in 0..AT_ONCE {
            match socket::accept(&self.listener) {
                Ok(Some(connection)) => self.take_connection(connection),
                Ok(None) => return,
                Err(_) => {
                    self.set_listening(EventFlags::empty());
                    self.listen_again_at = Some(self.now.plus(LISTEN_AGAIN_AFTER));
                    return;
                }
            }
        }
    }

    fn take_connection(&mut self, socket: OwnedFd) {
        let Ok(uid) = socket::peer_uid(&socket) else {
            return;
        };
        let group = self.accesses.has_running(uid).then_some(uid);
        self.make_room(group);
        let peer = self.next_peer;
        let data = EventData::new_u64(peer);
        // Refused only when the kernel has no memory for it.
        if epoll::add(&self.epoll, &socket, data, EventFlags::IN).is_err() {
            return;
        }
        self.next_peer += 1;
        let stranger = Stranger {
            socket,
            uid,
            group,
            until: self.now.plus(HELLO_WITHIN),
            line: Vec::new(),
        };
        self.strangers.insert(peer, stranger);
    }

    /// Sends the oldest stranger of this group off if there are too many of it, or else the oldest of all if there are.
    fn make_room(&mut self, group: Option<u32>) {
        let mut own = self
            .strangers
            .iter()
            .filter(|(_, stranger)| stranger.group == group)
            .map(|(peer, _)| *peer);
        let oldest_own = own.next();
        let leaving = if oldest_own.is_some() && own.count() + 1 >= STRANGERS_OF_ONE_MAX {
            oldest_own
        } else if self.strangers.len() >= self.bounds.strangers_max {
            self.strangers.keys().next().copied()
        } else {
            None
        };
        if let Some(peer) = leaving {
            self.send_off_stranger(peer, Refusal::TooMany);
        }
    }

    /// Reads once.
    fn take_from_stranger(&mut self, peer: u64) {
        let Some(stranger) = self.strangers.get_mut(&peer) else {
            return;
        };
        let received = match receive(&stranger.socket, &mut self.buffer) {
            Received::Bytes(count) => &self.buffer[..count],
            Received::Nothing => return,
            Received::End => {
                self.send_off_stranger(peer, Refusal::Invalid);
                return;
            }
        };
        let end = received.iter().position(|byte| *byte == b'\n');
        let more = &received[..end.unwrap_or(received.len())];
        if stranger.line.len() + more.len() > LINE_BYTES_MAX {
            self.send_off_stranger(peer, Refusal::TooLong);
            return;
        }
        stranger.line.extend_from_slice(more);
        let Some(end) = end else {
            return;
        };
        let says_more = received.len() > end + 1;
        let (token, uid) = (hello::parse(&stranger.line), stranger.uid);
        let admitted = token.and_then(|token| self.admit(uid, token));
        match admitted {
            Ok(of) => self.let_in(peer, of, says_more),
            Err(refusal) => self.send_off_stranger(peer, refusal),
        }
    }

    /// The attempt that a token is of, if it may have one more connection.
    fn admit(&self, uid: u32, token: super::RunToken) -> Result<AttemptKey, Refusal> {
        let of = self
            .accesses
            .let_in(uid, token)
            .ok_or(Refusal::NotPermitted)?;
        let guests = self.by_attempt.get(&of).map_or(0, Vec::len);
        let further = self.guests.len() - self.by_attempt.len();
        let is_full = guests > 0 && further >= self.bounds.further_max;
        if is_full || guests >= GUESTS_OF_ONE_MAX {
            return Err(Refusal::TooMany);
        }
        Ok(of)
    }

    fn let_in(&mut self, peer: u64, of: AttemptKey, says_more: bool) {
        let Some(Stranger { socket, uid, .. }) = self.strangers.remove(&peer) else {
            return;
        };
        self.accesses.hear(uid, of, self.now);
        say(&socket, WELCOME);
        self.guests.insert(peer, Guest { socket, uid, of });
        self.by_attempt.entry(of).or_default().push(peer);
        if says_more {
            self.send_off_guest(peer, Some(Refusal::NotSupportedYet));
        }
    }

    fn take_from_guest(&mut self, peer: u64) {
        let Some(guest) = self.guests.get(&peer) else {
            return;
        };
        self.accesses.hear(guest.uid, guest.of, self.now);
        match receive(&guest.socket, &mut self.buffer) {
            Received::Bytes(_) => self.send_off_guest(peer, Some(Refusal::NotSupportedYet)),
            Received::Nothing => {}
            Received::End => self.send_off_guest(peer, None),
        }
    }

    fn send_off_stranger(&mut self, peer: u64, refusal: Refusal) {
        if let Some(stranger) = self.strangers.remove(&peer) {
            self.refuse(&stranger.socket, refusal);
            self.stop_watching(&stranger.socket);
        }
    }

    fn send_off_guest(&mut self, peer: u64, refusal: Option<Refusal>) {
        let Some(guest) = self.guests.remove(&peer) else {
            return;
        };
        if let Some(refusal) = refusal {
            self.refuse(&guest.socket, refusal);
        }
        self.stop_watching(&guest.socket);
        if let Some(peers) = self.by_attempt.get_mut(&guest.of) {
            peers.retain(|other| *other != peer);
            if peers.is_empty() {
                self.by_attempt.remove(&guest.of);
            }
        }
    }

    fn send_off_those_of_the_past(&mut self) {
        for key in self.accesses.take_over() {
            for peer in self.by_attempt.remove(&key).unwrap_or_default() {
                self.send_off_guest(peer, None);
            }
        }
    }

    fn send_off_the_late(&mut self) {
        while let Some((&peer, oldest)) = self.strangers.first_key_value()
            && oldest.until <= self.now
        {
            self.send_off_stranger(peer, Refusal::Late);
        }
    }

    fn listen_again(&mut self) {
        if self.listen_again_at.is_some_and(|at| at <= self.now) {
            self.listen_again_at = None;
            self.set_listening(EventFlags::IN);
        }
    }

    fn set_listening(&self, interest: EventFlags) {
        // Fails only for a descriptor that is not watched, and the listener is.
        let _ = epoll::modify(
            &self.epoll,
            &self.listener,
            EventData::new_u64(LISTENER),
            interest,
        );
    }

    /// The last line that a connection gets.
    fn refuse(&mut self, socket: &OwnedFd, refusal: Refusal) {
        // What the peer said is read away: a close with unread bytes reads as a broken connection.
        let _ = rustix::io::read(socket, &mut self.buffer[..]);
        say(socket, &refusal.line());
    }

    fn stop_watching(&self, socket: &OwnedFd) {
        // Fails only for a descriptor that is not watched.
        let _ = epoll::delete(&self.epoll, socket);
    }
}

/// Says a line if there is room for it: who does not read has room for the few that there are.
fn say(socket: &OwnedFd, line: &str) {
    let _ = rustix::net::send(
        socket,
        line.as_bytes(),
        SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
    );
}

fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Received {
    match rustix::io::read(socket, buffer) {
        Ok(0) => Received::End,
        Ok(count) => Received::Bytes(count),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Received::Nothing,
        Err(_) => Received::End,
    }
}
