//! Jobs that cannot be planned: set apart, so that the others go on.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{JobId, Revision};

/// How many jobs one [`SetApart`] or one `Release` names at most.
pub const QUARANTINE_MAX: usize = 200;
/// The longest reason, in bytes; longer ones are cut.
pub const QUARANTINE_REASON_BYTES_MAX: usize = 500;

/// Why a job is not planned, as the replicated state holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quarantine {
    /// Why it cannot be planned, in words.
    pub reason: String,
    /// Since when: the leader's wall clock.
    pub at: Timestamp,
}

/// Jobs that the leader cannot plan. Each keeps its next due time, and nothing of it is decided until it is released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetApart {
    /// Each job at most once; at most [`QUARANTINE_MAX`].
    pub jobs: Vec<Unplannable>,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// A job that cannot be planned. It counts only if the job is still at that revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unplannable {
    /// Which job.
    pub job: JobId,
    /// The revision that the leader saw.
    pub revision: Revision,
    /// Why, in words; at most [`QUARANTINE_REASON_BYTES_MAX`].
    pub reason: String,
}

impl Unplannable {
    /// A job that cannot be planned for this reason, which is cut to what is kept.
    #[must_use]
    pub fn new(job: JobId, revision: Revision, mut reason: String) -> Self {
        reason.truncate(reason.floor_char_boundary(QUARANTINE_REASON_BYTES_MAX));
        Self {
            job,
            revision,
            reason,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let reason = format!("x{}", "é".repeat(QUARANTINE_REASON_BYTES_MAX));
        let job = Unplannable::new(JobId::from_bits(1), Revision(1), reason);
        assert_eq!(job.reason.len(), QUARANTINE_REASON_BYTES_MAX - 1);
    }
}
