//! What the state has for this node: all of it after a connection or missed effects, the rest of it when there is room.

use std::collections::HashSet;

use odin_executor::protocol::{AttemptKey, ListedAttempt, ListedState};
use odin_model::attempt::Ending;
use odin_model::{RunId, RunState};
use odin_store::{CancelRequest, CancelWhen, OpenRun, StoreError};

use super::{Stage, Work};
use crate::launches::Pinned;

/// How many of the runs that did not fit before are read at once.
const READ_AT_ONCE: usize = 500;
/// With so many effects to be taken in, they come before what is read.
const EFFECTS_FIRST: usize = 1_000;

impl Work {
    /// Arms what is assigned to this node and cancels what is to stop, by what the executor of a new connection has: a
    /// run that is under way in the state and unknown there is lost.
    pub(super) async fn read_state(&mut self, listed: &[ListedAttempt]) -> Result<(), StoreError> {
        if self.stage != Stage::Ready || self.skew.is_none() {
            return Ok(());
        }
        // Missed effects are in the state by now.
        self.effects = self.effects.resubscribe();
        let known: HashSet<_> = listed.iter().map(|attempt| attempt.key).collect();
        let over = std::mem::take(&mut self.over_meanwhile);
        let runs = self.agent.reader.open_runs_of_node(self.agent.life.node)?;
        self.disarm(listed, &runs).await?;
        for run in runs {
            let Some(key) = key_of(&run) else {
                continue;
            };
            let has_it = known.contains(&key);
            match run.state {
                RunState::Running { .. } if !has_it => {
                    let reason =
                        "its executor's record of it is gone: nobody can tell how it ended"
                            .to_owned();
                    self.give_up(key, Ending::Lost { reason }).await;
                }
                RunState::Assigned { .. } | RunState::Unreachable { .. } => {
                    if has_it && !over.contains(&key) {
                        self.turns.has(key, run.job, run.lane, run.ready_at);
                    }
                    self.launch(&pinned(key, &run)).await?;
                }
                RunState::Running { .. } if !over.contains(&key) => {
                    self.turns.has(key, run.job, run.lane, run.ready_at);
                }
                RunState::Running { .. }
                | RunState::Queued
                | RunState::Waiting
                | RunState::Retrying { .. }
                | RunState::Finished(_) => {}
            }
            self.stop(&run, key).await;
        }
        Ok(())
    }

    /// Has the state read for what missed effects told of, a part at a time: with a hundred thousand runs the next effects
    /// would be missed meanwhile, and what comes due would wait for all of it.
    pub(super) fn read_what_was_missed(&mut self) {
        // An executor that is asked what it has gets all of the state when it has answered.
        if self.stage == Stage::Ready && self.skew.is_some() {
            self.effects = self.effects.resubscribe();
            self.missed = Some(RunId::from_bits(0));
        }
    }

    /// Whether effects were missed, or runs did not fit before and some fit now. Effects that are there come first.
    pub(super) fn can_read_on(&self) -> bool {
        let is_wanted = self.missed.is_some()
            || (self.behind.is_some() && self.turns.has_room_for_many(READ_AT_ONCE));
        is_wanted && self.effects.len() < EFFECTS_FIRST
    }

    /// Arms some of what was missed, or did not fit before, and cancels what is to stop.
    pub(super) async fn read_on(&mut self) -> Result<(), StoreError> {
        let missed = self.missed.take();
        let Some(from) = missed.or_else(|| self.behind.take()) else {
            return Ok(());
        };
        if self.stage != Stage::Ready || self.skew.is_none() {
            return Ok(());
        }
        let node = self.agent.life.node;
        let runs = self
            .agent
            .reader
            .open_runs_of_node_from(node, from, READ_AT_ONCE)?;
        if runs.len() == READ_AT_ONCE
            && let Some(last) = runs.last()
        {
            match missed {
                Some(_) => self.missed = Some(last.id),
                None => self.leave_in_state(last.id),
            }
        }
        for run in &runs {
            let Some(key) = key_of(run) else {
                continue;
            };
            let is_to_start = matches!(
                run.state,
                RunState::Assigned { .. } | RunState::Unreachable { .. }
            );
            if is_to_start {
                self.launch(&pinned(key, run)).await?;
            }
            self.stop(run, key).await;
        }
        Ok(())
    }

    /// Stops a run that is to be stopped.
    async fn stop(&mut self, run: &OpenRun, key: AttemptKey) {
        if let Some(CancelRequest { when, reason }) = &run.cancel {
            self.cancel(key, reason.clone(), *when).await;
        }
    }

    /// A run is read again once others are over.
    pub(super) fn leave_in_state(&mut self, run: RunId) {
        self.behind = Some(self.behind.map_or(run, |first| first.min(run)));
    }

    /// Ends what the executor has and the state took away from this node while it was silent. Nothing of it starts
    /// before: the executor has no lease until this is asked.
    async fn disarm(
        &mut self,
        listed: &[ListedAttempt],
        runs: &[OpenRun],
    ) -> Result<(), StoreError> {
        let has: HashSet<_> = runs.iter().filter_map(key_of).collect();
        let gone = listed.iter().filter(|attempt| {
            attempt.state != ListedState::Finished && !has.contains(&attempt.key)
        });
        for attempt in gone {
            let key = attempt.key;
            // A process whose run was given up for good is left to end: its report is kept. One whose run goes on
            // elsewhere is in the way.
            let goes_on = self.agent.reader.open_run(key.run)?.is_some();
            let (when, reason) = match goes_on {
                true => (
                    CancelWhen::AnyTime,
                    "another attempt follows: its node had been silent for too long",
                ),
                false => (
                    CancelWhen::BeforeStart,
                    "its node had been silent for too long",
                ),
            };
            self.cancel(key, reason.to_owned(), when).await;
        }
        Ok(())
    }
}

/// The attempt that a run has. `None`: it has none that is open.
fn key_of(run: &OpenRun) -> Option<AttemptKey> {
    let (attempt, _, _) = run.state.attempt()?;
    let run = run.id;
    Some(AttemptKey { run, attempt })
}

fn pinned(key: AttemptKey, run: &OpenRun) -> Pinned {
    Pinned {
        key,
        job: run.job,
        version: run.version,
        due_at: run.due_at.unwrap_or(run.queued_at),
        ready_at: run.ready_at,
        lane: run.lane,
    }
}
