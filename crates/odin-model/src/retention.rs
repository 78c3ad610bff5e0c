//! How much of a job's past is kept, and the changes of the state that let go of more.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{JobId, RunId};
use crate::value::VALUES_BYTES_MAX_DEFAULT;

/// How many jobs one [`Forget`] names.
pub const FORGET_MAX: usize = 1000;
/// The most runs of a job that can be asked to be kept.
pub const KEEP_RUNS_MAX: u32 = 1_000_000;
/// How many runs one [`ForgetValues`] names.
pub const FORGET_VALUES_MAX: usize = 200;
/// The fewest bytes of reports of one attempt that can be asked to be kept: the longest report.
pub const KEEP_VALUES_MIN: u64 = 64 << 10;
/// The most bytes of reports of one attempt that can be asked to be kept: what one run may make every node store.
pub const KEEP_VALUES_MAX: u64 = 1 << 30;
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
    /// How many bytes of reports are kept of one attempt, as they are on its node's disk; what follows is counted and
    /// dropped. From [`KEEP_VALUES_MIN`] to [`KEEP_VALUES_MAX`].
    pub values_bytes: u64,
}

impl Keep {
    /// What holds when the job file says nothing.
    pub const DEFAULT: Self = Self {
        runs: 1000,
        days: 90,
        output_bytes: 50 << 20,
        values_bytes: VALUES_BYTES_MAX_DEFAULT,
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

/// What runs reported is taken out of the state, because the runs are no longer kept. Some of it: who asks goes on
/// asking until nothing is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetValues {
    /// Which runs, each with its job; at most [`FORGET_VALUES_MAX`]. Open ones are left alone.
    pub runs: Vec<(JobId, RunId)>,
    /// How many stored blocks of values go at most: what bounds the work of applying it.
    pub blocks_max: u32,
}

/// How many jobs one [`TrimLedger`] names.
pub const TRIM_LEDGER_MAX: usize = 200;
/// How long the ledger keeps what was decided when nobody says otherwise, in days: as long as statistics.
pub const LEDGER_DAYS: u32 = 400;

/// Rows of the ledger of long ago are no longer kept. Some of them: who asks goes on asking until none is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimLedger {
    /// Of which jobs; at most [`TRIM_LEDGER_MAX`].
    pub jobs: Vec<LedgerTrim>,
}

/// Which rows of a job's ledger go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerTrim {
    /// Which job.
    pub job: JobId,
    /// Those that end before this instant. From here on nobody sees one of them, and none of their due times is caught up
    /// any more.
    #[serde(with = "crate::instant")]
    pub before: Timestamp,
    /// How many are deleted at most: what bounds the work of applying it.
    pub rows_max: u32,
}
