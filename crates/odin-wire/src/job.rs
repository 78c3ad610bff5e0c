//! Jobs.

use jiff::Timestamp;
use odin_model::job as model;
use odin_model::{HookCommand, JobId, Missed, Overlap, Program, RunId, quarantine::Quarantine};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use crate::job_alerting::{JobNotify, JobValueBounds};
use crate::job_alerting::{bounds, notify};
use crate::link::{JobLink, Link};
use crate::problem::Mistake;
use crate::run::Outcome;

/// A job with its current version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, example = "a37b187f5930")]
    pub id: JobId,
    /// Its name, unique per owner.
    pub name: String,
    /// What it is for; may be empty.
    pub description: String,
    /// The language as written, or `command`.
    pub language: String,
    /// The code file. `null` for commands.
    pub file: Option<String>,
    /// The schedule as written.
    pub schedule: String,
    /// The IANA zone in which the schedule is read.
    pub timezone: String,
    /// The owner's user name.
    pub owner: String,
    /// Whether its schedule counts.
    pub state: JobState,
    /// The version that new runs get.
    pub version: u32,
    /// Names the job's last change: send it as `If-Match` to change only what you saw.
    pub revision: u64,
    /// The next occurrence that is not decided. `null`: none will come, or the job is paused.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_due: Option<Timestamp>,
    /// Why it is not planned, and nothing of it comes due. `null`: it is planned.
    #[serde(default)]
    pub quarantined: Option<Quarantined>,
    /// The jobs that the end of its runs starts, by id.
    #[serde(with = "crate::as_text::list")]
    #[schema(value_type = Vec<String>)]
    pub links: Vec<JobId>,
    /// The same jobs with their names and the ends at which the links count.
    #[serde(default)]
    pub successors: Vec<JobLink>,
    /// How its latest finished run ended. `null`: none has.
    pub last_outcome: Option<Outcome>,
    /// Why that run ended as it did, in words, such as what its result says. `null`: there is no more to say.
    #[serde(default)]
    pub last_reason: Option<String>,
    /// That run.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>)]
    pub last_run: Option<RunId>,
    /// When it was first deployed: the leader's wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When its current version was deployed: the leader's wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub deployed_at: Timestamp,
    /// The rest of what the version says. Absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<JobSettings>,
    /// After a change: decided runs that have not started and keep the version they were decided with.
    #[serde(
        default,
        with = "crate::as_text::list",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schema(value_type = Vec<String>)]
    pub decided: Vec<RunId>,
    /// After a change: what may surprise.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Mistake>,
}

/// A job that the scheduler cannot plan: its schedule cannot be read, its time zone or calendar is gone, or planning it
/// went wrong. The others go on. It is planned again after the next change of the job, after `resume`, when a calendar
/// changes and when a server begins to lead; what was due in between is then judged by its `grace` and `missed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Quarantined {
    /// Why it cannot be planned, in words.
    pub reason: String,
    /// Since when: the leader's wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

impl Quarantined {
    fn new(quarantine: &Quarantine) -> Self {
        Self {
            reason: quarantine.reason.clone(),
            at: quarantine.at,
        }
    }
}

