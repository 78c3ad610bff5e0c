//! What an audit found.

use jiff::{SignedDuration, Timestamp};
use odin_model::{JobId, LedgerOutcome, RunId, VersionNumber};

/// How many findings a report lists; more are counted.
pub const FINDINGS_MAX: usize = 200;
/// How many periods that could not be derived a report lists; more are counted.
pub const PERIODS_MAX: usize = 100;

/// What is wrong with the answer for a due time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// Due times have no outcome.
    #[error("{}", missing(*count))]
    Missing {
        /// How many, from the finding's instant on.
        count: u64,
    },
    /// A row covers due times that the row before it covers too.
    #[error("it has more than one outcome")]
    Doubled,
    /// A row is for an instant at which nothing was due.
    #[error("the ledger has an outcome, {}, for it, and nothing was due then", outcome.word())]
    NotDue {
        /// The row's outcome.
        outcome: LedgerOutcome,
    },
    /// A row of several due times has another number of them than the schedule.
    #[error(
        "the ledger joins {found} due times from here on, and the schedule has {expected} there"
    )]
    WrongCount {
        /// What the row says.
        found: u64,
        /// What the schedule says.
        expected: u64,
    },
    /// The outcome and its reason contradict each other, the job's policy or the time of the decision.
    #[error("the outcome {} contradicts its reason, the job's policy or when it was decided", outcome.word())]
    WrongOutcome {
        /// The row's outcome.
        outcome: LedgerOutcome,
    },
    /// A row names another version than was in force.
    #[error("the ledger names version {found}, and {expected} was in force")]
    WrongVersion {
        /// What the row says.
        found: VersionNumber,
        /// What was in force.
        expected: VersionNumber,
    },
    /// The run that a row names is not there, or is of another job or due time.
    #[error("its run {run} is not there, or answers something else")]
    NoRun {
        /// The run that the row names.
        run: RunId,
    },
    /// A run of the schedule has no row.
    #[error("the run {run} was started for it, and the ledger does not say so")]
    RunWithoutRow {
        /// The run.
        run: RunId,
    },
    /// A run of the schedule answers a due time that another run answers.
    #[error("the run {run} was started for it beside the one in the ledger")]
    DoubledRun {
        /// The run.
        run: RunId,
    },
    /// It is later than its grace, and has no outcome.
    #[error("it is later than its grace, and is not decided")]
    Overdue,
    /// The kept history of the job contradicts its own schedules.
    #[error("the job's history says that it was due next, and its schedule of then does not")]
    WrongHistory,
}

fn missing(count: u64) -> String {
    match count {
        1 => "it has no outcome".to_owned(),
        _ => format!("{count} due times from here on have no outcome"),
    }
}

impl Flaw {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "verify/missing",
            Self::Doubled => "verify/doubled",
            Self::NotDue { .. } => "verify/not-due",
            Self::WrongCount { .. } => "verify/wrong-count",
            Self::WrongOutcome { .. } => "verify/wrong-outcome",
            Self::WrongVersion { .. } => "verify/wrong-version",
            Self::NoRun { .. } => "verify/no-run",
            Self::RunWithoutRow { .. } => "verify/run-without-row",
            Self::DoubledRun { .. } => "verify/doubled-run",
            Self::Overdue => "verify/overdue",
            Self::WrongHistory => "verify/wrong-history",
        }
    }
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Of which job.
    pub job: JobId,
    /// At which due time; the first, where there are several.
    pub at: Timestamp,
    /// What is wrong.
    pub flaw: Flaw,
}

/// A period of a job for which the due times of then cannot be derived any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Undetermined {
    /// Of which job.
    pub job: JobId,
    /// From this instant.
    pub from: Timestamp,
    /// To this instant, included.
    pub to: Timestamp,
    /// Why, as half a sentence.
    pub because: String,
}

/// How late a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lateness {
    /// Of which job.
    pub job: JobId,
    /// When it was due.
    pub due_at: Timestamp,
    /// The run.
    pub run: RunId,
    /// From the due time to the start of its process.
    pub late: SignedDuration,
}

/// The result of audits. It adds up over jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How many jobs were looked at.
    pub jobs: u64,
    /// How many due times were derived.
    pub due: u64,
    /// How many due times the ledger has an outcome for, by outcome in the order of [`LedgerOutcome::ALL`].
    pub outcomes: [u64; 4],
    /// Due times without an outcome.
    pub missing: u64,
    /// Due times with more than one outcome or run.
    pub doubled: u64,
    /// Outcomes, or runs of a schedule, that no due time explains.
    pub unexplained: u64,
    /// Everything else that is wrong: a count, an outcome, a version, a run, a history.
    pub wrong: u64,
    /// Outcomes that the ledger has within periods that cannot be derived any more: neither right nor wrong.
    pub unproved: u64,
    /// Rows whose run is no longer kept, or is in a file of history that cannot be read: the row was held against the
    /// schedule and not against the run.
    pub unkept: u64,
    /// The first [`FINDINGS_MAX`] findings.
    pub findings: Vec<Finding>,
    /// The first [`PERIODS_MAX`] periods that could not be derived.
    pub undetermined: Vec<Undetermined>,
    /// How many there are.
    pub undetermined_count: u64,
    /// The latest start of a run that was decided on time.
    pub worst: Option<Lateness>,
}

impl Report {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.missing + self.doubled + self.unexplained + self.wrong == 0
    }

    /// How many due times have an outcome.
    #[must_use]
    pub fn decided(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Counts a finding, and lists it while there is room.
    pub fn find(&mut self, job: JobId, at: Timestamp, flaw: Flaw) {
        let counter = match &flaw {
            Flaw::Missing { count } => {
                self.missing += count;
                None
            }
            Flaw::Overdue => Some(&mut self.missing),
            Flaw::Doubled | Flaw::DoubledRun { .. } => Some(&mut self.doubled),
            Flaw::NotDue { .. } | Flaw::RunWithoutRow { .. } => Some(&mut self.unexplained),
            Flaw::WrongCount { .. }
            | Flaw::WrongOutcome { .. }
            | Flaw::WrongVersion { .. }
            | Flaw::NoRun { .. }
            | Flaw::WrongHistory => Some(&mut self.wrong),
        };
        if let Some(counter) = counter {
            *counter += 1;
        }
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { job, at, flaw });
        }
    }

    /// Notes a period that cannot be derived; one that touches the latest of the same job and reason extends it.
    pub fn leave_open(&mut self, period: Undetermined) {
        if let Some(last) = self.undetermined.last_mut()
            && last.job == period.job
            && last.because == period.because
        {
            last.to = last.to.max(period.to);
            return;
        }
        self.undetermined_count += 1;
        if self.undetermined.len() < PERIODS_MAX {
            self.undetermined.push(period);
        }
    }

    /// Notes how late a run began.
    pub(super) fn began(&mut self, lateness: Lateness) {
        if self.worst.is_none_or(|worst| worst.late < lateness.late) {
            self.worst = Some(lateness);
        }
    }
}
