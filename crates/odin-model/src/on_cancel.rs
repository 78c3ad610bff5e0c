//! What runs when a run is cancelled, before its processes are ended.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A command that runs as the job's owner, in the run's working directory and environment.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OnCancel {
    /// What it executes.
    pub command: HookCommand,
    /// How long it may take before it is ended and the cancel goes on.
    pub timeout: Duration,
}

impl OnCancel {
    /// The timeout when the file has none.
    pub const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
}

/// A command without a code file of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum HookCommand {
    /// A program and its arguments, without a shell.
    Argv(Vec<String>),
    /// One line for `/bin/sh -c`.
    Shell(String),
}
