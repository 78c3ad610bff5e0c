//! How the limit of open files is shared out.

use crate::values::Bounds;

/// Descriptors that an attempt takes while it runs: two pipes and the process, both pipes' other ends meanwhile, and
/// one connection to the values socket.
const EACH: u64 = 6;
/// The executor's own: journal, sockets, timers, and what its threads open for a moment.
const OWN: u64 = 64;
/// Attempts that run at once, at most, however many descriptors there are.
const RUNNING_MAX: u64 = 8192;

/// How many of each there may be at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// Attempts with a process.
    pub(super) running_max: usize,
    pub(super) values: Bounds,
}

impl Shares {
    /// The shares of this process's limit.
    pub(super) fn of_the_limit() -> Self {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
        Self::of(limit.unwrap_or(u64::MAX))
    }

    fn of(limit: u64) -> Self {
        let strangers = (limit / 16).clamp(16, 256);
        let further = (limit / 16).clamp(16, 4096);
        let left = limit.saturating_sub(OWN + strangers + further);
        let count = |count: u64| usize::try_from(count).expect("bounded above");
        Self {
            running_max: count((left / EACH).clamp(1, RUNNING_MAX)),
            values: Bounds {
                strangers_max: count(strangers),
                further_max: count(further),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_no_more_than_the_limit_unless_it_is_absurd() {
        for (limit, running) in [
            (0, 1),
            (256, 26),
            (1024, 138),
            (20_000, 3071),
            (1 << 20, 8192),
            (u64::MAX, 8192),
        ] {
            let shares = Shares::of(limit);
            assert_eq!(shares.running_max, running, "{limit}");
            let values = shares.values.strangers_max + shares.values.further_max;
            let all = 64 + values + 6 * shares.running_max;
            assert!(
                limit < 128 || u64::try_from(all).unwrap() <= limit,
                "{limit}"
            );
        }
    }
}
