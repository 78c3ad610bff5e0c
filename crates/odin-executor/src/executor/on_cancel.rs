//! The command that runs before an attempt is ended: as its owner, where it runs, with what it sees.
//!
//! It comes first, so that it can ask the program to finish in the program's own way. TERM, the grace and KILL follow
//! when it has ended or has had its time, and hold for what it left as well.

use std::os::fd::OwnedFd;

use odin_model::on_cancel::{HookCommand, OnCancel};
use odin_model::output::Stream;
use rustix::process::Signal;

use super::attempt::{How, Stop};
use super::main_loop::MainLoop;
use super::running::{Whose, wait_for};
use super::slots::Slot;
use super::sources::Source;
use super::timers::Timer;
use crate::limits::Group;
use crate::process::{Drawn, Made, Purpose, SpawnOrder, SpawnOutcome};
use crate::protocol::{Launch, LaunchProgram};

/// How often the output of a command that has ended is read: a pipe holds as much as one read takes, and one more
/// tells that it is empty.
const READS_AT_EXIT: usize = 2;

/// How far an attempt's command is.
pub(super) enum OnCancelRun {
    /// There is none.
    None,
    /// It will run when the attempt is to be ended.
    Planned(Box<(OnCancel, Launch, Drawn)>),
    /// A spawner has it.
    Spawning,
    /// Its process exists, or did: what it left is ended with the attempt.
    Made(Box<Process>),
    /// It has had its time before its process existed, or there was no process.
    Over,
}

pub(super) struct Process {
    pid: u32,
    /// `None` once it was waited for.
    pidfd: Option<OwnedFd>,
    stdout: Option<OwnedFd>,
    stderr: Option<OwnedFd>,
    group: Option<Group>,
    /// Whether it has had its time.
    is_late: bool,
}

impl OnCancelRun {
    pub(super) fn planned(launch: Box<Launch>, drawn: Drawn) -> Self {
        match launch.on_cancel.clone() {
            Some(on_cancel) => Self::Planned(Box::new((on_cancel, *launch, drawn))),
            None => Self::None,
        }
    }

    /// Whether the attempt's end waits for it.
    pub(super) fn is_awaited(&self) -> bool {
        match self {
            Self::Spawning => true,
            Self::Made(process) => process.pidfd.is_some() && !process.is_late,
            Self::None | Self::Planned(_) | Self::Over => false,
        }
    }

    fn process(&self) -> Option<&Process> {
        match self {
            Self::Made(process) => Some(process),
            Self::None | Self::Planned(_) | Self::Spawning | Self::Over => None,
        }
    }

    fn process_mut(&mut self) -> Option<&mut Process> {
        match self {
            Self::Made(process) => Some(process),
            Self::None | Self::Planned(_) | Self::Spawning | Self::Over => None,
        }
    }

    /// Its session, and whether the leader was not waited for.
    pub(super) fn leader(&self) -> Option<(u32, bool)> {
        self.process().map(|it| (it.pid, it.pidfd.is_some()))
    }

    pub(super) fn group(&self) -> Option<&Group> {
        self.process()?.group.as_ref()
    }

    pub(super) fn pipe(&mut self, stream: Stream) -> Option<&mut Option<OwnedFd>> {
        let process = self.process_mut()?;
        Some(match stream {
            Stream::Stdout => &mut process.stdout,
            Stream::Stderr => &mut process.stderr,
        })
    }

    pub(super) fn descriptors(
        &self,
        slot: Slot,
    ) -> impl Iterator<Item = (&Option<OwnedFd>, Source)> {
        self.process().into_iter().flat_map(move |process| {
            [
                (&process.stdout, Source::OnCancelStdout(slot)),
                (&process.stderr, Source::OnCancelStderr(slot)),
                (&process.pidfd, Source::OnCancelExit(slot)),
            ]
        })
    }
}

impl MainLoop {
    /// Has the attempt's command started, if it has one that did not run; whether that is so.
    pub(super) fn begin_on_cancel(&mut self, slot: Slot, stop: &Stop) -> bool {
        let now = self.now;
        let Some(running) = self.running_mut(slot) else {
            return false;
        };
        if !matches!(running.on_cancel, OnCancelRun::Planned(_)) {
            return false;
        }
        let before = std::mem::replace(&mut running.on_cancel, OnCancelRun::Spawning);
        let OnCancelRun::Planned(planned) = before else {
            unreachable!("matched above");
        };
        let (on_cancel, launch, drawn) = *planned;
        let command = match on_cancel.command {
            HookCommand::Argv(argv) => LaunchProgram::Argv(argv),
            HookCommand::Shell(line) => LaunchProgram::Shell { line, args: vec![] },
        };
        let purpose = Purpose::OnCancel {
            command,
            reason: stop.words(),
            drawn,
        };
        self.timers
            .add(now.plus(on_cancel.timeout), Timer::OnCancel(slot));
        self.spawners.order([SpawnOrder {
            slot,
            launch: Box::new(launch),
            purpose,
        }]);
        true
    }

