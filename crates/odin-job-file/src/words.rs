//! The words of keys whose value is one, or some, of a few.

pub(crate) const DELIVERIES: &[&str] = &["env", "file"];
pub(crate) const CONCURRENCY: &[&str] = &["allow", "forbid", "queue", "replace"];
pub(crate) const ON_LOST: &[&str] = &["fail", "rerun"];
pub(crate) const BACKOFF: &[&str] = &["fixed", "exponential"];
/// Outcomes that can be tried again.
pub(crate) const RETRIED: &[&str] = &[
    "failed",
    "signalled",
    "timed_out",
    "out_of_memory",
    "not_startable",
    "lost",
];
/// What `notify` may tell of.
pub(crate) const NOTICES: &[&str] = &[
    "failure",
    "recovered",
    "late",
    "missed",
    "never_finished",
    "too_fast",
    "too_slow",
    "unusual",
];
pub(crate) const CHILDREN: &[&str] = &["end", "keep"];
pub(crate) const GAP: &[&str] = &["shift", "skip", "before"];
pub(crate) const REPEAT: &[&str] = &["first", "last", "both"];
pub(crate) const MISSED: &[&str] = &["skip", "once", "all"];
