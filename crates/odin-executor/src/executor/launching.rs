//! From armed to a process: the instant, the lease, the record on the disk, the order to a spawner.

use std::time::Duration;

use odin_model::Boottime;
use odin_model::attempt::{AttemptResult, Ending};
use odin_model::output::OutputSummary;

use super::attempt::{Attempt, State, Stop};
use super::main_loop::MainLoop;
use super::queue::Entry;
use super::slots::Slot;
use super::timeouts::queued_until;
use super::timers::Timer;
use crate::fault::{self, Point};
use crate::journal::{Haste, Record};
use crate::process::{Purpose, SpawnOrder};
use crate::protocol::{AfterLease, AttemptKey, CancelScope, Launch, RefusalReason, Report};

/// How long before its instant an attempt's start is written, so that the disk delays nobody: one that others write
/// to takes 90 ms for a sync now and then. What it costs is that a crash in this time reads as "may have started".
const WRITE_AHEAD: Duration = Duration::from_millis(200);
/// How long nothing may be due for a wait for the disk on the loop itself.
const QUIET_FOR: Duration = Duration::from_millis(500);
/// Attempts held, at most: armed, running, or ending.
const ATTEMPTS_MAX: usize = 20_000;
/// Attempts whose start is written and that are not ordered, at most: two syncs of a slow disk take no longer than these
/// take to start, and whoever comes due later waits for a turn and not for all that is due.
const STARTING_MAX: usize = 1_024;
/// Orders that wait for a spawner, at most, for the same reason: what takes turns is what is not ordered yet. Enough to
/// keep the spawners busy for a turn of the loop.
const ORDERED_MAX: usize = 64;

impl MainLoop {
    pub(super) fn arm(&mut self, launch: Box<Launch>) {
        let key = launch.key;
        let refused = if self.events.is_over(key) {
            Some(RefusalReason::AlreadyOver)
        } else if let Some(slot) = self.slots.find(key) {
            match self.slots.get_mut(slot).map(|attempt| &attempt.state) {
                Some(State::Armed(_)) => return,
                _ => Some(RefusalReason::AlreadyStarted),
            }
        } else if self.draining {
            Some(RefusalReason::Draining)
        } else if self.slots.len() >= ATTEMPTS_MAX {
            Some(RefusalReason::Full)
        } else {
            None
        };
        if let Some(reason) = refused {
            self.control.queue(&Report::Refused { key, reason });
            return;
        }
        let not_before = launch.not_before;
        let give_up_at = queued_until(&launch);
        let slot = self.slots.insert(Attempt {
            key,
            state: State::Armed(launch),
        });
        self.armed.insert((not_before, key, slot));
        if let Some(at) = give_up_at {
            self.timers.add(at, Timer::Queue(slot));
        }
    }

    /// Another executor takes them: nothing is recorded of them here.
    pub(super) fn forget_armed(&mut self) {
        for (_, _, slot) in std::mem::take(&mut self.armed).iter() {
            self.slots.remove(*slot);
        }
    }

    pub(super) fn extend_lease(&mut self, until: Boottime, then: AfterLease) {
        if until > self.lease_until {
            self.lease_until = until;
            self.after_lease = then;
            self.spawners.set_lease(until);
        }
    }

    /// Whether launches may go ahead, were their instants there.
    fn may_start(&self) -> bool {
        let room = self.starting.len() < STARTING_MAX
            && self.starting.len() + self.running < self.running_max;
        room && self.lease_until > self.now && !self.events.is_full() && self.journal_works()
    }

    /// Writes the starts of what is due soon.
    pub(super) fn write_starts(&mut self) {
        let until = self.now.plus(WRITE_AHEAD);
        while self.may_start()
            && let Some(entry) = self.armed.turn(until, |_| true)
        {
            fault::reach(Point::ExecutorStartBefore);
            self.armed.remove(&entry);
            let (not_before, key, slot) = entry;
            let position = self.journal.add(&Record::Starting { key });
            let attempt = self.slots.get_mut(slot).expect("what is armed has a slot");
            let State::Armed(launch) =
                std::mem::replace(&mut attempt.state, State::Spawning { stop: None })
            else {
                unreachable!("the armed set holds armed attempts");
            };
            attempt.state = State::Starting { launch, position };
            self.newest_start = position;
            self.starting.insert((not_before, key, slot));
        }
    }

    /// Whether a start is written and not on the disk.
    pub(super) fn starts_wait_for_the_disk(&self) -> bool {
        !self.starting.is_empty() && self.newest_start > self.journal.durable()
    }

