//! How frames reach other nodes. This crate makes and reads them; someone else carries them.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use odin_model::NodeId;

/// No frame that this crate makes is longer. A transport may refuse longer ones.
pub const FRAME_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Why a frame has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// The frame surely did not reach the node: sending it again is safe.
    #[error("node {node} cannot be reached: {reason}")]
    Unreachable {
        /// Where the frame should go.
        node: NodeId,
        /// What happened.
        reason: String,
    },
    /// The frame may have reached the node, but its answer was lost.
    #[error("the connection to node {node} was lost: {reason}")]
    Interrupted {
        /// Where the frame went.
        node: NodeId,
        /// What happened.
        reason: String,
    },
}

/// Carries a frame to a node and its answer back.
///
/// Requests to one node are independent: they may overtake each other, and a long one must not hold up others
/// (a heartbeat behind a snapshot would end a leader's term). A future dropped before its end gives the request
/// up. An implementation makes sure that it talks to the node meant, by id, and lets nobody else's frames in; on
/// the receiving side it hands the frame to [`Log::serve`](crate::Log::serve).
pub trait Transport: Send + Sync + 'static {
    /// Sends `frame` to `target` and waits for the answer, for as long as the caller does.
    fn send(&self, target: NodeId, frame: Bytes) -> BoxFuture<'_, Result<Bytes, TransportError>>;
}
