//! A node that is alone needs no clock.
//!
//! openraft looks several times per heartbeat whether it is time for one, or for an election. A leader that is its
//! cluster's only member sends no heartbeats and never stands for election, so these looks are all that it does while
//! nothing happens. They rest until that changes.

use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use openraft::metrics::RaftServerMetrics;

use crate::raft_types::{Raft, StoredMembership, TypeConfig};

/// Lets openraft's clock rest whenever this node leads and is the only member, until the log stops.
///
/// The clock runs in every doubt: not only while another node is a member, as a voter or a learner, but until that
/// member's leaving is committed too.
pub(crate) fn rest_while_alone(raft: Raft) {
    let mut metrics = raft.server_metrics();
    tokio::spawn(async move {
        loop {
            let alone = is_alone(&metrics.borrow_watched());
            raft.runtime_config().tick(!alone);
            if metrics.changed().await.is_err() {
                return;
            }
        }
    });
}

fn is_alone(metrics: &RaftServerMetrics<TypeConfig>) -> bool {
    let only_this = |membership: &StoredMembership| {
        let mut members = membership.membership().nodes().map(|(&member, ())| member);
        members.next() == Some(metrics.id) && members.next().is_none()
    };
    metrics.state == ServerState::Leader
        && only_this(&metrics.membership_config)
        && only_this(&metrics.committed_membership_config)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use openraft::Membership;

    use super::*;
    use crate::raft_types::{Vote, log_id};

    /// Voters of each part of a configuration, and all members.
    type Members<'a> = (&'a [&'a [u64]], &'a [u64]);

    const ALONE: Members<'_> = (&[&[1]], &[1]);

    fn stored((voters, members): Members<'_>) -> Arc<StoredMembership> {
        let voters = voters
            .iter()
            .map(|part| part.iter().copied().collect())
            .collect::<Vec<_>>();
        let members = members.iter().map(|&member| (member, ()));
        let members: std::collections::BTreeMap<u64, ()> = members.collect();
        let membership = Membership::new(voters, members).unwrap();
        Arc::new(StoredMembership::new(Some(log_id(1, 1)), membership))
    }

    #[test]
    fn only_a_leader_that_is_the_only_member_for_certain_is_alone() {
        let (leader, follower) = (ServerState::Leader, ServerState::Follower);
        for (what, state, effective, committed, alone) in [
            ("the only voter", leader, ALONE, ALONE, true),
            ("not elected yet", follower, ALONE, ALONE, false),
            (
                "a learner",
                leader,
                (&[&[1][..]][..], &[1, 2][..]),
                ALONE,
                false,
            ),
            ("another voter", leader, (&[&[1, 2]], &[1, 2]), ALONE, false),
            (
                "half changed",
                leader,
                (&[&[1], &[1, 2]], &[1, 2]),
                ALONE,
                false,
            ),
            ("not yet left", leader, ALONE, (&[&[1, 2]], &[1, 2]), false),
            ("left", leader, (&[&[2]], &[2]), (&[&[2]], &[2]), false),
        ] {
            let metrics = RaftServerMetrics {
                id: 1,
                vote: Vote::new_committed(1, 1),
                state,
                current_leader: Some(1),
                membership_config: stored(effective),
                committed_membership_config: stored(committed),
            };
            assert_eq!(is_alone(&metrics), alone, "{what}");
        }
    }
}
