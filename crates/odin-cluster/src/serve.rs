//! Answers other nodes' requests.

use std::time::Duration;

use bytes::Bytes;
use openraft::ReadPolicy;
use openraft::errors::{ForwardReason, LinearizableReadError, RaftError};
use openraft::raft::TransferLeaderError;

use crate::blocking::blocking;
use crate::error::Stopped;
use crate::frame::{
    Answer, Chunk, ChunkAnswer, LeaseReply, ProposeAnswer, ReadPointAnswer, Request,
    TransferRefused, lease_request,
};
use crate::incoming::Received;
use crate::lease::{LeaseAnswer, LeaseRequest};
use crate::log::Log;
use crate::propose::COMMAND_BYTES_MAX;
use crate::raft_types::Snapshot;
use crate::record::{decode, encode};

/// How long a lease waits for the leader to apply what it knows to be committed.
const CATCH_UP: Duration = Duration::from_secs(1);

impl Log {
    /// Answers a frame that a [`Transport`](crate::Transport) brought from another node of this cluster.
    ///
    /// Whatever the frame holds, there is an answer. It may take as long as the work asked for, so frames are served
    /// side by side.
    pub async fn serve(&self, frame: Bytes) -> Bytes {
        let answer = match decode::<Request>(&frame) {
            Ok(request) => self.answer(request).await,
            Err(error) => Answer::Unreadable(error.to_string()),
        };
        encode(&answer).into()
    }

    pub(crate) async fn answer(&self, request: Request) -> Answer {
        self.try_answer(request).await.unwrap_or(Answer::Stopped)
    }

    async fn try_answer(&self, request: Request) -> Result<Answer, Stopped> {
        let raft = &self.inner.raft;
        Ok(match request {
            Request::Append(append) => Answer::Append(
                raft.append_entries(append.into())
                    .await
                    .map_err(|_| Stopped)?
                    .into(),
            ),
            Request::Vote(candidacy) => Answer::Vote(
                raft.vote(candidacy.into())
                    .await
                    .map_err(|_| Stopped)?
                    .into(),
            ),
            Request::PreVote(candidacy) => Answer::Vote(
                raft.pre_vote(candidacy.into())
                    .await
                    .map_err(|_| Stopped)?
                    .into(),
            ),
            Request::TransferLeader(transfer) => {
                let outcome = raft
                    .handle_transfer_leader(transfer.into())
                    .await
                    .map_err(|_| Stopped)?;
                Answer::TransferLeader(outcome.map_err(|error| match error {
                    TransferLeaderError::VoteChanged { expected, actual } => {
                        TransferRefused::VoteChanged {
                            expected: expected.into(),
                            actual: actual.into(),
                        }
                    }
                    TransferLeaderError::LogNotFlushed { expected, actual } => {
                        TransferRefused::LogNotFlushed {
                            expected: expected.map(Into::into),
                            actual: actual.map(Into::into),
                        }
                    }
                }))
            }
            Request::Snapshot(chunk) => Answer::Snapshot(self.take_chunk(chunk).await?),
            Request::Propose(command) if command.len() > COMMAND_BYTES_MAX => {
                let bytes = u64::try_from(command.len()).expect("a length fits 64 bits");
                Answer::Proposed(ProposeAnswer::TooLarge { bytes })
            }
            Request::Propose(command) => Answer::Proposed(self.propose_here(command, None).await?),
            Request::ReadPoint => Answer::ReadPoint(self.read_point().await?),
            Request::Lease { node, epoch } => {
                Answer::Lease(self.judge_lease(lease_request(node, epoch)).await?)
            }
        })
    }

    async fn take_chunk(&self, chunk: Chunk) -> Result<ChunkAnswer, Stopped> {
        // Held while the last chunk's snapshot is installed: one at a time.
        let mut incoming = self.inner.incoming.lock().await;
        let received = match blocking(|| incoming.take(&chunk, &self.inner.snapshots)) {
            Ok(received) => received,
            Err(error) => {
                // A full disk may have space again when the leader comes back with the first chunk.
                tracing::warn!(%error, "a snapshot cannot be received");
                return Ok(ChunkAnswer::From(0));
            }
        };
        match received {
            Received::Wants(offset) => Ok(ChunkAnswer::From(offset)),
            Received::Whole(file) => {
                let snapshot = Snapshot {
                    meta: chunk.id.meta(),
                    snapshot: file,
                };
                let vote = chunk.id.vote.into();
                let installed = self
                    .inner
                    .raft
                    .install_full_snapshot(vote, snapshot)
                    .await
                    .map_err(|_| Stopped)?;
                Ok(ChunkAnswer::Done {
                    vote: installed.vote.into(),
                })
            }
        }
    }

    /// How far the log is committed, once a quorum has acknowledged a heartbeat sent after this call. That is at least
    /// this leader's own first entry, so everything its log held before is included.
    async fn read_point(&self) -> Result<ReadPointAnswer, Stopped> {
        match self
            .inner
            .raft
            .get_read_linearizer(ReadPolicy::ReadIndex)
            .await
        {
            Ok(linearizer) => Ok(ReadPointAnswer::Index(
                linearizer.read_log_id().log_id().index,
            )),
            Err(RaftError::APIError(LinearizableReadError::ForwardToLeader(forward))) => {
                match forward.reason {
                    ForwardReason::LeaseExpired => Ok(ReadPointAnswer::NoQuorum),
                    ForwardReason::NotLeader | ForwardReason::LeadershipTransfer => {
                        Ok(ReadPointAnswer::NotLeader)
                    }
                }
            }
            Err(RaftError::APIError(LinearizableReadError::QuorumNotEnough(_))) => {
                Ok(ReadPointAnswer::NoQuorum)
            }
            Err(RaftError::Fatal(_)) => Err(Stopped),
        }
    }

    /// The leader's side of a lease: (b), then (a), then (c), as [`lease`](crate::lease) names them.
    async fn judge_lease(&self, request: LeaseRequest) -> Result<LeaseReply, Stopped> {
        let commit_index = match self.read_point().await? {
            ReadPointAnswer::Index(index) => index,
            ReadPointAnswer::NotLeader => return Ok(LeaseReply::NotLeader),
            ReadPointAnswer::NoQuorum => return Ok(LeaseReply::NoQuorum),
        };
        if self.wait_applied(commit_index, CATCH_UP).await.is_err() {
            return Ok(LeaseReply::NotReady);
        }
        let environment = &self.inner.environment;
        match environment
            .leases
            .admit(request, environment.clock.boottime())
        {
            Ok(()) => {
                let leader_wall = environment.clock.wall();
                Ok(LeaseAnswer {
                    commit_index,
                    leader_wall,
                    lease: self.inner.timings.leases.lease,
                }
                .into())
            }
            Err(reason) => Ok(reason.into()),
        }
    }
}
