//! Looks, from a thread of its own, whether the node's loops go round and whether what is due is decided. What it finds is
//! in the log and in `/healthz` at once, and becomes alerts as soon as the log takes them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use jiff::Timestamp;
use odin_model::alert::{AlertChange, AlertKey, AlertKind, Raised, Subject};
use odin_model::{Boottime, Clock, Command, JobId, NodeId};
use odin_scheduling::clock_jump::ALONE_LASTS;
use odin_scheduling::judge::is_later_than;
use odin_store::{AlertsOf, Reader, StoreError, View};

use crate::heartbeats::Heartbeats;
use crate::proposer::Proposer;

/// How often it looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// For how long a due time is seen beyond its grace before it is told of: longer than a leader waits after its clock
/// jumped, and than a server that was down takes to go through what it missed.
const OVERDUE_LASTS: Duration = ALONE_LASTS.saturating_add(Duration::from_secs(5));
/// How many overdue jobs it looks at, and tells of.
const OVERDUE_MAX: usize = 100;
/// How long the log may take to take an alert.
const PROPOSE_MAX: Duration = Duration::from_secs(5);
/// How long is waited after the log did not take it.
const TRY_AGAIN: Duration = Duration::from_secs(10);
/// How many open alerts of a kind are compared with what is found.
const OPEN_MAX: usize = 1_000;

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Trouble {
    key: AlertKey,
    /// In words, for logs and alerts.
    text: String,
}

/// What is wrong now.
#[derive(Debug, Clone, Default)]
pub(crate) struct Troubles(Arc<Mutex<Vec<Trouble>>>);

impl Troubles {
    /// In words that anybody may read: no job is named.
    pub(crate) fn sentences(&self) -> Vec<String> {
        let troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (gaps, others): (Vec<_>, Vec<_>) = troubles
            .iter()
            .partition(|trouble| trouble.key.kind == AlertKind::LedgerGap);
        let mut sentences: Vec<_> = others.iter().map(|it| it.text.clone()).collect();
        match gaps.len() {
            0 => {}
            1 => sentences.push("a job is due, and that is not decided".to_owned()),
            OVERDUE_MAX => sentences.push(format!(
                "{OVERDUE_MAX} jobs or more are due, and that is not decided"
            )),
            jobs => sentences.push(format!("{jobs} jobs are due, and that is not decided")),
        }
        sentences
    }

    fn replace(&self, found: Vec<Trouble>) -> Vec<Trouble> {
        let mut troubles = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut troubles, found)
    }
}

/// Due times beyond their grace, each with when it was first seen so.
#[derive(Debug, Default)]
struct Overdue(HashMap<JobId, (Timestamp, Boottime)>);

impl Overdue {
    /// Of what is overdue `now`, that which has been for long, in the order given.
    fn lasting(&mut self, seen: &[(Timestamp, JobId)], now: Boottime) -> Vec<(Timestamp, JobId)> {
        let before = std::mem::take(&mut self.0);
        let mut lasting = Vec::new();
        for &(due, job) in seen {
            let first = match before.get(&job) {
                Some(&(known, first)) if known == due => first,
                _ => now,
            };
            self.0.insert(job, (due, first));
            if now.since(first) >= OVERDUE_LASTS {
                lasting.push((due, job));
            }
        }
        lasting
    }
}

/// What the watchdog looks at.
pub(crate) struct Watchdog {
    pub(crate) node: NodeId,
    pub(crate) name: String,
    pub(crate) beats: Arc<Heartbeats>,
    pub(crate) view: Arc<View>,
    pub(crate) reader: Reader,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) proposer: Proposer,
    pub(crate) troubles: Troubles,
}

/// Ends its thread when it is dropped.
pub(crate) struct Watching {
    _stop: mpsc::Sender<()>,
}

/// What it remembers between looks.
struct Memory {
    overdue: Overdue,
    /// Whether the state may have alerts of an earlier look, or of an earlier life of this node.
    may_be_told: bool,
    /// Before this, nothing is proposed.
    try_at: Boottime,
}

