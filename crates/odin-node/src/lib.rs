//! Puts a node together.
