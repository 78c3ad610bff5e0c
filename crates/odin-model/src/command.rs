//! What the replicated log holds: every change of the state, and what apply answers.
//!
//! A command carries everything that needs a clock, a zone, a random number, a file or a user database; apply only
//! compares and stores. A refusal is data: it changes nothing and stops nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::AlertChange;
use crate::attempt::AttemptEvent;
use crate::calendar::{Recompute, SetCalendar};
use crate::channel::ChannelChange;
use crate::delivery::DeliveryStep;
use crate::id::{AttemptNumber, BundleHash, Epoch, JobId, NodeId, Revision, RunId, VersionNumber};
use crate::job::{JobName, JobSpec, JobState, Visibility};
use crate::link::{Link, LinkOn};
use crate::node::NodeFacts;
use crate::owner::Principal;
use crate::quarantine::SetApart;
use crate::refusal::Refusal;
use crate::retention::{Forget, ForgetValues, Seal, TrimLedger};
use crate::secret::SecretChange;
use crate::sink::SinkChange;
use crate::value::ReportValues;

/// The largest command that is proposed.
pub const COMMAND_BYTES_MAX: usize = 256 * 1024;
/// How many due times one [`CatchUp`] names.
pub const CATCH_UP_MAX: usize = 1000;
/// How many occurrences one [`FireItem`] may list one by one.
pub const LISTED_MAX: usize = 2 * 1000;

