//! Links: the end of a job's run starts a run of another job.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{JobId, RunId};
use crate::run::Outcome;

/// How many jobs one job may start. With the events that one report holds, a log entry never makes more runs than
/// run ids of one entry tell apart.
pub const LINKS_PER_JOB_MAX: usize = 50;
/// How many jobs may follow one another.
pub const CHAIN_JOBS_MAX: usize = 256;
/// How many jobs may hang together before or after one job: the check for cycles walks over them.
pub const CONNECTED_JOBS_MAX: usize = 1000;

/// At which end of a run a link starts its successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LinkOn {
    /// Succeeded, or with a warning.
    Success,
    /// Everything else, unless somebody cancelled it.
    Failure,
    /// Any end, cancelled too.
    Always,
}

impl LinkOn {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 3] = [Self::Success, Self::Failure, Self::Always];

    /// The word in the API, the CLI and the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Always => "always",
        }
    }

    /// What a [`word`](Self::word) means.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|on| on.word() == word)
    }

    /// Whether a run that ended so starts the successor.
    #[must_use]
    pub fn takes(self, outcome: Outcome) -> bool {
        match self {
            Self::Success => outcome.is_good(),
            Self::Failure => !outcome.is_good() && outcome != Outcome::Cancelled,
            Self::Always => true,
        }
    }
}

/// A link from one job to another of the same owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The job whose runs' end counts.
    pub from: JobId,
    /// The job that it starts.
    pub to: JobId,
    /// At which end.
    pub on: LinkOn,
    /// When it was made or last changed: the leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
    /// The user who did.
    pub by: String,
}

/// What the end of a run did by one link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Successor {
    /// The job that the link leads to.
    pub job: JobId,
    /// At which end the link counts.
    pub on: LinkOn,
    /// What became of it.
    pub fate: SuccessorFate,
}

/// What became of a successor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuccessorFate {
    /// A run was made.
    Started {
        /// Which.
        run: RunId,
    },
    /// The job forbids overlapping runs, and one was active.
    StillActive {
        /// The active run.
        run: RunId,
    },
    /// The job was paused.
    Paused,
    /// As many runs of the job waited for their turn as its `concurrency` lets wait.
    QueueFull,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_outcome_starts_what_its_word_says() {
        for (outcome, success, failure) in [
            (Outcome::Succeeded, true, false),
            (Outcome::Warning, true, false),
            (Outcome::Failed, false, true),
            (Outcome::Signalled, false, true),
            (Outcome::TimedOut, false, true),
            (Outcome::Cancelled, false, false),
            (Outcome::OutOfMemory, false, true),
            (Outcome::NotStartable, false, true),
            (Outcome::Lost, false, true),
        ] {
            assert_eq!(LinkOn::Success.takes(outcome), success, "{outcome:?}");
            assert_eq!(LinkOn::Failure.takes(outcome), failure, "{outcome:?}");
            assert!(LinkOn::Always.takes(outcome), "{outcome:?}");
        }
    }

    #[test]
    fn every_word_means_what_it_was_made_from() {
        for on in LinkOn::ALL {
            assert_eq!(LinkOn::from_word(on.word()), Some(on));
        }
        assert_eq!(LinkOn::from_word("sometimes"), None);
    }
}
