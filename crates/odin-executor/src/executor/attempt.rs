//! One attempt inside the executor: what it is doing, as one enum.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::time::Duration;

use jiff::Timestamp;
use odin_model::attempt::Ending;
use odin_model::{Boottime, Children, TimeoutKind, Timeouts, Unleased, Usage};

use super::on_cancel::OnCancelRun;
use crate::limits::Group;
use crate::masking::RunMasks;
use crate::output::Capture;
use crate::process::SecretFile;
use crate::protocol::{AttemptKey, Launch};
use crate::values::Access;

pub(super) struct Attempt {
    pub(super) key: AttemptKey,
    pub(super) state: State,
}

pub(super) enum State {
    /// Waits for its instant, or for a lease, or for room. Not in the journal.
    Armed(Box<Launch>),
    /// Its start is in the journal up to `position`; it waits for the disk and for its instant.
    Starting { launch: Box<Launch>, position: u64 },
    /// A spawner has it. A stop that comes meanwhile waits here.
    Spawning { stop: Option<Stop> },
    /// It has a process, or had one that left something behind.
    Running(Box<Running>),
}

pub(super) struct Running {
    /// The first process; it leads the attempt's session and group. 0 when an earlier executor never recorded it.
    pub(super) pid: u32,
    /// `None` once the first process was waited for, and for an earlier executor's.
    pub(super) pidfd: Option<OwnedFd>,
    pub(super) made: Boottime,
    pub(super) started_at: Option<Timestamp>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    pub(super) capture: Capture,
    /// What masks its secrets before they get there; `None` without secrets.
    pub(super) masks: Option<Box<RunMasks>>,
    /// The secrets that it got as files, which go with it.
    pub(super) _secret_files: Vec<SecretFile>,
    pub(super) kill_grace: Duration,
    pub(super) timeouts: Timeouts,
    /// When it ends without a lease.
    pub(super) unleased: Option<Unleased>,
    pub(super) children: Children,
    /// What runs before it is ended.
    pub(super) on_cancel: OnCancelRun,
    /// The control groups of its limits.
    pub(super) group: Option<Group>,
    pub(super) memory_limit: Option<u64>,
    /// What the kernel had counted of processes that it ended for memory when this one began.
    pub(super) kills_before: u64,
    /// When it last printed something; `None` while it has not.
    pub(super) printed: Option<Boottime>,
    /// How the first process ended; `None` while it lives.
    pub(super) exit: Option<Exit>,
    /// Why Odin is ending it; `None` unless it is.
    pub(super) stop: Option<Stop>,
    /// `None` until something is told to end.
    pub(super) ending: Option<Kill>,
    /// Its processes' way into the values socket, which ends with the attempt.
    pub(super) access: Access,
    /// Until when it is waited for that what they have said is on the disk; `None` while the attempt is not over.
    pub(super) values_until: Option<Boottime>,
    /// Orphans of this attempt's tree, by pid and start time. Empty until somebody looked for them.
    pub(super) orphans: HashSet<(u32, u64)>,
}

impl Running {
    pub(super) fn pipes_are_closed(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }

    /// When it last printed or said something; `None` while it has not.
    pub(super) fn last_sign(&self) -> Option<Boottime> {
        self.printed.max(self.access.heard())
    }

    /// Those who lead a session of this attempt, and whether their pids are certainly theirs: they are not waited for.
    pub(super) fn leaders(&self) -> impl Iterator<Item = (u32, bool)> {
        let first = (self.pid != 0).then_some((self.pid, self.exit.is_none()));
        first.into_iter().chain(self.on_cancel.leader())
    }

    /// All control groups of it.
    pub(super) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.group.iter().chain(self.on_cancel.group())
    }
}

/// How the first process of an attempt ended.
#[derive(Debug, Clone)]
pub(super) struct Exit {
    pub(super) how: How,
    pub(super) at: Timestamp,
    pub(super) usage: Usage,
    /// Its output is read until then, unless the pipes close before.
    pub(super) read_until: Boottime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    Code(u8),
    Signal { signal: u8, core: bool },
}

impl How {
    /// In the words of [`Ending::TimedOut`].
    pub(super) fn words(self) -> String {
        match self {
            Self::Code(code) => format!("exit code {code}"),
            Self::Signal { signal, .. } => format!("signal {signal}"),
        }
    }
}

/// Why Odin ends an attempt.
#[derive(Debug, Clone)]
pub(super) enum Stop {
    TimedOut {
        timeout: TimeoutKind,
        after: Duration,
    },
    Cancelled {
        reason: String,
    },
    /// Its node has held no lease for that long.
    Unleased {
        after: Duration,
    },
}

impl Stop {
    /// In words, for the command that runs before.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Cancelled { reason } => reason.clone(),
            Self::Unleased { after } => unleased_words(*after),
            Self::TimedOut { timeout, after } => {
                let ending = Ending::TimedOut {
                    timeout: *timeout,
                    after: *after,
                    after_kill: None,
                };
                ending.reason().unwrap_or_default()
            }
        }
    }
}

fn unleased_words(after: Duration) -> String {
    format!(
        "no word from the cluster came for {after:?} after the node's lease: ended so that what another node starts does \
         not overlap with it"
    )
}

fn ended_by(how: Option<How>) -> String {
    how.map_or_else(|| "nothing: it could not be ended".to_owned(), How::words)
}

/// How far the ending of an attempt's tree has gone.
#[derive(Debug)]
pub(super) struct Kill {
    /// TERM until then, KILL afterwards.
    pub(super) kill_at: Boottime,
    /// What is still there by then cannot be ended: it waits inside the kernel.
    pub(super) give_up_at: Boottime,
    /// Who got a TERM, by pid and start time.
    pub(super) told: HashSet<(u32, u64)>,
    /// Who got a KILL, likewise.
    pub(super) killed: HashSet<(u32, u64)>,
    /// Until the next look at what is left.
    pub(super) pause: Duration,
}

/// The kernel ended a process of an attempt for want of memory.
#[derive(Debug, Clone, Copy)]
pub(super) enum MemoryKill {
    /// Some process, at the attempt's own limit in bytes.
    AtOwnLimit(u64),
    /// The first process, and nothing of the attempt's was the limit.
    ByMachine,
}

/// How an attempt ended, given how its first process did, what Odin did to it, and whether the kernel killed for memory.
pub(super) fn ending(
    exit: Option<&Exit>,
    stop: Option<Stop>,
    memory_kill: Option<MemoryKill>,
) -> Ending {
    match (stop, exit.map(|exit| exit.how)) {
        // A program that outlives the death of a helper and succeeds has succeeded.
        (None, Some(how)) if memory_kill.is_some() && how != How::Code(0) => Ending::OutOfMemory {
            limit_bytes: match memory_kill {
                Some(MemoryKill::AtOwnLimit(limit)) => Some(limit),
                Some(MemoryKill::ByMachine) | None => None,
            },
        },
        (Some(Stop::TimedOut { timeout, after }), how) => Ending::TimedOut {
            timeout,
            after,
            after_kill: Some(ended_by(how)),
        },
        (Some(Stop::Cancelled { reason }), _) => Ending::Cancelled { reason },
        (Some(Stop::Unleased { after }), how) => Ending::Lost {
            reason: format!("{}, by {}", unleased_words(after), ended_by(how)),
        },
        (None, Some(How::Code(code))) => Ending::Exited { code },
        (None, Some(How::Signal { signal, core })) => Ending::Signalled { signal, core },
        (None, None) => Ending::Lost {
            reason: "the executor does not know how its process ended".to_owned(),
        },
    }
}
