//! What changed a job's due times, and when: with the ledger it says what the job was at any instant.

use jiff::Timestamp;

use crate::id::{JobId, VersionNumber};

/// How many changes of one job are kept, the latest. What is older cannot be proved any more.
pub const JOB_CHANGES_MAX: u64 = 1_000;
/// How many former contents of calendars are kept, the latest, of all calendars together.
pub const FORMER_CALENDARS_MAX: u64 = 2_000;
/// How many releases of the time zone rules are remembered, the latest.
pub const ZONE_RULES_MAX: u64 = 1_000;

/// What kind of change it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobChangeKind {
    /// A version was deployed, the first or a later one; a rollback is one too.
    Deployed,
    /// Name, description or schedule was edited: a new version.
    Modified,
    /// It was paused.
    Paused,
    /// It was resumed.
    Resumed,
    /// It was removed.
    Removed,
    /// It could not be planned, and was set apart.
    Quarantined,
    /// It could be planned again.
    Released,
    /// Its next due time moved: a calendar or the time zone rules had changed.
    Moved,
    /// From this due time on its due times were computed with other contents of a calendar.
    CalendarsTaken,
    /// A person asked for runs of due times that had none. No due time changed.
    CatchUpAsked,
}

impl JobChangeKind {
    /// All kinds, in the order in which they are stored.
    pub const ALL: [Self; 10] = [
        Self::Deployed,
        Self::Modified,
        Self::Paused,
        Self::Resumed,
        Self::Removed,
        Self::Quarantined,
        Self::Released,
        Self::Moved,
        Self::CalendarsTaken,
        Self::CatchUpAsked,
    ];

    /// The word in the API and the CLI.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Deployed => "deployed",
            Self::Modified => "modified",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Removed => "removed",
            Self::Quarantined => "quarantined",
            Self::Released => "released",
            Self::Moved => "moved",
            Self::CalendarsTaken => "calendars_taken",
            Self::CatchUpAsked => "catch_up_asked",
        }
    }

    /// Whether the job has no due times after it, until another change.
    #[must_use]
    pub fn rests(self) -> bool {
        match self {
            Self::Paused | Self::Removed => true,
            Self::Deployed
            | Self::Modified
            | Self::Resumed
            | Self::Quarantined
            | Self::Released
            | Self::Moved
            | Self::CalendarsTaken
            | Self::CatchUpAsked => false,
        }
    }
}

/// One change of a job that bears on its due times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobChange {
    /// Which job.
    pub job: JobId,
    /// The log index of the change: later ones have larger numbers.
    pub number: u64,
    /// What kind of change.
    pub kind: JobChangeKind,
    /// When: the wall clock of the node that proposed it.
    pub at: Timestamp,
    /// Who asked for it. `None`: the leader.
    pub by: Option<String>,
    /// The version in force after it.
    pub version: VersionNumber,
    /// The next due time before it: nothing from there on was decided. `None`: none would have come.
    pub was: Option<Timestamp>,
    /// The next due time after it. `None`: none would come.
    pub is: Option<Timestamp>,
    /// What [`is`](Self::is) is the first due time after. `None`: it was not computed, but kept.
    pub after: Option<Timestamp>,
    /// The log index of the latest change of a calendar that was in force after it.
    pub calendars: u64,
    /// Why, in words, where a kind alone does not say it.
    pub note: Option<String>,
}

/// What a calendar held until it was replaced or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerCalendar {
    /// Its name.
    pub name: String,
    /// The log index of the change that gave it these days.
    pub revision: u64,
    /// The log index of the change that took them away.
    pub until: u64,
    /// Its days, counted from 1970-01-01, ascending.
    pub days: Vec<i32>,
}

/// A release of the time zone rules that the leader computed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneRules {
    /// The release, such as `2026a`.
    pub release: String,
    /// Since when: the leader's wall clock.
    pub since: Timestamp,
}
