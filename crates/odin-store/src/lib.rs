//! The replicated state on disk.
