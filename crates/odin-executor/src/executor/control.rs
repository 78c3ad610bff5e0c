//! The server's connection: requests in, reports out, neither ever waited for.

use std::os::fd::OwnedFd;
use std::time::Duration;

use odin_model::Boottime;
use odin_model::attempt::AttemptEventKind;
use rustix::event::epoll::EventFlags;
use rustix::net::SendFlags;

use super::attempt::State;
use super::main_loop::MainLoop;
use super::queue::Queue;
use super::sources::Source;
use crate::fault::{self, Point};
use crate::frame::{self, FrameBuffer};
use crate::journal::Record;
use crate::protocol::{
    AttemptKey, JournalHealth, ListedAttempt, ListedState, NumberedEvent, PeekedOutput, Report,
    Request, Welcome,
};
use crate::socket;

/// Reports waiting for a server that does not read, at most. Beyond it its requests are not read either.
const OUT_BYTES_MAX: usize = 8 << 20;
/// Events are put into reports only while fewer bytes than this wait; the rest stay where they are.
const EVENTS_UNTIL_BYTES: usize = 256 << 10;
/// Events in one report, at most.
const EVENTS_AT_ONCE: usize = 256;
/// How long events wait for others while attempts that are due wait for their start. The processor is then for the starts:
/// the server writes and applies fewer and larger batches.
const HOLD_EVENTS: Duration = Duration::from_millis(50);

/// At most one connection: the newest.
#[derive(Default)]
pub(super) struct Control {
    connection: Option<Connection>,
    /// Until then, the events that are there wait.
    held_until: Option<Boottime>,
}

struct Connection {
    socket: OwnedFd,
    received: FrameBuffer,
    out: Vec<u8>,
    /// How much of `out` is sent.
    sent: usize,
    /// Whether the server said hello in this protocol.
    is_greeted: bool,
    /// Closed once `out` is sent.
    is_closing: bool,
    /// The next event to send.
    next_event: u64,
    interest: EventFlags,
}

impl Control {
    /// Queues a report for the server, if one is connected: what matters after a reconnect is asked for again.
    pub(super) fn queue(&mut self, report: &Report) {
        if let Some(connection) = self
            .connection
            .as_mut()
            .filter(|connection| connection.is_greeted)
        {
            connection.append(report);
        }
    }

    /// When events that wait are to be sent.
    pub(super) fn held_until(&self) -> Option<Boottime> {
        self.held_until
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Whether everything queued is sent.
    pub(super) fn is_flushed(&self) -> bool {
        self.connection
            .as_ref()
            .is_none_or(|connection| connection.out.is_empty())
    }
}

impl Connection {
    fn append(&mut self, report: &Report) {
        // Too long only if a report grew beyond what this crate's bounds allow: a bug, met without taking jobs along.
        let appended = frame::append(&mut self.out, report);
        debug_assert!(
            appended.is_ok(),
            "reports are bounded below a frame's length"
        );
    }

    /// Sends what the socket takes. `Err` when the server is gone.
    fn flush(&mut self) -> Result<(), ()> {
        while self.sent < self.out.len() {
            match rustix::net::send(
                &self.socket,
                &self.out[self.sent..],
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(count) => self.sent += count,
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(_) => return Err(()),
            }
        }
        self.out.clear();
        self.out.shrink_to(EVENTS_UNTIL_BYTES);
        self.sent = 0;
        if self.is_closing { Err(()) } else { Ok(()) }
    }

