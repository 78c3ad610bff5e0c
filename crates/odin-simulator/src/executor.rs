//! An executor that makes no processes, and the evidence of what it would have started.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use odin_executor::protocol::{
    AfterLease, AttemptKey, CancelScope, JournalHealth, Launch, LaunchProgram, ListedAttempt,
    ListedState, NumberedEvent, PeekedOutput, RefusalReason, Report, Request, Welcome,
};
use odin_model::attempt::{AttemptEvent, AttemptEventKind, AttemptResult, Ending};
use odin_model::output::OutputSummary;
use odin_model::{AttemptNumber, Boottime, Clock, JobId, NodeId, Unleased, Usage};
use odin_node::executor_link::ExecutorEnd;
use tokio::time::sleep;

use crate::clock::SimulatedClock;

/// A program whose first attempt fails.
pub(crate) const FAILS_AT_FIRST: &str = "fails at first";

/// A process that would have been made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// Of which job.
    pub job: JobId,
    /// For which occurrence.
    pub due_at: Timestamp,
    /// Which attempt.
    pub key: AttemptKey,
    /// Where.
    pub node: NodeId,
    /// When, on the node's wall clock.
    pub at: Timestamp,
}

/// What all executors of a cluster wrote down, in the order of time.
#[derive(Debug, Clone, Default)]
pub struct Evidence {
    starts: Arc<Mutex<Vec<Start>>>,
}

