//! The leader's notifier: what is overdue becomes an alert, and messages go to their channels.
//!
//! That a message is sent is in the log before it is tried, and what became of it after. A leader that goes away in
//! between leaves it as `sending`; the next one waits until no attempt of the first can be under way any more, or its node
//! says that it began anew, and sends it again under the same id. One message of a channel is under way at a time, so they arrive in order; a
//! channel that is down holds up no other.

pub(crate) mod dispatch;
pub(crate) mod hooks;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use odin_cluster::{ProposeError, Term};
use odin_executor::fault::{self, Point};
use odin_model::alert::{ALERTS_IN_COMMAND_MAX, AlertChange};
use odin_model::channel::Channel;
use odin_model::delivery::{Delivery, DeliveryStep, Message};
use odin_model::{ChannelName, Clock, Command, NodeId, Reply};
use odin_notify::Trouble as SendTrouble;
use odin_scheduling::delivery::{ATTEMPT_MAX, TAKE_OVER_AFTER, Trouble, quiet_until, try_again};
use odin_store::{Reader, StoreError};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use self::dispatch::Dispatch;
use crate::life::Up;
use crate::machine::Announcements;
use crate::proposer::Proposer;
use crate::while_leading::{caught_up, while_leading};

/// How often is looked at most for what is overdue while much is applied: a few lookups in an index each time.
const PACE: Duration = Duration::from_millis(500);
/// The longest sleep while something is to come: a wall clock that was set is noticed within it. Where nothing is to come,
/// nothing is looked for until something is applied.
const NAP_MAX: Duration = Duration::from_secs(5);
/// The shortest sleep.
const MOMENT: Duration = Duration::from_millis(1);
/// How many messages are under way at once.
const UNDER_WAY_MAX: usize = 16;

/// What the notifier works with.
#[derive(Clone)]
pub(crate) struct Notifier {
    pub(crate) proposer: Proposer,
    pub(crate) reader: Reader,
    /// Tells that something was applied, and with it maybe an alert.
    pub(crate) announcements: Announcements,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dispatch: Dispatch,
    /// This node.
    pub(crate) node: NodeId,
    /// Its life: what it began to send in an earlier one is over.
    pub(crate) up: watch::Receiver<Up>,
}

/// Why a look at what is overdue ended.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    /// Another term, no leader, or a stopped log.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Messages of one channel that wait for each other: those that are urgent do not wait for those that are not.
type Lane = (ChannelName, bool);

