//! Answers about what was due and what became of it: `why` and `verify`.

use jiff::Timestamp;
use odin_model::job_change::JobChangeKind;
use odin_model::{JobId, RunId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ledger::LedgerOutcome;

/// What `/why` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct WhyQuery {
    /// The job.
    #[serde(with = "crate::as_text")]
    #[param(value_type = String)]
    pub job: JobId,
    /// The instant to answer for, a due time or any other.
    #[serde(with = "crate::as_text")]
    #[param(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// What became of an instant of a job, and what the job looked like then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// The instant.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// What became of it. `null`: it was not due, or is not decided.
    pub outcome: Option<LedgerOutcome>,
    /// Why, in words.
    pub reason: String,
    /// Why there is no outcome.
    pub not_due: Option<NotDue>,
    /// The run that answers it, for `started` and `coalesced`.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub run: Option<RunId>,
    /// The job's version that it was decided with.
    pub version: Option<u32>,
    /// When it was decided: the leader's wall clock.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Timestamp>,
    /// What the job looked like then. `null`: it was not there, or that is no longer kept.
    pub then: Option<JobThen>,
    /// The due time before it, by the schedule of then.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub before: Option<Timestamp>,
    /// The due time after it, by the schedule of then.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub after: Option<Timestamp>,
}

/// Why an instant has no outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum NotDue {
    /// There was no such job yet.
    NotDeployed,
    /// The job was paused.
    Paused,
    /// The job was removed.
    Removed,
    /// The job could not be planned.
    Quarantined,
    /// It is due then, and that is not decided yet.
    NotYet,
    /// Its schedule of then does not have that time.
    NotInSchedule,
    /// A calendar leaves that day out.
    Calendar,
    /// The clock skips that time, or shows it twice, and the job's `dst` passes over it.
    ClockChange,
    /// It was due, and there is no outcome: the ledger is not complete.
    Missing,
    /// What the job was then is no longer kept.
    Forgotten,
}

/// What a job looked like at an instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobThen {
    /// The version in force.
    pub version: u32,
    /// Its schedule.
    pub schedule: String,
    /// The zone in which that is read.
    pub timezone: String,
    /// The latest change of what makes it due, as a word: `deployed`, `modified`, `paused`, `resumed`, `removed`,
    /// `quarantined`, `released`, `moved`, `calendars_taken`.
    pub state: String,
    /// When that change was.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Who made it. `null`: the server.
    pub by: Option<String>,
    /// Why, in words, where a word alone does not say it.
    pub note: Option<String>,
}

impl JobThen {
    /// The kind of the latest change, where this build knows the word.
    #[must_use]
    pub fn kind(&self) -> Option<JobChangeKind> {
        JobChangeKind::ALL
            .into_iter()
            .find(|kind| kind.word() == self.state)
    }
}

/// What `/verify` takes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct VerifyQuery {
    /// Only this job. Default: all that the asker may see.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub job: Option<JobId>,
    /// Due times from this instant. Default: all.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Due times to this instant, included. Default: all.
    #[serde(
        default,
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
}

/// Whether a ledger is complete and true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verified {
    /// Whether nothing is wrong.
    pub sound: bool,
    /// How many jobs were looked at.
    pub jobs: u64,
    /// How many due times were derived again.
    pub due: u64,
    /// How many of them, and of what else the ledger has, have an outcome.
    pub outcomes: OutcomeCounts,
    /// How many due times have none.
    pub missing: u64,
    /// How many have more than one.
    pub doubled: u64,
    /// How many outcomes, or runs of a schedule, no due time explains.
    pub unexplained: u64,
    /// How many outcomes contradict themselves, the job or their run.
    pub wrong: u64,
    /// How many outcomes are in periods that can no longer be derived: neither right nor wrong.
    pub unproved: u64,
    /// How many outcomes name a run that is no longer kept: they were held against the schedule, not against the run.
    #[serde(default)]
    pub runs_not_kept: u64,
    /// What is wrong; the first 200.
    pub findings: Vec<Finding>,
    /// What can no longer be derived, and why; the first 100.
    pub undetermined: Vec<Undetermined>,
    /// How many such periods there are.
    pub undetermined_count: u64,
    /// The latest start of a run that was decided in time.
    pub worst: Option<WorstStart>,
    /// How long the check took, in milliseconds.
    pub took_ms: u64,
}

/// Due times by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeCounts {
    /// A run answers it.
    pub started: u64,
    /// The job's policy let it pass.
    pub skipped: u64,
    /// A later one's run answers it too.
    pub coalesced: u64,
    /// Missed, and nothing answers it.
    pub misfired: u64,
}

impl OutcomeCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.started + self.skipped + self.coalesced + self.misfired
    }
}

/// Something in the ledger that must not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// Of which job.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// At which due time; the first, where there are several.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// What kind of mistake: `verify/missing`, `verify/doubled`, `verify/not-due`, `verify/wrong-count`,
    /// `verify/wrong-outcome`, `verify/wrong-version`, `verify/no-run`, `verify/run-without-row`,
    /// `verify/doubled-run`, `verify/overdue` or `verify/wrong-history`.
    pub code: String,
    /// The same in words.
    pub reason: String,
}

/// A period of a job that can no longer be derived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Undetermined {
    /// Of which job.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// From this instant.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// To this instant.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Why, in words.
    pub because: String,
}

/// How late a run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WorstStart {
    /// Of which job.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub job: JobId,
    /// Its name.
    pub job_name: String,
    /// When it was due.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// The run.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub run: RunId,
    /// From the due time to the start of its process, in milliseconds.
    pub late_ms: i64,
}