impl Watchdog {
    /// Watches until the answer is dropped. Alerts are proposed on `runtime`.
    ///
    /// # Errors
    /// When there are no more threads.
    pub(crate) fn watch(self, runtime: tokio::runtime::Handle) -> std::io::Result<Watching> {
        let (stop, stopped) = mpsc::channel::<()>();
        std::thread::Builder::new()
            .name("watchdog".to_owned())
            .spawn(move || {
                let mut memory = Memory {
                    overdue: Overdue::default(),
                    may_be_told: true,
                    try_at: self.clock.boottime(),
                };
                while let Err(mpsc::RecvTimeoutError::Timeout) = stopped.recv_timeout(LOOK_EVERY) {
                    let found = self.look(&mut memory.overdue);
                    self.note(&found);
                    self.tell(&runtime, &mut memory, &found);
                }
            })?;
        Ok(Watching { _stop: stop })
    }

    fn look(&self, overdue: &mut Overdue) -> Vec<Trouble> {
        let now = self.clock.boottime();
        let mut found = Vec::new();
        for stuck in self.beats.stuck(now) {
            let (name, node) = (stuck.name, &self.name);
            found.push(Trouble {
                key: self.key_of_loop(name),
                text: format!(
                    "the {name} loop of `{node}` does not advance: {}",
                    stuck.consequence
                ),
            });
        }
        for (due, job) in overdue.lasting(&self.overdue(self.clock.wall()), now) {
            found.push(Trouble {
                key: AlertKey::new(AlertKind::LedgerGap, Subject::Job(job)),
                text: format!("what was due at {due} is not decided"),
            });
        }
        found
    }

    fn key_of_loop(&self, name: &str) -> AlertKey {
        AlertKey::detailed(AlertKind::LoopStuck, Subject::Node(self.node), name)
    }

    /// Due times that are later than their grace and have no outcome.
    fn overdue(&self, now: Timestamp) -> Vec<(Timestamp, JobId)> {
        if self.view.next_due_instant().is_none_or(|due| due >= now) {
            return Vec::new();
        }
        let mut due = self.view.due(now, OVERDUE_MAX);
        // A state that cannot be read is told of elsewhere.
        due.retain(|(due, job)| match self.reader.job(*job) {
            Ok(Some(job)) => job.next_due == Some(*due) && is_later_than(now, *due, job.spec.grace),
            Ok(None) | Err(_) => false,
        });
        due
    }

    /// Says here what is new and what is over.
    fn note(&self, found: &[Trouble]) {
        let before = self.troubles.replace(found.to_vec());
        let is_among = |key: &AlertKey, others: &[Trouble]| others.iter().any(|it| it.key == *key);
        for trouble in found.iter().filter(|it| !is_among(&it.key, &before)) {
            tracing::error!(kind = trouble.key.kind.word(), subject = ?trouble.key.subject, "{}", trouble.text);
        }
        for trouble in before.iter().filter(|it| !is_among(&it.key, found)) {
            tracing::info!(kind = trouble.key.kind.word(), subject = ?trouble.key.subject, "over: {}", trouble.text);
        }
    }

    /// Raises alerts of what is found and not told, and resolves those of what is over.
    fn tell(&self, runtime: &tokio::runtime::Handle, memory: &mut Memory, found: &[Trouble]) {
        let now = self.clock.boottime();
        if now < memory.try_at || (found.is_empty() && !memory.may_be_told) {
            return;
        }
        memory.may_be_told = true;
        let Ok(open) = self.open() else {
            return;
        };
        // What is not applied here may have been decided long ago elsewhere.
        let is_behind = found.iter().any(|it| it.key == self.key_of_loop("apply"));
        let of_the_log = |key: &AlertKey| is_behind && key.kind == AlertKind::LedgerGap;
        let at = self.clock.wall();
        let alerts: Vec<_> = found
            .iter()
            .filter(|it| !open.contains(&it.key) && !of_the_log(&it.key))
            .map(|Trouble { key, text }| Raised {
                key: key.clone(),
                run: None,
                text: text.clone(),
            })
            .collect();
        let keys: Vec<_> = open
            .into_iter()
            .filter(|key| !found.iter().any(|it| it.key == *key) && !of_the_log(key))
            .take(OVERDUE_MAX)
            .collect();
        let mut taken = true;
        if !alerts.is_empty() {
            taken &= self.propose(runtime, AlertChange::Raise { alerts, at });
        }
        if !keys.is_empty() {
            let text = "it goes on again".to_owned();
            taken &= self.propose(runtime, AlertChange::Resolve { keys, text, at });
        } else if found.is_empty() {
            memory.may_be_told = false;
        }
        if !taken {
            memory.try_at = self.clock.boottime().plus(TRY_AGAIN);
        }
    }

