//! What a committed batch brought, as numbers to count by: for metrics, which nothing depends on.

use jiff::Timestamp;
use odin_model::run::Outcome;
use odin_model::{LedgerOutcome, NodeId};

/// One thing to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// A run was made.
    RunMade {
        /// The word of its cause.
        cause: &'static str,
    },
    /// The first process of a run was made.
    RunStarted {
        /// When it could have been: its due time, or when it became ready.
        ready_at: Timestamp,
        /// When it was.
        started_at: Timestamp,
    },
    /// A run is over.
    RunFinished {
        /// How.
        outcome: Outcome,
        /// Who had it last. `None`: nobody ever did.
        node: Option<NodeId>,
        /// When its first process was made. `None`: there was none.
        started_at: Option<Timestamp>,
        /// When it ended.
        finished_at: Option<Timestamp>,
    },
    /// Occurrences have their outcome.
    Decided {
        /// Which.
        outcome: LedgerOutcome,
        /// How many.
        count: u64,
    },
}
