//! The part of a node that takes its launches out of the state, arms its executor, and reports back.
//! DESIGN 5.3, 5.4, 5.5.
//!
//! Launches come from the state: an effect only says where to look. After a start, a new connection or too many
//! missed effects, the agent first waits until everything its executor has recorded is applied, then reads its open
//! runs.

mod arming;
mod reading;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use odin_cluster::Denied;
use odin_executor::protocol::{
    AfterLease, AttemptKey, CancelScope, ListedAttempt, NumberedEvent, RefusalReason, Report,
    Request, Welcome,
};
use odin_model::attempt::{AttemptEvent, AttemptEventKind, AttemptResult, Ending};
use odin_model::output::OutputSummary;
use odin_model::{Boottime, Clock, Epoch, RunId, RunState, Usage};
use odin_store::{CancelWhen, Effect, Reader, StoreError, View};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::collection::Collected;
use crate::executor_link::ExecutorLink;
use crate::heartbeats::{Beating, Heartbeats};
use crate::launches::{Launches, Pinned};
use crate::lease_requests::{self, Leased};
use crate::life::Life;
use crate::machine::Announcements;
use crate::preparations::Preparations;
use crate::proposer::Proposer;
use crate::reporter::{Handed, report};
use crate::sealing::Keyring;
use crate::turns::Turns;
use crate::values::ValuesFiles;
use crate::wall_offset::SKEW_MAX;

/// How many batches of events may wait for the log.
const HANDED_MAX: usize = 64;
/// How often what comes due soon is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What the agent works with.
pub(crate) struct Agent {
    pub(crate) life: Life,
    pub(crate) epoch: Epoch,
    pub(crate) proposer: Proposer,
    pub(crate) reader: Reader,
    pub(crate) view: Arc<View>,
    pub(crate) announcements: Announcements,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) launches: Launches,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) peeks: mpsc::Receiver<Peek>,
    /// How many runs this node has at once. `None`: any number.
    pub(crate) slots: Option<u32>,
    /// What its attempts report. `None`: nothing.
    pub(crate) values: Option<ValuesFiles>,
    pub(crate) beats: Arc<Heartbeats>,
    /// How far its wall clock is from the leader's, where that is too far.
    pub(crate) too_far_off: watch::Sender<Option<SignedDuration>>,
    /// How often an unpacked version was removed.
    pub(crate) collected: Collected,
}

/// Somebody wants to see what a running attempt has printed so far.
pub struct Peek {
    /// Which attempt.
    pub key: AttemptKey,
    /// Where the answer goes. Dropped when the executor cannot be asked.
    pub answer: oneshot::Sender<odin_executor::protocol::PeekedOutput>,
}

/// How far the agent is with its executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// No executor has answered yet.
    Unconnected,
    /// Everything that the executor has recorded is being applied.
    Reading,
    /// The state can be read: what the executor knows, the state knows.
    Ready,
}

struct Work {
    agent: Agent,
    requests: mpsc::Sender<Request>,
    handed: mpsc::Sender<Handed>,
    effects: broadcast::Receiver<Effect>,
    stage: Stage,
    /// Counts the lists that the executor was asked for. An answer to an earlier one says nothing of what was armed
    /// since.
    lists: u64,
    /// How many of them it has not answered.
    lists_open: usize,
    /// The latest lease that was granted while the executor may have attempts that the state has taken away from
    /// this node: handed on once those are disarmed.
    lease: Option<(Boottime, AfterLease)>,
    /// None until the first lease; what it says of the leader's wall clock.
    skew: Option<SignedDuration>,
    /// Which versions are unpacked, and who waits for that.
    preparations: Preparations,
    /// How often an unpacked version had been removed when that was last looked at.
    collected: u64,
    /// What the executor was asked to start and has not reported as over, and who waits for that.
    turns: Turns,
    /// The earliest of the runs that the state has for this node and that did not fit.
    behind: Option<RunId>,
    /// After missed effects, from which run on the state is still to be read.
    missed: Option<RunId>,
    /// What was reported as over since the executor was last asked what it has, until the state is read: that may not
    /// know it yet.
    over_meanwhile: HashSet<AttemptKey>,
    /// Who waits for what a running attempt has printed.
    peeks: HashMap<AttemptKey, Vec<oneshot::Sender<odin_executor::protocol::PeekedOutput>>>,
}

