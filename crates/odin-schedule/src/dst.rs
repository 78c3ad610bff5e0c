//! What happens to fixed times when the clock jumps.

/// How fixed times of day meet a clock that jumps (daylight saving and other
/// changes of a zone's offset). Intervals need no policy: they follow real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct DstPolicy {
    /// For a local time that does not exist.
    pub gap: GapPolicy,
    /// For a local time that exists twice.
    pub repeat: RepeatPolicy,
}

/// What a fixed time does that falls into a gap of the local clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum GapPolicy {
    /// Once, at the first instant after the gap. Several times in one gap are one
    /// occurrence.
    #[default]
    Shift,
    /// Not at all.
    Skip,
    /// Once, in the last second before the gap.
    Before,
}

/// What a fixed time does that the local clock shows twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum RepeatPolicy {
    /// Once, the first time.
    #[default]
    First,
    /// Once, the last time.
    Last,
    /// Both times.
    Both,
}

impl GapPolicy {
    /// The word in job files, the API and the CLI.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shift => "shift",
            Self::Skip => "skip",
            Self::Before => "before",
        }
    }
}

impl RepeatPolicy {
    /// The word in job files, the API and the CLI.
    pub fn word(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Last => "last",
            Self::Both => "both",
        }
    }
}
