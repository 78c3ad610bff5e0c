//! The leader's loop: look at what is due, choose nodes, propose. DESIGN 5.1, 5.2, 5.6, 5.8.
//!
//! Everything that is decided here is only proposed; apply compares it with the state and decides. So a loop that is
//! cut off at any await loses nothing and doubles nothing.

mod quarantine;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use odin_cluster::{LeaseTerms, ProposeError, Term};
use odin_executor::fault::{self, Point};
use odin_model::calendar::DueRules;
use odin_model::command::{Fire, FireAnswer, FireItem};
use odin_model::quarantine::Unplannable;
use odin_model::{AttemptNumber, Boottime, Clock, Command, JobId, Reply, RunState};
use odin_scheduling::clock_jump::{Reading, Trust};
use odin_scheduling::plan::LOOK_AHEAD;
use odin_scheduling::{due, placement};
use odin_store::{Effect, Reader, StoreError, View};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use self::quarantine::{Again, Planned};
use crate::heartbeats::{Beating, Heartbeats};
use crate::lease_book::LeaseBook;
use crate::machine::Announcements;
use crate::proposer::Proposer;
use crate::recompute::{self, Rules, Step, Sweep};
use crate::schedules::Schedules;
use crate::silences::Silences;
use crate::while_leading::{caught_up, while_leading};

/// How many due jobs one pass looks at.
const JOBS_MAX: usize = 1_000;
/// How many occurrences one `Fire` lists: with ids and instants well below the largest command.
const OCCURRENCES_MAX: usize = 4_000;
/// How many items of one job one `Fire` holds.
const ITEMS_A_JOB_MAX: usize = 16;
/// How many unassigned runs one pass assigns.
const ASSIGN_MAX: usize = 1_000;
/// The longest sleep: what no notification tells of is noticed within it.
const TICK: Duration = Duration::from_millis(500);
/// The shortest sleep: what is due by now is in the next pass, and a loop that spins starves others.
const MOMENT: Duration = Duration::from_millis(1);

/// What the loop works with.
#[derive(Clone)]
pub(crate) struct Leader {
    pub(crate) proposer: Proposer,
    pub(crate) view: Arc<View>,
    pub(crate) reader: Reader,
    pub(crate) announcements: Announcements,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) schedules: Arc<Schedules>,
    pub(crate) leases: Arc<LeaseBook>,
    pub(crate) lease_terms: LeaseTerms,
    pub(crate) beats: Arc<Heartbeats>,
}

/// Why a term's work ended.
#[derive(Debug, thiserror::Error)]
enum Interrupted {
    /// Another term, no leader, or a stopped log.
    #[error(transparent)]
    Propose(#[from] ProposeError),
    /// The state cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Leader {
    /// Leads whenever this node is the leader, until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let leadership = self.proposer.log().leadership();
        while_leading(leadership, stop, |term| self.lead(term)).await;
    }

    /// One term's work; ends when it is over.
    async fn lead(&self, term: Term) {
        self.leases.begin_term();
        // Or the due index is behind.
        if !caught_up(self.proposer.log(), term).await {
            return;
        }
        tracing::info!(%term, "leading");
        let mut pass = Pass {
            leader: self,
            term,
            leading_since: self.clock.boottime(),
            trust: Trust::Trusted(self.reading()),
            held: HashMap::new(),
            computed_with: None,
            sweep: None,
            again: None,
            silences: Silences::default(),
        };
        let mut effects = self.announcements.effects();
        let _rests_after = Beating(&self.beats.leader);
        self.beats.leader.beat(self.clock.boottime());
        loop {
            let passed = pass.once().await;
            if passed.is_ok() {
                self.beats.leader.beat(self.clock.boottime());
            }
            match passed {
                Ok(Next::Again) => tokio::task::yield_now().await,
                Ok(Next::Sleep(wait)) => {
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        () = stirred(&mut effects) => {}
                    }
                }
                Err(error) => {
                    tracing::warn!(%term, %error, "a pass of the leader was interrupted");
                    tokio::time::sleep(TICK / 5).await;
                }
            }
        }
    }

    fn reading(&self) -> Reading {
        Reading {
            wall: self.clock.wall(),
            boottime: self.clock.boottime(),
        }
    }
}