    /// Gives the spawners what is due and on the disk.
    pub(super) fn order_processes(&mut self) {
        if self.starting.is_empty()
            || self.lease_until <= self.now
            || self.events.waits_for_server(self.now).is_some()
        {
            return;
        }
        let durable = self.journal.durable();
        let slots = &self.slots;
        let is_on_disk = |(_, _, slot): &Entry| match slots.get(*slot).map(|it| &it.state) {
            Some(State::Starting { position, .. }) => *position <= durable,
            _ => unreachable!("the starting set holds starting attempts"),
        };
        let room = ORDERED_MAX.saturating_sub(self.spawners.waiting());
        let turns = std::iter::from_fn(|| {
            let entry = self.starting.turn(self.now, is_on_disk)?;
            self.starting.remove(&entry);
            Some(entry)
        });
        let entries: Vec<Entry> = turns.take(room).collect();
        let mut orders = Vec::with_capacity(entries.len());
        for (_, _, slot) in entries {
            let attempt = self
                .slots
                .get_mut(slot)
                .expect("what is starting has a slot");
            let before = std::mem::replace(&mut attempt.state, State::Spawning { stop: None });
            let State::Starting { launch, .. } = before else {
                unreachable!("the starting set holds starting attempts")
            };
            self.running += 1;
            orders.push(SpawnOrder {
                slot,
                launch,
                purpose: Purpose::Run,
            });
        }
        fault::reach_if(Point::ExecutorStartAfter, || !orders.is_empty());
        self.spawners.order(orders);
    }

    /// The lease ended between the order and the process. The start is on the disk and stays there.
    pub(super) fn wait_again(&mut self, slot: Slot, launch: Box<Launch>) {
        self.running -= 1;
        let Some(attempt) = self.slots.get_mut(slot) else {
            return;
        };
        let State::Spawning { stop } = &mut attempt.state else {
            return;
        };
        if let Some(Stop::Cancelled { reason }) = stop.take() {
            self.finish_without_process(slot, Ending::Cancelled { reason });
            return;
        }
        if queued_until(&launch).is_some_and(|until| until <= self.now) {
            // Its timer has passed while the spawner had it.
            self.timers.add(self.now, Timer::Queue(slot));
        }
        let entry = (launch.not_before, launch.key, slot);
        attempt.state = State::Starting {
            launch,
            position: 0,
        };
        self.starting.insert(entry);
    }

    /// Whether the loop may wait for the disk for a moment without making a start late.
    pub(super) fn haste(&self) -> Haste {
        let quiet_until = self.now.plus(QUIET_FOR);
        let is_due = |(not_before, ..): &Entry| *not_before < quiet_until;
        if self.starting.is_empty() && !self.armed.first().is_some_and(is_due) {
            Haste::NothingIsDue
        } else {
            Haste::SomethingIsDue
        }
    }

    /// When the next launch needs the loop; `None` when it is not time that is missing.
    pub(super) fn next_launch(&self) -> Option<Boottime> {
        let armed = self
            .armed
            .first()
            .map(|(not_before, ..)| Boottime(not_before.0.saturating_sub(WRITE_AHEAD)));
        let armed = armed.filter(|_| self.may_start());
        let starting = self
            .starting
            .first()
            .map(|(not_before, ..)| *not_before)
            .filter(|at| *at > self.now);
        armed.into_iter().chain(starting).min()
    }

    pub(super) fn cancel(&mut self, key: AttemptKey, reason: String, scope: CancelScope) {
        let Some(slot) = self.slots.find(key) else {
            if self.events.is_over(key) {
                self.control.queue(&Report::Refused {
                    key,
                    reason: RefusalReason::AlreadyOver,
                });
            } else {
                // Never seen here: the record is what refuses it from now on.
                self.record_finish(
                    key,
                    self.result_without_process(Ending::Cancelled { reason }),
                );
            }
            return;
        };
        let attempt = self
            .slots
            .get_mut(slot)
            .expect("a key leads to a live slot");
        match &mut attempt.state {
            State::Armed(_) | State::Starting { .. } => {
                self.finish_without_process(slot, Ending::Cancelled { reason });
            }
            State::Spawning { .. } | State::Running(_) if scope == CancelScope::BeforeStart => {
                self.control.queue(&Report::Refused {
                    key,
                    reason: RefusalReason::AlreadyStarted,
                });
            }
            State::Spawning { stop } => *stop = Some(Stop::Cancelled { reason }),
            State::Running(_) => self.stop(slot, &Stop::Cancelled { reason }),
        }
    }

    /// Ends an attempt that has no process.
    pub(super) fn finish_without_process(&mut self, slot: Slot, ending: Ending) {
        let Some(attempt) = self.slots.remove(slot) else {
            return;
        };
        match &attempt.state {
            State::Armed(launch) => self.armed.remove(&(launch.not_before, attempt.key, slot)),
            State::Starting { launch, .. } => {
                self.starting
                    .remove(&(launch.not_before, attempt.key, slot));
            }
            State::Spawning { .. } | State::Running(_) => {}
        }
        self.record_finish(attempt.key, self.result_without_process(ending));
    }

    fn result_without_process(&self, ending: Ending) -> AttemptResult {
        AttemptResult {
            ending,
            started_at: None,
            finished_at: self.clock.wall(),
            usage: odin_model::Usage::default(),
            output: OutputSummary::default(),
        }
    }

    pub(super) fn record_finish(&mut self, key: AttemptKey, result: AttemptResult) {
        self.record_event(&Record::Finished {
            number: self.events.next_number(),
            key,
            result,
        });
    }

    /// Writes an event's record, which holds the next number, and queues the event.
    pub(super) fn record_event(&mut self, record: &Record) {
        let number = self.events.take_number();
        let event = super::events::event_of(record).expect("only records of events come here");
        assert_eq!(
            event.number, number,
            "a record holds the number that is next"
        );
        let position = self.journal.add(record);
        self.events.push(event, position);
    }
}
