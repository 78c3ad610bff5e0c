//! A node asks for its lease, again and again. DESIGN 5.3.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use odin_cluster::{Denied, Grant, LeaseRequest, Log};
use odin_executor::protocol::AfterLease;
use odin_model::{Clock, Epoch, NodeId};
use odin_scheduling::clock_jump::Reading;
use tokio::sync::mpsc;

use crate::life::Life;
use crate::proposer::Proposer;
use crate::wall_offset::skew;

/// How often a lease is asked for: five times within one.
const EVERY: Duration = Duration::from_secs(1);
/// How soon again after a refusal.
const RETRY: Duration = Duration::from_millis(50);

/// A lease with what it says of the clocks.
pub(crate) struct Leased {
    pub(crate) grant: Grant,
    /// How far the leader's wall clock is ahead of this node's.
    pub(crate) skew: SignedDuration,
    /// What becomes of runs when no other lease follows.
    pub(crate) then: AfterLease,
    /// The life of this node that it was granted to.
    pub(crate) epoch: Epoch,
}

/// Asks from a task of its own, since an answer may take as long as an election; ends when nobody takes the answers.
/// A node that was counted as down meanwhile, as one is that slept or was stopped, begins a new life.
pub(crate) fn ask(
    proposer: Proposer,
    clock: Arc<dyn Clock>,
    life: Life,
    mut epoch: Epoch,
) -> mpsc::Receiver<Result<Leased, Denied>> {
    let (sender, receiver) = mpsc::channel(1);
    tokio::spawn(async move {
        loop {
            let leased = ask_once(proposer.log(), clock.as_ref(), life.node, epoch).await;
            let wait = match &leased {
                Ok(_) => EVERY,
                Err(Denied::NotAdmitted(reason)) => {
                    tracing::warn!(%reason, "this node comes back");
                    if let Some(begun) = life.begin_again(&proposer, clock.as_ref()).await {
                        epoch = begun;
                    }
                    RETRY
                }
                Err(_) => RETRY,
            };
            if sender.send(leased).await.is_err() {
                return;
            }
            tokio::time::sleep(wait).await;
        }
    });
    receiver
}

/// Where this node alone decides, nobody starts anything in its place while it is away.
fn after(log: &Log, node: NodeId) -> AfterLease {
    if log.status().voters == [node] {
        AfterLease::RunsGoOn
    } else {
        AfterLease::RunsEnd
    }
}

async fn ask_once(
    log: &Log,
    clock: &dyn Clock,
    node: NodeId,
    epoch: Epoch,
) -> Result<Leased, Denied> {
    let read = || Reading {
        wall: clock.wall(),
        boottime: clock.boottime(),
    };
    let asked = read();
    let grant = log.request_lease(LeaseRequest { node, epoch }).await?;
    let skew = skew(asked, read(), grant.leader_wall);
    // The lease counts only once this node has applied what the leader had committed.
    let until = grant.expires.since(read().boottime);
    match log.wait_applied(grant.commit_index, until).await {
        Ok(()) => Ok(Leased {
            grant,
            skew,
            then: after(log, node),
            epoch,
        }),
        Err(_) => Err(Denied::NotReady),
    }
}
