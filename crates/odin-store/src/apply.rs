//! Applies committed commands: one file for each. Everything here is deterministic: the same commands give the same
//! rows on every node.
//!
//! A command checks first and writes then, so a refusal has nothing to roll back; `debug_assert`s hold it to that.

mod alert;
mod assign;
mod attempt;
mod bounds;
mod calendar;
mod cancel;
mod catch_up;
mod change;
mod channel;
mod deploy;
mod fire;
mod flags;
mod history;
mod job;
mod job_state;
mod keyed;
mod ledger;
mod link;
mod modify;
mod node;
mod outbox;
mod quarantine;
mod report;
mod run;
mod run_now;
mod secret;
mod setting;
mod silence;
mod sink;
mod sink_feed;
mod statistics;
mod successors;
mod turn;
mod values;
mod watch;

use std::collections::BTreeMap;

use odin_model::codec::DecodeError;
use odin_model::job::JobSpec;
use odin_model::owner::{Owner, Principal};
use odin_model::{Command, Epoch, JobId, NodeId, Refusal, Reply, RunId, codec};
use odin_scheduling::placement;
use rusqlite::Connection;

use crate::view::Changes;
use crate::{Effect, Observation, StoreError};
pub(crate) use statistics::{Counted, hour_of, write as write_statistics};

