//! Proposals, read points and leases: on the leader itself, or through it.

use std::time::Duration;

use bytes::Bytes;
use odin_model::NodeId;
use openraft::errors::{ClientWriteError, ForwardReason};
use tokio::time::Instant;

use crate::error::{ConfirmError, ProposeError, Stopped};
use crate::frame::{Answer, LeaseReply, ProposeAnswer, ReadPointAnswer, Request};
use crate::leadership::{Leadership, Term};
use crate::lease::{Denied, Grant, LeaseAnswer, LeaseRequest, LeaseTerms, NotAdmitted};
use crate::log::Log;
use crate::raft_types::{Payload, Waiter};
use crate::record::{decode, encode};
use crate::transport::TransportError;

/// The longest command, in bytes (DESIGN section 4).
pub const COMMAND_BYTES_MAX: usize = 256 * 1024;

/// Proposals in flight on one node: later ones wait. A long command takes a place for each 16 KiB it has begun, so
/// that all together hold 64 MiB at most.
pub const IN_FLIGHT_MAX: usize = 4096;

const BYTES_PER_PLACE: usize = 16 * 1024;

/// How long to wait, before the leader is asked again, for news that it is another one.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How long a leader waits for word from most of the voters before it looks again.
const QUORUM_PAUSE: Duration = Duration::from_millis(10);

/// A command that was applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its position in the log.
    pub index: u64,
    /// What the machine replied, where the leader applied it.
    pub reply: Bytes,
}

/// Whether asking twice does harm.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Twice {
    Harmless,
    Harmful,
}

/// Why the leader gave no answer.
enum Unanswered {
    /// None could be asked in time.
    NoLeader,
    /// It was asked, but the answer was lost.
    Lost,
    Stopped,
}

impl Log {
    /// Proposes a command and waits until the leader has applied it. Works on any node: it is forwarded.
    ///
    /// Proposals of many callers share writes and syncs. An answer does not mean that this node has applied the
    /// command: see [`wait_applied`](Self::wait_applied).
    ///
    /// # Errors
    /// See [`ProposeError`]; only after `OutcomeUnknown` and `Stopped` may the command be applied after all.
    pub async fn propose(&self, command: Bytes) -> Result<Applied, ProposeError> {
        within_limit(&command)?;
        let timeout = self.inner.timings.request;
        let request = || Request::Propose(command.clone());
        match self.ask_leader(request, Twice::Harmful, timeout).await {
            Ok(Answer::Proposed(ProposeAnswer::Applied { index, reply })) => {
                Ok(Applied { index, reply })
            }
            Ok(Answer::Proposed(ProposeAnswer::TooLarge { .. })) => Err(ProposeError::TooLarge {
                bytes: command.len(),
                limit: COMMAND_BYTES_MAX,
            }),
            Ok(Answer::Proposed(ProposeAnswer::Overloaded)) => {
                Err(ProposeError::Overloaded { waited: timeout })
            }
            Ok(_) | Err(Unanswered::Lost) => Err(ProposeError::OutcomeUnknown),
            Err(Unanswered::NoLeader) => Err(ProposeError::NoLeader { waited: timeout }),
            Err(Unanswered::Stopped) => Err(Stopped.into()),
        }
    }

    /// Proposes a command only if this node still leads in `term`, and waits until it has applied it.
    ///
    /// A command that another leader's entry has overtaken is never applied: whoever proposes so acts as the leader
    /// of that term or not at all.
    ///
    /// # Errors
    /// See [`ProposeError`]; only after `OutcomeUnknown` and `Stopped` may the command be applied after all.
    pub async fn propose_fenced(
        &self,
        term: Term,
        command: Bytes,
    ) -> Result<Applied, ProposeError> {
        within_limit(&command)?;
        let waited = self.inner.timings.request;
        let deadline = Instant::now() + waited;
        loop {
            match self.propose_here(command.clone(), Some(term)).await? {
                ProposeAnswer::Applied { index, reply } => return Ok(Applied { index, reply }),
                ProposeAnswer::NotLeader => return Err(ProposeError::Deposed { term }),
                // As in the first moments of a term.
                ProposeAnswer::NoQuorum if Instant::now() < deadline => {
                    tokio::time::sleep(QUORUM_PAUSE).await;
                }
                ProposeAnswer::NoQuorum => return Err(ProposeError::NoQuorum { waited }),
                ProposeAnswer::TooLarge { .. } | ProposeAnswer::OutcomeUnknown => {
                    return Err(ProposeError::OutcomeUnknown);
                }
                ProposeAnswer::Overloaded => return Err(ProposeError::Overloaded { waited }),
            }
        }
    }

