//! How long the parts of a run may take.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The four timeouts of an attempt. `None` is for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash, Serialize, Deserialize)]
pub struct Timeouts {
    /// From being ready (due, or asked for) until its process exists.
    pub queue: Option<Duration>,
    /// From the process's existence until its first sign of life: output, or a word to Odin.
    pub start: Option<Duration>,
    /// From the process's existence until its end.
    pub run: Option<Duration>,
    /// Between two signs of life.
    pub silence: Option<Duration>,
}

/// Which of the timeouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TimeoutKind {
    /// See [`Timeouts::queue`].
    Queue,
    /// See [`Timeouts::start`].
    Start,
    /// See [`Timeouts::run`].
    Run,
    /// See [`Timeouts::silence`].
    Silence,
}

impl TimeoutKind {
    /// All kinds, in the order in which an attempt meets them.
    pub const ALL: [Self; 4] = [Self::Queue, Self::Start, Self::Run, Self::Silence];

    /// The word in the job file, the API and the CLI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Start => "start",
            Self::Run => "run",
            Self::Silence => "silence",
        }
    }
}
