//! From a run that this node has to a launch that its executor has: its turn, its files, its secrets.

use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use odin_executor::fault::{self, Point};
use odin_executor::protocol::{PrepareFailure, Request};
use odin_model::attempt::Ending;
use odin_model::{JobId, TimeoutKind, VersionNumber};
use odin_scheduling::clock_jump::Reading;
use odin_scheduling::placement;
use odin_store::StoreError;

use super::{Agent, Stage, Work};
use crate::launch_secrets;
use crate::launches::{Pinned, PinnedJob};

/// How far ahead files are unpacked, and for how many jobs at once.
const AHEAD: SignedDuration = SignedDuration::from_secs(60);
const AHEAD_MAX: usize = 4_000;

impl Work {
    /// Takes a run on: its version is unpacked if it is not yet, then it is armed.
    pub(super) async fn launch(&mut self, pinned: &Pinned) -> Result<(), StoreError> {
        let (key, has_it) = (pinned.key, self.turns.is_under_way(&pinned.key));
        if self.turns.waits(&key) || self.turns.was_taken_on(&key) {
            return Ok(());
        }
        if !has_it && !self.turns.has_room(pinned.ready_at) {
            self.leave_in_state(key.run);
            return Ok(());
        }
        let Some(job) = self.agent.launches.job(&self.agent.reader, pinned)? else {
            let (run, attempt, job) = (key.run, key.attempt, pinned.job);
            tracing::error!(%run, %attempt, %job, version = %pinned.version, "a run's job version is not in the state");
            return Ok(());
        };
        if has_it || !self.turns.must_wait(pinned.lane) {
            return self.take_on(pinned, &job).await;
        }
        self.turns.wait(pinned, &job.spec, self.leader_wall());
        self.admit().await
    }

    /// Takes on the runs whose turn it is among those that wait, and ends those that have waited for too long.
    pub(super) async fn admit(&mut self) -> Result<(), StoreError> {
        let now = self.leader_wall();
        for (pinned, after) in self.turns.expired(now) {
            let ending = Ending::TimedOut {
                timeout: TimeoutKind::Queue,
                after,
                after_kill: None,
            };
            self.give_up(pinned.key, ending).await;
        }
        while let Some(pinned) = self.turns.next(now) {
            if let Some(job) = self.agent.launches.job(&self.agent.reader, &pinned)? {
                self.take_on(&pinned, &job).await?;
            }
        }
        Ok(())
    }

    /// The leader's wall clock, as far as this node knows it.
    pub(super) fn leader_wall(&self) -> Timestamp {
        let wall = self.agent.clock.wall();
        wall.saturating_add(self.skew.unwrap_or_default())
            .unwrap_or(wall)
    }

    async fn take_on(&mut self, pinned: &Pinned, job: &PinnedJob) -> Result<(), StoreError> {
        self.turns
            .has(pinned.key, pinned.job, pinned.lane, pinned.ready_at);
        self.turns.take_on(&pinned.key);
        let collected = self.agent.collected.load(Ordering::Acquire);
        if std::mem::replace(&mut self.collected, collected) != collected {
            self.preparations.forget_unpacked();
        }
        if !self.preparations.is_unpacked((pinned.job, pinned.version)) {
            let launches = &self.agent.launches;
            self.preparations.need(*pinned, || {
                launches.prepare(pinned.job, pinned.version, job)
            });
            self.prepare_next().await;
            return Ok(());
        }
        self.arm(pinned, job).await
    }

    /// Arms a launch. Its secrets are opened here and not before: the executor holds them from now on.
    async fn arm(&mut self, pinned: &Pinned, job: &PinnedJob) -> Result<(), StoreError> {
        let Agent {
            reader, keyring, ..
        } = &self.agent;
        let secrets = match launch_secrets::open(reader, keyring, &job.owner, &job.spec.secrets)? {
            Ok(secrets) => secrets,
            Err(reason) => {
                let (key, job) = (pinned.key, pinned.job);
                tracing::warn!(run = %key.run, attempt = %key.attempt, %job, reason, "a run's secrets are not there");
                self.turns.over(&pinned.key);
                let ending = Ending::NotStartable { reason };
                self.give_up(pinned.key, ending).await;
                return Ok(());
            }
        };
        let now = Reading {
            wall: self.agent.clock.wall(),
            boottime: self.agent.clock.boottime(),
        };
        // A clock that is off by more than it may holds up new launches; this one was taken on before.
        let skew = self.skew.unwrap_or_default();
        let launches = &self.agent.launches;
        let launch = launches.launch(pinned, job, secrets, now, skew);
        fault::reach_in_task(Point::ServerArmBefore).await;
        self.request(Request::Arm(Box::new(launch))).await;
        Ok(())
    }

    /// Asks for as many versions as the executor takes.
    pub(super) async fn prepare_next(&mut self) {
        while let Some(prepare) = self.preparations.next() {
            self.request(Request::Prepare(prepare)).await;
        }
    }

    pub(super) async fn on_prepared(
        &mut self,
        job: JobId,
        version: VersionNumber,
        failure: Option<PrepareFailure>,
    ) -> Result<(), StoreError> {
        let waiting = self
            .preparations
            .answered((job, version), failure.is_none());
        self.prepare_next().await;
        if let Some(PrepareFailure { code, message }) = failure {
            tracing::warn!(%job, %version, code, message, "a bundle cannot be unpacked");
            for pinned in waiting {
                tracing::warn!(run = %pinned.key.run, attempt = %pinned.key.attempt, %job, "a run has no files");
                let reason =
                    format!("the files of version {version} cannot be unpacked: {message}");
                self.turns.over(&pinned.key);
                self.give_up(pinned.key, Ending::NotStartable { reason })
                    .await;
            }
            return Ok(());
        }
        for pinned in waiting {
            if let Some(job) = self.agent.launches.job(&self.agent.reader, &pinned)? {
                self.arm(&pinned, &job).await?;
            }
        }
        Ok(())
    }

    /// Has the files of jobs that come due soon unpacked before they are needed.
    pub(super) async fn look_ahead(&mut self) -> Result<(), StoreError> {
        if self.stage != Stage::Ready {
            return Ok(());
        }
        let until = self.agent.clock.wall().saturating_add(AHEAD);
        let due = self
            .agent
            .view
            .due(until.unwrap_or(Timestamp::MAX), AHEAD_MAX);
        let nodes = self.agent.reader.nodes()?;
        for (_, id) in due {
            let is_new = self.preparations.look_at(id);
            if !is_new || placement::choose(id, &nodes) != Some(self.agent.life.node) {
                continue;
            }
            if let Some(job) = self.agent.reader.job(id)? {
                let version = job.version;
                let pinned = PinnedJob::current(job);
                let prepare = self.agent.launches.prepare(id, version, &pinned);
                self.preparations.need_soon(prepare);
            }
        }
        self.prepare_next().await;
        Ok(())
    }
}
