//! A running attempt: its output, its exit, its result.

use std::collections::HashSet;
use std::os::fd::OwnedFd;
use std::time::Duration;

use odin_model::Usage;
use odin_model::attempt::{AttemptResult, Ending};
use odin_model::output::Stream;
use rustix::event::epoll::EventFlags;

use super::attempt::{Exit, How, MemoryKill, Running, State, ending};
use super::main_loop::MainLoop;
use super::on_cancel::OnCancelRun;
use super::slots::Slot;
use super::sources::Source;
use super::timers::Timer;
use crate::fault::{self, Point};
use crate::journal::Record;
use crate::limits::Group;
use crate::masking;
use crate::output::Capture;
use crate::process::{Made, SpawnOutcome, Spawned};

/// How long output is read after the first process has ended, when something else holds the pipes.
const READ_AFTER_EXIT: Duration = Duration::from_secs(2);
/// How long a disk may take with what an attempt has said before the attempt is over without it.
const VALUES_WITHIN: Duration = Duration::from_secs(5);
/// Until a descriptor that the kernel had no memory to watch is tried again.
const WATCH_AGAIN_AFTER: Duration = Duration::from_millis(100);

impl MainLoop {
    pub(super) fn take_spawned(&mut self, spawned: Spawned) {
        if spawned.is_on_cancel {
            self.take_on_cancel(spawned.slot, spawned.outcome);
            return;
        }
        match spawned.outcome {
            SpawnOutcome::Made(made) => self.take_process(spawned.slot, *made),
            SpawnOutcome::NoLease(launch) => self.wait_again(spawned.slot, launch),
            SpawnOutcome::NotStartable { reason } => {
                self.running -= 1;
                self.finish_without_process(spawned.slot, Ending::NotStartable { reason });
            }
        }
    }

    fn take_process(&mut self, slot: Slot, made: Made) {
        fault::reach(Point::ExecutorStartedBefore);
        self.foreign_kills.begins(made.pid);
        let kills_before = self.foreign_kills.mark(self.now);
        let attempt = self
            .slots
            .get_mut(slot)
            .expect("a slot stays while a spawner has its attempt");
        let key = attempt.key;
        let State::Spawning { stop } = &mut attempt.state else {
            unreachable!("an attempt that a spawner has is spawning");
        };
        let stop = stop.take();
        let (timeouts, at) = (made.launch.timeouts, made.made);
        let running = Running {
            pid: made.pid,
            pidfd: Some(made.pidfd),
            made: made.made,
            started_at: Some(made.started_at),
            stdout: Some(made.stdout),
            stderr: Some(made.stderr),
            capture: Capture::new(key, made.launch.output_bytes_max),
            masks: made.masks,
            _secret_files: made.secret_files,
            kill_grace: made.launch.kill_grace,
            timeouts,
            unleased: made.launch.unleased,
            children: made.launch.children,
            memory_limit: made.launch.limits.memory_bytes,
            kills_before,
            group: made.group,
            printed: None,
            exit: None,
            stop: None,
            ending: None,
            access: made
                .access
                .expect("a process that is an attempt has access"),
            values_until: None,
            orphans: HashSet::new(),
            on_cancel: OnCancelRun::planned(made.launch, made.drawn),
        };
        attempt.state = State::Running(Box::new(running));
        self.record_event(&Record::Started {
            number: self.events.next_number(),
            key,
            at: made.started_at,
            pid: made.pid,
            made: made.made,
        });
        self.by_pid.insert(made.pid, slot);
        self.set_timeouts(slot, timeouts, at);
        self.watch_lease(slot);
        self.watch_running(slot);
        if let Some(stop) = stop {
            self.stop(slot, &stop);
        }
    }

    /// Watches the process and its output. Watching again what is watched already changes nothing.
    pub(super) fn watch_running(&mut self, slot: Slot) {
        let again_at = self.now.plus(WATCH_AGAIN_AFTER);
        let sources = &self.sources;
        let Some(State::Running(running)) = self.slots.get_mut(slot).map(|attempt| &attempt.state)
        else {
            return;
        };
        let descriptors = [
            (&running.stdout, Source::Stdout(slot)),
            (&running.stderr, Source::Stderr(slot)),
            (&running.pidfd, Source::Exit(slot)),
        ];
        let descriptors = descriptors
            .into_iter()
            .chain(running.on_cancel.descriptors(slot));
        let is_watched = |(descriptor, source): (&Option<OwnedFd>, Source)| {
            let Some(descriptor) = descriptor else {
                return true;
            };
            let result = sources.watch(descriptor, source, EventFlags::IN);
            matches!(result, Ok(()) | Err(rustix::io::Errno::EXIST))
        };
        // Refused only when the kernel has no memory for it.
        if !{ descriptors }.all(is_watched) {
            self.timers.add(again_at, Timer::Watch(slot));
        }
    }