    /// Proposes on this node, if it leads (in the term given).
    pub(crate) async fn propose_here(
        &self,
        command: Bytes,
        fence: Option<Term>,
    ) -> Result<ProposeAnswer, Stopped> {
        let deadline = Instant::now() + self.inner.timings.request;
        let places =
            u32::try_from(1 + command.len() / BYTES_PER_PLACE).expect("a command is far shorter");
        let place = self.inner.places.clone().acquire_many_owned(places);
        let place = match tokio::time::timeout_at(deadline, place).await {
            Ok(place) => place.map_err(|_| Stopped)?,
            Err(_) => return Ok(ProposeAnswer::Overloaded),
        };
        let (waiter, outcome) = Waiter::new(Some(place));
        let mut write = self.inner.raft.write(Payload(command)).responder(waiter);
        if let Some(term) = fence {
            write = write.with_leader(term.0);
        }
        write.await.map_err(|_| Stopped)?;
        match tokio::time::timeout_at(deadline, outcome).await {
            Ok(Ok(Ok(written))) => Ok(ProposeAnswer::Applied {
                index: written.log_id.index,
                reply: written.data,
            }),
            Ok(Ok(Err(ClientWriteError::ForwardToLeader(forward)))) => Ok(match forward.reason {
                ForwardReason::LeaseExpired => ProposeAnswer::NoQuorum,
                ForwardReason::NotLeader | ForwardReason::LeadershipTransfer => {
                    ProposeAnswer::NotLeader
                }
            }),
            // Another leader's entry took its place here; it may still be committed through a third node.
            Ok(Ok(Err(_))) | Err(_) => Ok(ProposeAnswer::OutcomeUnknown),
            Ok(Err(_)) => Err(Stopped),
        }
    }

    /// Asks how far the log is committed, on the word of a quorum given after this call began. Whoever then waits
    /// until this node has [applied](Self::wait_applied) that index reads what was written before the call, on any
    /// node.
    ///
    /// # Errors
    /// See [`ConfirmError`].
    pub async fn confirm(&self) -> Result<u64, ConfirmError> {
        let waited = self.inner.timings.request;
        match self
            .ask_leader(|| Request::ReadPoint, Twice::Harmless, waited)
            .await
        {
            Ok(Answer::ReadPoint(ReadPointAnswer::Index(index))) => Ok(index),
            Ok(Answer::ReadPoint(ReadPointAnswer::NoQuorum)) => Err(ConfirmError::NoQuorum),
            Ok(_) | Err(Unanswered::NoLeader | Unanswered::Lost) => {
                Err(ConfirmError::NoLeader { waited })
            }
            Err(Unanswered::Stopped) => Err(Stopped.into()),
        }
    }

