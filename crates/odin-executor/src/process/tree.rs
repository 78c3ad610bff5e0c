//! Which processes belong to an attempt, from `/proc`, and how to signal them without hitting a stranger.
//!
//! An attempt's processes are the descendants of its first one, the members of the session and group that it leads,
//! and orphans of its tree: the executor is their subreaper, so they become its children wherever they fled.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use odin_model::Boottime;
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::protocol::AttemptKey;

/// How coarse start times are, generously.
pub(crate) const TICK: Duration = Duration::from_millis(20);

/// A process as `/proc/<pid>/stat` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// When it was made, in clock ticks since the machine booted. With the pid, its identity.
    pub(crate) start_ticks: u64,
    /// Ended, and not waited for by its parent.
    pub(crate) zombie: bool,
}

/// All processes at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    processes: Vec<Process>,
}

impl Snapshot {
    /// Reads `/proc`: some 10 µs for each process of the machine. A process that ends meanwhile is left out.
    pub(crate) fn take() -> Self {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self {
            processes: pids.filter_map(process).collect(),
        }
    }

    /// The children of `parent`.
    pub(crate) fn children(&self, parent: u32) -> impl Iterator<Item = &Process> {
        self.processes
            .iter()
            .filter(move |process| process.parent == parent)
    }

    /// The process with that pid.
    pub(crate) fn get(&self, pid: u32) -> Option<&Process> {
        self.processes.iter().find(|process| process.pid == pid)
    }

    /// The living processes that `is_root` names and all their descendants.
    pub(crate) fn trees(&self, is_root: impl Fn(&Process) -> bool) -> Vec<Process> {
        let mut children: HashMap<u32, Vec<&Process>> = HashMap::new();
        for process in &self.processes {
            children.entry(process.parent).or_default().push(process);
        }
        let mut pending: Vec<&Process> = self
            .processes
            .iter()
            .filter(|process| is_root(process))
            .collect();
        let (mut seen, mut members) = (HashSet::new(), Vec::new());
        while let Some(process) = pending.pop() {
            if seen.insert(process.pid) {
                members.extend((!process.zombie).then_some(*process));
                pending.extend(children.get(&process.pid).into_iter().flatten());
            }
        }
        members
    }
}

/// Reads one process; `None` when there is none.
pub(crate) fn process(pid: u32) -> Option<Process> {
    let text = fs::read(format!("/proc/{pid}/stat")).ok()?;
    parse(pid, &text)
}

fn parse(pid: u32, stat: &[u8]) -> Option<Process> {
    // The name is in parentheses and may hold anything, parentheses too: what follows the last one is regular.
    let end = stat.iter().rposition(|&byte| byte == b')')?;
    let mut fields = std::str::from_utf8(stat.get(end + 2..)?).ok()?.split(' ');
    let state = fields.next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let session = fields.next()?.parse().ok()?;
    // Fields 7 to 21 of proc(5) lie between the session and the start time.
    let start_ticks = fields.nth(15)?.parse().ok()?;
    Some(Process {
        pid,
        parent,
        group,
        session,
        start_ticks,
        zombie: matches!(state, "Z" | "X"),
    })
}

/// Sends `signal` to that very process, and not to a later one with its pid.
pub(crate) fn signal(process: &Process, signal: Signal) {
    let Some(pid) = i32::try_from(process.pid).ok().and_then(Pid::from_raw) else {
        return;
    };
    let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else {
        return;
    };
    // The descriptor holds on to whoever has the pid now; the start time tells who that is.
    let same = self::process(process.pid).is_some_and(|now| now.start_ticks == process.start_ticks);
    if same {
        // It may have ended, or be of a user whom this executor may not signal: the next look shows it.
        let _ = rustix::process::pidfd_send_signal(&pidfd, signal);
    }
}

/// A variable of the environment with which a process was started.
fn variable<'e>(environ: &'e [u8], name: &str) -> Option<&'e str> {
    let mut entries = environ.split(|&byte| byte == 0);
    let value = entries.find_map(|entry| {
        let rest = entry.strip_prefix(name.as_bytes())?;
        rest.strip_prefix(b"=")
    })?;
    std::str::from_utf8(value).ok()
}

/// Whether a process was started for the values socket at this path: runs of another data directory of the machine
/// may have the same ids.
pub(crate) fn reports_to(pid: u32, socket: &Path) -> bool {
    let Ok(environ) = fs::read(format!("/proc/{pid}/environ")) else {
        return false;
    };
    let Some(found) = variable(&environ, "ODIN_SOCKET").map(Path::new) else {
        return false;
    };
    let directory = |path: &Path| path.parent().and_then(|it| fs::canonicalize(it).ok());
    found == socket
        || (found.file_name() == socket.file_name()
            && directory(found).is_some_and(|it| Some(it) == directory(socket)))
}

/// The attempt that a process says it belongs to, by the environment it was started with, if that may be read.
pub(crate) fn attempt_of(pid: u32) -> Option<AttemptKey> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let run = variable(&environ, "ODIN_RUN_ID")?.parse().ok()?;
    let attempt = variable(&environ, "ODIN_ATTEMPT")?.parse().ok()?;
    Some(AttemptKey {
        run,
        attempt: odin_model::AttemptNumber(attempt),
    })
}

/// Whether any process, a zombie too, is in the group.
pub(crate) fn group_exists(group: u32) -> bool {
    let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) else {
        return false;
    };
    !matches!(
        rustix::process::test_kill_process_group(group),
        Err(rustix::io::Errno::SRCH)
    )
}

/// When a process was made, by the kernel's coarse clock.
pub(crate) fn made(process: &Process) -> Boottime {
    Boottime(Duration::from_millis(
        process.start_ticks.saturating_mul(1000) / rustix::param::clock_ticks_per_second(),
    ))
}

/// Whether the process with this start time is the one that was made right after `at`. The kernel counts in ticks,
/// and the maker may have been held up after it read the clock; a pid does not come round again that soon.
pub(crate) fn is_made_at(process: &Process, at: Boottime) -> bool {
    let start = made(process);
    start.plus(TICK) >= at && start <= at.plus(Duration::from_secs(5))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_parentheses_does_not_shift_the_fields() {
        let stat = b"77 (a) b (c)) S 5 76 75 0 -1 4194560 9 0 0 0 1 2 3 4 20 0 1 0 4321 99 88";
        let expected = Process {
            pid: 77,
            parent: 5,
            group: 76,
            session: 75,
            start_ticks: 4321,
            zombie: false,
        };
        assert_eq!(parse(77, stat), Some(expected));
        assert_eq!(parse(1, b"1 (x"), None);
    }

    #[test]
    fn this_process_is_found() {
        let own = std::process::id();
        let snapshot = Snapshot::take();
        assert_eq!(snapshot.get(own).map(|process| process.pid), Some(own));
        assert!(
            snapshot
                .trees(|process| process.pid == own)
                .iter()
                .any(|process| process.pid == own)
        );
    }
}
