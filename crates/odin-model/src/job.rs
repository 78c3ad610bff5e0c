//! What a team deploys: a program with its schedule and policies.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use odin_schedule::DstPolicy;

use crate::alerting::Alerting;
use crate::children::Children;
use crate::concurrency::Concurrency;
use crate::id::{BundleHash, JobId, Revision, RunId, VersionNumber};
use crate::limits::Limits;
use crate::loss::Loss;
use crate::missed::Missed;
use crate::on_cancel::OnCancel;
use crate::output::OUTPUT_BYTES_MAX_DEFAULT;
use crate::owner::Owner;
use crate::priority::Priority;
use crate::quarantine::Quarantine;
use crate::retention::Keep;
use crate::retries::Retries;
use crate::run::Outcome;
use crate::secret::SecretUse;
use crate::stored_spec::StoredSpec;
use crate::timeouts::Timeouts;

/// A job's name: 1 to [`JobName::BYTES_MAX`] bytes, no control characters, no `/`, not `.` or `..`, no white
/// space at its ends. Unique per owner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobName(String);

/// Why a text is not a job's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobNameError {
    /// Nothing, or white space only.
    #[error("a job's name is empty")]
    Empty,
    /// Longer than [`JobName::BYTES_MAX`].
    #[error(
        "a job's name has {bytes} bytes; at most {} are allowed",
        JobName::BYTES_MAX
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character that a name cannot hold.
    #[error("a job's name cannot hold the character {character:?}")]
    Character {
        /// The character.
        character: char,
    },
    /// A name that a path would misread.
    #[error("`{0}` cannot be a job's name")]
    Reserved(String),
    /// White space at an end.
    #[error("a job's name cannot begin or end with white space")]
    Untrimmed,
}

impl JobName {
    /// The longest name.
    pub const BYTES_MAX: usize = 128;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or holds what a name cannot.
    pub fn parse(text: &str) -> Result<Self, JobNameError> {
        let trimmed = text.trim();
        if trimmed.is_empty() {
            return Err(JobNameError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(JobNameError::TooLong { bytes: text.len() });
        }
        if let Some(character) = text
            .chars()
            .find(|c| c.is_control() || *c == '/' || is_invisible(*c))
        {
            return Err(JobNameError::Character { character });
        }
        if trimmed != text {
            return Err(JobNameError::Untrimmed);
        }
        if text == "." || text == ".." {
            return Err(JobNameError::Reserved(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Direction overrides and zero-width characters, which make one name look like another in a terminal.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for JobName {
    type Error = JobNameError;

    fn try_from(text: String) -> Result<Self, JobNameError> {
        Self::parse(&text)
    }
}

impl From<JobName> for String {
    fn from(name: JobName) -> Self {
        name.0
    }
}

/// What a job runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// `<interpreter> <file> <args>`.
    Interpreted {
        /// The language as written: a name that is looked up at launch, or an interpreter's absolute path.
        language: String,
        /// The code, relative to the bundle.
        file: String,
    },
    /// A program that the deployer's machine compiled: `<binary> <args>`.
    Compiled {
        /// The language as written.
        language: String,
        /// The source, relative to the bundle.
        file: String,
        /// What was built from it, relative to the bundle.
        binary: String,
    },
    /// A program and its arguments, without a shell.
    Argv(Vec<String>),
    /// One line for `/bin/sh -c`.
    Shell(String),
}

impl Program {
    /// What lists show as the language.
    #[must_use]
    pub fn language(&self) -> &str {
        match self {
            Self::Interpreted { language, .. } | Self::Compiled { language, .. } => language,
            Self::Argv(_) | Self::Shell(_) => "command",
        }
    }

    /// The code file, for programs that have one.
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        match self {
            Self::Interpreted { file, .. } | Self::Compiled { file, .. } => Some(file),
            Self::Argv(_) | Self::Shell(_) => None,
        }
    }
}

/// Everything that a version of a job says. Stored with each version and never changed; [`crate::stored_spec`] has
/// its stored form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredSpec", into = "StoredSpec")]
pub struct JobSpec {
    /// Its name.
    pub name: JobName,
    /// What it is for, in the deployer's words; may be empty.
    pub description: String,
    /// What it runs.
    pub program: Program,
    /// Arguments after the file, or after the command.
    pub args: Vec<String>,
    /// More of the bundle than the code file, relative to the job file's directory.
    pub files: Vec<String>,
    /// Environment of its processes beside Odin's own, in the order of names.
    pub env: Vec<(String, String)>,
    /// The schedule as written.
    pub schedule: String,
    /// The IANA zone in which the schedule is read, unless its text names one. Resolved at deploy.
    pub timezone: String,
    /// How late an occurrence may start and still counts as on time.
    pub grace: Duration,
    /// What becomes of later ones.
    pub missed: Missed,
    /// Whether runs may overlap.
    pub concurrency: Concurrency,
    /// How long the parts of a run may take.
    pub timeouts: Timeouts,
    /// How long a process has between TERM and KILL.
    pub kill_grace: Duration,
    /// How much of a run's output is kept.
    pub output_bytes_max: u64,
    /// How much of a machine a run may use.
    pub limits: Limits,
    /// What becomes of processes that a run leaves behind.
    pub children: Children,
    /// What runs when a run is cancelled.
    pub on_cancel: Option<OnCancel>,
    /// What a fixed time does when the clock jumps.
    pub dst: DstPolicy,
    /// The secrets that its processes get, in the order of names.
    pub secrets: Vec<SecretUse>,
    /// When a run that went wrong is tried again.
    pub retries: Retries,
    /// What becomes of a run whose node is gone.
    pub loss: Loss,
    /// Which of several runs that wait is first.
    pub priority: Priority,
    /// Whom it tells of what, and what it expects of its runs.
    pub alerting: Alerting,
    /// How much of its past is kept.
    pub keep: Keep,
}

impl JobSpec {
    /// The grace when the file has none.
    pub const GRACE_DEFAULT: Duration = Duration::from_secs(60);
    /// The time between TERM and KILL.
    pub const KILL_GRACE_DEFAULT: Duration = Duration::from_secs(10);

    /// A job with every default, for tests and for files to start from.
    #[must_use]
    pub fn new(name: JobName, program: Program, schedule: &str, timezone: &str) -> Self {
        Self {
            name,
            description: String::new(),
            program,
            args: Vec::new(),
            files: Vec::new(),
            env: Vec::new(),
            schedule: schedule.to_owned(),
            timezone: timezone.to_owned(),
            grace: Self::GRACE_DEFAULT,
            missed: Missed::default(),
            concurrency: Concurrency::default(),
            timeouts: Timeouts::default(),
            kill_grace: Self::KILL_GRACE_DEFAULT,
            output_bytes_max: OUTPUT_BYTES_MAX_DEFAULT,
            limits: Limits::default(),
            children: Children::default(),
            on_cancel: None,
            dst: DstPolicy::default(),
            secrets: Vec::new(),
            retries: Retries::default(),
            loss: Loss::default(),
            priority: Priority::default(),
            alerting: Alerting::default(),
            keep: Keep::DEFAULT,
        }
    }
}

/// Whether a job's schedule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum JobState {
    /// It does.
    Enabled,
    /// Nothing comes due until it is resumed.
    Paused,
    /// Removed; kept for its history, never listed.
    Removed,
}

impl JobState {
    /// The word in the API and the CLI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Paused => "paused",
            Self::Removed => "removed",
        }
    }
}

/// Whether lists show a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Visibility {
    /// Deployed: listed.
    Listed,
    /// Made by `odin execute`: kept with its run, not listed.
    Hidden,
}

