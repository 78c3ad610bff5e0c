//! Why a command was refused: data that changes nothing and stops nothing.

use serde::{Deserialize, Serialize};

use crate::alert::AlertRefusal;
use crate::command::CATCH_UP_MAX;
use crate::id::{JobId, Revision, RunId};
use crate::job::JobName;
use crate::link::{CHAIN_JOBS_MAX, CONNECTED_JOBS_MAX, LINKS_PER_JOB_MAX, LinkOn};
use crate::owner::Role;
use crate::secret::SecretRefusal;
use crate::sink::SinkRefusal;

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
    /// A [`CatchUp`] of more due times than it may name, not in order, or that the schedule has still to decide.
    #[error("a catch-up takes 1 to {max} due times in order, none that is still to be decided", max = CATCH_UP_MAX)]
    BadCatchUp,
    /// A secret cannot be changed so, or not be used by the job.
    #[error(transparent)]
    Secret(SecretRefusal),
    /// An alert, a silence or a channel cannot be changed so, or not be named by the job.
    #[error(transparent)]
    Alert(AlertRefusal),
    /// A sink cannot be changed so.
    #[error(transparent)]
    Sink(SinkRefusal),
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
            Self::Alert(refusal) => refusal.code(),
            Self::Sink(refusal) => refusal.code(),
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
