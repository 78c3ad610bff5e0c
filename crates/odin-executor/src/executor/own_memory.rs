//! Telling a child's memory from the executor's own.
//!
//! A child shares the executor's memory until it executes its program, and the kernel then counts what was resident
//! as the child's maximum. So `ru_maxrss` is the larger of the program's maximum and the executor's: above the
//! executor's it is the program's own, and else it says nothing.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// The executor's own maximum, as far as it was looked up.
pub(super) struct OwnMemory {
    /// `/proc/self/status`. What `getrusage` tells of oneself has in it what the process was before it executed.
    status: File,
    peak_kib: u64,
}

impl OwnMemory {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {
            status: File::open("/proc/self/status")?,
            peak_kib: 0,
        })
    }

    /// The most that a child's program had resident, in bytes, given its `ru_maxrss`; 0 when that is not known.
    pub(super) fn told_from(&mut self, maxrss_kib: u64) -> u64 {
        // The maximum only grows, so it is looked up only for what may be above it: not for each small program.
        if !is_above(maxrss_kib, self.peak_kib) {
            return 0;
        }
        match self.look_up() {
            Some(peak) => self.peak_kib = self.peak_kib.max(peak),
            None => return 0,
        }
        if is_above(maxrss_kib, self.peak_kib) {
            maxrss_kib.saturating_mul(1024)
        } else {
            0
        }
    }

    fn look_up(&self) -> Option<u64> {
        let mut buffer = [0; 4096];
        let count = self.status.read_at(&mut buffer, 0).ok()?;
        peak_of(std::str::from_utf8(&buffer[..count]).ok()?)
    }
}

/// The kernel counts roughly: each processor has some pages that it has not added up yet.
fn is_above(maxrss_kib: u64, peak_kib: u64) -> bool {
    maxrss_kib > peak_kib + peak_kib / 4 + 1024
}

fn peak_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_the_childs_when_it_is_clearly_above_the_executors() {
        for (maxrss, peak, expected) in [
            (0, 0, false),
            (1024, 0, false),
            (1025, 0, true),
            (4000, 4000, false),
            (6024, 4000, false),
            (6025, 4000, true),
            (3000, 4000, false),
        ] {
            assert_eq!(is_above(maxrss, peak), expected, "{maxrss} over {peak}");
        }
    }

    #[test]
    fn the_executors_maximum_is_read_and_is_not_told_as_a_childs() {
        let mut own = OwnMemory::open().unwrap();
        let peak = own.look_up().unwrap();
        assert!(peak > 100, "{peak}");
        assert_eq!(own.told_from(peak), 0);
        assert_eq!(own.told_from(0), 0);
        assert_eq!(own.told_from(1 << 40), 1 << 50);
        assert_eq!(peak_of("VmPeak:\t 7 kB\nVmHWM:\t    5384 kB\n"), Some(5384));
        assert_eq!(peak_of("Name:\tVmHWM\n"), None);
    }
}