    pub(super) fn running_mut(&mut self, slot: Slot) -> Option<&mut Running> {
        match &mut self.slots.get_mut(slot)?.state {
            State::Running(running) => Some(running),
            State::Armed(_) | State::Starting { .. } | State::Spawning { .. } => None,
        }
    }

    /// Reads once: one noisy attempt costs the others at most this much per turn of the loop.
    pub(super) fn take_output(&mut self, slot: Slot, stream: Stream, whose: Whose) {
        let (now, at) = (self.now, self.clock.wall());
        let mut buffer = std::mem::take(&mut self.buffer);
        let dir = self.dir.clone();
        let (mut ended, mut flush_at) = (None, None);
        if let Some(running) = self.running_mut(slot) {
            let pipe = match (whose, stream) {
                (Whose::Attempt, Stream::Stdout) => Some(&mut running.stdout),
                (Whose::Attempt, Stream::Stderr) => Some(&mut running.stderr),
                (Whose::OnCancel, stream) => running.on_cancel.pipe(stream),
            };
            let pipe = pipe.filter(|pipe| pipe.is_some());
            match pipe
                .as_ref()
                .and_then(|pipe| Some(rustix::io::read(pipe.as_ref()?, &mut buffer[..])))
            {
                Some(Ok(count)) if count > 0 => {
                    if whose == Whose::Attempt {
                        running.printed = Some(now);
                    }
                    let source = masking::Source {
                        stream,
                        is_on_cancel: whose == Whose::OnCancel,
                    };
                    flush_at = running.keep(&dir, source, (now, at), &buffer[..count]);
                }
                Some(Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR)) | None => {}
                Some(Ok(_) | Err(_)) => ended = pipe.and_then(Option::take),
            }
        }
        self.buffer = buffer;
        if let Some(flush_at) = flush_at {
            self.timers.add(flush_at, Timer::Flush(slot));
        }
        if ended.is_some() {
            self.sources.close(ended);
            self.wind_up_if_read(slot);
        }
    }

    /// The run is over when its first process has ended and its output is read.
    fn wind_up_if_read(&mut self, slot: Slot) {
        if self
            .running_mut(slot)
            .is_some_and(|running| running.exit.is_some() && running.pipes_are_closed())
        {
            self.wind_up(slot);
        }
    }

    /// The first process has ended.
    pub(super) fn take_exit(&mut self, slot: Slot) {
        let (now, at) = (self.now, self.clock.wall());
        let Some(Waited {
            how,
            cpu_user,
            cpu_system,
            maxrss_kib,
        }) = self
            .running_mut(slot)
            .and_then(|running| wait_for(running.pid))
        else {
            return;
        };
        let usage = Usage {
            cpu_user,
            cpu_system,
            memory_max_bytes: self.own_memory.told_from(maxrss_kib),
        };
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        let pidfd = running.pidfd.take();
        let read_until = now.plus(READ_AFTER_EXIT);
        running.exit = Some(Exit {
            how,
            at,
            usage,
            read_until,
        });
        if !running.pipes_are_closed() {
            self.timers.add(read_until, Timer::Drained(slot));
        }
        self.sources.close(pidfd);
        self.wind_up_if_read(slot);
    }

    /// Output has been waited for long enough.
    pub(super) fn stop_reading(&mut self, slot: Slot) {
        let now = self.now;
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        if running
            .exit
            .as_ref()
            .is_some_and(|exit| exit.read_until <= now)
            && !running.pipes_are_closed()
        {
            let pipes = [running.stdout.take(), running.stderr.take()];
            pipes.into_iter().for_each(|pipe| self.sources.close(pipe));
            self.wind_up(slot);
        }
    }

    /// An attempt of which nothing is left is over once everything that it has said is kept: its result is part of that.
    pub(super) fn finish(&mut self, slot: Slot) {
        let until = self.now.plus(VALUES_WITHIN);
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        if running.access.close() {
            self.finish_now(slot);
        } else if running.values_until.is_none() {
            running.values_until = Some(until);
            self.timers.add(until, Timer::Values(slot));
        }
    }

    /// Goes on with an attempt that waits for what it has said.
    pub(super) fn finish_with_values(&mut self, slot: Slot) {
        let now = self.now;
        if let Some(running) = self.running_mut(slot)
            && let Some(until) = running.values_until
            && (running.access.close() || until <= now)
        {
            self.finish_now(slot);
        }
    }

    /// Records the result of an attempt of which nothing is left.
    fn finish_now(&mut self, slot: Slot) {
        let finished_at = self.clock.wall();
        self.flush_all_masks(slot);
        let Some(attempt) = self.slots.remove(slot) else {
            return;
        };
        let State::Running(running) = attempt.state else {
            unreachable!("only running attempts finish with a process");
        };
        self.running -= 1;
        if self.by_pid.get(&running.pid) == Some(&slot) {
            self.by_pid.remove(&running.pid);
        }
        if running.pidfd.is_some() {
            self.orphans.give_up(running.pid);
        }
        let memory_kill = self.memory_kill(&running);
        let Running {
            started_at,
            capture,
            exit,
            stop,
            stdout,
            stderr,
            pidfd,
            group,
            on_cancel,
            ..
        } = *running;
        self.remove_groups(group);
        self.let_go_of(slot, on_cancel);
        for descriptor in [stdout, stderr, pidfd] {
            self.sources.close(descriptor);
        }
        let result = AttemptResult {
            started_at,
            // A wall clock that was set back does not make a run end before it began.
            finished_at: exit
                .as_ref()
                .map_or(finished_at, |exit| exit.at)
                .max(started_at.unwrap_or(finished_at)),
            usage: exit.as_ref().map_or_else(Usage::default, |exit| exit.usage),
            ending: ending(exit.as_ref(), stop, memory_kill),
            output: capture.finish(),
        };
        fault::reach(Point::ExecutorFinishedBefore);
        self.record_finish(attempt.key, result);
    }

    /// Whether the kernel killed for want of memory what an attempt lost its life of. A group of its own counts what was
    /// killed in it, for whatever memory.
    fn memory_kill(&mut self, running: &Running) -> Option<MemoryKill> {
        if let Some(limit) = running.memory_limit {
            let kills = running.group.as_ref().map_or(0, Group::memory_kills);
            return (kills > 0).then_some(MemoryKill::AtOwnLimit(limit));
        }
        let is_killed = matches!(
            running.exit.as_ref().map(|exit| exit.how),
            Some(How::Signal { signal: 9, .. })
        );
        // What Odin itself ended needs no other explanation.
        let is_foreign = is_killed && running.stop.is_none() && running.ending.is_none();
        let (pid, before) = (running.pid, running.kills_before);
        (is_foreign && self.foreign_kills.is_for_memory(pid, before, self.now))
            .then_some(MemoryKill::ByMachine)
    }
}