impl Evidence {
    /// Everything that was started until now.
    #[must_use]
    pub fn starts(&self) -> Vec<Start> {
        lock(&self.starts).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An executor as the agent sees it. It outlives the server beside it, as a real one does: what it holds is in a
/// clone's shared state, and [`serve`](Self::serve) is one server's connection.
#[derive(Debug, Clone)]
pub struct SimulatedExecutor {
    node: NodeId,
    clock: SimulatedClock,
    evidence: Evidence,
    /// How long every process takes.
    takes: Duration,
    held: Arc<Mutex<Held>>,
}

#[derive(Debug, Default)]
struct Held {
    lease: Option<(Boottime, AfterLease)>,
    armed: BTreeMap<(Boottime, AttemptKey), Launch>,
    running: BTreeMap<AttemptKey, Running>,
    /// Whatever started or was cancelled, for ever: the tombstones.
    known: HashSet<AttemptKey>,
    unacknowledged: Vec<NumberedEvent>,
    numbered: u64,
}

#[derive(Debug)]
struct Running {
    started_at: Timestamp,
    ends: Boottime,
    ending: Ending,
    /// When it ends without a lease.
    unleased: Option<Unleased>,
}

impl Held {
    fn record(&mut self, key: AttemptKey, kind: AttemptEventKind) -> NumberedEvent {
        self.numbered += 1;
        let event = AttemptEvent {
            run: key.run,
            attempt: key.attempt,
            kind,
        };
        let numbered = NumberedEvent {
            number: self.numbered,
            event,
        };
        self.unacknowledged.push(numbered.clone());
        numbered
    }

    fn finish(
        &mut self,
        key: AttemptKey,
        ending: Ending,
        started_at: Option<Timestamp>,
        at: Timestamp,
    ) -> NumberedEvent {
        let result = AttemptResult {
            ending,
            started_at,
            finished_at: at,
            usage: Usage::default(),
            output: OutputSummary::default(),
        };
        self.record(key, AttemptEventKind::Finished(Box::new(result)))
    }
}

fn exit_code(launch: &Launch) -> u8 {
    let fails =
        matches!(&launch.program, LaunchProgram::Shell { line, .. } if line == FAILS_AT_FIRST);
    u8::from(fails && launch.key.attempt == AttemptNumber::FIRST)
}

impl SimulatedExecutor {
    /// An executor on `node` whose processes all take `takes`.
    #[must_use]
    pub fn new(node: NodeId, clock: SimulatedClock, evidence: Evidence, takes: Duration) -> Self {
        Self {
            node,
            clock,
            evidence,
            takes,
            held: Arc::default(),
        }
    }

    /// Lives beside servers: starts and ends what is due, connected or not. Never returns.
    pub async fn live(self) {
        loop {
            self.step();
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// One millisecond's work.
    fn step(&self) {
        let now = self.clock.boottime();
        let mut held = lock(&self.held);
        let leased = held.lease.is_some_and(|(until, _)| now < until);
        loop {
            let due = held
                .armed
                .first_entry()
                .filter(|entry| leased && entry.key().0 <= now);
            let Some(entry) = due else { break };
            let launch = entry.remove();
            let started_at = self.clock.wall();
            lock(&self.evidence.starts).push(Start {
                job: launch.job,
                due_at: launch.due_at,
                key: launch.key,
                node: self.node,
                at: started_at,
            });
            held.known.insert(launch.key);
            let running = Running {
                started_at,
                ends: now.plus(self.takes),
                ending: Ending::Exited {
                    code: exit_code(&launch),
                },
                unleased: launch.unleased,
            };
            held.running.insert(launch.key, running);
            held.record(
                launch.key,
                AttemptEventKind::Started {
                    at: started_at,
                    pid: 1,
                },
            );
        }
        self.end_unleased(&mut held, now);
        let over: Vec<_> = held
            .running
            .iter()
            .filter(|(_, running)| running.ends <= now)
            .map(|(&key, _)| key)
            .collect();
        for key in over {
            if let Some(Running {
                started_at, ending, ..
            }) = held.running.remove(&key)
            {
                held.finish(key, ending, Some(started_at), self.clock.wall());
            }
        }
    }

    /// Ends what must not meet what another node may start by now.
    fn end_unleased(&self, held: &mut Held, now: Boottime) {
        let Some((until, AfterLease::RunsEnd)) = held.lease else {
            return;
        };
        let is_over = |running: &Running| {
            running
                .unleased
                .is_some_and(|unleased| until.plus(unleased.end_after) <= now)
        };
        for running in held.running.values_mut().filter(|it| is_over(it)) {
            running.ends = now;
            running.ending = Ending::Lost {
                reason: "without a lease for too long".to_owned(),
            };
        }
    }

    /// One server's connection, until it hangs up.
    pub async fn serve(self, mut end: ExecutorEnd) {
        let welcome = Welcome {
            executor: self.node.0,
            pid: 1,
            boot_id: format!("boot-{}", self.node),
            protocol: odin_executor::protocol::PROTOCOL,
            journal: JournalHealth::Writable,
            build: odin_executor::protocol::BUILD.to_owned(),
            is_draining: false,
        };
        let mut sent = 0;
        if end.reports.send(Report::Welcome(welcome)).await.is_err() {
            return;
        }
        loop {
            if let Some(events) = self.unsent(&mut sent)
                && end.reports.send(events).await.is_err()
            {
                return;
            }
            let request = tokio::select! {
                request = end.requests.recv() => request,
                () = sleep(Duration::from_millis(1)) => continue,
            };
            let Some(request) = request else { return };
            for report in self
                .unsent(&mut sent)
                .into_iter()
                .chain(self.answer(request))
            {
                if end.reports.send(report).await.is_err() {
                    return;
                }
            }
        }
    }

    fn unsent(&self, sent: &mut u64) -> Option<Report> {
        let held = lock(&self.held);
        let events: Vec<_> = held
            .unacknowledged
            .iter()
            .filter(|event| event.number > *sent)
            .cloned()
            .collect();
        *sent = events.last()?.number;
        Some(Report::Events(events))
    }

    fn answer(&self, request: Request) -> Option<Report> {
        let mut held = lock(&self.held);
        match request {
            Request::Hello { .. } | Request::Drain => None,
            Request::Prepare(prepare) => Some(Report::Prepared {
                job: prepare.job,
                version: prepare.version,
                failure: None,
            }),
            Request::Arm(launch) if held.known.contains(&launch.key) => Some(Report::Refused {
                key: launch.key,
                reason: RefusalReason::AlreadyStarted,
            }),
            // Asking again is harmless, also when the instant was converted with another reading of the clocks.
            Request::Arm(launch) if held.armed.keys().any(|(_, key)| *key == launch.key) => None,
            Request::Arm(launch) => {
                held.armed.insert((launch.not_before, launch.key), *launch);
                None
            }
            Request::Lease { until, then } => {
                if held.lease.is_none_or(|(before, _)| before < until) {
                    held.lease = Some((until, then));
                }
                None
            }
            Request::Cancel { key, reason, scope } => self.cancel(&mut held, key, reason, scope),
            Request::Ack { up_to } => {
                held.unacknowledged.retain(|event| event.number > up_to);
                None
            }
            Request::Peek { key } => Some(Report::Output {
                key,
                output: PeekedOutput::NotRunning,
            }),
            Request::List => {
                let armed = held.armed.keys().map(|&(_, key)| ListedAttempt {
                    key,
                    state: ListedState::Armed,
                });
                let running = held.running.keys().map(|&key| ListedAttempt {
                    key,
                    state: ListedState::Running,
                });
                Some(Report::Attempts(armed.chain(running).collect()))
            }
        }
    }

    fn cancel(
        &self,
        held: &mut Held,
        key: AttemptKey,
        reason: String,
        scope: CancelScope,
    ) -> Option<Report> {
        if let Some(running) = held.running.get_mut(&key) {
            if scope == CancelScope::Always {
                running.ends = self.clock.boottime();
                running.ending = Ending::Cancelled { reason };
                return None;
            }
            return Some(Report::Refused {
                key,
                reason: RefusalReason::AlreadyStarted,
            });
        }
        if held.known.insert(key) {
            held.armed.retain(|(_, armed), _| *armed != key);
            held.finish(key, Ending::Cancelled { reason }, None, self.clock.wall());
            return None;
        }
        Some(Report::Refused {
            key,
            reason: RefusalReason::AlreadyOver,
        })
    }
}