/// Works until `stop`.
pub(crate) async fn run(agent: Agent, link: ExecutorLink, stop: CancellationToken) {
    let ExecutorLink { requests, reports } = link;
    let (handed, taken) = mpsc::channel(HANDED_MAX);
    let reporter = tokio::spawn(report(
        agent.proposer.clone(),
        agent.life.node,
        taken,
        requests.clone(),
        agent.values.clone(),
    ));
    let effects = agent.announcements.effects();
    let turns = Turns::new(agent.slots);
    let work = Work {
        agent,
        requests,
        handed,
        effects,
        stage: Stage::Unconnected,
        lists: 0,
        lists_open: 0,
        lease: None,
        skew: None,
        preparations: Preparations::default(),
        collected: 0,
        turns,
        behind: None,
        missed: None,
        over_meanwhile: HashSet::new(),
        peeks: HashMap::new(),
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = work.run(reports) => {}
    }
    reporter.abort();
}

/// One thing that happened.
enum Event {
    Report(Report),
    ExecutorGone,
    Effect(Effect),
    EffectsMissed,
    Lease(Result<Leased, Denied>),
    Peek(Peek),
    CaughtUp(CaughtUp),
    Look,
    /// The time of a run that waits has come.
    Ready,
    /// Effects were missed, or there is room for runs that did not fit before.
    ReadOn,
}

/// Everything that the executor had recorded when it was asked is applied.
struct CaughtUp {
    /// Which question that was.
    list: u64,
    listed: Vec<ListedAttempt>,
}

impl Work {
    async fn run(mut self, mut reports: mpsc::Receiver<Report>) {
        let mut leases = lease_requests::ask(
            self.agent.proposer.clone(),
            Arc::clone(&self.agent.clock),
            self.agent.life.clone(),
            self.agent.epoch,
        );
        let (caught_up, mut catching_up) = mpsc::channel(1);
        let mut looks = tokio::time::interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let beats = Arc::clone(&self.agent.beats);
        let _rests_after = Beating(&beats.agent);
        loop {
            beats.agent.beat(self.agent.clock.boottime());
            let ready = self.turns.until_ready(self.leader_wall());
            let event = tokio::select! {
                report = reports.recv() => report.map_or(Event::ExecutorGone, Event::Report),
                effect = self.effects.recv() => match effect {
                    Ok(effect) => Event::Effect(effect),
                    Err(RecvError::Lagged(_)) => Event::EffectsMissed,
                    Err(RecvError::Closed) => return,
                },
                Some(lease) = leases.recv() => Event::Lease(lease),
                Some(peek) = self.agent.peeks.recv() => Event::Peek(peek),
                Some(caught_up) = catching_up.recv() => Event::CaughtUp(caught_up),
                _ = looks.tick() => Event::Look,
                () = tokio::time::sleep(ready.unwrap_or_default()), if ready.is_some() => {
                    Event::Ready
                }
                // As often as anything else that is there: what comes due now does not wait for all that was behind.
                () = std::future::ready(()), if self.can_read_on() => Event::ReadOn,
            };
            let done = match event {
                Event::Report(report) => self.on_report(report, &caught_up).await,
                Event::ExecutorGone => return,
                Event::Effect(effect) => self.on_effect(&effect).await,
                Event::EffectsMissed => {
                    self.read_what_was_missed();
                    Ok(())
                }
                Event::Lease(lease) => self.on_lease(lease).await,
                Event::Peek(peek) => self.on_peek(peek).await,
                Event::CaughtUp(caught_up) if caught_up.list == self.lists => {
                    self.stage = Stage::Ready;
                    // Nothing was armed since: what the list does not have, no executor has.
                    if let Some(values) = &self.agent.values {
                        let known = caught_up.listed.iter().map(|listed| listed.key);
                        values.adopt_all_but(known).await;
                    }
                    match self.read_state(&caught_up.listed).await {
                        Ok(()) => {
                            self.pass_lease_on().await;
                            Ok(())
                        }
                        failed => failed,
                    }
                }
                // A newer list is on its way.
                Event::CaughtUp(_) => Ok(()),
                Event::Look => match self.look_ahead().await {
                    Ok(()) => self.admit().await,
                    failed => failed,
                },
                Event::Ready => self.admit().await,
                Event::ReadOn => self.read_on().await,
            };
            if let Err(error) = done {
                // The next effect or connection reads the state again; a broken disk stops the log as well.
                tracing::error!(%error, "the agent cannot read the state");
            }
        }
    }