/// What a version says beside what lists show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobSettings {
    /// The uid that the owner's name had at deploy.
    pub owner_uid: u32,
    /// The owner's primary group on the answering node. `null` where the node has no such user.
    pub owner_gid: Option<u32>,
    /// The command: a list without a shell, or one line for `/bin/sh -c`. `null` for jobs with a code file.
    pub command: Option<JobCommand>,
    /// Arguments after the file or the command.
    pub args: Vec<String>,
    /// More of the bundle than the code file.
    pub files: Vec<String>,
    /// Environment beside Odin's own, in the order of names.
    pub env: Vec<EnvVariable>,
    /// How late an occurrence may start and still counts as on time, in milliseconds.
    pub grace_ms: u64,
    /// What becomes of later ones: `skip`, `once` or `all`.
    pub missed: String,
    /// How many of them `all` starts. `null` for the others.
    pub missed_limit: Option<u16>,
    /// What becomes of a run that finds as many active ones as may be: `allow`, `forbid`, `queue` or `replace`.
    pub concurrency: String,
    /// How many runs may be active at once. `null`: any number.
    pub concurrency_max: Option<u32>,
    /// How many may wait for their turn. `null` where none ever does.
    pub concurrency_waiting: Option<u32>,
    /// When a run that went wrong is tried again.
    pub retries: JobRetries,
    /// What becomes of a run whose node is gone: `fail` or `rerun`.
    pub on_lost: String,
    /// How long its node may be silent before it is lost, in milliseconds.
    pub lost_after_ms: u64,
    /// Which of several runs that wait is first: the higher one, -100 to 100.
    pub priority: i8,
    /// How many of its latest runs are kept.
    pub keep_runs: u32,
    /// For how many days its runs are kept.
    pub keep_days: u32,
    /// How much output of its runs is kept together, in bytes.
    pub keep_output_bytes: u64,
    /// How much one of its attempts may report and have kept, in bytes.
    pub keep_values_bytes: u64,
    /// How long a run may take, in milliseconds. `null`: as long as it likes.
    pub timeout_ms: Option<u64>,
    /// How long it may wait for its process, in milliseconds. `null`: as long as it takes.
    pub queue_timeout_ms: Option<u64>,
    /// How long its process may take until its first sign of life, in milliseconds. `null`: as long as it takes.
    pub start_timeout_ms: Option<u64>,
    /// How long its process may be silent, in milliseconds. `null`: as long as it likes.
    pub silence_timeout_ms: Option<u64>,
    /// How long a process has between TERM and KILL, in milliseconds.
    pub kill_grace_ms: u64,
    /// How much of a run's output is kept.
    pub output_bytes_max: u64,
    /// How much of a machine a run may use.
    pub limits: JobLimits,
    /// What becomes of processes that a run leaves behind: `end` or `keep`.
    pub children: String,
    /// What runs when a run is cancelled. `null`: nothing.
    pub on_cancel: Option<JobOnCancel>,
    /// The job's own IANA zone, in which a schedule is read that names none.
    pub timezone: String,
    /// Whom it tells of what. `null`: nobody.
    pub notify: Option<JobNotify>,
    /// How long after its due time a run may be over, in milliseconds. `null`: any time.
    pub late_after_ms: Option<u64>,
    /// What a run takes at least, in milliseconds. `null`: what the job's earlier runs let expect.
    pub min_duration_ms: Option<u64>,
    /// What a run takes at most, in milliseconds. `null`: what the job's earlier runs let expect.
    pub max_duration_ms: Option<u64>,
    /// What the numbers should be that its runs report, in the order of names.
    #[serde(default)]
    pub expect_values: Vec<JobValueBounds>,
    /// The secrets that its processes get, in the order of names. Never their values.
    pub secrets: Vec<JobSecret>,
    /// A fixed time that does not exist: `shift`, `skip` or `before`.
    pub dst_gap: String,
    /// A fixed time that comes twice: `first`, `last` or `both`.
    pub dst_repeat: String,
    /// The hash of the version's bundle.
    pub bundle: String,
}

/// When a run that went wrong is tried again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobRetries {
    /// How many attempts may follow the first.
    pub max: u16,
    /// How the delay grows: `fixed` or `exponential`.
    pub backoff: String,
    /// How long the first retry waits, in milliseconds.
    pub delay_ms: u64,
    /// The longest that a retry waits, in milliseconds.
    pub max_delay_ms: u64,
    /// Which outcomes are tried again.
    pub on: Vec<Outcome>,
    /// Which exit statuses of failed attempts are, as `75` or `10-20`. Empty: all of them.
    pub exit_codes: Vec<String>,
}

/// How much of a machine a run may use. `null` is no limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobLimits {
    /// Memory of all its processes, in bytes.
    pub memory_bytes: Option<u64>,
    /// Processor time in thousandths of a core.
    pub cpu_millis: Option<u32>,
    /// Processes and threads at once.
    pub processes: Option<u32>,
    /// Open files of each process.
    pub open_files: Option<u32>,
    /// Whether a machine that cannot enforce a limit may run the job without it.
    pub best_effort: bool,
}

/// A secret that a job names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobSecret {
    /// The secret's name.
    pub name: String,
    /// How processes get it: `env` or `file`.
    #[serde(rename = "as")]
    pub delivery: String,
}

/// What runs when a run is cancelled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobOnCancel {
    /// The command.
    pub command: JobCommand,
    /// How long it may take, in milliseconds.
    pub timeout_ms: u64,
}

