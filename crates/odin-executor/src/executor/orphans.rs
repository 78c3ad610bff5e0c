//! Processes whose parent ended: the executor is their subreaper.
//!
//! The kernel makes them children of the executor's first thread, while attempts' first processes are children of
//! the spawner threads. So one `waitpid` with `__WNOTHREAD` tells whether there are any, and the costly look at
//! `/proc` is needed only when there are.

use std::ptr;

use super::attempt::State;
use super::main_loop::MainLoop;
use super::slots::Slot;
use crate::process::tree::{self, Process, Snapshot};
use rustix::process::Signal;

#[derive(Default)]
pub(super) struct Orphans {
    changed: bool,
    /// First processes that could not be ended, and are still to be waited for.
    given_up: Vec<u32>,
}

impl Orphans {
    /// A child has ended.
    pub(super) fn changed(&mut self) {
        self.changed = true;
    }

    /// A first process that nobody waits for any longer.
    pub(super) fn give_up(&mut self, pid: u32) {
        self.given_up.push(pid);
    }

    /// Waits for those that have ended, if any have; what is left then.
    pub(super) fn reap(&mut self) -> Option<Orphaned> {
        std::mem::take(&mut self.changed).then(|| {
            let alive = reap();
            self.given_up.retain(|pid| {
                let Ok(pid) = libc::pid_t::try_from(*pid) else {
                    return false;
                };
                // SAFETY: no memory is written.
                unsafe { libc::waitpid(pid, ptr::null_mut(), libc::WNOHANG) == 0 }
            });
            if alive {
                Orphaned::Some
            } else {
                Orphaned::None
            }
        })
    }
}

/// Whether any orphan lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Orphaned {
    None,
    Some,
}

/// Waits for orphans that have ended; whether any live.
pub(super) fn reap() -> bool {
    loop {
        // SAFETY: no memory is written. Spawner threads' children are not touched.
        match unsafe { libc::waitpid(-1, ptr::null_mut(), libc::WNOHANG | libc::__WNOTHREAD) } {
            0 => return true,
            pid if pid > 0 => {}
            _ => return false,
        }
    }
}

/// Whether the process is a child of the calling thread, and not of a spawner: an orphan.
fn is_orphan(process: &Process) -> bool {
    // SAFETY: an all-zero siginfo is valid, and is what the call writes to. WNOWAIT leaves the child as it is.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let flags = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT | libc::__WNOTHREAD;
        libc::waitid(libc::P_PID, process.pid, &raw mut info, flags) == 0
    }
}

/// Whose an orphan is.
enum Owner {
    Attempt(Slot),
    /// Of several attempts; the last of them to end takes it along.
    OneOfMany,
    /// Of an attempt that is over and was told to keep what it leaves.
    Kept,
    /// Every attempt that it can be of is over.
    Nobody,
}

impl MainLoop {
    /// `/proc` as this turn of the loop sees it, after every orphan has been given to its attempt. The caller puts
    /// it back into `self.snapshot`.
    pub(super) fn look(&mut self) -> Snapshot {
        if let Some(snapshot) = self.snapshot.take() {
            return snapshot;
        }
        let snapshot = Snapshot::take();
        if !reap() {
            self.kept.clear();
            return snapshot;
        }
        for process in snapshot.children(std::process::id()) {
            if process.zombie || !is_orphan(process) {
                continue;
            }
            match self.owner(process) {
                Owner::Attempt(slot) => {
                    if let Some(running) = self.running_mut(slot) {
                        running.orphans.insert((process.pid, process.start_ticks));
                    }
                }
                Owner::OneOfMany | Owner::Kept => {}
                Owner::Nobody => tree::signal(process, Signal::KILL),
            }
        }
        snapshot
    }

    /// Whether none of the orphans is of this attempt, for certain: `/proc` cannot be read as fast as a process can
    /// fork and end, over and over, so that it is gone when its pid is come to and its child has another. Every such
    /// child becomes the executor's own at once, and those alone are read here, and signalled if that is asked for.
    pub(super) fn has_no_orphan(&mut self, slot: Slot, signal: Option<Signal>) -> bool {
        const LOOKS: usize = 400;
        let own = std::process::id();
        let path = format!("/proc/{own}/task/{own}/children");
        let looks = if signal.is_some() { LOOKS } else { 1 };
        for _ in 0..looks {
            if !reap() {
                return true;
            }
            // A kernel that does not tell leaves what the snapshot showed.
            let Ok(children) = std::fs::read_to_string(&path) else {
                return true;
            };
            let mut is_met = false;
            for pid in children.split_whitespace() {
                let process = pid.parse().ok().and_then(tree::process);
                // One that ended between the two looks may be what is sought, and have a child.
                let Some(process) = process.filter(|process| !process.zombie) else {
                    is_met = true;
                    continue;
                };
                if matches!(self.owner(&process), Owner::Attempt(of) if of == slot) {
                    is_met = true;
                    signal
                        .into_iter()
                        .for_each(|signal| tree::signal(&process, signal));
                }
            }
            if !is_met {
                return true;
            }
        }
        false
    }

    fn owner(&self, process: &Process) -> Owner {
        let identity = (process.pid, process.start_ticks);
        let running = || {
            self.slots
                .iter()
                .filter_map(|(slot, attempt)| match &attempt.state {
                    State::Running(running) => Some((slot, running)),
                    State::Armed(_) | State::Starting { .. } | State::Spawning { .. } => None,
                })
        };
        if let Some((slot, _)) = running().find(|(_, running)| running.orphans.contains(&identity))
        {
            return Owner::Attempt(slot);
        }
        if let Some(slot) = self
            .by_pid
            .get(&process.session)
            .or_else(|| self.by_pid.get(&process.group))
        {
            return Owner::Attempt(*slot);
        }
        let key = tree::attempt_of(process.pid);
        if let Some(slot) = key.and_then(|key| self.slots.find(key)) {
            return Owner::Attempt(slot);
        }
        if self.kept.may_have(process.session, key) {
            return Owner::Kept;
        }
        if key.is_some() {
            return Owner::Nobody;
        }
        // It left its session and hides its environment. It can only be of an attempt that is older than itself,
        // or of one whose spawner has not told of it yet.
        let mut older =
            running().filter(|(_, running)| running.made <= tree::made(process).plus(tree::TICK));
        let is_spawning = self
            .slots
            .iter()
            .any(|(_, attempt)| matches!(attempt.state, State::Spawning { .. }));
        match (older.next(), older.next()) {
            (None, _) if !is_spawning => Owner::Nobody,
            (Some((slot, _)), None) if !is_spawning => Owner::Attempt(slot),
            _ => Owner::OneOfMany,
        }
    }
}
