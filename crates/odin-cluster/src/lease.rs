//! Leases: a node's leave to start processes for a while without asking again (DESIGN 5.3 and 5.6).
//!
//! A node asks; the leader answers only when
//! (a) it has applied every entry that its log held when it became leader,
//! (b) a quorum has acknowledged a heartbeat sent after the request came in, so it still leads, and
//! (c) the [`LeaseAuthority`] admits the node: no `NodeDown` of it is proposed or in force.
//!
//! The lease runs from the moment the node *asked*, on the node's own CLOCK_BOOTTIME. The leader counts from the
//! moment it *admitted*, which is later: so the leader is never the first to believe that a lease has ended, if the
//! two clocks run equally fast; the margin is for the rest.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::{Boottime, Epoch, NodeId};

use crate::error::Stopped;

/// How long leases run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// From the moment a node asks.
    pub lease: Duration,
    /// What the leader adds before it counts on a lease's end.
    pub margin: Duration,
}

impl Default for LeaseTerms {
    /// 5 s and 1 s.
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(5),
            margin: Duration::from_secs(1),
        }
    }
}

impl LeaseTerms {
    /// When a leader may propose that a node is down, on the leader's clock: no lease of it can run any more.
    ///
    /// `admitted` is when this leader last admitted the node, none if it never did. A lease that an earlier leader
    /// granted was asked for before this one began to lead, so the silence counts from there.
    #[must_use]
    pub fn down_at(&self, admitted: Option<Boottime>, leading_since: Boottime) -> Boottime {
        let heard = admitted.map_or(leading_since, |admitted| admitted.max(leading_since));
        heard.plus(self.lease).plus(self.margin)
    }

    /// What a node holds that asked at `asked_at` and was answered so.
    #[must_use]
    pub(crate) fn grant(answer: &LeaseAnswer, asked_at: Boottime) -> Grant {
        Grant {
            commit_index: answer.commit_index,
            leader_wall: answer.leader_wall,
            asked_at,
            expires: asked_at.plus(answer.lease),
        }
    }
}

/// A node's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseRequest {
    /// Who asks.
    pub node: NodeId,
    /// In which life.
    pub epoch: Epoch,
}

/// The leader's side of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LeaseAnswer {
    pub(crate) commit_index: u64,
    pub(crate) leader_wall: Timestamp,
    pub(crate) lease: Duration,
}

/// A lease, as the node that holds it sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The lease counts only once this node has applied the entry with this index.
    pub commit_index: u64,
    /// The leader's wall clock between the asking and the answer.
    pub leader_wall: Timestamp,
    /// When this node asked, on its own clock.
    pub asked_at: Boottime,
    /// When the lease ends, on this node's clock. At this instant it has ended.
    pub expires: Boottime,
}

impl Grant {
    /// Whether it may be used by a node that has applied `applied`, at `now` on that node's clock.
    #[must_use]
    pub fn is_usable(&self, applied: Option<u64>, now: Boottime) -> bool {
        applied >= Some(self.commit_index) && now < self.expires
    }
}

/// Why the leader's own rules keep a node from a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAdmitted {
    /// A `NodeDown` of the node is proposed or in force.
    #[error("the node is being declared down")]
    Down,
    /// The node has begun a later life, or never had this one.
    #[error("the node's epoch is not the one in force")]
    OtherEpoch,
    /// The cluster does not know the node.
    #[error("the cluster does not know the node")]
    Unknown,
}

/// Says which nodes may hold a lease. The leader's log asks it, after (a) and (b).
pub trait LeaseAuthority: Send + Sync + 'static {
    /// Admits the node, and remembers `now`, the leader's CLOCK_BOOTTIME, as the last time it did.
    ///
    /// This and the proposing of `NodeDown` must exclude each other: either the proposal sees this admission and
    /// waits, or this sees the proposal and refuses.
    ///
    /// # Errors
    /// Why the node gets no lease.
    fn admit(&self, request: LeaseRequest, now: Boottime) -> Result<(), NotAdmitted>;
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No leader could be reached for this long.
    #[error("no leader could be reached for {waited:?}")]
    NoLeader {
        /// For how long it was tried.
        waited: Duration,
    },
    /// (a) The leader has not yet applied what its log held when it became leader.
    #[error("the leader is still catching up")]
    NotReady,
    /// (b) The leader cannot reach most of the voters.
    #[error("the leader cannot reach most of the voters")]
    NoQuorum,
    /// (c) The leader's rules.
    #[error(transparent)]
    NotAdmitted(#[from] NotAdmitted),
    /// The log has stopped.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

impl Denied {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoLeader { .. } => "lease/no-leader",
            Self::NotReady => "lease/leader-not-ready",
            Self::NoQuorum => "lease/no-quorum",
            Self::NotAdmitted(NotAdmitted::Down) => "lease/node-down",
            Self::NotAdmitted(NotAdmitted::OtherEpoch) => "lease/other-epoch",
            Self::NotAdmitted(NotAdmitted::Unknown) => "lease/unknown-node",
            Self::Stopped(_) => "cluster/stopped",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Boottime {
        Boottime(Duration::from_secs(seconds))
    }

    #[test]
    fn a_lease_runs_from_the_asking_and_counts_once_its_index_is_applied() {
        let answer = LeaseAnswer {
            commit_index: 40,
            leader_wall: Timestamp::UNIX_EPOCH,
            lease: Duration::from_secs(5),
        };
        let grant = LeaseTerms::grant(&answer, at(100));
        for (applied, now, usable) in [
            (Some(40), at(100), true),
            (Some(41), at(104), true),
            (Some(40), at(105), false),
            (Some(39), at(101), false),
            (None, at(101), false),
        ] {
            assert_eq!(
                grant.is_usable(applied, now),
                usable,
                "applied {applied:?} at {now:?}"
            );
        }
    }

    #[test]
    fn silence_counts_from_the_last_admission_or_the_beginning_of_the_term() {
        let terms = LeaseTerms::default();
        for (admitted, leading_since, down_at) in [
            (None, at(10), at(16)),
            (Some(at(20)), at(10), at(26)),
            (Some(at(5)), at(10), at(16)),
        ] {
            assert_eq!(
                terms.down_at(admitted, leading_since),
                down_at,
                "admitted {admitted:?}"
            );
        }
    }

    #[test]
    fn a_leader_never_counts_on_the_end_of_a_lease_before_its_holder_does() {
        let terms = LeaseTerms::default();
        for (asked, admitted) in [(100, 100), (100, 103)] {
            let answer = LeaseAnswer {
                commit_index: 0,
                leader_wall: Timestamp::UNIX_EPOCH,
                lease: terms.lease,
            };
            let grant = LeaseTerms::grant(&answer, at(asked));
            assert!(terms.down_at(Some(at(admitted)), at(0)) >= grant.expires.plus(terms.margin));
        }
    }
}
