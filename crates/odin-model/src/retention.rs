//! How much of a job's past is kept, and the changes of the state that let go of more.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{JobId, RunId};

/// How many jobs one [`Forget`] names.
pub const FORGET_MAX: usize = 1000;
/// The most runs of a job that can be asked to be kept.
pub const KEEP_RUNS_MAX: u32 = 1_000_000;
/// The most days that can be asked to be kept.
pub const KEEP_DAYS_MAX: u32 = 36_500;

/// How much of a job's past is kept. Each is a bound of its own: what is beyond any of them goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// The latest so many finished runs; from 1 to [`KEEP_RUNS_MAX`].
    pub runs: u32,
    /// Runs that were due, or asked for, within so many days; from 1 to [`KEEP_DAYS_MAX`].
    pub days: u32,
    /// Output of the latest runs, in bytes together; older runs lose theirs and stay.
    pub output_bytes: u64,
}

impl Keep {
    /// What holds when the job file says nothing.
    pub const DEFAULT: Self = Self {
        runs: 1000,
        days: 90,
        output_bytes: 50 << 20,
    };
}

impl Default for Keep {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The runs that ended up to a point of the log leave the state for a file of history. Each node writes its own
/// file; from this command on apply sees none of these runs, wherever their rows are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// Where the period before ended, as the leader saw it; another one means that somebody else was first.
    pub after: u64,
    /// The latest index of the log whose ended runs are in it.
    pub upto: u64,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// Runs and output are no longer kept: nobody sees them from here on, and each node deletes what it has of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forget {
    /// Of which jobs what; at most [`FORGET_MAX`].
    pub jobs: Vec<ForgetOf>,
    /// Files of history up to this number go, whoever keeps runs in them. 0: none.
    pub files_upto: u64,
    /// The leader's wall clock.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
}

/// What of a job is no longer kept. What was let go of before stays so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetOf {
    /// Which job.
    pub job: JobId,
    /// Finished runs before this one.
    pub runs_before: Option<RunId>,
    /// The output of finished runs before this one.
    pub outputs_before: Option<RunId>,
}
