//! A node's lives: it says that it is up, and the cluster gives that life an epoch. DESIGN 5.6.

use std::sync::Arc;
use std::time::Duration;

use odin_model::node::NodeFacts;
use odin_model::{Clock, Command, Epoch, NodeId, Refusal, Reply};
use tokio::sync::watch;

use crate::proposer::Proposer;

/// How long to wait before a node says again that it is up.
const UP_RETRY: Duration = Duration::from_millis(100);
/// How long a node that returns waits after a refusal: its name is taken, and only an operator can mend that.
const REFUSED_RETRY: Duration = Duration::from_secs(1);

/// Whether the cluster has taken note of this node's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Up {
    /// Not yet.
    Waiting,
    /// It has, from this epoch on.
    Since(Epoch),
    /// It will not have it.
    Refused(Refusal),
}

/// What a node says of itself at the beginning of each life.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    pub(crate) node: NodeId,
    facts: NodeFacts,
    up: Arc<watch::Sender<Up>>,
}

impl Life {
    /// Tells `up` of each life.
    pub(crate) fn new(node: NodeId, facts: NodeFacts, up: watch::Sender<Up>) -> Self {
        Self {
            node,
            facts,
            up: Arc::new(up),
        }
    }

    /// Says that this node is up until the cluster has taken note.
    pub(crate) async fn begin(&self, proposer: &Proposer, clock: &dyn Clock) -> Up {
        let up = loop {
            let command = Command::NodeUp {
                node: self.node,
                facts: self.facts.clone(),
                at: clock.wall(),
            };
            match proposer.propose(&command).await {
                Ok(Reply::NodeUp { epoch }) => break Up::Since(epoch),
                Ok(Reply::Refused(refusal)) => break Up::Refused(refusal),
                Ok(other) => {
                    unreachable!("apply answers NodeUp with an epoch or a refusal, not {other:?}")
                }
                Err(error) => {
                    tracing::debug!(%error, "nobody has taken note of this node yet");
                    tokio::time::sleep(UP_RETRY).await;
                }
            }
        };
        self.up.send_replace(up.clone());
        up
    }

    /// The same for a node that the cluster counts as down. `None`: it was refused, and may try again.
    pub(crate) async fn begin_again(
        &self,
        proposer: &Proposer,
        clock: &dyn Clock,
    ) -> Option<Epoch> {
        match self.begin(proposer, clock).await {
            Up::Since(epoch) => Some(epoch),
            Up::Refused(refusal) => {
                tracing::error!(%refusal, "this node may not come back");
                tokio::time::sleep(REFUSED_RETRY).await;
                None
            }
            Up::Waiting => None,
        }
    }
}
