//! Sealed real servers for tests.
