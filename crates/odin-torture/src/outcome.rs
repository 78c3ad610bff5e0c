//! How a program of this kind fails: with one sentence.

/// What went wrong, in words.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