impl Notifier {
    /// Notifies whenever this node is the leader, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let leadership = self.proposer.log().leadership();
        while_leading(leadership, stop, |term| self.lead(term)).await;
    }

    /// One term's work. What is under way when it is over is dropped: the next leader sends it again.
    async fn lead(&self, term: Term) {
        if !caught_up(self.proposer.log(), term).await {
            return;
        }
        let mut under_way: JoinSet<Lane> = JoinSet::new();
        let mut lanes = HashSet::new();
        let (mut applied, mut up) = (self.announcements.applied(), self.up.clone());
        loop {
            // Before the look: what comes while it goes on is looked at next.
            applied.mark_unchanged();
            up.mark_unchanged();
            let looked = self.look(term, &mut under_way, &mut lanes).await;
            let nap = match looked {
                Ok(next_at) => next_at.map(|at| nap(at, self.clock.wall())),
                Err(error) => {
                    tracing::debug!(%term, %error, "a pass of the notifier was interrupted");
                    Some(PACE)
                }
            };
            let rested = tokio::time::Instant::now() + PACE;
            tokio::select! {
                () = sleep_or_wait(nap) => {}
                // What is applied in a burst is looked at once. Before the cluster knows of this life nothing is sent.
                Ok(()) = applied.changed() => tokio::time::sleep_until(rested).await,
                Ok(()) = up.changed() => {}
                Some(done) = under_way.join_next() => match done {
                    Ok(lane) => _ = lanes.remove(&lane),
                    // A lane that is never free again would hold its channel up for this term.
                    Err(error) => {
                        tracing::error!(%error, "a message's task broke");
                        return;
                    }
                },
            }
        }
    }

    /// Raises what is overdue, and begins with the messages whose time has come. When the next is due, if anything is.
    async fn look(
        &self,
        term: Term,
        under_way: &mut JoinSet<Lane>,
        lanes: &mut HashSet<Lane>,
    ) -> Result<Option<Timestamp>, Interrupted> {
        let now = self.clock.wall();
        let overdue = self.reader.overdue(now, ALERTS_IN_COMMAND_MAX)?;
        if !overdue.watches.is_empty() {
            let change = AlertChange::Overdue {
                watches: overdue.watches,
                at: now,
            };
            let command = Command::Alert(Box::new(change));
            self.proposer.propose_fenced(term, &command).await?;
        }
        for delivery in overdue.deliveries {
            let lane = (delivery.channel.clone(), delivery.urgent);
            if lanes.contains(&lane) || under_way.len() >= UNDER_WAY_MAX {
                continue;
            }
            let Some((message, channel)) = self.begin(term, &delivery, now).await? else {
                continue;
            };
            lanes.insert(lane.clone());
            let notifier = self.clone();
            under_way.spawn(async move {
                notifier.attempt(term, &delivery, &message, &channel).await;
                lane
            });
        }
        Ok(overdue.next_at)
    }

    /// Writes down that a message is about to be sent. `None`: it waits, or somebody else was faster.
    async fn begin(
        &self,
        term: Term,
        delivery: &Delivery,
        now: Timestamp,
    ) -> Result<Option<(Message, Channel)>, Interrupted> {
        let Some((_, channel)) = self.reader.message(delivery.id)? else {
            return Ok(None);
        };
        if let Some(until) = held_until(&channel, delivery, now) {
            let hold = DeliveryStep::Hold {
                delivery: delivery.id,
                attempt: delivery.attempt,
                until,
            };
            self.step(term, hold).await?;
            return Ok(None);
        }
        // Before the cluster knows of this life it would be taken for something of the last one.
        let Up::Since(epoch) = *self.up.borrow() else {
            return Ok(None);
        };
        let begin = DeliveryStep::Begin {
            delivery: delivery.id,
            attempt: delivery.attempt.saturating_add(1),
            at: now,
            until: now.saturating_add(signed(TAKE_OVER_AFTER)).unwrap_or(now),
            node: self.node,
            epoch,
        };
        if !self.step(term, begin).await? {
            return Ok(None);
        }
        fault::reach(Point::ServerNotifyBefore);
        // Read after it is closed: until then alerts may have been added.
        Ok(self.reader.message(delivery.id)?)
    }

    /// Sends a message that is about to be sent, and writes down what became of it.
    async fn attempt(&self, term: Term, delivery: &Delivery, message: &Message, channel: &Channel) {
        let attempt = delivery.attempt.saturating_add(1);
        let run_as = delivery.run_as.as_ref();
        let sending = self.dispatch.send(channel, message, run_as);
        let sent = match tokio::time::timeout(ATTEMPT_MAX, sending).await {
            Ok(sent) => sent.map(|receipt| receipt.answer),
            Err(_) => {
                let seconds = ATTEMPT_MAX.as_secs();
                Err(dispatch::for_now(format!("no answer within {seconds}s")))
            }
        };
        fault::reach(Point::ServerNotifyAfter);
        let now = self.clock.wall();
        let id = message.id;
        let step = match sent {
            Ok(answer) => {
                tracing::info!(channel = %channel.name, %id, attempt, "a message was taken");
                DeliveryStep::Done {
                    delivery: delivery.id,
                    attempt,
                    answer,
                    at: now,
                }
            }
            Err(error) => {
                let trouble = match error.trouble {
                    SendTrouble::ForNow => Trouble::ForNow,
                    SendTrouble::ForGood => Trouble::ForGood,
                };
                let next_at = try_again(trouble, attempt, delivery.made_at, now);
                let given_up = next_at.is_none();
                tracing::warn!(channel = %channel.name, %id, attempt, given_up, %error, "a message was not taken");
                DeliveryStep::Failed {
                    delivery: delivery.id,
                    attempt,
                    error: error.reason,
                    next_at,
                    at: now,
                    settled: error.settled,
                }
            }
        };
        if let Err(error) = self.step(term, step).await {
            tracing::warn!(%id, %error, "what became of a message is not written down: it is sent again");
        }
    }

    /// Whether the step counted.
    async fn step(&self, term: Term, step: DeliveryStep) -> Result<bool, ProposeError> {
        let command = Command::Delivery(Box::new(step));
        let reply = self.proposer.propose_fenced(term, &command).await?;
        Ok(reply == Reply::Stepped { counts: true })
    }
}

/// How long nothing has to be looked for.
fn nap(next_at: Timestamp, now: Timestamp) -> Duration {
    let wait = Duration::try_from(next_at.duration_since(now)).unwrap_or(MOMENT);
    wait.clamp(MOMENT, NAP_MAX)
}

/// Sleeps, for good where there is nothing to wake up for.
async fn sleep_or_wait(nap: Option<Duration>) {
    match nap {
        Some(nap) => tokio::time::sleep(nap).await,
        None => std::future::pending().await,
    }
}

/// When the quiet hours end that hold a message back. `None`: nothing does.
fn held_until(channel: &Channel, delivery: &Delivery, now: Timestamp) -> Option<Timestamp> {
    let quiet = channel.spec.quiet.as_ref().filter(|_| !delivery.urgent)?;
    match TimeZone::get(&quiet.timezone) {
        Ok(zone) => quiet_until(quiet, &zone, now),
        Err(error) => {
            tracing::warn!(channel = %channel.name, %error, "the quiet hours' zone is not known here: it counts as never quiet");
            None
        }
    }
}

fn signed(duration: Duration) -> SignedDuration {
    SignedDuration::try_from(duration).unwrap_or(SignedDuration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nap_ends_with_what_is_next_and_a_clock_that_is_set_is_noticed_soon() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let check = |next_at, now, expected| assert_eq!(nap(at(next_at), at(now)), expected);
        check(103, 100, Duration::from_secs(3));
        check(86_400, 100, NAP_MAX);
        // It became due since it was asked.
        check(100, 100, MOMENT);
        check(100, 103, MOMENT);
    }
}
