//! When a run whose attempt went wrong is tried again.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::run::Outcome;

/// The retry policy. The decision is made by `odin_scheduling::retry`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    /// How many attempts may follow the first, 0 to [`Retries::MAX`].
    pub max: u16,
    /// How the delay grows.
    pub backoff: Backoff,
    /// How long the first retry waits after the end of the attempt before it.
    pub delay: Duration,
    /// The longest that a retry waits.
    pub max_delay: Duration,
    /// Which outcomes are tried again, in the order of [`Outcome::ALL`].
    pub on: Vec<Outcome>,
    /// Which exit statuses of `failed` attempts are tried again. Empty: all of them.
    pub exit_codes: Vec<ExitCodes>,
}

/// How the delay grows from retry to retry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub enum Backoff {
    /// Every retry waits as long as the first.
    Fixed,
    /// Each retry waits for up to twice as long as the one before it, with jitter.
    #[default]
    Exponential,
}

impl Backoff {
    /// The word in the job file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Fixed => "fixed",
            Self::Exponential => "exponential",
        }
    }
}

/// A range of exit statuses, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ExitCodes {
    /// The lowest.
    pub from: u8,
    /// The highest, not below `from`.
    pub to: u8,
}

impl ExitCodes {
    /// Whether the range has that status.
    #[must_use]
    pub fn contains(self, code: u8) -> bool {
        (self.from..=self.to).contains(&code)
    }
}

impl std::fmt::Display for ExitCodes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.from == self.to {
            true => write!(f, "{}", self.from),
            false => write!(f, "{}-{}", self.from, self.to),
        }
    }
}

impl Retries {
    /// The most retries that a job may ask for.
    pub const MAX: u16 = 1000;
    /// The delay when the file has none.
    pub const DELAY_DEFAULT: Duration = Duration::from_secs(10);
    /// The longest delay when the file has none.
    pub const MAX_DELAY_DEFAULT: Duration = Duration::from_secs(300);
    /// How many ranges of exit statuses a job may name: all single ones.
    pub const EXIT_CODES_MAX: usize = 256;
    /// What is tried again when the file does not say. Never `cancelled`: somebody wanted its end.
    pub const ON_DEFAULT: [Outcome; 5] = [
        Outcome::Failed,
        Outcome::Signalled,
        Outcome::TimedOut,
        Outcome::OutOfMemory,
        Outcome::NotStartable,
    ];
    /// What may be named in `on`.
    pub const ON_ALLOWED: [Outcome; 6] = [
        Outcome::Failed,
        Outcome::Signalled,
        Outcome::TimedOut,
        Outcome::OutOfMemory,
        Outcome::NotStartable,
        Outcome::Lost,
    ];
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            max: 0,
            backoff: Backoff::default(),
            delay: Self::DELAY_DEFAULT,
            max_delay: Self::MAX_DELAY_DEFAULT,
            on: Self::ON_DEFAULT.to_vec(),
            exit_codes: Vec::new(),
        }
    }
}
