//! The ids by which tracing knows a run and its attempts (W3C Trace Context). They are made of what everybody knows of
//! the run, so that those a job saw in `TRACEPARENT` are those that are sent to a tracing system later, after any
//! crash and from any node.

use jiff::Timestamp;
use odin_model::{AttemptNumber, JobId, RunId};
use sha2::{Digest, Sha256};

/// The trace of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunTrace {
    /// The trace's id.
    pub trace: [u8; 16],
    /// The id of the run's own span.
    pub span: [u8; 8],
}

impl RunTrace {
    /// Of a run. `due_at` is its occurrence, or when it was made where it has none: it tells apart the runs of two
    /// clusters that have the same job.
    #[must_use]
    pub fn of(job: JobId, run: RunId, due_at: Timestamp) -> Self {
        let mut digest = Sha256::new();
        digest.update(b"odin trace 1");
        digest.update(job.to_bits().to_be_bytes());
        digest.update(run.to_bits().to_be_bytes());
        digest.update(due_at.as_microsecond().to_be_bytes());
        let digest: [u8; 32] = digest.finalize().into();
        let (trace, rest) = digest.split_first_chunk().expect("a digest is longer");
        Self {
            trace: with_bit(*trace),
            span: with_bit(*rest.first_chunk().expect("a digest is longer")),
        }
    }

    /// The id of an attempt's span, which is the parent in the attempt's `TRACEPARENT`.
    #[must_use]
    pub fn attempt(&self, attempt: AttemptNumber) -> [u8; 8] {
        let mut digest = Sha256::new();
        digest.update(b"odin attempt 1");
        digest.update(self.trace);
        digest.update(attempt.0.to_be_bytes());
        let digest: [u8; 32] = digest.finalize().into();
        with_bit(*digest.first_chunk().expect("a digest is longer"))
    }
}

/// Nothing but zeros is no id.
fn with_bit<const N: usize>(mut id: [u8; N]) -> [u8; N] {
    if id == [0; N] {
        id[N - 1] = 1;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_run_and_attempt_has_ids_of_its_own() {
        let (job, run) = (JobId::from_bits(1), RunId::from_bits(2));
        let trace = RunTrace::of(job, run, Timestamp::UNIX_EPOCH);
        assert_eq!(trace, RunTrace::of(job, run, Timestamp::UNIX_EPOCH));
        for other in [
            RunTrace::of(JobId::from_bits(2), run, Timestamp::UNIX_EPOCH),
            RunTrace::of(job, RunId::from_bits(3), Timestamp::UNIX_EPOCH),
            RunTrace::of(job, run, Timestamp::from_microsecond(1).unwrap()),
        ] {
            assert_ne!(trace.trace, other.trace);
        }
        let (first, second) = (AttemptNumber(1), AttemptNumber(2));
        assert_ne!(trace.attempt(first), trace.attempt(second));
        assert_ne!(trace.attempt(first), trace.span);
    }
}
