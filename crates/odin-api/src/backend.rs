//! What a node gives the API to work with.

use std::path::Path;
use std::sync::Arc;

use axum::body::Bytes;
use futures_util::future::BoxFuture;
use odin_metrics::Family;
use odin_model::channel::Channel;
use odin_model::clock::Clock;
use odin_model::job::Job;
use odin_model::node::Node;
use odin_model::output::OutputChunk;
use odin_model::run::Run;
use odin_model::secret::SealedSecret;
use odin_model::sink::Sink;
use odin_model::{
    AttemptNumber, Command, Limits, NodeId, Owner, Program, Reply, SecretName, SecretValue,
};
use odin_schedule::Calendars;
use odin_store::{Counts, Effect, Reader, StoreError};
use odin_wire::{Health, NodeRole};
use tokio::sync::{broadcast, mpsc};

use crate::request_metrics::RequestMetrics;

/// The node behind the API. Two implementations: `odin-node`'s, and the tests' over a store of their own.
///
/// Methods that return a future may wait; those marked as blocking
/// may block and are called off the async threads; all others
/// answer at once.
pub trait Backend: Send + Sync + 'static {
    /// Puts a command into the replicated log, on whichever node leads, and answers what apply replied. A dropped
    /// future leaves the command where it is: it may still be applied.
    fn propose(&self, command: Command) -> BoxFuture<'_, Result<Reply, ProposeError>>;

    /// The state as this node has applied it. Blocking: the API calls it off the async threads.
    fn reader(&self) -> &Reader;

    /// The calendars to which schedules may refer, as this node has applied them. Blocking.
    ///
    /// # Errors
    /// The state cannot be read.
    fn calendars(&self) -> Result<Arc<Calendars>, StoreError>;

    /// The node's clock.
    fn clock(&self) -> &dyn Clock;

    /// 64 random bits, for a job's id or a file's name.
    fn draw_bits(&self) -> u64;

    /// What `/healthz` answers.
    fn health(&self) -> Health;

    /// Whether a leader is known and this node has applied what it must: what `/readyz` answers.
    fn is_ready(&self) -> bool;

    /// Changes from now on, published after their commit. A receiver that lags loses the oldest, which the API
    /// tells its subscribers.
    fn events(&self) -> broadcast::Receiver<Effect>;

    /// What an attempt printed, from a position on: from the executor's memory while it is small, from its file when
    /// it is not. Only asked when the replicated result does not hold all of it.
    fn output(
        &self,
        run: &Run,
        attempt: AttemptNumber,
        from: OutputPosition,
    ) -> BoxFuture<'_, Result<OutputPage, OutputFault>>;

    /// How many bytes of an attempt's output are kept so far, of both streams together. Only asked when the replicated
    /// result does not hold all of it.
    fn output_end(
        &self,
        run: &Run,
        attempt: AttemptNumber,
    ) -> BoxFuture<'_, Result<u64, OutputFault>>;

    /// Begins a backup of this node. Everything that can be refused is refused before the first piece; what goes wrong
    /// later is the stream's last piece. Who drops the stream ends the backup.
    fn backup(
        &self,
        contents: BackupContents,
    ) -> BoxFuture<'_, Result<mpsc::Receiver<std::io::Result<Bytes>>, BackupRefused>>;

    /// The directory of bundles, each named by its hash.
    fn bundles_dir(&self) -> &Path;

    /// What keeps this node from holding a run to limits, in words. `None`: nothing, or the job does not insist.
    /// Blocking.
    fn limits_unenforceable(&self, limits: &Limits) -> Option<String>;

    /// What lacks when this node is to run the program: a warning at deploy, in one sentence. Blocking.
    fn interpreter_missing(&self, program: &Program, env: &[(String, String)]) -> Option<String>;

    /// Seals a secret for the log, bound to its owner and name.
    ///
    /// # Errors
    /// When this node has no key.
    fn seal(
        &self,
        owner: &Owner,
        name: &SecretName,
        value: &SecretValue,
    ) -> Result<SealedSecret, SealError>;

    /// Sends a message to a channel at once, and says what happened. `by` asks for it: a command runs as that user.
    fn try_channel(&self, channel: Channel, by: Owner) -> BoxFuture<'_, Tried>;

    /// Sends one record to a sink at once. The error is for people: why the receiver did not take it.
    fn try_sink(&self, sink: Sink) -> BoxFuture<'_, Result<(), String>>;

    /// The user who runs the server: an admin, and the only owner of jobs unless its uid is 0.
    fn server_user(&self) -> &Owner;

    /// The token of `local.token`, which makes a TCP client the server's own user.
    fn local_token(&self) -> &str;

    /// The user of a uid, as the machine's user database has it. Blocking.
    fn user(&self, uid: u32) -> Option<User>;

    /// The user of a name, as the machine's user database has it. Blocking.
    fn user_named(&self, name: &str) -> Option<User>;

    /// Whether `/metrics` is for everyone who can connect, instead of admins.
    fn metrics_are_open(&self) -> bool;

    /// Where the API counts its requests.
    fn request_metrics(&self) -> RequestMetrics;

    /// What the node counts and measures, requests among it. Blocking.
    fn metrics(&self) -> Vec<Family>;

    /// How much the state holds.
    fn counts(&self) -> Counts;

    /// A node's part in the replicated log.
    fn role(&self, node: &Node) -> NodeRole;

    /// Where a run that a person asks for should go. `None`: the leader chooses later.
    fn node_for(&self, job: &Job) -> Option<NodeId>;
}

