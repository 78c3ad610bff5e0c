//! The end of attempts that go on where no lease does. DESIGN 5.6.
//!
//! Another node may start what follows them, or them again, once the cluster has not heard of this one for long enough.
//! They are over before, on this machine's own clock, whether or not a server is there.

use std::time::Duration;

use super::attempt::Stop;
use super::main_loop::MainLoop;
use super::slots::Slot;
use super::timers::Timer;
use crate::protocol::AfterLease;

/// How soon an attempt is looked at again while there is no lease and runs go on without one: the next lease may say
/// otherwise.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

impl MainLoop {
    /// Has an attempt whose process was made ended when the lease has been over for too long.
    pub(super) fn watch_lease(&mut self, slot: Slot) {
        let Some(unleased) = self.running_mut(slot).and_then(|it| it.unleased) else {
            return;
        };
        let at = self.lease_until.plus(unleased.end_after);
        self.timers.add(at, Timer::Unleased(slot));
    }

    /// The lease that held when this was set has been over for long enough. A newer one may have come.
    pub(super) fn end_unleased(&mut self, slot: Slot) {
        let (now, lease_until) = (self.now, self.lease_until);
        let Some(unleased) = self.running_mut(slot).and_then(|it| it.unleased) else {
            return;
        };
        let end_at = lease_until.plus(unleased.end_after);
        let gone_at = lease_until.plus(unleased.gone_after);
        let stop = Stop::Unleased {
            after: unleased.end_after,
        };
        let next = if self.after_lease == AfterLease::RunsGoOn {
            // A lease that comes later ends later: its time is not over before this.
            end_at.max(now.plus(AGAIN_AFTER))
        } else if now < end_at {
            end_at
        } else if now < gone_at {
            self.stop(slot, &stop);
            gone_at
        } else {
            self.stop(slot, &stop);
            self.kill_now(slot);
            // What came to be after that look.
            now.plus(AGAIN_AFTER)
        };
        self.timers.add(next, Timer::Unleased(slot));
    }
}
