//! Who leads, as one node sees it.

use std::fmt;

use odin_model::NodeId;
use openraft::ServerState;
use openraft::async_runtime::watch::WatchReceiver;
use tokio::sync::watch;

use crate::raft_types::{Raft, TypeConfig};

/// A leader's term of office. At most one node leads in a term.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term(pub u64);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Who leads, as far as this node knows.
///
/// `Leading` means that a quorum voted for this node in that term. It may have been deposed since without knowing:
/// what only a leader may do is proposed with [`Log::propose_fenced`](crate::Log::propose_fenced).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leadership {
    /// Nobody is known to lead.
    NoLeader,
    /// Another node leads.
    Following(NodeId),
    /// This node leads.
    Leading {
        /// In which term.
        term: Term,
    },
}

fn judge(metrics: &openraft::metrics::RaftServerMetrics<TypeConfig>) -> Leadership {
    let vote = &metrics.vote;
    let mine = vote.committed
        && vote.leader_id.voted_for == metrics.id
        && metrics.state == ServerState::Leader;
    match metrics.current_leader {
        _ if mine => Leadership::Leading {
            term: Term(vote.leader_id.term),
        },
        Some(other) if other != metrics.id => Leadership::Following(NodeId(other)),
        Some(_) | None => Leadership::NoLeader,
    }
}

/// Follows openraft's view until the log stops; then nobody leads, as far as this node knows.
pub(crate) fn watch_leadership(raft: &Raft) -> watch::Receiver<Leadership> {
    let mut metrics = raft.server_metrics();
    let (sender, receiver) = watch::channel(judge(&metrics.borrow_watched()));
    tokio::spawn(async move {
        while metrics.changed().await.is_ok() {
            let now = judge(&metrics.borrow_watched());
            sender.send_if_modified(|before| std::mem::replace(before, now) != now);
        }
        sender.send_replace(Leadership::NoLeader);
    });
    receiver
}