/// A command as its job file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobCommand {
    /// A program and its arguments.
    Argv(Vec<String>),
    /// A line for `/bin/sh -c`.
    Shell(String),
}

/// One variable of a job's environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnvVariable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// Whether a job's schedule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// It does.
    Enabled,
    /// Nothing comes due until it is resumed.
    Paused,
    /// Removed; kept for its history, never listed.
    Removed,
}

impl JobState {
    /// The word in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Removed => "removed",
        }
    }
}

impl From<model::JobState> for JobState {
    fn from(state: model::JobState) -> Self {
        match state {
            model::JobState::Enabled => Self::Enabled,
            model::JobState::Paused => Self::Paused,
            model::JobState::Removed => Self::Removed,
        }
    }
}

impl Job {
    /// A job as lists show it.
    #[must_use]
    pub fn new(job: &model::Job) -> Self {
        let spec = &job.spec;
        Self {
            id: job.id,
            name: spec.name.to_string(),
            description: spec.description.clone(),
            language: spec.program.language().to_owned(),
            file: spec.program.file().map(str::to_owned),
            schedule: spec.schedule.clone(),
            timezone: spec.timezone.clone(),
            owner: job.owner.user.clone(),
            state: job.state.into(),
            version: job.version.0,
            revision: job.revision.0,
            next_due: job.next_due,
            quarantined: job.quarantine.as_ref().map(Quarantined::new),
            links: Vec::new(),
            successors: Vec::new(),
            last_outcome: job.last_outcome.map(|(_, outcome)| outcome.into()),
            last_reason: job.last_reason.clone(),
            last_run: job.last_outcome.map(|(run, _)| run),
            created_at: job.created_at,
            deployed_at: job.deployed_at,
            settings: None,
            decided: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// A job in full. `owner_gid` is the owner's primary group on this node, if the node has that user.
    #[must_use]
    pub fn in_full(job: &model::Job, owner_gid: Option<u32>) -> Self {
        Self {
            settings: Some(JobSettings::new(job, owner_gid)),
            ..Self::new(job)
        }
    }

    /// The same job with the jobs that it starts.
    #[must_use]
    pub fn with_successors(self, successors: Vec<JobLink>) -> Self {
        Self {
            links: successors.iter().map(|link| link.job).collect(),
            successors,
            ..self
        }
    }
}

impl JobSettings {
    fn new(job: &model::Job, owner_gid: Option<u32>) -> Self {
        let spec = &job.spec;
        let milliseconds =
            |time: std::time::Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (missed, missed_limit) = match spec.missed {
            Missed::Skip => ("skip", None),
            Missed::Once => ("once", None),
            Missed::All { limit } => ("all", Some(limit)),
        };
        Self {
            owner_uid: job.owner.uid,
            owner_gid,
            command: match &spec.program {
                Program::Interpreted { .. } | Program::Compiled { .. } => None,
                Program::Argv(argv) => Some(JobCommand::Argv(argv.clone())),
                Program::Shell(line) => Some(JobCommand::Shell(line.clone())),
            },
            args: spec.args.clone(),
            files: spec.files.clone(),
            env: spec
                .env
                .iter()
                .map(|(name, value)| EnvVariable {
                    name: name.clone(),
                    value: value.clone(),
                })
                .collect(),
            grace_ms: milliseconds(spec.grace),
            missed: missed.to_owned(),
            missed_limit,
            concurrency: spec.concurrency.overlap.word().to_owned(),
            concurrency_max: spec.concurrency.max(),
            concurrency_waiting: match (spec.concurrency.overlap, spec.concurrency.max()) {
                (Overlap::Allow | Overlap::Queue, Some(_)) => Some(spec.concurrency.waiting_max()),
                (Overlap::Allow | Overlap::Queue, None)
                | (Overlap::Forbid | Overlap::Replace, _) => None,
            },
            retries: JobRetries {
                max: spec.retries.max,
                backoff: spec.retries.backoff.word().to_owned(),
                delay_ms: milliseconds(spec.retries.delay),
                max_delay_ms: milliseconds(spec.retries.max_delay),
                on: spec
                    .retries
                    .on
                    .iter()
                    .map(|&outcome| outcome.into())
                    .collect(),
                exit_codes: spec
                    .retries
                    .exit_codes
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            },
            on_lost: spec.loss.on_lost.word().to_owned(),
            lost_after_ms: milliseconds(spec.loss.lost_after),
            priority: spec.priority.number(),
            keep_runs: spec.keep.runs,
            keep_days: spec.keep.days,
            keep_output_bytes: spec.keep.output_bytes,
            keep_values_bytes: spec.keep.values_bytes,
            timeout_ms: spec.timeouts.run.map(milliseconds),
            queue_timeout_ms: spec.timeouts.queue.map(milliseconds),
            start_timeout_ms: spec.timeouts.start.map(milliseconds),
            silence_timeout_ms: spec.timeouts.silence.map(milliseconds),
            kill_grace_ms: milliseconds(spec.kill_grace),
            output_bytes_max: spec.output_bytes_max,
            limits: JobLimits {
                memory_bytes: spec.limits.memory_bytes,
                cpu_millis: spec.limits.cpu_millis,
                processes: spec.limits.processes,
                open_files: spec.limits.open_files,
                best_effort: spec.limits.best_effort,
            },
            children: spec.children.word().to_owned(),
            on_cancel: spec.on_cancel.as_ref().map(|hook| JobOnCancel {
                command: match &hook.command {
                    HookCommand::Argv(argv) => JobCommand::Argv(argv.clone()),
                    HookCommand::Shell(line) => JobCommand::Shell(line.clone()),
                },
                timeout_ms: milliseconds(hook.timeout),
            }),
            timezone: spec.timezone.clone(),
            notify: notify(&spec.alerting),
            late_after_ms: spec.alerting.late_after.map(milliseconds),
            min_duration_ms: spec.alerting.min_duration.map(milliseconds),
            max_duration_ms: spec.alerting.max_duration.map(milliseconds),
            expect_values: spec.alerting.values.iter().map(bounds).collect(),
            secrets: spec
                .secrets
                .iter()
                .map(|used| JobSecret {
                    name: used.name.to_string(),
                    delivery: used.delivery.word().to_owned(),
                })
                .collect(),
            dst_gap: spec.dst.gap.word().to_owned(),
            dst_repeat: spec.dst.repeat.word().to_owned(),
            bundle: job.bundle.to_string(),
        }
    }
}

/// Jobs, by owner and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobList {
    /// The jobs.
    pub jobs: Vec<Job>,
    /// What to send as `after` for more. `null`: this is all.
    pub next: Option<String>,
}

/// What `GET /jobs` takes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct JobsQuery {
    /// Only jobs of this user name. Default: all that the asker may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Only the job of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many, 1 to 1000. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only jobs after this one: an earlier answer's `next`.
    #[serde(
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub after: Option<JobId>,
}

