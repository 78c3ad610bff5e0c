//! When a node counts as gone. DESIGN 5.6.

use std::time::Duration;

use odin_model::Boottime;

/// How long a lease lasts from the moment the node asked for it.
pub const LEASE: Duration = Duration::from_secs(5);
/// What clocks may differ by within a lease.
pub const MARGIN: Duration = Duration::from_secs(1);

/// Whether the leader proposes `NodeDown` for a node.
///
/// All instants are on the leader's own boottime. `heard` is when the node last asked it for a lease, `led_since`
/// when it became leader: silence is counted from the later one, since a new leader cannot know what its
/// predecessor granted a moment before.
#[must_use]
pub fn is_gone(heard: Option<Boottime>, led_since: Boottime, now: Boottime) -> bool {
    let since = heard.map_or(led_since, |heard| heard.max(led_since));
    now.since(since) > LEASE + MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(heard: Option<u64>, led_since: u64, now: u64, expected: bool) {
        let at = |seconds| Boottime(Duration::from_secs(seconds));
        assert_eq!(is_gone(heard.map(at), at(led_since), at(now)), expected);
    }

    #[test]
    fn a_node_is_gone_once_its_lease_and_the_margin_are_over() {
        check(Some(10), 0, 16, false);
        check(Some(10), 0, 17, true);
    }

    #[test]
    fn a_new_leader_waits_a_whole_lease_before_it_calls_anyone_gone() {
        check(None, 100, 106, false);
        check(Some(10), 100, 106, false);
        check(None, 100, 107, true);
    }
}