    /// The alerts that are told and not over.
    fn open(&self) -> Result<Vec<AlertKey>, StoreError> {
        let mut open = Vec::new();
        for kind in [AlertKind::LoopStuck, AlertKind::LedgerGap] {
            let of = AlertsOf {
                kind: Some(kind),
                ..AlertsOf::default()
            };
            let alerts = self.reader.alerts(&of, None, OPEN_MAX)?;
            open.extend(alerts.into_iter().map(|alert| alert.key));
        }
        open.retain(|key| match key.subject {
            Subject::Node(node) => node == self.node,
            Subject::Job(_) | Subject::Cluster => true,
        });
        Ok(open)
    }

    /// Whether the log took it. It may not while it is what is stuck: then it is tried again.
    fn propose(&self, runtime: &tokio::runtime::Handle, change: AlertChange) -> bool {
        let command = Command::Alert(Box::new(change));
        let (answer, answered) = mpsc::channel();
        let proposer = self.proposer.clone();
        runtime.spawn(async move {
            let done = tokio::time::timeout(PROPOSE_MAX, proposer.propose(&command)).await;
            // The watchdog may have ended.
            let _ = answer.send(matches!(done, Ok(Ok(_))));
        });
        // The timer may be what does not go on.
        let taken = answered.recv_timeout(PROPOSE_MAX * 2).unwrap_or(false);
        if !taken {
            tracing::warn!("an alert of this node waits for the log");
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn a_due_time_is_told_of_once_it_has_stood_still_for_long() {
        let job = JobId::from_bits(1);
        let mut overdue = Overdue::default();
        let mut at = |seconds, seen: &[(Timestamp, JobId)]| {
            overdue.lasting(seen, Boottime(Duration::from_secs(seconds)))
        };
        assert_eq!(at(0, &[(due(5), job)]), []);
        assert_eq!(at(34, &[(due(5), job)]), []);
        assert_eq!(at(35, &[(due(5), job)]), [(due(5), job)]);
        // Whoever catches up goes on from one to the next.
        assert_eq!(at(36, &[(due(6), job)]), []);
        assert_eq!(at(60, &[]), []);
        assert_eq!(at(90, &[(due(6), job)]), []);
        assert_eq!(at(125, &[(due(6), job)]), [(due(6), job)]);
    }

    #[test]
    fn sentences_for_everybody_name_no_job() {
        let check = |jobs: u64, expected: &[&str]| {
            let troubles = Troubles::default();
            let gap = |job| Trouble {
                key: AlertKey::new(AlertKind::LedgerGap, Subject::Job(JobId::from_bits(job))),
                text: "secret".to_owned(),
            };
            let stuck = Trouble {
                key: AlertKey::new(AlertKind::LoopStuck, Subject::Node(NodeId(1))),
                text: "stuck".to_owned(),
            };
            troubles.replace((0..jobs).map(gap).chain([stuck]).collect());
            assert_eq!(troubles.sentences(), expected);
        };
        check(0, &["stuck"]);
        check(1, &["stuck", "a job is due, and that is not decided"]);
        check(7, &["stuck", "7 jobs are due, and that is not decided"]);
        check(
            100,
            &["stuck", "100 jobs or more are due, and that is not decided"],
        );
    }
}
