//! Ending a whole tree: TERM, the grace, KILL, until nothing is left.

use std::collections::HashSet;
use std::time::Duration;

use rustix::process::Signal;

use super::attempt::{Kill, Running, Stop};
use super::main_loop::MainLoop;
use super::slots::Slot;
use super::timers::Timer;
use crate::process::tree::{self, Process, Snapshot};

/// How long KILL is tried. What lives on after that waits inside the kernel, for a disk or a network that is gone;
/// the run's result must not wait with it.
const GIVE_UP_AFTER: Duration = Duration::from_secs(10);
/// Between two looks at what is left: short at first, for most programs end at once.
const SWEEP_FIRST: Duration = Duration::from_millis(2);
const SWEEP_LATER: Duration = Duration::from_millis(100);
/// Processes that get a TERM, at most: a program that forks without end is waited for until the KILL.
const TOLD_MAX: usize = 10_000;

impl MainLoop {
    /// Begins to end an attempt that runs. A second reason to stop changes nothing.
    pub(super) fn stop(&mut self, slot: Slot, stop: Stop) {
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        // Its first process has ended by itself: how, is how the run ended.
        if running.stop.is_some() || running.exit.is_some() {
            return;
        }
        running.stop = Some(stop);
        self.end_tree(slot);
    }

    /// The first process has ended and its output is read: the run is over when nothing is left of its tree.
    pub(super) fn wind_up(&mut self, slot: Slot) {
        let alive = super::orphans::reap();
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        let is_group = running.pid != 0 && tree::group_exists(running.pid);
        if !alive && !is_group {
            self.finish(slot);
        } else if running.ending.is_some() {
            self.sweep(slot);
        } else {
            self.end_tree(slot);
        }
    }

    fn end_tree(&mut self, slot: Slot) {
        let now = self.now;
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        let kill_at = now.plus(running.kill_grace);
        let give_up_at = kill_at.plus(GIVE_UP_AFTER);
        running.ending = Some(Kill {
            kill_at,
            give_up_at,
            told: HashSet::new(),
            pause: SWEEP_FIRST,
        });
        self.sweep(slot);
    }

    /// Looks at what is left of a tree that is being ended, and signals it.
    pub(super) fn sweep(&mut self, slot: Slot) {
        if self
            .running_mut(slot)
            .is_none_or(|running| running.ending.is_none())
        {
            return;
        }
        let now = self.now;
        let snapshot = self.look();
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        let members = members(running, &snapshot);
        let is_over = members.is_empty() && running.exit.is_some() && running.pipes_are_closed();
        let kill = running.ending.as_mut().expect("looked at above");
        let is_given_up = now >= kill.give_up_at;
        if now >= kill.kill_at {
            members
                .iter()
                .for_each(|process| tree::signal(process, Signal::KILL));
        } else {
            // Each process is told once, and one that appears later when it is seen.
            for process in &members {
                if kill.told.len() < TOLD_MAX
                    && kill.told.insert((process.pid, process.start_ticks))
                {
                    tree::signal(process, Signal::TERM);
                    // A stopped process takes the TERM only when it goes on.
                    tree::signal(process, Signal::CONT);
                }
            }
        }
        let next = now.plus(kill.pause);
        let next = if now < kill.kill_at {
            next.min(kill.kill_at)
        } else {
            next
        };
        kill.pause = (kill.pause * 2).min(SWEEP_LATER);
        self.snapshot = Some(snapshot);
        if is_over || is_given_up {
            self.finish(slot);
        } else {
            self.timers.add(next, Timer::Sweep(slot));
        }
    }
}

/// All living processes of an attempt.
fn members(running: &Running, snapshot: &Snapshot) -> Vec<Process> {
    let leads = running.pid != 0 && running.exit.is_none();
    // Once the first process was waited for, its pid is free as soon as its group is empty: one that has it now
    // leads a group of its own.
    let is_reused = !leads && snapshot.get(running.pid).is_some();
    let mut members = snapshot.trees(|process| {
        let of_group = process.group == running.pid || process.session == running.pid;
        (leads && process.pid == running.pid)
            || (running.pid != 0 && !is_reused && of_group)
            || running
                .orphans
                .contains(&(process.pid, process.start_ticks))
    });
    // The first one first: a shell that sees its child end by TERM before itself would call it an exit.
    members.sort_by_key(|process| process.pid != running.pid);
    members
}
