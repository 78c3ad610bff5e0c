//! What the main loop must do at an instant.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use odin_model::Boottime;

use super::slots::Slot;

/// What to do for an attempt. A timer whose attempt is over, or past it, does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// It has waited for its start for as long as it may.
    Queue(Slot),
    /// It should have given a sign of life by now.
    Start(Slot),
    /// It has run for as long as it may.
    Run(Slot),
    /// It may have been silent for too long.
    Silence(Slot),
    /// The lease may have ended too long ago for it to go on.
    Unleased(Slot),
    /// The command that runs before it is ended has had its time.
    OnCancel(Slot),
    /// The first process has ended a while ago: its output is not waited for any longer.
    Drained(Slot),
    /// Look at what is left of a tree that is being ended.
    Sweep(Slot),
    /// What is held back of its output for being like a secret has been for long enough.
    Flush(Slot),
    /// The kernel had no memory to watch a process or its output: try again.
    Watch(Slot),
    /// What it has reported is not waited for any longer.
    Values(Slot),
    /// Control groups that were busy may be empty now.
    Groups,
}

impl Timer {
    fn slot(self) -> Option<Slot> {
        match self {
            Self::Queue(slot)
            | Self::Start(slot)
            | Self::Run(slot)
            | Self::Silence(slot)
            | Self::Unleased(slot)
            | Self::OnCancel(slot)
            | Self::Drained(slot)
            | Self::Sweep(slot)
            | Self::Flush(slot)
            | Self::Watch(slot)
            | Self::Values(slot) => Some(slot),
            Self::Groups => None,
        }
    }
}

/// From this many timers on, those of attempts that are over are thrown away whenever their number has doubled: a
/// timeout of a day must not be kept for a day for each run of that day.
const PRUNE_FROM: usize = 4096;

/// Timers in the order of their instants.
#[derive(Default)]
pub(super) struct Timers {
    heap: BinaryHeap<Reverse<(Boottime, Timer)>>,
    /// How many were left when they were last pruned.
    pruned_to: usize,
}

impl Timers {
    pub(super) fn add(&mut self, at: Boottime, timer: Timer) {
        self.heap.push(Reverse((at, timer)));
    }

    /// Throws those away whose attempt is over, when there may be many.
    pub(super) fn prune(&mut self, is_live: impl Fn(Slot) -> bool) {
        if self.heap.len() < PRUNE_FROM || self.heap.len() < 2 * self.pruned_to {
            return;
        }
        self.heap
            .retain(|Reverse((_, timer))| timer.slot().is_none_or(&is_live));
        self.heap.shrink_to(PRUNE_FROM.max(2 * self.heap.len()));
        self.pruned_to = self.heap.len();
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn timeouts_of_a_day_do_not_pile_up_for_runs_that_are_over() {
        let mut timers = Timers::default();
        let a_day = Boottime(Duration::from_secs(86_400));
        for index in 0..1_000_000 {
            let generation = 0;
            timers.add(a_day, Timer::Run(Slot { index, generation }));
            timers.prune(|slot| slot.index + 100 > index);
            assert!(timers.heap.len() <= PRUNE_FROM);
        }
        let last = Slot {
            index: 999_999,
            generation: 0,
        };
        let left: Vec<_> = std::iter::from_fn(|| timers.pop(a_day)).collect();
        assert!(left.contains(&Timer::Run(last)), "a live one stays");
    }
}
