//! What nodes say to each other: a version byte and postcard. Variants are sent by position: add at the end.

use std::time::Duration;

use bytes::Bytes;
use jiff::Timestamp;
use odin_model::{Epoch, NodeId};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, TransferLeaderRequest, VoteRequest, VoteResponse,
};
use serde::{Deserialize, Serialize};

use crate::lease::{LeaseAnswer, LeaseRequest, NotAdmitted};
use crate::raft_types::{Entry, SnapshotMeta, TypeConfig};
use crate::record::{LogIdRecord, PayloadRecord, StoredMembershipRecord, VoteRecord, byte_string};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Append(Append),
    Vote(Candidacy),
    PreVote(Candidacy),
    TransferLeader(Transfer),
    Snapshot(Chunk),
    /// A command for the leader to propose.
    Propose(#[serde(with = "byte_string")] Bytes),
    /// How far the log is committed, confirmed by a quorum.
    ReadPoint,
    Lease {
        node: u64,
        epoch: u64,
    },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Append(AppendAnswer),
    Vote(VoteAnswer),
    TransferLeader(Result<(), TransferRefused>),
    Snapshot(ChunkAnswer),
    Proposed(ProposeAnswer),
    ReadPoint(ReadPointAnswer),
    Lease(LeaseReply),
    /// The node's log has stopped.
    Stopped,
    /// The request could not be read.
    Unreadable(String),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Append {
    vote: VoteRecord,
    previous: Option<LogIdRecord>,
    entries: Vec<(LogIdRecord, PayloadRecord)>,
    committed: Option<LogIdRecord>,
}

impl From<AppendEntriesRequest<TypeConfig>> for Append {
    fn from(request: AppendEntriesRequest<TypeConfig>) -> Self {
        let entry = |entry: Entry| (entry.log_id.into(), entry.payload.into());
        Self {
            vote: request.vote.into(),
            previous: request.prev_log_id.map(Into::into),
            entries: request.entries.into_iter().map(entry).collect(),
            committed: request.leader_commit.map(Into::into),
        }
    }
}

impl From<Append> for AppendEntriesRequest<TypeConfig> {
    fn from(append: Append) -> Self {
        let entry = |(id, payload): (LogIdRecord, PayloadRecord)| Entry {
            log_id: id.into(),
            payload: payload.into(),
        };
        Self {
            vote: append.vote.into(),
            prev_log_id: append.previous.map(Into::into),
            entries: append.entries.into_iter().map(entry).collect(),
            leader_commit: append.committed.map(Into::into),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum AppendAnswer {
    Success,
    /// Only up to here.
    Partial(Option<LogIdRecord>),
    Conflict,
    HigherVote(VoteRecord),
}

impl From<AppendEntriesResponse<TypeConfig>> for AppendAnswer {
    fn from(response: AppendEntriesResponse<TypeConfig>) -> Self {
        match response {
            AppendEntriesResponse::Success => Self::Success,
            AppendEntriesResponse::PartialSuccess(upto) => Self::Partial(upto.map(Into::into)),
            AppendEntriesResponse::Conflict => Self::Conflict,
            AppendEntriesResponse::HigherVote(vote) => Self::HigherVote(vote.into()),
        }
    }
}

impl From<AppendAnswer> for AppendEntriesResponse<TypeConfig> {
    fn from(answer: AppendAnswer) -> Self {
        match answer {
            AppendAnswer::Success => Self::Success,
            AppendAnswer::Partial(upto) => Self::PartialSuccess(upto.map(Into::into)),
            AppendAnswer::Conflict => Self::Conflict,
            AppendAnswer::HigherVote(vote) => Self::HigherVote(vote.into()),
        }
    }
}

/// A request for a vote, real or preliminary.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Candidacy {
    vote: VoteRecord,
    last: Option<LogIdRecord>,
    by_transfer: bool,
}

impl From<VoteRequest<TypeConfig>> for Candidacy {
    fn from(request: VoteRequest<TypeConfig>) -> Self {
        Self {
            vote: request.vote.into(),
            last: request.last_log_id.map(Into::into),
            by_transfer: request.leadership_transfer,
        }
    }
}

impl From<Candidacy> for VoteRequest<TypeConfig> {
    fn from(candidacy: Candidacy) -> Self {
        let mut request = Self::new(candidacy.vote.into(), candidacy.last.map(Into::into));
        request.leadership_transfer = candidacy.by_transfer;
        request
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct VoteAnswer {
    vote: VoteRecord,
    granted: bool,
    last: Option<LogIdRecord>,
}

impl From<VoteResponse<TypeConfig>> for VoteAnswer {
    fn from(response: VoteResponse<TypeConfig>) -> Self {
        Self {
            vote: response.vote.into(),
            granted: response.vote_granted,
            last: response.last_log_id.map(Into::into),
        }
    }
}

impl From<VoteAnswer> for VoteResponse<TypeConfig> {
    fn from(answer: VoteAnswer) -> Self {
        Self {
            vote: answer.vote.into(),
            vote_granted: answer.granted,
            last_log_id: answer.last.map(Into::into),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Transfer {
    from: VoteRecord,
    to: u64,
    last: Option<LogIdRecord>,
}

impl From<TransferLeaderRequest<TypeConfig>> for Transfer {
    fn from(request: TransferLeaderRequest<TypeConfig>) -> Self {
        Self {
            from: (*request.from_leader()).into(),
            to: *request.to_node_id(),
            last: request.last_log_id().map(|&id| id.into()),
        }
    }
}

impl From<Transfer> for TransferLeaderRequest<TypeConfig> {
    fn from(transfer: Transfer) -> Self {
        Self::new(
            transfer.from.into(),
            transfer.to,
            transfer.last.map(Into::into),
        )
    }
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum TransferRefused {
    VoteChanged {
        expected: VoteRecord,
        actual: VoteRecord,
    },
    LogNotFlushed {
        expected: Option<LogIdRecord>,
        actual: Option<LogIdRecord>,
    },
}

/// Which snapshot a chunk belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SnapshotId {
    pub(crate) vote: VoteRecord,
    pub(crate) last: Option<LogIdRecord>,
    pub(crate) membership: StoredMembershipRecord,
    pub(crate) bytes: u64,
    pub(crate) crc: u32,
}

impl SnapshotId {
    pub(crate) fn meta(&self) -> SnapshotMeta {
        SnapshotMeta {
            last_log_id: self.last.map(Into::into),
            last_membership: self.membership.clone().into(),
        }
    }
}

/// A piece of a snapshot.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Chunk {
    pub(crate) id: SnapshotId,
    pub(crate) offset: u64,
    #[serde(with = "byte_string")]
    pub(crate) data: Bytes,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ChunkAnswer {
    /// Send on from this offset, which is not always the one that follows.
    From(u64),
    /// The snapshot is installed, or refused because of a higher vote.
    Done { vote: VoteRecord },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ProposeAnswer {
    Applied {
        index: u64,
        #[serde(with = "byte_string")]
        reply: Bytes,
    },
    /// Nothing was proposed: this node does not lead.
    NotLeader,
    TooLarge {
        bytes: u64,
    },
    /// It may be applied, or not.
    OutcomeUnknown,
    /// Nothing was proposed: too many others are in flight.
    Overloaded,
    /// Nothing was proposed: this node leads, but has not heard from most of the voters lately.
    NoQuorum,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum ReadPointAnswer {
    Index(u64),
    NotLeader,
    NoQuorum,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum LeaseReply {
    Granted {
        commit_index: u64,
        #[serde(with = "odin_model::instant")]
        leader_wall: Timestamp,
        lease: Duration,
    },
    NotLeader,
    NotReady,
    NoQuorum,
    Down,
    OtherEpoch,
    Unknown,
}

impl From<LeaseAnswer> for LeaseReply {
    fn from(answer: LeaseAnswer) -> Self {
        Self::Granted {
            commit_index: answer.commit_index,
            leader_wall: answer.leader_wall,
            lease: answer.lease,
        }
    }
}

impl From<NotAdmitted> for LeaseReply {
    fn from(reason: NotAdmitted) -> Self {
        match reason {
            NotAdmitted::Down => Self::Down,
            NotAdmitted::OtherEpoch => Self::OtherEpoch,
            NotAdmitted::Unknown => Self::Unknown,
        }
    }
}

impl From<LeaseRequest> for Request {
    fn from(request: LeaseRequest) -> Self {
        Self::Lease {
            node: request.node.0,
            epoch: request.epoch.0,
        }
    }
}

/// The lease request of a frame's numbers.
pub(crate) fn lease_request(node: u64, epoch: u64) -> LeaseRequest {
    LeaseRequest {
        node: NodeId(node),
        epoch: Epoch(epoch),
    }
}
