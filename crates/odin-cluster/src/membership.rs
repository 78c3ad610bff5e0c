//! Who is in the cluster. One change at a time, on the leader.

use odin_model::NodeId;
use openraft::errors::{ClientWriteError, RaftError};

use crate::error::{MembershipError, Stopped};
use crate::log::Log;
use crate::raft_types::TypeConfig;

/// What becomes of voters that are not to be voters any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// They receive the log on, as learners.
    BecomeLearners,
    /// They leave the cluster, and their ids are never used again.
    Leave,
}

impl Log {
    /// Takes a node in as a learner: it receives the log and has no vote. Does not wait until it has caught up.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn add_learner(&self, node: NodeId) -> Result<(), MembershipError> {
        self.inner
            .raft
            .add_learner(node.0, (), false)
            .await
            .map(|_| ())
            .map_err(refusal)
    }

    /// Makes exactly these nodes, learners or voters until now, the voters.
    ///
    /// # Errors
    /// See [`MembershipError`].
    pub async fn set_voters(
        &self,
        voters: &[NodeId],
        removed: Removed,
    ) -> Result<(), MembershipError> {
        let voters: std::collections::BTreeSet<u64> = voters.iter().map(|voter| voter.0).collect();
        let retain = removed == Removed::BecomeLearners;
        self.inner
            .raft
            .change_membership(voters, retain)
            .await
            .map(|_| ())
            .map_err(refusal)
    }

    /// Asks this node, which leads, to hand its office to another voter. Watch [`leadership`](Self::leadership) for
    /// the outcome.
    ///
    /// # Errors
    /// The log has stopped.
    pub async fn transfer_leadership(&self, to: NodeId) -> Result<(), Stopped> {
        self.inner
            .raft
            .trigger()
            .transfer_leader(to.0)
            .await
            .map_err(|_| Stopped)
    }
}

fn refusal(error: RaftError<TypeConfig, ClientWriteError<TypeConfig>>) -> MembershipError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => MembershipError::NotLeading,
        RaftError::APIError(ClientWriteError::LogEntryDiscarded(_)) => {
            MembershipError::OutcomeUnknown
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
            MembershipError::Refused(error.to_string())
        }
        RaftError::APIError(ClientWriteError::PreconditionFailed(error)) => {
            MembershipError::Refused(error.to_string())
        }
        RaftError::Fatal(_) => Stopped.into(),
    }
}
