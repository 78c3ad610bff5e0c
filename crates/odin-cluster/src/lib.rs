//! One replicated log.
