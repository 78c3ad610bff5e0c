//! What the replicated log holds: every change of the state, and what apply answers.
//!
//! A command carries everything that needs a clock, a zone, a random number, a file or a user database; apply only
//! compares and stores. A refusal is data: it changes nothing and stops nothing.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::attempt::AttemptEvent;
use crate::calendar::{Recompute, SetCalendar};
use crate::id::{AttemptNumber, BundleHash, Epoch, JobId, NodeId, Revision, RunId, VersionNumber};
use crate::job::{JobName, JobSpec, JobState, Visibility};
use crate::link::{CHAIN_JOBS_MAX, CONNECTED_JOBS_MAX, LINKS_PER_JOB_MAX, Link, LinkOn};
use crate::node::NodeFacts;
use crate::owner::{Principal, Role};
use crate::secret::{SecretChange, SecretRefusal};

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

/// Why a command was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Refusal {
    /// No such job, or not one that the asker may see.
    #[error("there is no job {0}")]
    NoSuchJob(JobId),
    /// No such run, or not one that the asker may see.
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// The asker may see it but not change it.
    #[error("job {job} belongs to {owner}")]
    NotPermitted {
        /// Which job.
        job: JobId,
        /// Its owner.
        owner: String,
    },
    /// The owner has another job of this name.
    #[error("you have another job named `{name}`: {job}")]
    NameTaken {
        /// The name.
        name: JobName,
        /// The job that has it.
        job: JobId,
    },
    /// The id in the file is of a job that was removed, or of somebody else's.
    #[error("the id {0} is taken")]
    IdTaken(JobId),
    /// Somebody changed the job in the meantime.
    #[error("job {job} was changed in the meantime: it is at revision {found}, not {expected}")]
    RevisionConflict {
        /// Which job.
        job: JobId,
        /// What the asker saw.
        expected: Revision,
        /// What it is.
        found: Revision,
    },
    /// An occurrence was decided after the next due time was computed. The handler computes it again.
    #[error("an occurrence of job {job} was decided in the meantime")]
    DueOutOfDate {
        /// Which job.
        job: JobId,
    },
    /// `concurrency: forbid` and as many active runs as it lets be.
    #[error("job {job} forbids overlapping runs, and {run} is still active")]
    StillActive {
        /// Which job.
        job: JobId,
        /// The active run.
        run: RunId,
    },
    /// The run is over.
    #[error("run {0} is over")]
    RunOver(RunId),
    /// The job is paused or enabled already.
    #[error("job {job} is {state} already")]
    AlreadyInState {
        /// Which job.
        job: JobId,
        /// The word for its state.
        state: String,
    },
    /// The key was used for another request.
    #[error("the idempotency key was used for another request within the last day")]
    KeyReused,
    /// Another node has the name.
    #[error("another node is named `{0}`")]
    NodeNameTaken(String),
    /// The asker's role does not allow it, whatever it owns.
    #[error("this takes the role {}", needed.word())]
    RoleNeeded {
        /// The least role that may.
        needed: Role,
    },
    /// An occurrence is due and has no outcome yet, and the change would take away the schedule it is due by. The
    /// leader decides it in a moment; the handler tries again.
    #[error("an occurrence of job {job} is due and not decided yet")]
    DueUndecided {
        /// Which job.
        job: JobId,
    },
    /// As many runs of the job wait for their turn as its `concurrency` lets wait.
    #[error("{waiting} runs of job {job} wait for their turn already, and no more may")]
    QueueFull {
        /// Which job.
        job: JobId,
        /// How many may wait.
        waiting: u32,
    },
    /// No such calendar.
    #[error("there is no calendar `{0}`")]
    NoSuchCalendar(String),
    /// Somebody else set the calendar.
    #[error("the calendar `{name}` belongs to {owner}")]
    CalendarNotPermitted {
        /// Its name.
        name: String,
        /// Its owner.
        owner: String,
    },
    /// As many calendars as there may be.
    #[error("there are {count} calendars already, and no more may be made")]
    TooManyCalendars {
        /// How many there are.
        count: u64,
    },
    /// A link would lead from a job to itself.
    #[error("job `{0}` cannot be linked to itself")]
    LinkToItself(JobName),
    /// A link would close a cycle.
    #[error("the link would close a cycle: {}", shown_cycle(path))]
    LinkCycle {
        /// The jobs' names in order, from the link's beginning to its beginning again.
        path: Vec<JobName>,
    },
    /// The jobs are linked, and at the same end.
    #[error("job {from} is linked to job {to} on {} already", on.word())]
    AlreadyLinked {
        /// From which job.
        from: JobId,
        /// To which.
        to: JobId,
        /// At which end.
        on: LinkOn,
    },
    /// The jobs belong to different users: one could start the other's program.
    #[error("job {from} belongs to {from_owner} and job {to} to {to_owner}")]
    LinkOfTwoOwners {
        /// From which job.
        from: JobId,
        /// Whose it is.
        from_owner: String,
        /// To which.
        to: JobId,
        /// Whose it is.
        to_owner: String,
    },
    /// The job starts as many others as it may.
    #[error("job {0} is linked to {max} jobs, and no job may be linked to more", max = LINKS_PER_JOB_MAX)]
    TooManyLinks(JobId),
    /// The chain of jobs would be too long.
    #[error("{jobs} jobs would follow one another; at most {max} may", max = CHAIN_JOBS_MAX)]
    ChainTooLong {
        /// How many.
        jobs: u32,
    },
    /// Too many jobs would hang together.
    #[error("more than {max} jobs would hang together on one side of the link", max = CONNECTED_JOBS_MAX)]
    TooManyConnected,
    /// The jobs are not linked.
    #[error("job {from} is not linked to job {to}")]
    NoSuchLink {
        /// From which job.
        from: JobId,
        /// To which.
        to: JobId,
    },
    /// A [`CatchUp`] of more due times than it may name, or not in order.
    #[error("a catch-up takes 1 to {max} due times in order", max = CATCH_UP_MAX)]
    BadCatchUp,
    /// A secret cannot be changed so, or not be used by the job.
    #[error(transparent)]
    Secret(SecretRefusal),
}

