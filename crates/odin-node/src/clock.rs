//! The machine's own clocks: the only place in the server that reads them.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::{Boottime, Clock};
use rustix::time::{ClockId, clock_gettime};

/// `CLOCK_REALTIME` and `CLOCK_BOOTTIME`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is where the wall clock enters"
    )]
    fn wall(&self) -> Timestamp {
        Timestamp::now()
    }

    fn boottime(&self) -> Boottime {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).expect("boottime is not negative");
        let nanoseconds = u32::try_from(now.tv_nsec).expect("below a second");
        Boottime(Duration::new(seconds, nanoseconds))
    }
}

/// The IANA name of this machine's time zone; `UTC` where it has none that a schedule could name.
#[must_use]
pub fn system_zone() -> String {
    let zone = jiff::tz::TimeZone::system();
    let named = zone.iana_name().filter(|_| !zone.is_unknown());
    named
        .filter(|name| odin_schedule::find_zone(name).is_ok())
        .unwrap_or("UTC")
        .to_owned()
}

/// Whether something keeps this machine's wall clock right (`adjtimex(2)`: the kernel is told by NTP and the like).
/// `None`: the kernel does not say.
#[must_use]
pub fn is_synchronised() -> Option<bool> {
    // SAFETY: an all-zero timex is a valid value: numbers. Zero `modes` asks and changes nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: a pointer to a whole timex, which the call fills.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    (state >= 0).then_some(state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0)
}

/// The kernel's id of this boot. Empty where the kernel does not say.
#[must_use]
pub fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map(|id| id.trim().to_owned())
        .unwrap_or_default()
}