/// What `POST /jobs` takes beside the bundle, which is the body (`application/zstd`).
///
/// The server reads the job file out of the bundle and trusts nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeployQuery {
    /// The job file's path in the bundle.
    pub file: String,
    /// The revision that the asker saw; another one is a conflict. Default: whatever it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_revision: Option<u64>,
    /// Check only; nothing is stored.
    #[serde(default)]
    pub dry_run: bool,
    /// Keep the job out of lists: `odin execute`.
    #[serde(default)]
    pub hidden: bool,
}

/// What `PATCH /jobs/{id}` takes; at least one of the fields.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ModifyJob {
    /// A new name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A new description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A new schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
}

/// What `DELETE /jobs/{id}` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RemovedJob {
    /// The job's id.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String)]
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// `removed`.
    pub state: JobState,
    /// The links that went with it: those that led to it and those that began at it.
    pub links: Vec<Link>,
}

/// What `POST /jobs/{id}/rollback` takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RollBack {
    /// The version that the new one is to equal.
    pub to: u32,
}

/// One deployment of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobVersion {
    /// Its number, from 1.
    pub version: u32,
    /// Who deployed it.
    pub by: String,
    /// When: the leader's wall clock.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The job's name in it.
    pub name: String,
    /// The job's description in it.
    pub description: String,
    /// The schedule in it.
    pub schedule: String,
    /// The zone in which that is read.
    pub timezone: String,
    /// The hash of its bundle.
    pub bundle: String,
    /// The language in it, as written, or `command`.
    #[serde(default)]
    pub language: String,
    /// The code file in it. `null` for commands.
    #[serde(default)]
    pub file: Option<String>,
    /// The rest of what it says. Absent in lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<JobSettings>,
}