    async fn on_report(
        &mut self,
        report: Report,
        caught_up: &mpsc::Sender<CaughtUp>,
    ) -> Result<(), StoreError> {
        match report {
            Report::Welcome(Welcome {
                executor,
                pid,
                journal,
                ..
            }) => {
                tracing::info!(executor, pid, ?journal, "the executor is connected");
                self.peeks.clear();
                self.preparations.forget();
                // What the connection before this one was asked is not answered any more.
                self.lists_open = 0;
                self.list().await;
            }
            Report::Events(events) => {
                for NumberedEvent { event, .. } in &events {
                    if let AttemptEventKind::Finished(_) = event.kind {
                        let key = AttemptKey {
                            run: event.run,
                            attempt: event.attempt,
                        };
                        self.turns.over(&key);
                        if self.stage == Stage::Reading {
                            self.over_meanwhile.insert(key);
                        }
                    }
                }
                self.hand(Handed::Events(events)).await;
                self.admit().await?;
            }
            Report::Attempts(listed) => self.on_attempts(listed, caught_up).await,
            Report::Prepared {
                job,
                version,
                failure,
            } => self.on_prepared(job, version, failure).await?,
            Report::Refused { key, reason } => self.on_refused(key, reason),
            Report::Output { key, output } => {
                for answer in self.peeks.remove(&key).unwrap_or_default() {
                    // Who asked may have gone.
                    let _ = answer.send(output.clone());
                }
            }
            Report::Incompatible { protocol } => {
                tracing::warn!(
                    protocol,
                    "an executor of another version is left to end its runs"
                );
            }
            Report::Draining { attempts } => {
                tracing::info!(attempts, "the executor takes no new runs");
            }
        }
        Ok(())
    }

    /// Asks what the executor has. Nothing is armed until that is compared with the state: an attempt that was armed
    /// after the question would be missed in the answer, and be taken for lost.
    async fn list(&mut self) {
        self.stage = Stage::Reading;
        self.turns.clear();
        self.behind = None;
        self.missed = None;
        self.over_meanwhile.clear();
        self.preparations.forget_waiting();
        self.lists += 1;
        self.lists_open += 1;
        // Answered after every recorded event, so the list comes when all of them have been handed over.
        self.request(Request::List).await;
    }

    async fn on_attempts(
        &mut self,
        listed: Vec<ListedAttempt>,
        caught_up: &mpsc::Sender<CaughtUp>,
    ) {
        // Only the answer to the newest question counts. One without a question was asked before the connection was
        // lost, and answered after it came back.
        let open = self.lists_open;
        self.lists_open = open.saturating_sub(1);
        if open != 1 {
            return;
        }
        let (barrier, applied) = oneshot::channel();
        self.hand(Handed::Barrier(barrier)).await;
        let (caught_up, list) = (caught_up.clone(), self.lists);
        tokio::spawn(async move {
            if applied.await.is_ok() {
                // Only the agent's end closes the channel, and then nobody waits.
                let _ = caught_up.send(CaughtUp { list, listed }).await;
            }
        });
    }

    fn on_refused(&mut self, key: AttemptKey, reason: RefusalReason) {
        let AttemptKey { run, attempt } = key;
        let job = self.turns.job_of(&key).map(tracing::field::display);
        match reason {
            // Its events come.
            RefusalReason::AlreadyStarted => {
                tracing::debug!(%run, %attempt, job, "the executor has this attempt");
            }
            // Its events were applied.
            RefusalReason::AlreadyOver => {
                self.turns.over(&key);
            }
            // The run stays in the state, and is armed again once others are over.
            RefusalReason::Full | RefusalReason::Draining => {
                tracing::warn!(%run, %attempt, job, ?reason, "the executor takes no more now");
                self.turns.over(&key);
                self.leave_in_state(key.run);
            }
        }
    }

