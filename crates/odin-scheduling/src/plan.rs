//! Which occurrences the leader proposes.
