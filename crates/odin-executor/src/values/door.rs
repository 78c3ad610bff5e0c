//! The thread that serves the values socket: it lets in who shows the token of an attempt of its own.
//!
//! Nothing here waits for a peer, and everything is bounded: strangers, by user and in number, by what they send and
//! by the time until their hello; those let in, by attempt and in number, by the memory that they take and by what
//! the disk takes.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use odin_model::{Boottime, Clock};
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use super::LINE_BYTES_MAX;
use super::access::{Accesses, Terms};
use super::guests::{Guests, Received, Turn, receive, refuse};
use super::hello::{self, Refusal};
use crate::data_dir::DataDir;
use crate::protocol::AttemptKey;
use crate::socket;

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
    dir: DataDir,
    accesses: Accesses,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
) -> io::Result<()> {
    let guests = Guests::start(dir, &accesses)?;
    let door = Door::new(listener, guests, accesses, clock, bounds)?;
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
    guests: Guests,
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

impl Door {
    fn new(
        listener: OwnedFd,
        guests: Guests,
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
            guests,
            buffer: vec![0; LINE_BYTES_MAX].into(),
        })
    }

    fn serve(mut self) {
        // Waiting fails only for what cannot be: a wrong descriptor or address. The socket is closed then.
        while self.go_round().is_ok() {}
    }

    /// Waits for the next thing to do, and does it.
    fn go_round(&mut self) -> rustix::io::Result<()> {
        let peers = self.wait()?;
        self.now = self.clock.boottime();
        // First of all, so that nobody of an attempt that is over is heard.
        if peers.contains(&WAKE) {
            let over = self.accesses.take_over();
            let (guests, mut turn) = self.turn();
            guests.end_attempts(over, &mut turn);
            guests.end_round(&mut turn);
        }
        for peer in peers {
            match peer {
                WAKE => {}
                LISTENER => self.accept(),
                peer if self.guests.has(peer) => {
                    let (guests, mut turn) = self.turn();
                    guests.look_at(peer, &mut turn);
                }
                peer => self.take_from_stranger(peer),
            }
        }
        let (guests, mut turn) = self.turn();
        guests.look_at_all(&mut turn);
        guests.begin_round(turn.now);
        self.send_off_the_late();
        self.listen_again();
        Ok(())
    }

    fn turn(&mut self) -> (&mut Guests, Turn<'_>) {
        let turn = Turn {
            epoll: &self.epoll,
            accesses: &self.accesses,
            now: self.now,
            at: self.clock.wall(),
            buffer: &mut self.buffer,
        };
        (&mut self.guests, turn)
    }

    /// Waits until somebody did something, or is late.
    fn wait(&self) -> rustix::io::Result<Vec<u64>> {
        let late_at = self.strangers.values().next().map(|oldest| oldest.until);
        let next = [
            late_at,
            self.listen_again_at,
            self.guests.round_at(),
            self.guests.look_at_all_at(),
        ];
        let next = next.into_iter().flatten().min();
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
        let says_more = received[end + 1..].to_vec();
        let (token, uid) = (hello::parse(&stranger.line), stranger.uid);
        let admitted = token.and_then(|token| self.admit(uid, token));
        match admitted {
            Ok(of) => self.let_in(peer, of, &says_more),
            Err(refusal) => self.send_off_stranger(peer, refusal),
        }
    }

    /// The attempt that a token is of, if it may have one more connection.
    fn admit(&self, uid: u32, token: super::RunToken) -> Result<(AttemptKey, Terms), Refusal> {
        let of = self
            .accesses
            .let_in(uid, token)
            .ok_or(Refusal::NotPermitted)?;
        let guests = self.guests.count_of(of.0);
        let is_full = guests > 0 && self.guests.further() >= self.bounds.further_max;
        if is_full || guests >= GUESTS_OF_ONE_MAX {
            return Err(Refusal::TooMany);
        }
        Ok(of)
    }

    fn let_in(&mut self, peer: u64, of: (AttemptKey, Terms), says_more: &[u8]) {
        let Some(Stranger { socket, uid, .. }) = self.strangers.remove(&peer) else {
            return;
        };
        let (guests, mut turn) = self.turn();
        guests.add(peer, (socket, uid), of, says_more, &mut turn);
    }

    fn send_off_stranger(&mut self, peer: u64, refusal: Refusal) {
        if let Some(stranger) = self.strangers.remove(&peer) {
            refuse(&stranger.socket, refusal, &mut self.buffer);
            self.stop_watching(&stranger.socket);
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

    fn stop_watching(&self, socket: &OwnedFd) {
        // Fails only for a descriptor that is not watched.
        let _ = epoll::delete(&self.epoll, socket);
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::Shutdown;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::{AtomicU64, Ordering};

    use jiff::Timestamp;
    use odin_model::{AttemptNumber, RunId};

    use super::*;
    use crate::values::RunToken;

    /// Each look at it is five milliseconds after the one before.
    #[derive(Debug, Default)]
    struct Steps(AtomicU64);

    impl Clock for Steps {
        fn wall(&self) -> Timestamp {
            Timestamp::UNIX_EPOCH
        }

        fn boottime(&self) -> Boottime {
            let steps = self.0.fetch_add(1, Ordering::Relaxed);
            Boottime(Duration::from_millis(5 * steps))
        }
    }

    /// What would wake the thread now.
    fn wakes(door: &Door) -> usize {
        let mut ready: Vec<epoll::Event> = Vec::with_capacity(AT_ONCE);
        let room = rustix::buffer::spare_capacity(&mut ready);
        epoll::wait(&door.epoll, room, Some(&Timespec::default())).unwrap()
    }

    fn serve_until(door: &mut Door, client: &UnixStream, expected: &str) {
        client.set_nonblocking(true).unwrap();
        let mut line = String::new();
        while BufReader::new(client).read_line(&mut line).is_err() {
            door.go_round().unwrap();
        }
        assert_eq!(line, expected);
    }

    #[test]
    fn who_has_spoken_wakes_nobody_by_saying_more_and_is_heard_in_time_all_the_same() {
        let temp = tempfile::tempdir().unwrap();
        let dir = DataDir::new(temp.path().to_owned());
        std::fs::create_dir_all(dir.values()).unwrap();
        let listener = socket::listen(&dir.values_socket(), 0o666).unwrap();
        let accesses = Accesses::new(|| {}).unwrap();
        let key = AttemptKey {
            run: RunId::from_bits(1),
            attempt: AttemptNumber::FIRST,
        };
        let terms = Terms {
            bytes_max: 1 << 20,
            masks: None,
        };
        let uid = rustix::process::geteuid().as_raw();
        let access = accesses.grant(key, uid, RunToken([7; 16]), terms);
        let guests = Guests::start(dir.clone(), &accesses).unwrap();
        let bounds = Bounds {
            strangers_max: 8,
            further_max: 8,
        };
        let clock = Arc::new(Steps::default());
        let mut door = Door::new(listener, guests, accesses, clock, bounds).unwrap();

        let mut client = UnixStream::connect(dir.values_socket()).unwrap();
        let hello = format!(
            "{{\"hello\":1,\"token\":\"{}\"}}\n",
            RunToken([7; 16]).text()
        );
        client.write_all(hello.as_bytes()).unwrap();
        serve_until(&mut door, &client, "{\"ok\":true}\n");
        assert_eq!(wakes(&door), 0);
        client.write_all(b"the first line\n").unwrap();
        assert_eq!(wakes(&door), 1, "the first is heard at once");
        serve_until(&mut door, &client, "{\"ack\":1}\n");
        for said in 2..5 {
            client.write_all(b"another line\n").unwrap();
            assert_eq!(wakes(&door), 0);
            serve_until(&mut door, &client, &format!("{{\"ack\":{said}}}\n"));
        }
        assert_eq!(wakes(&door), 0);
        client.write_all(b"the last line\n").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        assert_eq!(wakes(&door), 1, "an end is heard at once");
        serve_until(&mut door, &client, "{\"ack\":5}\n");
        serve_until(&mut door, &client, "");
        assert_eq!(door.guests.look_at_all_at(), None);
        drop(access);
    }
}