    fn wanted_interest(&self) -> EventFlags {
        let read = if self.out.len() < OUT_BYTES_MAX {
            EventFlags::IN
        } else {
            EventFlags::empty()
        };
        let write = if self.out.is_empty() {
            EventFlags::empty()
        } else {
            EventFlags::OUT
        };
        read | write
    }
}

impl MainLoop {
    /// A newer server takes the older one's place: the older one is dead or has forgotten us.
    pub(super) fn take_connection(&mut self, socket: OwnedFd) {
        let own = rustix::process::geteuid().as_raw();
        if !socket::peer_uid(&socket).is_ok_and(|uid| uid == own || uid == 0) {
            return;
        }
        self.control.connection = None;
        if self
            .sources
            .watch(&socket, Source::Control, EventFlags::IN)
            .is_ok()
        {
            self.control.connection = Some(Connection {
                socket,
                received: FrameBuffer::default(),
                out: Vec::new(),
                sent: 0,
                is_greeted: false,
                is_closing: false,
                next_event: 0,
                interest: EventFlags::IN,
            });
        }
    }

    /// Reads once and does what the requests ask: they only change what the loop then acts on.
    pub(super) fn take_requests(&mut self) {
        let Some(connection) = &mut self.control.connection else {
            return;
        };
        if connection.out.len() < OUT_BYTES_MAX {
            match rustix::io::read(&connection.socket, &mut self.buffer[..]) {
                Ok(count) if count > 0 => connection.received.extend(&self.buffer[..count]),
                Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return,
                Ok(_) | Err(_) => {
                    self.control.connection = None;
                    return;
                }
            }
        }
        while let Some(connection) = &mut self.control.connection {
            match connection.received.take::<Request>() {
                Ok(Some(request)) => self.take_request(request),
                Ok(None) => return,
                // Nothing that follows can be trusted.
                Err(_) => self.control.connection = None,
            }
        }
    }

    fn take_request(&mut self, request: Request) {
        let Some(connection) = &mut self.control.connection else {
            return;
        };
        if !connection.is_greeted && !matches!(request, Request::Hello { .. }) {
            self.control.connection = None;
            return;
        }
        match request {
            Request::Hello { protocol } => self.greet(protocol),
            Request::Prepare(prepare) => {
                if let Some(refused) = self.preparer.order(prepare) {
                    self.control.queue(&refused);
                }
            }
            Request::Arm(launch) => self.arm(launch),
            Request::Lease { until, then } => self.extend_lease(until, then),
            Request::Cancel { key, reason, scope } => self.cancel(key, reason, scope),
            Request::Ack { up_to } => {
                let up_to = up_to.min(self.events.next_number() - 1);
                if up_to > self.events.acked() {
                    fault::reach(Point::ExecutorAckBefore);
                    self.events.ack(up_to, self.now);
                    self.journal.add(&Record::Acked { up_to });
                    fault::reach(Point::ExecutorAckAfter);
                }
            }
            Request::Peek { key } => self.peek(key),
            Request::List => self.list(),
            Request::Drain => {
                self.draining = true;
                self.is_retired = true;
                self.forget_armed();
                let attempts = u64::try_from(self.slots.len()).expect("usize fits 64 bits");
                self.control.queue(&Report::Draining { attempts });
            }
        }
    }

    fn greet(&mut self, protocol: u16) {
        let journal = match self.journal.failure() {
            Some(error) => JournalHealth::Failing { error },
            None if self.events.is_full() => JournalHealth::Full,
            None => JournalHealth::Writable,
        };
        let Some(connection) = &mut self.control.connection else {
            return;
        };
        connection.is_greeted = protocol == self.protocol;
        connection.is_closing = protocol != self.protocol;
        connection.append(&if protocol == self.protocol {
            Report::Welcome(Welcome {
                executor: self.executor_id,
                pid: std::process::id(),
                boot_id: self.boot_id.clone(),
                protocol: self.protocol,
                journal,
                build: self.build.clone(),
                is_draining: self.draining,
            })
        } else {
            Report::Incompatible {
                protocol: self.protocol,
            }
        });
    }

    fn peek(&mut self, key: AttemptKey) {
        let running = self.slots.find(key).and_then(|slot| self.running_mut(slot));
        let output = running.map_or(PeekedOutput::NotRunning, |running| running.capture.peek());
        self.control.queue(&Report::Output { key, output });
    }