/// Why a command ends without its reply.
pub(crate) enum Stop {
    /// It is refused; nothing was written.
    Refused(Refusal),
    /// The state cannot be read or written: the whole batch is rolled back.
    Failed(StoreError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

impl From<rusqlite::Error> for Stop {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl From<DecodeError> for Stop {
    fn from(error: DecodeError) -> Self {
        Self::Failed(error.into())
    }
}

/// One batch on its way: the open transaction, and what is to happen after the commit.
pub(crate) struct Batch<'a> {
    conn: &'a Connection,
    generation: u8,
    /// The log index of the command being applied.
    index: u64,
    /// How many runs that command has made.
    position: u32,
    /// Nodes asked for in this batch: the life of those that are up.
    nodes: BTreeMap<NodeId, Option<Epoch>>,
    /// All nodes that are up, once something had to be placed; forgotten when one comes or goes.
    up: Option<Vec<(NodeId, Epoch)>>,
    /// What was counted, written at the end of the batch.
    pub(crate) counted: Counted,
    pub(crate) effects: Vec<Effect>,
    pub(crate) observations: Vec<Observation>,
    pub(crate) changes: Changes,
}

impl<'a> Batch<'a> {
    /// A batch within the transaction that is open on `conn`.
    pub(crate) fn new(conn: &'a Connection, generation: u8) -> Self {
        Self {
            conn,
            generation,
            index: 0,
            position: 0,
            nodes: BTreeMap::new(),
            up: None,
            counted: Counted::new(),
            effects: Vec::new(),
            observations: Vec::new(),
            changes: Changes::default(),
        }
    }

    /// Applies the command stored at `index` of the log.
    pub(crate) fn apply(&mut self, index: u64, command: &[u8]) -> Result<Reply, StoreError> {
        let command: Command = codec::decode(command)
            .map_err(|source| StoreError::UnreadableEntry { index, source })?;
        self.index = index;
        self.position = 0;
        self.answer(&command)
    }

    /// Applies one command, a refusal being an answer.
    fn answer(&mut self, command: &Command) -> Result<Reply, StoreError> {
        let before = self.conn.total_changes();
        match self.dispatch(command) {
            Ok(reply) => Ok(reply),
            Err(Stop::Refused(refusal)) => {
                debug_assert_eq!(
                    self.conn.total_changes(),
                    before,
                    "a refused command wrote: {command:?}"
                );
                Ok(Reply::Refused(refusal))
            }
            Err(Stop::Failed(error)) => Err(error),
        }
    }

    fn dispatch(&mut self, command: &Command) -> Result<Reply, Stop> {
        match command {
            Command::NodeUp { node, facts, at } => node::up(self, *node, facts, *at),
            Command::NodeDown { node, epoch, at } => node::down(self, *node, *epoch, *at),
            Command::Deploy(deploy) => deploy::apply(self, deploy),
            Command::Modify(modify) => modify::apply(self, modify),
            Command::SetJobState(change) => job_state::set(self, change),
            Command::Remove {
                by,
                job,
                expected,
                at,
            } => job_state::remove(self, by, *job, *expected, *at),
            Command::Fire(fire) => fire::apply(self, fire),
            Command::RunNow { by, job, node, at } => run_now::apply(self, by, *job, *node, *at),
            Command::Assign { runs, node, epoch } => assign::apply(self, runs, *node, *epoch),
            Command::Cancel { by, run, at } => cancel::apply(self, by, *run, *at),
            Command::Report { node, events } => report::apply(self, *node, events),
            Command::Keyed {
                principal,
                key,
                digest,
                at,
                command,
            } => keyed::apply(self, &keyed::Key { principal, key }, digest, *at, command),
            Command::Lose {
                node,
                epoch,
                runs,
                at,
            } => attempt::lose(self, *node, *epoch, runs, *at),
            Command::Set { by, setting } => setting::apply(self, by, setting),
            Command::Secret(change) => secret::apply(self, change),
            Command::SetCalendar(set) => calendar::set(self, set),
            Command::RemoveCalendar { by, name } => calendar::remove(self, by, name),
            Command::Recompute(sweep) => calendar::recompute(self, sweep),
            Command::Link {
                by,
                from,
                to,
                on,
                at,
            } => link::link(self, by, (*from, *to), *on, *at),
            Command::Unlink { by, from, to } => link::unlink(self, by, *from, *to),
            Command::CatchUp(asked) => catch_up::apply(self, asked),
            Command::Quarantine(apart) => quarantine::set(self, apart),
            Command::Release { jobs, at } => quarantine::release(self, jobs, *at),
            Command::Values(reported) => values::apply(self, reported),
            Command::Alert(change) => alert::apply(self, change),
            Command::Channel(change) => channel::apply(self, change),
            Command::Delivery(step) => outbox::apply(self, step),
            Command::Seal(asked) => history::seal(self, asked),
            Command::Forget(asked) => history::forget(self, asked),
            Command::TrimLedger(asked) => ledger::trim(self, asked),
            Command::ForgetValues(asked) => values::forget(self, asked),
            Command::Sink(change) => sink::apply(self, change),
        }
    }

    /// The id of the next run that this command makes, without making it.
    fn upcoming_run(&self) -> Result<RunId, StoreError> {
        let position = u16::try_from(self.position)
            .map_err(|_| StoreError::TooManyRuns { index: self.index })?;
        Ok(RunId::new(self.generation, self.index, position))
    }

    /// Where a run of `job` goes that begins by another's end. `None`: no node is up.
    fn place(&mut self, job: JobId) -> Result<Option<(NodeId, Epoch)>, StoreError> {
        if self.up.is_none() {
            self.up = Some(node::all_up(self.conn)?);
        }
        let up = self.up.as_deref().unwrap_or_default();
        let chosen = placement::choose_of(job, up.iter().map(|(node, _)| *node));
        Ok(chosen.and_then(|chosen| up.iter().copied().find(|(node, _)| *node == chosen)))
    }

    /// The life of `node`, if it is up.
    fn life_of(&mut self, node: NodeId) -> Result<Option<Epoch>, StoreError> {
        if let Some(&life) = self.nodes.get(&node) {
            return Ok(life);
        }
        let life = node::life_of(self.conn, node)?;
        self.nodes.insert(node, life);
        Ok(life)
    }
}

/// Refuses who may not change what belongs to `owner`: as if there were no such job where it may not even be seen.
fn need_change(by: &Principal, job: JobId, owner: &Owner) -> Result<(), Refusal> {
    if !by.may_see(owner) {
        return Err(Refusal::NoSuchJob(job));
    }
    if !by.may_change(owner) {
        return Err(Refusal::NotPermitted {
            job,
            owner: owner.user.clone(),
        });
    }
    Ok(())
}

/// The policies of a version, which decide its occurrences.
fn policy_of(spec: &JobSpec) -> odin_scheduling::judge::Policy {
    odin_scheduling::judge::Policy {
        grace: spec.grace,
        missed: spec.missed,
        concurrency: spec.concurrency,
    }
}