    /// A spawner is done with the command.
    pub(super) fn take_on_cancel(&mut self, slot: Slot, outcome: SpawnOutcome) {
        let made = match outcome {
            SpawnOutcome::Made(made) => *made,
            SpawnOutcome::NotStartable { reason } => {
                self.note(slot, &format!("on_cancel could not start: {reason}"));
                return self.end_without_on_cancel(slot);
            }
            // A lease is not asked for.
            SpawnOutcome::NoLease(_) => return self.end_without_on_cancel(slot),
        };
        let is_wanted = self
            .running_mut(slot)
            .is_some_and(|running| matches!(running.on_cancel, OnCancelRun::Spawning));
        if !is_wanted {
            return self.discard(made);
        }
        let pid = made.pid;
        if let Some(running) = self.running_mut(slot) {
            running.on_cancel = OnCancelRun::Made(Box::new(Process {
                pid,
                pidfd: Some(made.pidfd),
                stdout: Some(made.stdout),
                stderr: Some(made.stderr),
                group: made.group,
                is_late: false,
            }));
        }
        self.by_pid.insert(pid, slot);
        self.watch_running(slot);
    }

    /// The attempt was ended without waiting for the command, which exists only now.
    fn discard(&mut self, made: Made) {
        // Nobody but this thread waits for it, so the pid is still its own.
        let _ = rustix::process::pidfd_send_signal(&made.pidfd, Signal::KILL);
        self.orphans.give_up(made.pid);
        self.remove_groups(made.group);
    }

    fn end_without_on_cancel(&mut self, slot: Slot) {
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        if matches!(running.on_cancel, OnCancelRun::Spawning) {
            running.on_cancel = OnCancelRun::Over;
            self.end_tree(slot);
        }
    }

    /// The command has ended.
    pub(super) fn take_on_cancel_exit(&mut self, slot: Slot) {
        let Some(process) = self
            .running_mut(slot)
            .and_then(|running| running.on_cancel.process_mut())
        else {
            return;
        };
        let Some(waited) = wait_for(process.pid) else {
            return;
        };
        // All that it printed, as far as a pipe holds it.
        for stream in [Stream::Stdout, Stream::Stderr] {
            (0..READS_AT_EXIT).for_each(|_| self.take_output(slot, stream, Whose::OnCancel));
        }
        let process = self
            .running_mut(slot)
            .and_then(|running| running.on_cancel.process_mut());
        let Some(process) = process else {
            return;
        };
        let (pidfd, is_late) = (process.pidfd.take(), process.is_late);
        self.sources.close(pidfd);
        if waited.how != How::Code(0) && !is_late {
            let how = waited.how.words();
            self.note(slot, &format!("on_cancel ended with {how}"));
        }
        if !is_late {
            self.end_tree(slot);
        }
    }

    /// The command has had its time: what is left of it is ended with the rest.
    pub(super) fn time_out_on_cancel(&mut self, slot: Slot) {
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        if !running.on_cancel.is_awaited() {
            return;
        }
        match &mut running.on_cancel {
            OnCancelRun::Made(process) => process.is_late = true,
            other => *other = OnCancelRun::Over,
        }
        self.note(slot, "on_cancel took longer than its timeout and is ended");
        self.end_tree(slot);
    }

    /// Says something in the attempt's output.
    fn note(&mut self, slot: Slot, words: &str) {
        let (dir, at) = (self.dir.clone(), self.clock.wall());
        if let Some(running) = self.running_mut(slot) {
            // Within what one read may have.
            let words = match &running.masks {
                Some(masks) => masks.masked(words),
                None => words.to_owned(),
            };
            let text: String = words.chars().take(2000).collect();
            let text = format!("\n[odin: {text}]\n");
            running
                .capture
                .take(&dir, Stream::Stderr, at, text.as_bytes());
        }
    }

    /// Closes what is left of the command of an attempt that is over.
    pub(super) fn let_go_of(&mut self, slot: Slot, on_cancel: OnCancelRun) {
        let OnCancelRun::Made(process) = on_cancel else {
            return;
        };
        if self.by_pid.get(&process.pid) == Some(&slot) {
            self.by_pid.remove(&process.pid);
        }
        if process.pidfd.is_some() {
            self.orphans.give_up(process.pid);
        }
        for descriptor in [process.pidfd, process.stdout, process.stderr] {
            self.sources.close(descriptor);
        }
        self.remove_groups(process.group);
    }
}