/// A job's versions, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobVersionList {
    /// The versions.
    pub versions: Vec<JobVersion>,
    /// What to send as `after` for older ones. `null`: this is all.
    pub next: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use odin_model::id::{BundleHash, Revision, VersionNumber};
    use odin_model::job::Visibility;
    use odin_model::{JobName, JobSpec, Owner};

    #[test]
    fn a_job_has_the_promised_names() {
        let at: Timestamp = "2026-11-21T09:00:00Z".parse().unwrap();
        let program = Program::Interpreted {
            language: "python3".into(),
            file: "amzn_stocks.py".into(),
        };
        let job = model::Job {
            id: JobId::from_bits(0xa37b_187f_5930),
            owner: Owner {
                user: "ann".into(),
                uid: 1000,
            },
            state: model::JobState::Enabled,
            visibility: Visibility::Listed,
            version: VersionNumber(2),
            revision: Revision(17),
            spec: JobSpec::new(
                JobName::parse("amzn_stocks").unwrap(),
                program,
                "every weekday at 09:00",
                "Europe/Dublin",
            ),
            bundle: BundleHash([0xab; 32]),
            next_due: Some(at),
            last_decided: None,
            created_at: at,
            deployed_at: at,
            quarantine: None,
            last_outcome: Some((RunId::new(0, 48, 0), odin_model::Outcome::TimedOut)),
            last_reason: Some("ran longer than its timeout of 1m".to_owned()),
        };
        let wire = Job::in_full(&job, Some(100));
        expect![[r#"
            {
              "id": "a37b187f5930",
              "name": "amzn_stocks",
              "description": "",
              "language": "python3",
              "file": "amzn_stocks.py",
              "schedule": "every weekday at 09:00",
              "timezone": "Europe/Dublin",
              "owner": "ann",
              "state": "enabled",
              "version": 2,
              "revision": 17,
              "next_due": "2026-11-21T09:00:00Z",
              "quarantined": null,
              "links": [],
              "successors": [],
              "last_outcome": "timed_out",
              "last_reason": "ran longer than its timeout of 1m",
              "last_run": "r0000000030000",
              "created_at": "2026-11-21T09:00:00Z",
              "deployed_at": "2026-11-21T09:00:00Z",
              "settings": {
                "owner_uid": 1000,
                "owner_gid": 100,
                "command": null,
                "args": [],
                "files": [],
                "env": [],
                "grace_ms": 60000,
                "missed": "once",
                "missed_limit": null,
                "concurrency": "allow",
                "concurrency_max": null,
                "concurrency_waiting": null,
                "retries": {
                  "max": 0,
                  "backoff": "exponential",
                  "delay_ms": 10000,
                  "max_delay_ms": 300000,
                  "on": [
                    "failed",
                    "signalled",
                    "timed_out",
                    "out_of_memory",
                    "not_startable"
                  ],
                  "exit_codes": []
                },
                "on_lost": "fail",
                "lost_after_ms": 300000,
                "priority": 0,
                "keep_runs": 1000,
                "keep_days": 90,
                "keep_output_bytes": 52428800,
                "keep_values_bytes": 10485760,
                "timeout_ms": null,
                "queue_timeout_ms": null,
                "start_timeout_ms": null,
                "silence_timeout_ms": null,
                "kill_grace_ms": 10000,
                "output_bytes_max": 10485760,
                "limits": {
                  "memory_bytes": null,
                  "cpu_millis": null,
                  "processes": null,
                  "open_files": null,
                  "best_effort": false
                },
                "children": "end",
                "on_cancel": null,
                "timezone": "Europe/Dublin",
                "notify": null,
                "late_after_ms": null,
                "min_duration_ms": null,
                "max_duration_ms": null,
                "expect_values": [],
                "secrets": [],
                "dst_gap": "shift",
                "dst_repeat": "first",
                "bundle": "abababababababababababababababababababababababababababababababab"
              }
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&wire).unwrap());
        let text = serde_json::to_string(&wire).unwrap();
        assert_eq!(serde_json::from_str::<Job>(&text).unwrap(), wire);
        // What a newer server adds is passed over.
        let newer = text.replacen('{', r#"{"colour":"red","#, 1);
        assert_eq!(serde_json::from_str::<Job>(&newer).unwrap(), wire);
    }
}
