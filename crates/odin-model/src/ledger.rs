//! The ledger: what became of every due time.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{JobId, RunId, VersionNumber};

/// What became of an occurrence. Exactly one holds for each, for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LedgerOutcome {
    /// A run answers it.
    Started,
    /// The job's policy let it pass while it was on time.
    Skipped,
    /// It was missed, and a later occurrence's run answers it too.
    Coalesced,
    /// It was missed, and nothing answers it.
    Misfired,
}

impl LedgerOutcome {
    /// All outcomes, in the order of the documentation.
    pub const ALL: [Self; 4] = [
        Self::Started,
        Self::Skipped,
        Self::Coalesced,
        Self::Misfired,
    ];

    /// The word in the API, the CLI and the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Skipped => "skipped",
            Self::Coalesced => "coalesced",
            Self::Misfired => "misfired",
        }
    }

    /// The outcome of a [`word`](Self::word).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.word() == word)
    }
}

/// Why an occurrence has its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LedgerReason {
    /// Decided before or at its due instant, or within the job's grace.
    OnTime,
    /// Decided later than the job's grace, and `missed` chose it to be started.
    CatchUp,
    /// `concurrency: forbid`, and this run, the oldest, was still active.
    StillActive {
        /// The run.
        run: RunId,
    },
    /// `missed: once`, and the latest was started for all.
    CoalescedInto {
        /// The run that was started. `None` where concurrency let that one pass too.
        run: Option<RunId>,
    },
    /// Later than the grace, and `missed: skip`.
    MissedSkipped,
    /// Later than the grace, and `missed: all` has started as many later ones as it may.
    BeyondLimit,
    /// As many runs of the job waited for their turn as its `concurrency` lets wait.
    QueueFull,
    /// The job could not be planned, and was paused or removed before that was mended.
    Quarantined,
}

/// Neighbouring occurrences of one job with one outcome and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerRow {
    /// The job.
    pub job: JobId,
    /// The first occurrence.
    pub from: Timestamp,
    /// The last occurrence; the same as `from` where there is one.
    pub to: Timestamp,
    /// How many occurrences there are from the first to the last.
    pub count: u64,
    /// What became of them.
    pub outcome: LedgerOutcome,
    /// Why.
    pub reason: LedgerReason,
    /// The run that answers them, for `started` and `coalesced`.
    pub run: Option<RunId>,
    /// The job's version that they were decided with.
    pub version: VersionNumber,
    /// When they were decided: the leader's wall clock.
    pub decided_at: Timestamp,
}