impl Refusal {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchJob(_) => "job/not-found",
            Self::NoSuchRun(_) => "run/not-found",
            Self::NotPermitted { .. } => "job/not-permitted",
            Self::NameTaken { .. } => "job/name-taken",
            Self::IdTaken(_) => "job/id-taken",
            Self::RevisionConflict { .. } => "job/conflict",
            Self::DueOutOfDate { .. } => "job/due-out-of-date",
            Self::StillActive { .. } => "job/still-active",
            Self::RunOver(_) => "run/over",
            Self::AlreadyInState { .. } => "job/already",
            Self::KeyReused => "request/key-reused",
            Self::NodeNameTaken(_) => "node/name-taken",
            Self::RoleNeeded { .. } => "request/role-needed",
            Self::DueUndecided { .. } => "job/due-undecided",
            Self::QueueFull { .. } => "job/queue-full",
            Self::NoSuchCalendar(_) => "calendar/not-found",
            Self::CalendarNotPermitted { .. } => "calendar/not-permitted",
            Self::TooManyCalendars { .. } => "calendar/too-many",
            Self::LinkToItself(_) => "link/to-itself",
            Self::LinkCycle { .. } => "link/cycle",
            Self::AlreadyLinked { .. } => "link/exists",
            Self::LinkOfTwoOwners { .. } => "link/two-owners",
            Self::TooManyLinks(_) => "link/too-many",
            Self::ChainTooLong { .. } => "link/chain-too-long",
            Self::TooManyConnected => "link/too-many-connected",
            Self::NoSuchLink { .. } => "link/not-found",
            Self::BadCatchUp => "catch-up/bad-times",
            Self::Secret(refusal) => refusal.code(),
        }
    }
}

/// The names of a cycle; of a long one, its beginning and its end.
fn shown_cycle(path: &[JobName]) -> String {
    const SHOWN_MAX: usize = 12;
    let names = |part: &[JobName]| {
        let names: Vec<_> = part.iter().map(JobName::as_str).collect();
        names.join(" → ")
    };
    if path.len() <= SHOWN_MAX {
        return names(path);
    }
    let (head, tail) = (&path[..SHOWN_MAX / 2], &path[path.len() - SHOWN_MAX / 2..]);
    let between = path.len() - SHOWN_MAX;
    format!("{} → ({between} more) → {}", names(head), names(tail))
}
