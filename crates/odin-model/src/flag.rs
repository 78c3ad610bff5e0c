//! What is unusual about a run, as its job's own history says.

use serde::{Deserialize, Serialize};

/// What a flag is about. Stored by position: add new ones at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FlagOf {
    /// A number that the run reported by a name.
    Value,
    /// How long the run took, in seconds.
    Duration,
}

impl FlagOf {
    /// The word for it in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Duration => "duration",
        }
    }
}

/// Something of a run that is far from what earlier runs of its job had. It says so, and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RunFlag {
    /// What it is about.
    pub of: FlagOf,
    /// The name that the number was reported by; `duration` for how long the run took.
    pub name: String,
    /// The number.
    pub value: String,
    /// A number below this is unusual. `None`: none is too small.
    pub low: Option<String>,
    /// A number above this is unusual. `None`: none is too large.
    pub high: Option<String>,
    /// Why, in words.
    pub reason: String,
}
