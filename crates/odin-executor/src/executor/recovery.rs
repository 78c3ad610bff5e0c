//! What an executor that died left behind.
//!
//! Its children's output and exit status are gone with it, so their attempts are lost. Before that is said, what is
//! left of them is ended, at once and by KILL: nobody reads their output any more, and a successor must not overlap.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use odin_model::attempt::{AttemptResult, Ending};
use odin_model::output::OutputSummary;
use odin_model::{Clock, Usage};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal};

use crate::journal::{Live, Replay};
use crate::limits::Groups;
use crate::process::ON_CANCEL_SUFFIX;
use crate::process::tree::{self, Process, Snapshot};
use crate::protocol::AttemptKey;

/// How long processes that were sent KILL are waited for. What is left then waits inside the kernel.
const WAIT_AT_MOST: Duration = Duration::from_secs(10);

/// Ends the processes of attempts that an earlier executor had, and says how those attempts ended.
pub(super) fn end_what_was_left(
    replay: &Replay,
    boot_id: &str,
    clock: &dyn Clock,
    groups: &Groups,
    values_socket: &Path,
) -> Vec<(AttemptKey, AttemptResult)> {
    let same_boot: BTreeMap<_, _> = replay
        .live
        .iter()
        .filter(|(_, live)| live.boot_id == boot_id)
        .collect();
    let names: HashSet<String> = same_boot.keys().map(|key| key.to_string()).collect();
    groups.sweep(|name| names.contains(name.strip_suffix(ON_CANCEL_SUFFIX).unwrap_or(name)));
    let until = clock.boottime().plus(WAIT_AT_MOST);
    while !same_boot.is_empty() && clock.boottime() < until {
        let left = members(&same_boot, values_socket);
        if left.is_empty() {
            break;
        }
        left.iter()
            .for_each(|process| tree::signal(process, Signal::KILL));
        wait_for_one(&left);
    }
    let lost = |(key, live): (&AttemptKey, &Live)| {
        let reason = match (live.boot_id == boot_id, live.process) {
            (false, _) => "the machine went down while it ran",
            (true, None) => "the executor died while it started",
            (true, Some(_)) => "the executor died while it ran",
        };
        let result = AttemptResult {
            ending: Ending::Lost {
                reason: reason.to_owned(),
            },
            started_at: live.started_at,
            finished_at: clock.wall(),
            usage: Usage::default(),
            output: OutputSummary::default(),
        };
        (*key, result)
    };
    replay.live.iter().map(lost).collect()
}

fn members(live: &BTreeMap<&AttemptKey, &Live>, values_socket: &Path) -> Vec<Process> {
    let snapshot = Snapshot::take();
    let leaders: Vec<(u32, bool)> = live
        .values()
        .filter_map(|live| live.process)
        .map(|(pid, made)| {
            (
                pid,
                snapshot
                    .get(pid)
                    .is_none_or(|process| tree::is_made_at(process, made)),
            )
        })
        .collect();
    let own = std::process::id();
    snapshot.trees(|process| {
        // A leader that is gone leaves its number to its group; one that is another process does not.
        let of_group = |pid| process.group == pid || process.session == pid || process.pid == pid;
        let is_led = leaders.iter().any(|&(pid, same)| same && of_group(pid));
        let is_marked = || {
            tree::attempt_of(process.pid).is_some_and(|key| live.contains_key(&key))
                && tree::reports_to(process.pid, values_socket)
        };
        process.pid != own && process.session != 0 && (is_led || is_marked())
    })
}

/// Returns when one of them has ended, or a little later.
fn wait_for_one(processes: &[Process]) {
    let open = |process: &Process| -> Option<OwnedFd> {
        let pid = Pid::from_raw(i32::try_from(process.pid).ok()?)?;
        rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()
    };
    let descriptors: Vec<OwnedFd> = processes.iter().take(256).filter_map(open).collect();
    let mut polled: Vec<_> = descriptors
        .iter()
        .map(|descriptor| PollFd::new(descriptor, PollFlags::IN))
        .collect();
    let timeout = Timespec {
        tv_sec: 0,
        tv_nsec: 20_000_000,
    };
    // Interrupted or timed out: the caller looks again.
    let _ = rustix::event::poll(&mut polled, Some(&timeout));
}
