//! The four timeouts of an attempt, on a clock that nobody can set, whether or not a server is there.

use odin_model::attempt::Ending;
use odin_model::{Boottime, TimeoutKind, Timeouts};

use super::attempt::{Running, State, Stop};
use super::main_loop::MainLoop;
use super::slots::Slot;
use super::timers::Timer;
use crate::protocol::Launch;

/// Until when a launch may wait for its process.
pub(super) fn queued_until(launch: &Launch) -> Option<Boottime> {
    let queue = launch.timeouts.queue?;
    Some(launch.ready_at.plus(queue))
}

impl MainLoop {
    /// Sets the timers of an attempt whose process was `made`.
    pub(super) fn set_timeouts(&mut self, slot: Slot, timeouts: Timeouts, made: Boottime) {
        let timers = [
            (timeouts.start, Timer::Start(slot)),
            (timeouts.run, Timer::Run(slot)),
            (timeouts.silence, Timer::Silence(slot)),
        ];
        for (timeout, timer) in timers {
            if let Some(timeout) = timeout {
                self.timers.add(made.plus(timeout), timer);
            }
        }
    }

    pub(super) fn time_out_queue(&mut self, slot: Slot) {
        let Some(attempt) = self.slots.get_mut(slot) else {
            return;
        };
        let launch = match &attempt.state {
            State::Armed(launch) | State::Starting { launch, .. } => launch,
            // One that a spawner has may be a process already. If it comes back, this is asked again.
            State::Spawning { .. } | State::Running(_) => return,
        };
        let after = launch.timeouts.queue.unwrap_or_default();
        let ending = Ending::TimedOut {
            timeout: TimeoutKind::Queue,
            after,
            after_kill: None,
        };
        self.finish_without_process(slot, ending);
    }

    pub(super) fn time_out_start(&mut self, slot: Slot) {
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        if running.last_sign().is_none() && !has_unread_output(running) {
            self.time_out(slot, TimeoutKind::Start);
        }
    }

    pub(super) fn time_out_run(&mut self, slot: Slot) {
        self.time_out(slot, TimeoutKind::Run);
    }

    pub(super) fn time_out_silence(&mut self, slot: Slot) {
        let now = self.now;
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        let Some(silence) = running.timeouts.silence else {
            return;
        };
        let last = running.last_sign().max(Some(running.made));
        let until = last.unwrap_or(now).plus(silence);
        if until > now {
            self.timers.add(until, Timer::Silence(slot));
        } else if has_unread_output(running) {
            // This executor was held up, not the job: what it printed is read in a moment.
            self.timers.add(now.plus(silence), Timer::Silence(slot));
        } else {
            self.time_out(slot, TimeoutKind::Silence);
        }
    }

    fn time_out(&mut self, slot: Slot, timeout: TimeoutKind) {
        let Some(running) = self.running_mut(slot) else {
            return;
        };
        let Timeouts {
            queue,
            start,
            run,
            silence,
        } = running.timeouts;
        let after = match timeout {
            TimeoutKind::Queue => queue,
            TimeoutKind::Start => start,
            TimeoutKind::Run => run,
            TimeoutKind::Silence => silence,
        };
        let after = after.unwrap_or_default();
        self.stop(slot, &Stop::TimedOut { timeout, after });
    }
}

/// Whether it printed something that this executor has not come to read.
fn has_unread_output(running: &Running) -> bool {
    let pipes = [&running.stdout, &running.stderr];
    pipes
        .into_iter()
        .flatten()
        .any(|pipe| rustix::io::ioctl_fionread(pipe).is_ok_and(|bytes| bytes > 0))
}