/// What came of a try of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// What was done, in order.
    pub steps: Vec<String>,
    /// Why the message was not taken. `None`: it was.
    pub error: Option<String>,
}

/// What goes into a backup besides the state, the bundles and the sealed history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupContents {
    /// What jobs printed, beyond what results hold.
    pub with_output: bool,
    /// The keys of the secrets.
    pub with_key: bool,
}

/// Why there is no backup.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupRefused {
    /// Another one is being written.
    #[error("another backup is under way")]
    UnderWay,
    /// There is no room for the copy of the state that a backup needs while it is written.
    #[error("{0}")]
    Full(String),
    /// The node has no key to put into it.
    #[error("this node has no secrets.key")]
    NoKey,
    /// Something cannot be read.
    #[error("{0}")]
    Failed(String),
}

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The uid.
    pub uid: u32,
    /// The primary group.
    pub gid: u32,
}

/// Why a proposal has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeError {
    /// No leader could be reached; nothing was proposed. The API tries again for [`LEADER_WAIT`](crate::LEADER_WAIT).
    #[error("no leader could be reached")]
    NoLeader,
    /// Too little disk space for new work; nothing was proposed.
    #[error("less than 64 MiB are free in the data directory's file system")]
    Full,
    /// The command is too long; nothing was proposed.
    #[error("the change takes {bytes} bytes; one log entry holds at most {bytes_max}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// The command may have been applied, or may be later, or never.
    #[error("it is not known whether the change was made")]
    OutcomeUnknown,
    /// The node is stopping.
    #[error("the server is stopping")]
    Stopped,
}

/// Why a secret is not sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// This node does not have the key.
    #[error("this node does not have the key: {0}")]
    KeyMissing(String),
    /// It is not what was sealed for this owner and name.
    #[error("the stored value is damaged: set it again")]
    Damaged,
}

impl SealError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::KeyMissing(_) => "secret/key-missing",
            Self::Damaged => "secret/damaged",
        }
    }
}

/// Where in an attempt's output a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct OutputPosition {
    /// How many kept bytes of both streams together come before. Means the same in memory, in a result and in a file.
    pub bytes: u64,
    /// Whatever the backend said in the page before, such as an offset in a file, to get there without reading
    /// searching for it. 0: nothing was said. It comes back from clients: a wrong one must do no harm.
    pub hint: u64,
}

/// A piece of an attempt's output, of about [`OUTPUT_PAGE_BYTES`] at most.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutputPage {
    /// What was printed, in order.
    pub chunks: Vec<OutputChunk>,
    /// Where the next page begins.
    pub next: OutputPosition,
    /// Whether the next page has something already.
    pub more: bool,
}

/// How much output one page holds: a page is one answer in memory.
pub const OUTPUT_PAGE_BYTES: usize = 256 * 1024;

/// Why there is no output.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutputFault {
    /// Another node has it, or it was removed.
    #[error("the output is not on this node")]
    NotHere,
    /// It cannot be read.
    #[error("the output cannot be read: {0}")]
    Unreadable(String),
}
