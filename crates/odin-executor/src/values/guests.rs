//! Those let in: what they say is kept, and acknowledged once it is on the disk.
//!
//! Whoever writes to a socket that somebody waits for pays for waking them, and a job's program should not. So from
//! what it said first on, nobody waits for a connection's words: they are fetched when it is [time](Guests::look_at_all),
//! and only its end is told at once.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;

use jiff::Timestamp;
use odin_model::Boottime;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::net::SendFlags;

use super::LINE_BYTES_MAX;
use super::access::{Accesses, Terms};
use super::hello::{Refusal, WELCOME};
use super::keeping::Keeper;
use super::lines::Lines;
use super::pace::Pace;
use crate::data_dir::DataDir;
use crate::protocol::AttemptKey;

/// How much of lines without an end yet may be in memory. Beyond it, lines are cut at [`CROWDED_LINE_BYTES_MAX`].
const BEGUN_BYTES_MAX: usize = 16 << 20;
const CROWDED_LINE_BYTES_MAX: usize = 4 << 10;
/// How often a connection is read to take what it holds when its attempt is over. A socket holds less; a process that
/// goes on talking is not waited for.
const LAST_READS: usize = 16;
/// Connections that the kernel names at a time as having said something.
const NAMED_AT_ONCE: usize = 64;
/// How often a look reads a connection, so that it takes what a socket holds and no more.
const LOOK_READS: usize = 4;

/// All connections that were let in.
pub(super) struct Guests {
    all: HashMap<u64, Guest>,
    /// The guests of each attempt that has any; none is listed twice.
    by_attempt: HashMap<AttemptKey, Vec<u64>>,
    /// Knows which of those that are fetched have said something. Nobody waits for it.
    fetched: OwnedFd,
    fetched_count: usize,
    pace: Pace,
    keeper: Keeper,
    /// Guests with lines that no round of the disk was asked for.
    unasked: BTreeSet<u64>,
    /// Guests with the number of lines that the round under way brings to the disk.
    in_round: Vec<(u64, u64)>,
    /// Attempts that are over, and of which something waits for the disk.
    ending: BTreeSet<AttemptKey>,
    /// Bytes of lines without an end.
    begun_bytes: usize,
}

struct Guest {
    socket: OwnedFd,
    uid: u32,
    of: AttemptKey,
    lines: Lines,
    /// Lines that it has said, and that it was told to be on the disk.
    taken: u64,
    acked: u64,
    /// Whether there was no room to tell it how many.
    owes_ack: bool,
    /// Whether it says nothing more.
    is_ended: bool,
    /// What the kernel tells of it at once.
    watched: EventFlags,
    /// Whether its words are fetched.
    is_fetched: bool,
}

/// What this turn of the door's loop is done with.
pub(super) struct Turn<'t> {
    pub(super) epoll: &'t OwnedFd,
    pub(super) accesses: &'t Accesses,
    pub(super) now: Boottime,
    pub(super) at: Timestamp,
    pub(super) buffer: &'t mut [u8],
}

/// What was received from a connection.
pub(super) enum Received {
    Bytes(usize),
    Nothing,
    End,
}

pub(super) fn receive(socket: &OwnedFd, buffer: &mut [u8]) -> Received {
    match rustix::io::read(socket, buffer) {
        Ok(0) => Received::End,
        Ok(count) => Received::Bytes(count),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => Received::Nothing,
        Err(_) => Received::End,
    }
}

/// Says a line. `false`: there is no room for it now.
pub(super) fn say(socket: &OwnedFd, line: &str) -> bool {
    let said = rustix::net::send(
        socket,
        line.as_bytes(),
        SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
    );
    // Who is gone needs no answer.
    said != Err(rustix::io::Errno::AGAIN)
}

/// The last line that a connection gets.
pub(super) fn refuse(socket: &OwnedFd, refusal: Refusal, buffer: &mut [u8]) {
    // What the peer said is read away: a close with unread bytes reads as a broken connection.
    let _ = rustix::io::read(socket, buffer);
    say(socket, &refusal.line());
}

