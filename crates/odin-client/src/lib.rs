//! Finds a node and speaks to it.