    /// Asks the leader for a lease (see [`lease`](crate::lease)). It is tried for as long as a lease runs.
    ///
    /// # Errors
    /// See [`Denied`].
    pub async fn request_lease(&self, request: LeaseRequest) -> Result<Grant, Denied> {
        let asked_at = self.inner.environment.clock.boottime();
        let waited = self.inner.timings.leases.lease;
        let reply = match self
            .ask_leader(|| request.into(), Twice::Harmless, waited)
            .await
        {
            Ok(Answer::Lease(reply)) => reply,
            Ok(_) | Err(Unanswered::NoLeader | Unanswered::Lost) => {
                return Err(Denied::NoLeader { waited });
            }
            Err(Unanswered::Stopped) => return Err(Stopped.into()),
        };
        match reply {
            LeaseReply::Granted {
                commit_index,
                leader_wall,
                lease,
            } => Ok(LeaseTerms::grant(
                &LeaseAnswer {
                    commit_index,
                    leader_wall,
                    lease,
                },
                asked_at,
            )),
            LeaseReply::NotLeader => Err(Denied::NoLeader { waited }),
            LeaseReply::NotReady => Err(Denied::NotReady),
            LeaseReply::NoQuorum => Err(Denied::NoQuorum),
            LeaseReply::Down => Err(NotAdmitted::Down.into()),
            LeaseReply::OtherEpoch => Err(NotAdmitted::OtherEpoch.into()),
            LeaseReply::Unknown => Err(NotAdmitted::Unknown.into()),
        }
    }

    /// Asks whoever leads, this node included, and asks again as long as nobody does.
    async fn ask_leader(
        &self,
        request: impl Fn() -> Request,
        twice: Twice,
        timeout: Duration,
    ) -> Result<Answer, Unanswered> {
        let deadline = Instant::now() + timeout;
        let mut leadership = self.leadership();
        loop {
            let seen = *leadership.borrow_and_update();
            let attempt = match seen {
                Leadership::Leading { .. } => Ok(self.answer(request()).await),
                Leadership::Following(leader) => self.ask(leader, &request(), deadline).await,
                Leadership::NoLeader => Err(Unanswered::NoLeader),
            };
            match attempt {
                Ok(Answer::Stopped) if matches!(seen, Leadership::Leading { .. }) => {
                    return Err(Unanswered::Stopped);
                }
                Ok(answer) if says_not_now(&answer) => {}
                Ok(answer) => return Ok(answer),
                Err(Unanswered::Lost) if twice == Twice::Harmful => return Err(Unanswered::Lost),
                Err(Unanswered::Stopped) => return Err(Unanswered::Stopped),
                Err(Unanswered::Lost | Unanswered::NoLeader) => {}
            }
            let pause = match seen {
                Leadership::NoLeader => deadline,
                Leadership::Leading { .. } | Leadership::Following(_) => {
                    deadline.min(Instant::now() + RETRY_PAUSE)
                }
            };
            match tokio::time::timeout_at(pause, leadership.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(Unanswered::Stopped),
                Err(_) if Instant::now() >= deadline => return Err(Unanswered::NoLeader),
                Err(_) => {}
            }
        }
    }

    async fn ask(
        &self,
        leader: NodeId,
        request: &Request,
        deadline: Instant,
    ) -> Result<Answer, Unanswered> {
        let frame = Bytes::from(encode(request));
        let sent = self.inner.environment.transport.send(leader, frame);
        match tokio::time::timeout_at(deadline, sent).await {
            Ok(Ok(answer)) => decode(&answer).map_err(|_| Unanswered::Lost),
            Ok(Err(TransportError::Unreachable { .. })) => Err(Unanswered::NoLeader),
            Ok(Err(TransportError::Interrupted { .. })) | Err(_) => Err(Unanswered::Lost),
        }
    }
}

/// Whether an answer means that nothing was done, and that it may be soon, here or elsewhere.
fn says_not_now(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Proposed(ProposeAnswer::NotLeader | ProposeAnswer::NoQuorum)
            | Answer::ReadPoint(ReadPointAnswer::NotLeader)
            | Answer::Lease(LeaseReply::NotLeader)
            | Answer::Unreadable(_)
    )
}

fn within_limit(command: &Bytes) -> Result<(), ProposeError> {
    if command.len() > COMMAND_BYTES_MAX {
        return Err(ProposeError::TooLarge {
            bytes: command.len(),
            limit: COMMAND_BYTES_MAX,
        });
    }
    Ok(())
}