impl Guests {
    pub(super) fn start(dir: DataDir, accesses: &Accesses) -> io::Result<Self> {
        Ok(Self {
            all: HashMap::new(),
            by_attempt: HashMap::new(),
            fetched: epoll::create(CreateFlags::CLOEXEC)?,
            fetched_count: 0,
            pace: Pace::default(),
            keeper: Keeper::start(dir, accesses.wake().clone())?,
            unasked: BTreeSet::new(),
            in_round: Vec::new(),
            ending: BTreeSet::new(),
            begun_bytes: 0,
        })
    }

    pub(super) fn has(&self, peer: u64) -> bool {
        self.all.contains_key(&peer)
    }

    pub(super) fn count_of(&self, of: AttemptKey) -> usize {
        self.by_attempt.get(&of).map_or(0, Vec::len)
    }

    /// How many there are beside one of each attempt.
    pub(super) fn further(&self) -> usize {
        self.all.len() - self.by_attempt.len()
    }

    /// Lets a connection in that is watched already, with what it has said after its hello.
    pub(super) fn add(
        &mut self,
        peer: u64,
        (socket, uid): (OwnedFd, u32),
        (of, terms): (AttemptKey, Terms),
        said: &[u8],
        turn: &mut Turn<'_>,
    ) {
        say(&socket, WELCOME);
        self.keeper.open(of, terms);
        let guest = Guest {
            socket,
            uid,
            of,
            lines: Lines::default(),
            taken: 0,
            acked: 0,
            owes_ack: false,
            is_ended: false,
            watched: EventFlags::IN,
            is_fetched: false,
        };
        self.all.insert(peer, guest);
        self.by_attempt.entry(of).or_default().push(peer);
        turn.accesses.hear(uid, of, turn.now);
        self.take(peer, said, turn.at);
        self.watch(peer, turn.epoll);
    }

    /// Something happened at a connection: it said something, is gone, or has room for an answer.
    pub(super) fn look_at(&mut self, peer: u64, turn: &mut Turn<'_>) {
        let Some(guest) = self.all.get_mut(&peer) else {
            return;
        };
        if guest.owes_ack {
            guest.tell();
        }
        if !guest.is_ended && self.keeper.takes_more(guest.of) {
            turn.accesses.hear(guest.uid, guest.of, turn.now);
            match receive(&guest.socket, turn.buffer) {
                Received::Bytes(count) => self.take(peer, &turn.buffer[..count], turn.at),
                Received::Nothing => {}
                Received::End => self.end(peer, turn.at),
            }
        }
        self.watch(peer, turn.epoll);
        self.dismiss_if_done(peer, turn.epoll);
    }

    /// When those are to be looked at whose words are fetched, if there are any.
    pub(super) fn look_at_all_at(&self) -> Option<Boottime> {
        (self.fetched_count > 0).then_some(self.pace.next())
    }

    /// Fetches what was said, if it is time.
    pub(super) fn look_at_all(&mut self, turn: &mut Turn<'_>) {
        if self.look_at_all_at().is_none_or(|at| at > turn.now) {
            return;
        }
        self.pace.begin();
        let at_once = Timespec::default();
        let mut named = Vec::with_capacity(NAMED_AT_ONCE);
        // The kernel names those last that it has just named, so each has its turn before one has another.
        for _ in 0..LOOK_READS * (self.fetched_count / NAMED_AT_ONCE + 1) {
            named.clear();
            let room = rustix::buffer::spare_capacity(&mut named);
            // Fails only for what cannot be: a wrong descriptor or address.
            if epoll::wait(&self.fetched, room, Some(&at_once)).is_err() {
                break;
            }
            for event in &named {
                self.look_at(event.data.u64(), turn);
            }
            if named.is_empty() {
                break;
            }
        }
        self.pace.end(turn.now);
    }