    async fn on_effect(&mut self, effect: &Effect) -> Result<(), StoreError> {
        if self.stage != Stage::Ready || self.skew.is_none() {
            return Ok(());
        }
        match effect {
            Effect::RunChanged {
                run,
                job,
                version,
                due_at,
                queued_at,
                ready_at,
                lane,
                state: RunState::Assigned { attempt, node, .. },
            } if *node == self.agent.life.node => {
                let key = AttemptKey {
                    run: *run,
                    attempt: *attempt,
                };
                self.launch(&Pinned {
                    key,
                    job: *job,
                    version: *version,
                    due_at: due_at.unwrap_or(*queued_at),
                    ready_at: *ready_at,
                    lane: *lane,
                })
                .await
            }
            Effect::CancelRequested {
                run,
                attempt,
                node,
                when,
            } if *node == self.agent.life.node => {
                let asked = self.agent.reader.run(*run)?;
                let reason = asked
                    .and_then(|run| run.cancel_requested)
                    .unwrap_or_else(|| "cancelled".to_owned());
                self.cancel(
                    AttemptKey {
                        run: *run,
                        attempt: *attempt,
                    },
                    reason,
                    *when,
                )
                .await;
                Ok(())
            }
            Effect::JobChanged { job, .. } => {
                self.preparations.job_changed(*job);
                Ok(())
            }
            Effect::RunChanged { .. }
            | Effect::CancelRequested { .. }
            | Effect::NodeChanged { .. }
            | Effect::ValuesKept { .. }
            | Effect::SettingsChanged => Ok(()),
        }
    }

    /// Hands the latest lease to the executor.
    async fn pass_lease_on(&mut self) {
        if let Some((until, then)) = self.lease.take() {
            self.request(Request::Lease { until, then }).await;
        }
    }

    async fn cancel(&self, key: AttemptKey, reason: String, when: CancelWhen) {
        let scope = match when {
            CancelWhen::BeforeStart => CancelScope::BeforeStart,
            CancelWhen::AnyTime => CancelScope::Always,
        };
        self.request(Request::Cancel { key, reason, scope }).await;
    }

    async fn on_peek(&mut self, peek: Peek) -> Result<(), StoreError> {
        let waiting = self.peeks.entry(peek.key).or_default();
        waiting.retain(|answer| !answer.is_closed());
        waiting.push(peek.answer);
        if waiting.len() == 1 {
            self.request(Request::Peek { key: peek.key }).await;
        }
        Ok(())
    }

    async fn on_lease(&mut self, lease: Result<Leased, Denied>) -> Result<(), StoreError> {
        match lease {
            Ok(Leased {
                grant,
                skew,
                then,
                epoch,
            }) => {
                // In a new life, what was unreachable is assigned again.
                let first = self.skew.is_none() || epoch != self.agent.epoch;
                self.agent.epoch = epoch;
                let is_too_far = skew.abs() > SKEW_MAX;
                self.agent
                    .too_far_off
                    .send_replace(is_too_far.then_some(skew));
                if is_too_far {
                    tracing::error!(%skew, "this node's wall clock differs from the leader's: it starts nothing new");
                    self.skew = None;
                    return Ok(());
                }
                self.skew = Some(skew);
                self.lease = Some((grant.expires, then));
                if first && self.stage != Stage::Unconnected {
                    self.list().await;
                }
                if self.stage == Stage::Ready {
                    self.pass_lease_on().await;
                }
            }
            Err(error) => tracing::debug!(%error, "no lease"),
        }
        Ok(())
    }

    /// Reports an end that no executor will.
    async fn give_up(&self, key: AttemptKey, ending: Ending) {
        let result = AttemptResult {
            ending,
            started_at: None,
            finished_at: self.agent.clock.wall(),
            usage: Usage::default(),
            output: OutputSummary::default(),
        };
        let kind = AttemptEventKind::Finished(Box::new(result));
        self.hand(Handed::Own(AttemptEvent {
            run: key.run,
            attempt: key.attempt,
            kind,
        }))
        .await;
    }

    async fn request(&self, request: Request) {
        // A closed line ends the agent at its next look at the reports.
        let _ = self.requests.send(request).await;
    }

    async fn hand(&self, handed: Handed) {
        // The reporter ends only with the agent.
        let _ = self.handed.send(handed).await;
    }
}
