//! openraft's requests to other nodes, as frames over the [`Transport`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use odin_model::NodeId;
use openraft::errors::{
    NetworkError, RPCError, ReplicationClosed, StreamingError, Timeout, Unreachable,
};
use openraft::network::{RPCOption, RPCTypes, RaftNetworkFactory, RaftNetworkV2};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, TransferLeaderError,
    TransferLeaderRequest, TransferLeaderResponse, VoteRequest, VoteResponse,
};

use crate::blocking::blocking;
use crate::frame::{Answer, Chunk, ChunkAnswer, Request, SnapshotId, TransferRefused};
use crate::raft_types::{Snapshot, TypeConfig, Vote};
use crate::record::{decode, encode};
use crate::snapshot::SnapshotFile;
use crate::transport::{Transport, TransportError};

/// One piece of a snapshot.
const CHUNK_BYTES: usize = 512 * 1024;

/// How long the answer to one piece may take; the last one's includes the installing.
const CHUNK_TIMEOUT: Duration = Duration::from_secs(10);
pub(crate) const INSTALL_TIMEOUT: Duration = Duration::from_secs(600);

/// How often a receiver may ask for a snapshot from another offset before the transfer is given up.
const REWINDS_MAX: u32 = 8;

/// Makes [`Peer`]s.
pub(crate) struct Peers {
    pub(crate) node: u64,
    pub(crate) transport: Arc<dyn Transport>,
}

impl RaftNetworkFactory<TypeConfig> for Peers {
    type Network = Peer;

    async fn new_client(&mut self, target: u64, _: &()) -> Peer {
        Peer {
            node: self.node,
            target,
            transport: self.transport.clone(),
        }
    }
}

/// Another node.
pub(crate) struct Peer {
    node: u64,
    target: u64,
    transport: Arc<dyn Transport>,
}

type RpcError = RPCError<TypeConfig>;

impl Peer {
    async fn call(
        &self,
        request: &Request,
        within: Duration,
        action: RPCTypes,
    ) -> Result<Answer, RpcError> {
        let frame = Bytes::from(encode(request));
        let sent =
            tokio::time::timeout(within, self.transport.send(NodeId(self.target), frame)).await;
        match sent {
            Err(_) => Err(Timeout {
                action,
                id: self.node,
                target: self.target,
                timeout: within,
            }
            .into()),
            Ok(Err(error @ TransportError::Unreachable { .. })) => {
                Err(Unreachable::new(&error).into())
            }
            Ok(Err(error @ TransportError::Interrupted { .. })) => {
                Err(NetworkError::new(&error).into())
            }
            Ok(Ok(answer)) => decode(&answer).map_err(|error| Unreachable::new(&error).into()),
        }
    }
}

/// The peer answered, but not what was asked: it has stopped, or is of another version. Asking again soon is no use.
fn unexpected(answer: &Answer) -> RpcError {
    let what = match answer {
        Answer::Stopped => "its log has stopped".to_owned(),
        Answer::Unreadable(why) => format!("it could not read the request: {why}"),
        other => format!("it answered something else: {other:?}"),
    };
    Unreachable::from_string(what).into()
}

impl RaftNetworkV2<TypeConfig> for Peer {
    type SnapshotData = SnapshotFile;

    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<AppendEntriesResponse<TypeConfig>, RpcError> {
        let request = Request::Append(rpc.into());
        match self
            .call(&request, option.soft_ttl(), RPCTypes::AppendEntries)
            .await?
        {
            Answer::Append(answer) => Ok(answer.into()),
            other => Err(unexpected(&other)),
        }
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        match self
            .call(
                &Request::Vote(rpc.into()),
                option.soft_ttl(),
                RPCTypes::Vote,
            )
            .await?
        {
            Answer::Vote(answer) => Ok(answer.into()),
            other => Err(unexpected(&other)),
        }
    }

    async fn pre_vote(
        &mut self,
        rpc: VoteRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<VoteResponse<TypeConfig>, RpcError> {
        match self
            .call(
                &Request::PreVote(rpc.into()),
                option.soft_ttl(),
                RPCTypes::Vote,
            )
            .await?
        {
            Answer::Vote(answer) => Ok(answer.into()),
            other => Err(unexpected(&other)),
        }
    }

    async fn full_snapshot(
        &mut self,
        vote: Vote,
        snapshot: Snapshot,
        cancel: impl Future<Output = ReplicationClosed> + Send + 'static,
        _option: RPCOption,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let mut cancel = std::pin::pin!(cancel);
        tokio::select! {
            // In order, so that a simulated run takes the same way each time.
            biased;
            closed = &mut cancel => Err(closed.into()),
            sent = self.send_snapshot(vote, &snapshot) => sent,
        }
    }

    async fn transfer_leader(
        &mut self,
        request: TransferLeaderRequest<TypeConfig>,
        option: RPCOption,
    ) -> Result<TransferLeaderResponse<TypeConfig>, RpcError> {
        let request = Request::TransferLeader(request.into());
        match self
            .call(&request, option.soft_ttl(), RPCTypes::TransferLeader)
            .await?
        {
            Answer::TransferLeader(Ok(())) => Ok(Ok(())),
            Answer::TransferLeader(Err(refused)) => Ok(Err(transfer_error(refused))),
            other => Err(unexpected(&other)),
        }
    }
}

impl Peer {
    async fn send_snapshot(
        &self,
        vote: Vote,
        snapshot: &Snapshot,
    ) -> Result<SnapshotResponse<TypeConfig>, StreamingError<TypeConfig>> {
        let file = &snapshot.snapshot;
        let id = SnapshotId {
            vote: vote.into(),
            last: snapshot.meta.last_log_id.map(Into::into),
            membership: (&snapshot.meta.last_membership).into(),
            bytes: file.bytes,
            crc: file.crc,
        };
        let (mut offset, mut rewinds) = (0, 0);
        loop {
            let data = blocking(|| file.read_at(offset, CHUNK_BYTES))
                .map_err(|error| StreamingError::Unreachable(Unreachable::new(&error)))?;
            let next = offset + u64::try_from(data.len()).expect("a length fits 64 bits");
            let last = next >= file.bytes;
            let request = Request::Snapshot(Chunk {
                id: id.clone(),
                offset,
                data: data.into(),
            });
            let within = if last { INSTALL_TIMEOUT } else { CHUNK_TIMEOUT };
            match self
                .call(&request, within, RPCTypes::InstallSnapshot)
                .await?
            {
                Answer::Snapshot(ChunkAnswer::Done { vote }) => {
                    return Ok(SnapshotResponse::new(vote.into()));
                }
                Answer::Snapshot(ChunkAnswer::From(wanted)) => {
                    if wanted != next {
                        rewinds += 1;
                    }
                    if rewinds > REWINDS_MAX || wanted > file.bytes {
                        let why = format!("the receiver asks for offset {wanted} again and again");
                        return Err(Unreachable::from_string(why).into());
                    }
                    offset = wanted;
                }
                other => return Err(unexpected(&other).into()),
            }
        }
    }
}

fn transfer_error(refused: TransferRefused) -> TransferLeaderError<TypeConfig> {
    match refused {
        TransferRefused::VoteChanged { expected, actual } => TransferLeaderError::VoteChanged {
            expected: expected.into(),
            actual: actual.into(),
        },
        TransferRefused::LogNotFlushed { expected, actual } => TransferLeaderError::LogNotFlushed {
            expected: expected.map(Into::into),
            actual: actual.map(Into::into),
        },
    }
}
