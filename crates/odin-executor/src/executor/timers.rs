//! What the main loop must do at an instant.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use odin_model::Boottime;

use super::slots::Slot;

/// What to do for an attempt. A timer whose attempt is over, or past it, does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// The job's timeout has passed.
    Timeout(Slot),
    /// The first process has ended a while ago: its output is not waited for any longer.
    Drained(Slot),
    /// Look at what is left of a tree that is being ended.
    Sweep(Slot),
    /// The kernel had no memory to watch a process or its output: try again.
    Watch(Slot),
}

/// Timers in the order of their instants.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Boottime, Timer)>>,
}

impl Timers {
    pub(super) fn add(&mut self, at: Boottime, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// The next timer whose instant has come.
    pub(super) fn pop(&mut self, now: Boottime) -> Option<Timer> {
        let Reverse((at, _)) = self.heap.peek()?;
        if *at > now {
            return None;
        }
        self.heap.pop().map(|Reverse((_, timer))| timer)
    }

    /// When the next one is due.
    pub(super) fn next(&self) -> Option<Boottime> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }
}
