//! What a run printed, as it travels in a result.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Which stream a process printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stream {
    /// Descriptor 1.
    Stdout,
    /// Descriptor 2.
    Stderr,
}

/// Bytes that arrived together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputChunk {
    /// Where it was printed.
    pub stream: Stream,
    /// When the executor read it.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
    /// What was printed; any bytes.
    pub bytes: Vec<u8>,
}

/// A finished attempt's output, as far as it is replicated.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct OutputSummary {
    /// Bytes printed on stdout, those beyond the cap included.
    pub stdout_bytes: u64,
    /// Bytes printed on stderr, those beyond the cap included.
    pub stderr_bytes: u64,
    /// Bytes that were not kept, because the cap was reached or the disk was full.
    pub dropped_bytes: u64,
    /// Where the kept bytes are.
    pub kept: OutputKept,
}

/// Where a finished attempt's output is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OutputKept {
    /// All of it, at most [`INLINE_BYTES_MAX`].
    Inline(Vec<OutputChunk>),
    /// In segment files of the executing node; here only the end, at most [`TAIL_BYTES_MAX`].
    Segments {
        /// The last bytes, so that a dead node still leaves the error message.
        tail: Vec<OutputChunk>,
    },
}

impl Default for OutputKept {
    fn default() -> Self {
        Self::Inline(Vec::new())
    }
}

/// Output up to this size travels in the result.
pub const INLINE_BYTES_MAX: usize = 1024;
/// How much of larger output's end travels in the result.
pub const TAIL_BYTES_MAX: usize = 4096;
/// How much of a run's output is kept when the job file says nothing.
pub const OUTPUT_BYTES_MAX_DEFAULT: u64 = 10 << 20;
/// The least that can be asked to be kept of a run's output.
pub const OUTPUT_BYTES_MAX_LEAST: u64 = 64 << 10;
/// The most that can be asked to be kept of a run's output.
pub const OUTPUT_BYTES_MAX_MOST: u64 = 16 << 30;