/// Resolves when something changed that a pass should look at before its sleep is over: an edit, a node, a run that
/// waits for one.
async fn stirred(effects: &mut broadcast::Receiver<Effect>) {
    let stirs = |effect: &Effect| match effect {
        Effect::JobChanged { .. } | Effect::NodeChanged { .. } | Effect::SettingsChanged => true,
        Effect::RunChanged { state, .. } => {
            matches!(state, RunState::Queued | RunState::Retrying { .. })
        }
        Effect::CancelRequested { .. } | Effect::ValuesKept { .. } => false,
    };
    loop {
        match effects.recv().await {
            Ok(effect) if !stirs(&effect) => {}
            Ok(_) | Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

/// When to look again.
enum Next {
    Again,
    Sleep(Duration),
}

/// A term's memory.
struct Pass<'a> {
    leader: &'a Leader,
    term: Term,
    leading_since: Boottime,
    trust: Trust,
    /// Occurrences ahead that an active run blocks: proposed again at their due instant.
    held: HashMap<JobId, Timestamp>,
    /// The rules that were last compared with those of the due times.
    computed_with: Option<DueRules>,
    /// Due times are being computed anew.
    sweep: Option<Sweep>,
    /// Jobs in quarantine are being tried again.
    again: Option<Again>,
    /// Nodes that are down, and when what they have is lost.
    silences: Silences,
}

/// What a look at due jobs found.
#[derive(Default)]
struct Looked {
    items: Vec<FireItem>,
    /// Jobs that cannot be planned.
    unplannable: Vec<Unplannable>,
    /// Whether more jobs are due than these cover.
    is_cut: bool,
}

impl Pass<'_> {
    async fn once(&mut self) -> Result<Next, Interrupted> {
        let now = self.leader.reading();
        self.declare_silent(now).await?;
        self.give_up_lost(now).await?;
        self.assign_queued(now.wall).await?;
        self.recompute(now.wall).await?;
        let before = self.trust;
        self.trust = before.next(now);
        if !self.trust.is_trusted() {
            if before.is_trusted() {
                tracing::error!(wall = %now.wall, "the wall clock jumped forward: nothing is decided until it has lasted");
            }
            return Ok(Next::Sleep(TICK));
        }
        self.try_again(now.wall).await?;
        let next = self.fire(now.wall).await?;
        Ok(match self.sweep.is_some() || self.again.is_some() {
            true => Next::Again,
            false => next,
        })
    }

    /// Keeps next due times to the calendars and zone rules of now, a page of jobs at a time.
    async fn recompute(&mut self, now: Timestamp) -> Result<(), Interrupted> {
        let rules = DueRules {
            zone_rules: due::zone_rules(),
            calendars: self.leader.view.calendars(),
        };
        if self.computed_with.as_ref() != Some(&rules) {
            match recompute::compare(&self.leader.reader, &rules, now)? {
                Rules::Current => self.sweep = None,
                Rules::Unnoted(command) => {
                    self.leader
                        .proposer
                        .propose_fenced(self.term, &command)
                        .await?;
                    self.sweep = None;
                }
                Rules::Changed(sweep) => self.sweep = Some(sweep),
            }
            self.computed_with = Some(rules);
            self.again = Some(Again::default());
        }
        let Some(sweep) = &mut self.sweep else {
            return Ok(());
        };
        let step = sweep.step(&self.leader.reader, &self.leader.schedules, now)?;
        let (command, is_last) = match step {
            Step::Nothing => return Ok(()),
            Step::Propose(command) => (command, false),
            Step::Last(command) => (command, true),
        };
        let proposed = self
            .leader
            .proposer
            .propose_fenced(self.term, &command)
            .await;
        if is_last || proposed.is_err() {
            self.sweep = None;
        }
        if proposed.is_err() {
            // The sweep begins again with the next comparison.
            self.computed_with = None;
        }
        proposed?;
        Ok(())
    }

    /// Proposes what is due within the look-ahead.
    async fn fire(&mut self, now: Timestamp) -> Result<Next, Interrupted> {
        let horizon = now.saturating_add(LOOK_AHEAD).unwrap_or(Timestamp::MAX);
        self.held.retain(|_, due| *due > now);
        let limit = JOBS_MAX + self.held.len();
        let due = self.leader.view.due(horizon, limit);
        let Looked {
            items,
            unplannable,
            is_cut,
        } = self.look(&due, now)?;
        self.set_apart(&unplannable, now).await?;
        let complete = !is_cut && due.len() < limit;
        if items.is_empty() {
            return Ok(if complete {
                Next::Sleep(self.until_next(now))
            } else {
                Next::Again
            });
        }
        let asked: Vec<_> = items.iter().map(|item| (item.job, item.due)).collect();
        let command = Command::Fire(Fire {
            items,
            proposed_at: now,
        });
        fault::reach_in_task(Point::ServerFireBefore).await;
        let reply = self
            .leader
            .proposer
            .propose_fenced(self.term, &command)
            .await?;
        fault::reach(Point::ServerFireAfter);
        if let Reply::Fired(answers) = reply {
            for ((job, due), answer) in asked.into_iter().zip(answers) {
                if answer == FireAnswer::Blocked {
                    self.held.insert(job, due);
                }
            }
        }
        Ok(if complete {
            Next::Sleep(self.until_next(now))
        } else {
            Next::Again
        })
    }

    /// The items for `due`.
    fn look(&self, due: &[(Timestamp, JobId)], now: Timestamp) -> Result<Looked, Interrupted> {
        let nodes = self.leader.reader.nodes()?;
        let mut looked = Looked::default();
        let mut occurrences = 0;
        for &(instant, id) in due {
            if self.held.get(&id) == Some(&instant) {
                continue;
            }
            if occurrences >= OCCURRENCES_MAX {
                looked.is_cut = true;
                break;
            }
            let Some(job) = self.leader.reader.job(id)? else {
                continue;
            };
            // The index may be older than the row: then the next pass sees both.
            if job.next_due != Some(instant) || job.quarantine.is_some() {
                continue;
            }
            match self.plan_job(&job, instant, now, &nodes)? {
                Planned::Items(items) => {
                    occurrences += items.iter().map(|item| item.listed.len()).sum::<usize>();
                    looked.items.extend(items);
                }
                Planned::Unplannable(reason) => {
                    let job = Unplannable::new(id, job.revision, reason);
                    looked.unplannable.push(job);
                }
            }
        }
        Ok(looked)
    }

    /// How long to sleep so that no held occurrence is proposed late, and no retry.
    fn until_next(&self, now: Timestamp) -> Duration {
        let held = self.held.values().min().copied();
        let retry = self.leader.view.next_retry_instant();
        let earliest = held.into_iter().chain(retry).min();
        earliest.map_or(TICK, |due| {
            Duration::try_from(due.duration_since(now)).map_or(MOMENT, |wait| wait.min(TICK))
        })
    }

    /// Gives nodes to runs that may begin and have none: new ones, and those whose retry is due.
    async fn assign_queued(&mut self, now: Timestamp) -> Result<(), Interrupted> {
        let Leader { reader, view, .. } = self.leader;
        let mut waiting = reader.queued_runs(ASSIGN_MAX)?;
        for id in view.retries_due(now, ASSIGN_MAX) {
            // The index may be ahead of the row by a moment.
            let run = reader.open_run(id)?;
            waiting.extend(run.filter(|run| matches!(run.state, RunState::Retrying { .. })));
        }
        if waiting.is_empty() {
            return Ok(());
        }
        let nodes = reader.nodes()?;
        let mut chosen: HashMap<_, Vec<_>> = HashMap::new();
        for run in waiting {
            if let Some(node) = placement::choose(run.job, &nodes) {
                let next = run
                    .attempt
                    .map_or(AttemptNumber::FIRST, AttemptNumber::next);
                chosen.entry(node).or_default().push((run.id, next));
            }
        }
        for node in nodes {
            if let Some(runs) = chosen.remove(&node.id) {
                let command = Command::Assign {
                    runs,
                    node: node.id,
                    epoch: node.epoch,
                };
                fault::reach_in_task(Point::ServerAssignBefore).await;
                self.leader
                    .proposer
                    .propose_fenced(self.term, &command)
                    .await?;
                fault::reach(Point::ServerAssignAfter);
            }
        }
        Ok(())
    }

    /// Gives up runs whose nodes have been silent for longer than their jobs wait.
    async fn give_up_lost(&mut self, now: Reading) -> Result<(), Interrupted> {
        let reader = &self.leader.reader;
        let nodes = reader.nodes()?;
        for lost in self.silences.look(&nodes, now.boottime, reader)? {
            tracing::warn!(node = %lost.node, runs = lost.runs.len(), "a node did not come back: its runs are lost");
            let command = Command::Lose {
                node: lost.node,
                epoch: lost.epoch,
                runs: lost.runs.clone(),
                at: now.wall,
            };
            self.leader
                .proposer
                .propose_fenced(self.term, &command)
                .await?;
            self.silences.forget(&lost);
        }
        Ok(())
    }

    /// Declares nodes down whose leases are over.
    async fn declare_silent(&mut self, now: Reading) -> Result<(), Interrupted> {
        let terms = &self.leader.lease_terms;
        for (node, epoch) in
            self.leader
                .leases
                .declare_silent(terms, self.leading_since, now.boottime)
        {
            tracing::warn!(%node, "a node has been silent for longer than its lease");
            let command = Command::NodeDown {
                node,
                epoch,
                at: now.wall,
            };
            self.leader
                .proposer
                .propose_fenced(self.term, &command)
                .await?;
        }
        Ok(())
    }
}