/// One change of the replicated state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Command {
    /// A node begins a life; its epoch is this entry's index.
    NodeUp {
        /// Which node.
        node: NodeId,
        /// What it says of itself.
        facts: NodeFacts,
        /// Its wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// The leader has not heard of a node for longer than its lease and the margin.
    NodeDown {
        /// Which node.
        node: NodeId,
        /// Which life of it; a newer one is left alone.
        epoch: Epoch,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A job or a new version of one.
    Deploy(Box<Deploy>),
    /// Name, description or schedule of a job: a new version with the same bundle.
    Modify(Box<Modify>),
    /// Pause or resume.
    SetJobState(SetJobState),
    /// A job goes; its history stays.
    Remove {
        /// Who asks.
        by: Principal,
        /// Which job.
        job: JobId,
        /// The revision that the asker saw; another one is a conflict. `None`: whatever it is.
        expected: Option<Revision>,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// Occurrences are due.
    Fire(Fire),
    /// A person wants a run now.
    RunNow {
        /// Who asks.
        by: Principal,
        /// Which job.
        job: JobId,
        /// Where, if a node is up.
        node: Option<NodeId>,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// Runs that no node has get one.
    Assign {
        /// Which runs, each with the number that the attempt would have; one that somebody has already, or that is
        /// at another attempt, stays as it is.
        runs: Vec<(RunId, AttemptNumber)>,
        /// Who gets them, if it is still up in this epoch.
        node: NodeId,
        /// Which life of it.
        epoch: Epoch,
    },
    /// A run is to stop.
    Cancel {
        /// Who asks.
        by: Principal,
        /// Which run.
        run: RunId,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// What a node's executors saw.
    Report {
        /// Which node.
        node: NodeId,
        /// What happened, oldest first.
        events: Vec<AttemptEvent>,
    },
    /// A command that counts once within a day, however often it is sent.
    Keyed {
        /// Who sent it, as `user:uid`, with the key that the sender chose.
        principal: String,
        /// The key.
        key: String,
        /// A digest of what was asked: the same key with another one is refused.
        digest: [u8; 32],
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
        /// What was asked.
        command: Box<Command>,
    },
    /// A setting of the whole cluster.
    Set {
        /// Who asks.
        by: Principal,
        /// Which setting.
        setting: Setting,
    },
    /// A node has been silent for longer than these runs' jobs wait for it.
    Lose {
        /// Which node.
        node: NodeId,
        /// In which life of it they were assigned.
        epoch: Epoch,
        /// Which attempts; one that is no longer unreachable there is left alone.
        runs: Vec<(RunId, AttemptNumber)>,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A calendar is made or replaced.
    SetCalendar(SetCalendar),
    /// A calendar goes.
    RemoveCalendar {
        /// Who asks.
        by: Principal,
        /// Its name.
        name: String,
    },
    /// Next due times, after a calendar or the zone rules changed.
    Recompute(Recompute),
    /// The end of one job's runs is to start another job.
    Link {
        /// Who asks.
        by: Principal,
        /// The job whose runs' end counts.
        from: JobId,
        /// The job that it starts.
        to: JobId,
        /// At which end.
        on: LinkOn,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A link goes.
    Unlink {
        /// Who asks.
        by: Principal,
        /// The job whose runs' end counts.
        from: JobId,
        /// The job that it starts.
        to: JobId,
    },
    /// A person wants runs for due times that had none.
    CatchUp(CatchUp),
    /// A secret is set, removed or shared. Its value is sealed before it gets here.
    Secret(Box<SecretChange>),
    /// Jobs cannot be planned: they are set apart until they are released or changed.
    Quarantine(SetApart),
    /// Jobs in quarantine can be planned again.
    Release {
        /// Which, each with the revision that the leader saw; at most [`QUARANTINE_MAX`]. One that was changed since
        /// is left alone.
        ///
        /// [`QUARANTINE_MAX`]: crate::quarantine::QUARANTINE_MAX
        jobs: Vec<(JobId, Revision)>,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// What runs reported of themselves.
    Values(ReportValues),
    /// Alerts are raised, answered, silenced or over.
    Alert(Box<AlertChange>),
    /// A channel is set up, or goes.
    Channel(Box<ChannelChange>),
    /// A message to a channel goes a step further.
    Delivery(Box<DeliveryStep>),
    /// Finished runs leave the state for a file of history.
    Seal(Seal),
    /// Runs and output are no longer kept.
    Forget(Forget),
    /// A sink is set up, goes, or gets further.
    Sink(Box<SinkChange>),
    /// What runs reported that are no longer kept.
    ForgetValues(ForgetValues),
    /// Rows of the ledger that are no longer kept.
    TrimLedger(TrimLedger),
}

/// A setting of the whole cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Setting {
    /// The IANA zone of jobs that name none.
    Timezone(String),
}

/// A job or a new version of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deploy {
    /// Who asks; the owner of a new job.
    pub by: Principal,
    /// The id in the job file. `None`: the owner's job of that name, or a new one.
    pub id: Option<JobId>,
    /// The id of a new job when the file has none. Drawn by the handler.
    pub fresh_id: JobId,
    /// What the version says.
    pub spec: JobSpec,
    /// Its files.
    pub bundle: BundleHash,
    /// Whether lists show the job.
    pub visibility: Visibility,
    /// When its schedule comes due next, and what that was computed from.
    pub due: DueAfter,
    /// The revision that the asker saw; another one is a conflict. `None`: whatever it is.
    pub expected: Option<Revision>,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// A next due time with the point it was computed from, so that apply can tell that it is out of date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueAfter {
    /// The occurrence is the first after this instant: the later of now and the job's last decided occurrence.
    #[serde(with = "crate::instant")]
    pub after: Timestamp,
    /// The occurrence. `None`: none will come.
    #[serde(with = "crate::instant::option")]
    pub next_due: Option<Timestamp>,
}

/// Name, description or schedule of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modify {
    /// Who asks.
    pub by: Principal,
    /// Which job.
    pub job: JobId,
    /// A new name.
    pub name: Option<JobName>,
    /// A new description.
    pub description: Option<String>,
    /// A new schedule with its next due time.
    pub schedule: Option<(String, DueAfter)>,
    /// The revision that the asker saw; another one is a conflict. `None`: whatever it is.
    pub expected: Option<Revision>,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// Runs for due times that had none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CatchUp {
    /// Who asks.
    pub by: Principal,
    /// Which job.
    pub job: JobId,
    /// The due times, ascending, at most [`CATCH_UP_MAX`]. One that has a run, or that was asked for before, is
    /// passed over.
    #[serde(with = "crate::instant::list")]
    pub due: Vec<Timestamp>,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// Pause or resume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetJobState {
    /// Who asks.
    pub by: Principal,
    /// Which job.
    pub job: JobId,
    /// `Enabled` or `Paused`.
    pub state: JobState,
    /// For `Enabled`: the first occurrence after now. The past is not replayed.
    pub due: Option<DueAfter>,
    /// The revision that the asker saw; another one is a conflict. `None`: whatever it is.
    pub expected: Option<Revision>,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// Occurrences of many jobs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fire {
    /// One or more items a job, in the order in which they are judged.
    pub items: Vec<FireItem>,
    /// The leader's wall clock: what is late is judged by it.
    #[serde(with = "crate::instant")]
    pub proposed_at: Timestamp,
}

/// All occurrences of one job that one decision covers. It counts only if the job's revision and next due time are
/// still these: that compare-and-set is what makes an occurrence happen once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FireItem {
    /// Which job.
    pub job: JobId,
    /// The job's revision that the leader saw.
    pub revision: Revision,
    /// The first occurrence covered: the job's next due time that the leader saw.
    #[serde(with = "crate::instant")]
    pub due: Timestamp,
    /// Occurrences before the listed ones, all later than the grace and too many to be started.
    pub earlier: Option<Earlier>,
    /// The latest occurrences one by one, ascending, at most [`LISTED_MAX`]; never empty.
    #[serde(with = "crate::instant::list")]
    pub listed: Vec<Timestamp>,
    /// The first occurrence not covered. `None`: none will come.
    #[serde(with = "crate::instant::option")]
    pub next_due: Option<Timestamp>,
    /// Where its runs go, if that node is up.
    pub node: Option<NodeId>,
    /// The log index of the latest change of a calendar that the leader had applied when it computed them; 0 where
    /// the schedule refers to none.
    pub calendars: u64,
}

/// A range of occurrences that are not listed one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// The first: the item's `due`.
    #[serde(with = "crate::instant")]
    pub from: Timestamp,
    /// The last.
    #[serde(with = "crate::instant")]
    pub to: Timestamp,
    /// How many there are.
    pub count: u64,
}

/// What apply answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Done; nothing more to say.
    Done,
    /// A job was made or changed.
    Job {
        /// Its id.
        id: JobId,
        /// The version that new runs get.
        version: VersionNumber,
        /// Its revision.
        revision: Revision,
        /// Whether it is new.
        created: bool,
        /// Decided runs that keep the version they were decided with.
        decided: Vec<RunId>,
    },
    /// A run was made.
    Run {
        /// Its id.
        id: RunId,
    },
    /// A node's new life.
    NodeUp {
        /// Its epoch.
        epoch: Epoch,
    },
    /// One answer for each item of a [`Fire`], in order.
    Fired(Vec<FireAnswer>),
    /// Nothing changed.
    Refused(Refusal),
    /// A job is gone, and its links with it.
    Removed {
        /// Those that led to it or from it.
        links: Vec<Link>,
    },
    /// Two jobs are linked.
    Linked {
        /// Whether they were not before; else the link counts at another end now.
        created: bool,
    },
    /// What became of each due time of a [`CatchUp`], in order.
    CatchingUp(Vec<CaughtUpDue>),
    /// For each part of a [`ReportValues`], up to where the attempt's values are applied now. `None`: no such attempt
    /// was ever assigned.
    ValuesUpTo(Vec<Option<u64>>),
    /// What became of a [`DeliveryStep`], or of a sink's.
    Stepped {
        /// Whether it counted; else the message or the sink had gone on already.
        counts: bool,
    },
}

/// A due time of a [`CatchUp`] with what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaughtUpDue {
    /// The due time.
    #[serde(with = "crate::instant")]
    pub due: Timestamp,
    /// What became of it.
    pub answer: CatchUpAnswer,
}

/// What became of a due time of a [`CatchUp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CatchUpAnswer {
    /// A run was made.
    Started {
        /// Which.
        run: RunId,
    },
    /// A run will be made once others of the job are over.
    Waiting,
    /// It has this run already, by the schedule or by an earlier request.
    HasRun {
        /// Which.
        run: RunId,
    },
    /// An earlier request waits already.
    AskedBefore,
    /// What became of it at its time is no longer kept: it may have had its run.
    NotKept,
}

/// What became of a [`FireItem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FireAnswer {
    /// Its occurrences have their outcomes.
    Decided,
    /// The job's revision or next due time is another: somebody else was first.
    Stale,
    /// Proposed ahead of its due instant and blocked by an active run: to be proposed again when it is due.
    Blocked,
}