    fn take(&mut self, peer: u64, bytes: &[u8], at: Timestamp) {
        let Some(guest) = self.all.get_mut(&peer) else {
            return;
        };
        let bytes_max = match self.begun_bytes > BEGUN_BYTES_MAX {
            true => CROWDED_LINE_BYTES_MAX,
            false => LINE_BYTES_MAX,
        };
        let mut taken = Vec::new();
        self.begun_bytes -= guest.lines.held();
        guest
            .lines
            .take(bytes, bytes_max, |kept, length| taken.push((kept, length)));
        self.begun_bytes += guest.lines.held();
        self.pace.hear(taken.len(), bytes.len());
        self.keep(peer, taken, at);
    }

    fn keep(&mut self, peer: u64, taken: Vec<(super::file::Kept, u64)>, at: Timestamp) {
        if let Some(guest) = self.all.get_mut(&peer)
            && !taken.is_empty()
        {
            guest.taken += taken.len() as u64;
            self.keeper.keep(guest.of, at, taken);
            self.unasked.insert(peer);
        }
    }

    /// A connection says nothing more. A line that it did not end is one.
    fn end(&mut self, peer: u64, at: Timestamp) {
        let Some(guest) = self.all.get_mut(&peer) else {
            return;
        };
        guest.is_ended = true;
        self.begun_bytes -= guest.lines.held();
        let last = guest.lines.finish();
        self.keep(peer, last.into_iter().collect(), at);
    }

    /// Has the kernel tell of a connection what is needed of it, and nothing else: one that is not read must not wake
    /// the loop for being gone.
    fn watch(&mut self, peer: u64, epoll: &OwnedFd) {
        let Some(guest) = self.all.get_mut(&peer) else {
            return;
        };
        let is_read = !guest.is_ended && self.keeper.takes_more(guest.of);
        let has_spoken = guest.taken > 0;
        let mut wanted = match (is_read, has_spoken) {
            (false, _) => EventFlags::empty(),
            (true, false) => EventFlags::IN,
            (true, true) => EventFlags::RDHUP,
        };
        if guest.owes_ack {
            wanted |= EventFlags::OUT;
        }
        let data = EventData::new_u64(peer);
        // Both are refused only when the kernel has no memory for it: they are tried again after the next round.
        let done = match (guest.watched.is_empty(), wanted.is_empty()) {
            _ if wanted == guest.watched => Ok(()),
            (false, true) => epoll::delete(epoll, &guest.socket),
            (true, _) => epoll::add(epoll, &guest.socket, data, wanted),
            (false, false) => epoll::modify(epoll, &guest.socket, data, wanted),
        };
        if done.is_ok() {
            guest.watched = wanted;
        }
        match (guest.is_fetched, is_read && has_spoken) {
            (false, true)
                if epoll::add(&self.fetched, &guest.socket, data, EventFlags::IN).is_ok() =>
            {
                guest.is_fetched = true;
                self.fetched_count += 1;
            }
            (true, false) => self.fetch_no_more(peer),
            _ => {}
        }
    }

    fn fetch_no_more(&mut self, peer: u64) {
        if let Some(guest) = self.all.get_mut(&peer).filter(|guest| guest.is_fetched) {
            guest.is_fetched = false;
            self.fetched_count -= 1;
            // Fails only for a descriptor that is not watched.
            let _ = epoll::delete(&self.fetched, &guest.socket);
        }
    }

    /// When a round of the disk is to begin.
    pub(super) fn round_at(&self) -> Option<Boottime> {
        self.keeper.round_at(!self.unasked.is_empty())
    }

    /// Begins a round if it is time.
    pub(super) fn begin_round(&mut self, now: Boottime) {
        if self.round_at().is_some_and(|at| at <= now) {
            self.keeper.begin_round(now);
            let peers = std::mem::take(&mut self.unasked);
            let all = &self.all;
            let taken = |peer: u64| all.get(&peer).map(|guest| (peer, guest.taken));
            self.in_round = peers.into_iter().filter_map(taken).collect();
        }
    }