    fn list(&mut self) {
        let waits = self.lease_until <= self.now;
        let live = self.slots.iter().map(|(_, attempt)| {
            let state = match &attempt.state {
                State::Armed(launch) | State::Starting { launch, .. }
                    if waits && launch.not_before <= self.now =>
                {
                    ListedState::WaitsForLease
                }
                State::Armed(_) => ListedState::Armed,
                State::Starting { .. } | State::Spawning { .. } => ListedState::Starting,
                State::Running(_) => ListedState::Running,
            };
            ListedAttempt {
                key: attempt.key,
                state,
            }
        });
        let finished = self.events.finished().map(|key| ListedAttempt {
            key,
            state: ListedState::Finished,
        });
        let all = live.chain(finished).collect();
        self.control.queue(&Report::Attempts(all));
    }

    /// Whether events wait a little for others: attempts that are due wait for their start, and a report is not full.
    fn holds_events(&mut self, written: u64) -> bool {
        let is_due = |queue: &Queue| queue.first().is_some_and(|first| first.0 <= self.now);
        let is_busy = is_due(&self.starting) || is_due(&self.armed);
        let connection = self.control.connection.as_ref();
        let waiting = connection.map_or(0, |connection| {
            let events = self.events.sendable(connection.next_event, written);
            events.take(EVENTS_AT_ONCE).count()
        });
        self.control.held_until = hold(self.control.held_until, self.now, is_busy, waiting);
        self.control.held_until.is_some()
    }

    /// Sends what is queued, and the events whose records are written.
    pub(super) fn send(&mut self) {
        let written = self.journal.written();
        let holds = self.holds_events(written);
        let Some(connection) = &mut self.control.connection else {
            return;
        };
        while !holds && connection.is_greeted && connection.out.len() < EVENTS_UNTIL_BYTES {
            let events = self.events.sendable(connection.next_event, written);
            let batch: Vec<NumberedEvent> = events.take(EVENTS_AT_ONCE).cloned().collect();
            let Some(last) = batch.last() else { break };
            fault::reach_if(Point::ExecutorFinishedAfter, || {
                let events = batch.iter().map(|numbered| &numbered.event.kind);
                { events }.any(|kind| matches!(kind, AttemptEventKind::Finished(_)))
            });
            connection.next_event = last.number + 1;
            connection.append(&Report::Events(batch));
        }
        if connection.flush().is_err() {
            self.control.connection = None;
            return;
        }
        let interest = connection.wanted_interest();
        if interest != connection.interest {
            connection.interest = interest;
            if let Some(connection) = &self.control.connection {
                self.sources
                    .watch_otherwise(&connection.socket, Source::Control, interest);
            }
        }
    }
}

/// Until when so many events wait for others, if they do; `held` is what this said before.
fn hold(held: Option<Boottime>, now: Boottime, is_busy: bool, waiting: usize) -> Option<Boottime> {
    if !is_busy || waiting == 0 || waiting == EVENTS_AT_ONCE {
        return None;
    }
    match held {
        None => Some(now.plus(HOLD_EVENTS)),
        Some(until) => Some(until).filter(|until| *until > now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_wait_for_others_only_while_starts_are_due_and_only_so_long() {
        #[track_caller]
        fn check(held: Option<u64>, now: u64, is_busy: bool, waiting: usize, until: Option<u64>) {
            let millis = |millis| Boottime(Duration::from_millis(millis));
            let seen = hold(held.map(millis), millis(now), is_busy, waiting);
            assert_eq!(seen, until.map(millis));
        }
        // Nothing is due, or nothing is to be sent.
        check(None, 1000, false, 5, None);
        check(None, 1000, true, 0, None);
        check(Some(1050), 1010, false, 5, None);
        // The first one begins the wait, which others do not lengthen.
        check(None, 1000, true, 1, Some(1050));
        check(Some(1050), 1049, true, 9, Some(1050));
        check(Some(1050), 1050, true, 9, None);
        // A report is full.
        check(Some(1050), 1001, true, EVENTS_AT_ONCE, None);
    }
}
