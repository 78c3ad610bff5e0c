//! The executors of data that is about to be replaced.
//!
//! A server that was stopped leaves its executor while that has something armed or results to hand over. With processes
//! it keeps the data from being replaced: they would go on, and nobody would know of them any more. Without any it is
//! ended at the last moment; what it has recorded is on the disk, in its journal.

use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use odin_executor::{DataDir as ExecutorDir, GENERATIONS_MAX};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// How long a process that was killed may take to be gone.
const END_WAIT: Timespec = Timespec {
    tv_sec: 10,
    tv_nsec: 0,
};

/// Whether an executor of the data directory has processes.
pub(super) fn have_processes(root: &Path) -> bool {
    living(root).iter().any(|(pid, _)| has_children(*pid))
}

/// Ends the executors of the data directory. False: one has processes, and all go on.
pub(super) fn end_idle(root: &Path) -> io::Result<bool> {
    let living = living(root);
    for (_, process) in &living {
        // So that nothing is started between the look and the end.
        signal(process, Signal::STOP)?;
    }
    if living.iter().any(|(pid, _)| has_children(*pid)) {
        for (_, process) in &living {
            signal(process, Signal::CONT)?;
        }
        return Ok(false);
    }
    for (_, process) in &living {
        signal(process, Signal::KILL)?;
        let mut ended = [PollFd::new(process, PollFlags::IN)];
        poll(&mut ended, Some(&END_WAIT))?;
    }
    Ok(true)
}

/// Those that listen, by what the kernel says of their sockets.
fn living(root: &Path) -> Vec<(Pid, OwnedFd)> {
    let of_generation = |generation| {
        let dir = ExecutorDir::of_generation(root.to_owned(), generation);
        let stream = UnixStream::connect(dir.control_socket()).ok()?;
        let pid = socket_peercred(&stream).ok()?.pid;
        Some((pid, pidfd_open(pid, PidfdFlags::empty()).ok()?))
    };
    (1..=GENERATIONS_MAX).filter_map(of_generation).collect()
}

fn has_children(pid: Pid) -> bool {
    let tasks = fs::read_dir(format!("/proc/{}/task", pid.as_raw_pid()));
    tasks.into_iter().flatten().flatten().any(|task| {
        let children = fs::read_to_string(task.path().join("children"));
        children.is_ok_and(|children| !children.trim().is_empty())
    })
}

fn signal(process: &OwnedFd, signal: Signal) -> io::Result<()> {
    match pidfd_send_signal(process, signal) {
        // It has ended by itself.
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
