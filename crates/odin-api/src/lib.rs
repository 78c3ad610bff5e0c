//! Turns HTTP into commands and queries.