/// A job as the replicated state holds it, with its current version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Who is in charge of it.
    pub owner: Owner,
    /// Whether its schedule counts.
    pub state: JobState,
    /// Whether lists show it.
    pub visibility: Visibility,
    /// The version that new runs get.
    pub version: VersionNumber,
    /// Its last change.
    pub revision: Revision,
    /// What that version says.
    pub spec: JobSpec,
    /// The bundle of that version.
    pub bundle: BundleHash,
    /// The next occurrence that is not decided. `None`: none will come.
    pub next_due: Option<Timestamp>,
    /// The latest occurrence that is decided. `None`: none yet.
    pub last_decided: Option<Timestamp>,
    /// When the job was first deployed: the leader's wall clock.
    pub created_at: Timestamp,
    /// When the current version was deployed: the leader's wall clock.
    pub deployed_at: Timestamp,
    /// Why it is not planned. `None`: it is.
    pub quarantine: Option<Quarantine>,
    /// How its latest finished run ended. `None`: none has.
    pub last_outcome: Option<(RunId, Outcome)>,
    /// Why that run ended as it did, in words.
    pub last_reason: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_a_path_or_a_terminal_would_misread_is_refused() {
        use JobNameError as E;
        let long = "x".repeat(129);
        for (text, expected) in [
            ("", E::Empty),
            (" \t ", E::Empty),
            (long.as_str(), E::TooLong { bytes: 129 }),
            ("../../etc/cron.d/x", E::Character { character: '/' }),
            ("a\nb", E::Character { character: '\n' }),
            (
                "a\u{1b}[31m",
                E::Character {
                    character: '\u{1b}',
                },
            ),
            (
                "a\u{202e}b",
                E::Character {
                    character: '\u{202e}',
                },
            ),
            ("..", E::Reserved("..".into())),
            (" a", E::Untrimmed),
        ] {
            assert_eq!(JobName::parse(text), Err(expected), "{text:?}");
        }
        for text in ["amzn_stocks", "nightly backup", "Börse"] {
            assert_eq!(JobName::parse(text).unwrap().as_str(), text);
        }
    }
}
