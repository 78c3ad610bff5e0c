//! Commands into the log, and its answers back.

use bytes::Bytes;
use odin_cluster::{Log, ProposeError, Term};
use odin_model::{Command, Reply, codec};

/// A log that takes [`Command`]s.
#[derive(Clone)]
pub struct Proposer {
    log: Log,
}

impl Proposer {
    /// Proposes to `log`.
    #[must_use]
    pub fn new(log: Log) -> Self {
        Self { log }
    }

    /// The log itself.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Waits until `command` is committed and applied, on whichever node leads.
    ///
    /// # Errors
    /// When no leader took it, or nobody can tell whether one did.
    pub async fn propose(&self, command: &Command) -> Result<Reply, ProposeError> {
        let applied = self.log.propose(encoded(command)).await?;
        Ok(decoded(&applied.reply))
    }

    /// The same, only if this node still leads in `term`.
    ///
    /// # Errors
    /// Also when another term has begun.
    pub async fn propose_fenced(
        &self,
        term: Term,
        command: &Command,
    ) -> Result<Reply, ProposeError> {
        let applied = self.log.propose_fenced(term, encoded(command)).await?;
        Ok(decoded(&applied.reply))
    }
}

/// In no more memory than it needs: the log keeps it for a while.
fn encoded(command: &Command) -> Bytes {
    codec::encode(command).into_boxed_slice().into()
}

fn decoded(reply: &[u8]) -> Reply {
    codec::decode(reply).expect("apply on this version of Odin wrote the reply")
}
