//! The types with which this crate uses openraft. Nothing here is public.

use std::fmt;

use bytes::Bytes;
use openraft::impls::leader_id_std::LeaderId;
use openraft::impls::{BoxedErrorSource, InlineBatch};
use openraft::raft::responder::Responder;
use openraft::vote::RaftLeaderId;
use openraft_rt::deterministic_rng::DeterministicRng;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::apply::Applier;

/// A proposed command: bytes that mean nothing to this crate.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Payload(pub(crate) Bytes);

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

impl fmt::Display for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Takes the outcome of one proposal back to its proposer.
///
/// It owns the proposal's place among those in flight, so the place is taken until openraft is done with the
/// entry, even when the proposer has given up waiting.
pub(crate) struct Waiter<T> {
    outcome: oneshot::Sender<T>,
    _place: Option<OwnedSemaphorePermit>,
}

impl<T> Waiter<T> {
    pub(crate) fn new(place: Option<OwnedSemaphorePermit>) -> (Self, oneshot::Receiver<T>) {
        let (outcome, receiver) = oneshot::channel();
        (
            Self {
                outcome,
                _place: place,
            },
            receiver,
        )
    }
}

impl<T: Send + 'static> Responder<TypeConfig, T> for Waiter<T> {
    fn on_complete(self, outcome: T) {
        // A proposer that has gone away does not want to know.
        let _ = self.outcome.send(outcome);
    }
}

/// Tokio, with random numbers from a seed: [`Runtime::scope`] sets it for all that is spawned inside.
pub(crate) type Runtime = DeterministicRng<openraft::TokioRuntime>;

/// openraft's parameters: byte strings, `u64` nodes without addresses, at most one leader a term.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TypeConfig;

impl openraft::RaftTypeConfig for TypeConfig {
    type D = Payload;
    type R = Bytes;
    type NodeId = u64;
    type Node = ();
    type Term = u64;
    type LeaderId = LeaderId<u64, u64>;
    type Vote = openraft::Vote<Self::LeaderId>;
    type Payload = openraft::EntryPayload<Self::D, Self::NodeId, Self::Node>;
    type Entry = openraft::Entry<<Self::LeaderId as RaftLeaderId>::Committed, Self::Payload>;
    type AsyncRuntime = Runtime;
    type Responder<T>
        = Waiter<T>
    where
        T: Send + 'static;
    type Batch<T>
        = InlineBatch<T>
    where
        T: Send + 'static;
    type ErrorSource = BoxedErrorSource;
}

pub(crate) type Raft = openraft::Raft<TypeConfig, Applier>;
pub(crate) type LogId = openraft::type_config::alias::LogIdOf<TypeConfig>;
pub(crate) type Vote = openraft::type_config::alias::VoteOf<TypeConfig>;
pub(crate) type Entry = openraft::type_config::alias::EntryOf<TypeConfig>;
pub(crate) type EntryPayload = openraft::type_config::alias::EntryPayloadOf<TypeConfig>;
pub(crate) type Membership = openraft::Membership<u64, ()>;
pub(crate) type StoredMembership = openraft::type_config::alias::StoredMembershipOf<TypeConfig>;
pub(crate) type SnapshotMeta = openraft::type_config::alias::SnapshotMetaOf<TypeConfig>;
pub(crate) type Snapshot =
    openraft::type_config::alias::SnapshotOf<TypeConfig, crate::snapshot::SnapshotFile>;

pub(crate) fn log_id(term: u64, index: u64) -> LogId {
    LogId::new(term.into(), index)
}
