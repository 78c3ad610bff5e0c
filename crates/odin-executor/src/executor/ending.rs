//! Ending a whole tree: TERM, the grace, KILL, until nothing is left.

use std::collections::HashSet;
use std::time::Duration;

use odin_model::Children;
use rustix::process::Signal;

use super::attempt::{Kill, Running, Stop};
use super::main_loop::MainLoop;
use super::slots::Slot;
use super::timers::Timer;
use crate::limits::Group;
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
    pub(super) fn stop(&mut self, slot: Slot, stop: &Stop) {
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        // Its first process has ended by itself: how, is how the run ended.
        if running.stop.is_some() || running.exit.is_some() {
            return;
        }
        running.stop = Some(stop.clone());
        if !self.begin_on_cancel(slot, stop) {
            self.end_tree(slot);
        }
    }

    /// The first process has ended and its output is read: the run is over when nothing is left of its tree.
    pub(super) fn wind_up(&mut self, slot: Slot) {
        let alive = super::orphans::reap();
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        // It goes on without the attempt, and is waited for.
        if running.on_cancel.is_awaited() {
            return;
        }
        let is_left = alive
            || running.leaders().any(|(pid, _)| tree::group_exists(pid))
            || running.groups().any(|group| !group.processes().is_empty());
        let is_kept = running.children == Children::Keep && running.stop.is_none();
        if is_left && is_kept {
            let session = running.pid;
            self.keep(slot, session);
        } else if !is_left {
            self.finish(slot);
        } else if running.ending.is_some() {
            self.sweep(slot);
        } else {
            self.end_tree(slot);
        }
    }

    /// Ends an attempt and leaves what is left of it alone.
    fn keep(&mut self, slot: Slot, session: u32) {
        if let Some(attempt) = self.slots.get_mut(slot) {
            let key = attempt.key;
            self.kept.add(key, session);
            self.finish(slot);
        }
    }

    pub(super) fn end_tree(&mut self, slot: Slot) {
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
            killed: HashSet::new(),
            pause: SWEEP_FIRST,
        });
        self.sweep(slot);
    }

    /// Kills what is left of an attempt, whatever time it was given to end.
    pub(super) fn kill_now(&mut self, slot: Slot) {
        let now = self.now;
        self.time_out_on_cancel(slot);
        if self
            .running_mut(slot)
            .is_some_and(|running| running.ending.is_none())
        {
            self.end_tree(slot);
        }
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        if let Some(kill) = &mut running.ending
            && kill.kill_at > now
        {
            kill.kill_at = now;
            kill.give_up_at = now.plus(GIVE_UP_AFTER);
            self.sweep(slot);
        }
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
        let kill = running.ending.as_mut().expect("looked at above");
        let is_given_up = now >= kill.give_up_at;
        let is_kill = now >= kill.kill_at;
        if is_kill {
            kill_all(kill, &members);
        } else {
            tell_all(kill, &members);
        }
        let next = now.plus(kill.pause);
        let next = if is_kill {
            next
        } else {
            next.min(kill.kill_at)
        };
        kill.pause = (kill.pause * 2).min(SWEEP_LATER);
        let read = running.exit.is_some() && running.pipes_are_closed();
        let mut is_empty = members.is_empty();
        for group in running.groups() {
            is_empty &= group.processes().is_empty();
            if is_kill {
                group.kill();
            }
        }
        self.snapshot = Some(snapshot);
        if is_empty {
            is_empty = self.has_no_orphan(slot, is_kill.then_some(Signal::KILL));
        }
        if (is_empty && read) || is_given_up {
            self.finish(slot);
        } else {
            self.timers.add(next, Timer::Sweep(slot));
        }
    }
}

/// Sends TERM to all that were not told yet: each is told once, and one that appears later when it is seen.
fn tell_all(kill: &mut Kill, members: &[Process]) {
    for process in members {
        if kill.told.len() < TOLD_MAX && kill.told.insert((process.pid, process.start_ticks)) {
            tree::signal(process, Signal::TERM);
            // A stopped process takes the TERM only when it goes on.
            tree::signal(process, Signal::CONT);
        }
    }
}

/// Sends KILL to all.
fn kill_all(kill: &mut Kill, members: &[Process]) {
    for process in members {
        tree::signal(process, Signal::KILL);
        let is_known = kill.killed.len() < TOLD_MAX;
        if !is_known || kill.killed.insert((process.pid, process.start_ticks)) {
            // While new ones come, they must be looked at faster than they fork.
            kill.pause = SWEEP_FIRST;
        }
    }
}

/// All living processes of an attempt.
fn members(running: &Running, snapshot: &Snapshot) -> Vec<Process> {
    // Once a leader was waited for, its pid is free as soon as its group is empty: one that has it now leads a group
    // of its own.
    let leaders: Vec<(u32, bool)> = running
        .leaders()
        .filter(|&(pid, leads)| leads || snapshot.get(pid).is_none())
        .collect();
    let inside: HashSet<u32> = running.groups().flat_map(Group::processes).collect();
    let mut members = snapshot.trees(|process| {
        let is_led = |&(pid, leads): &(u32, bool)| {
            process.group == pid || process.session == pid || (leads && process.pid == pid)
        };
        leaders.iter().any(is_led)
            || inside.contains(&process.pid)
            || running
                .orphans
                .contains(&(process.pid, process.start_ticks))
    });
    // The first one first: a shell that sees its child end by TERM before itself would call it an exit.
    members.sort_by_key(|process| process.pid != running.pid);
    members
}