    /// Acknowledges what a round brought to the disk, if it is done.
    pub(super) fn end_round(&mut self, turn: &mut Turn<'_>) {
        let Some(failed) = self.keeper.end_round() else {
            return;
        };
        for (peer, taken) in std::mem::take(&mut self.in_round) {
            let Some(guest) = self.all.get_mut(&peer) else {
                continue;
            };
            if failed.contains(&guest.of) {
                self.send_off(peer, Some(Refusal::DiskFailed), turn);
                continue;
            }
            guest.acked = taken;
            guest.tell();
            self.dismiss_if_done(peer, turn.epoll);
        }
        let peers: Vec<u64> = self.all.keys().copied().collect();
        for peer in peers {
            self.watch(peer, turn.epoll);
        }
        self.settle(turn);
    }

    /// These attempts are over: what their connections still hold is kept, and they are closed once that is on the
    /// disk.
    pub(super) fn end_attempts(&mut self, over: Vec<AttemptKey>, turn: &mut Turn<'_>) {
        for key in over {
            for peer in self.by_attempt.get(&key).cloned().unwrap_or_default() {
                self.take_the_rest(peer, turn);
            }
            self.keeper.end(key, turn.at);
            self.ending.insert(key);
        }
        self.settle(turn);
    }

    fn take_the_rest(&mut self, peer: u64, turn: &mut Turn<'_>) {
        for _ in 0..LAST_READS {
            let Some(guest) = self.all.get(&peer).filter(|guest| !guest.is_ended) else {
                return;
            };
            match receive(&guest.socket, turn.buffer) {
                Received::Bytes(count) => self.take(peer, &turn.buffer[..count], turn.at),
                Received::Nothing | Received::End => break,
            }
        }
        self.end(peer, turn.at);
        self.watch(peer, turn.epoll);
    }

    /// Closes attempts that are over and of which nothing waits any more.
    fn settle(&mut self, turn: &mut Turn<'_>) {
        let waits = |guests: &Self, peer: &u64| {
            guests.unasked.contains(peer) || guests.in_round.iter().any(|(other, _)| other == peer)
        };
        let done: Vec<AttemptKey> = self
            .ending
            .iter()
            .filter(|key| self.keeper.is_durable(**key))
            .filter(|key| {
                let peers = self.by_attempt.get(*key).map_or(&[][..], Vec::as_slice);
                !peers.iter().any(|peer| waits(self, peer))
            })
            .copied()
            .collect();
        for key in done {
            self.ending.remove(&key);
            for peer in self.by_attempt.get(&key).cloned().unwrap_or_default() {
                self.send_off(peer, None, turn);
            }
            self.keeper.forget(key);
            turn.accesses.closed(key);
        }
    }

    /// Closes a connection that says nothing more and has its answers.
    fn dismiss_if_done(&mut self, peer: u64, epoll: &OwnedFd) {
        let is_done = self
            .all
            .get(&peer)
            .is_some_and(|guest| guest.is_ended && guest.acked == guest.taken && !guest.owes_ack);
        if is_done {
            self.remove(peer, epoll);
        }
    }

    fn send_off(&mut self, peer: u64, refusal: Option<Refusal>, turn: &mut Turn<'_>) {
        if let (Some(guest), Some(refusal)) = (self.all.get(&peer), refusal) {
            refuse(&guest.socket, refusal, turn.buffer);
        }
        self.remove(peer, turn.epoll);
    }

    fn remove(&mut self, peer: u64, epoll: &OwnedFd) {
        self.fetch_no_more(peer);
        let Some(guest) = self.all.remove(&peer) else {
            return;
        };
        self.begun_bytes -= guest.lines.held();
        self.unasked.remove(&peer);
        if !guest.watched.is_empty() {
            // Fails only for a descriptor that is not watched.
            let _ = epoll::delete(epoll, &guest.socket);
        }
        if let Some(peers) = self.by_attempt.get_mut(&guest.of) {
            peers.retain(|other| *other != peer);
            if peers.is_empty() {
                self.by_attempt.remove(&guest.of);
            }
        }
    }
}

impl Guest {
    /// Tells how many of its lines are on the disk.
    fn tell(&mut self) {
        let line = format!("{{\"ack\":{}}}\n", self.acked);
        self.owes_ack = !say(&self.socket, &line);
    }
}