/// Whose output is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Attempt,
    OnCancel,
}

/// What `wait4` tells of an ended child.
pub(super) struct Waited {
    pub(super) how: How,
    cpu_user: Duration,
    cpu_system: Duration,
    /// The largest resident set of any one process of the tree, or the executor's.
    maxrss_kib: u64,
}

/// Waits for an ended child; `None` when it has not ended.
pub(super) fn wait_for(pid: u32) -> Option<Waited> {
    let pid = libc::pid_t::try_from(pid).ok()?;
    let mut status = 0;
    // SAFETY: an all-zero rusage is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: writes the status and the usage, both of this frame.
    let waited = unsafe { libc::wait4(pid, &raw mut status, libc::WNOHANG, &raw mut usage) };
    if waited != pid {
        return None;
    }
    let how = if libc::WIFSIGNALED(status) {
        let signal = u8::try_from(libc::WTERMSIG(status)).unwrap_or(u8::MAX);
        How::Signal {
            signal,
            core: libc::WCOREDUMP(status),
        }
    } else {
        How::Code(u8::try_from(libc::WEXITSTATUS(status)).unwrap_or(u8::MAX))
    };
    let duration = |time: libc::timeval| {
        Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or(0))
            + Duration::from_micros(u64::try_from(time.tv_usec).unwrap_or(0))
    };
    Some(Waited {
        how,
        cpu_user: duration(usage.ru_utime),
        cpu_system: duration(usage.ru_stime),
        maxrss_kib: u64::try_from(usage.ru_maxrss).unwrap_or(0),
    })
}
