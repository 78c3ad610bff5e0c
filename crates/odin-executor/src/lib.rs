//! Runs processes.
