//! Alerts: what somebody should know of, grouped so that one trouble is one alert however often it shows.
//!
//! Apply makes and resolves them; [`crate::delivery`] takes word of them to channels.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::channel::ChannelName;
use crate::id::{JobId, NodeId, RunId};
use crate::job::JobName;
use crate::owner::{Owner, Principal};
use crate::silence::SilenceScope;

/// How many alerts that are resolved are kept; the oldest go first.
pub const RESOLVED_KEPT_MAX: u64 = 10_000;
/// The longest text of an alert, and the longest reason of a person, in bytes.
pub const TEXT_BYTES_MAX: usize = 1_000;
/// How many overdue watches, or raised alerts, one command names.
pub const ALERTS_IN_COMMAND_MAX: usize = 200;

/// What an alert is about. Stored by position: add new ones at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AlertKind {
    /// Runs of a job end badly.
    Failure,
    /// A run was not over when its job's `late_after` had passed since its due time.
    Late,
    /// Due times were misfired or skipped.
    Missed,
    /// A run goes on for much longer than it ever should.
    NeverFinished,
    /// A run was over sooner than its job expects.
    TooFast,
    /// A run took longer than its job expects.
    TooSlow,
    /// A value that a job reports is out of its bounds.
    ValueOutOfBounds,
    /// A node's data directory has little free space left.
    DiskNearlyFull,
    /// A node is silent.
    NodeDown,
    /// A node is up and something of it is wrong, such as its clock.
    NodeUnwell,
    /// A due time older than its grace has no outcome.
    LedgerGap,
    /// A loop of the server does not advance.
    LoopStuck,
    /// Messages to a channel were given up.
    ChannelDown,
    /// A number that a job reports is far from what its earlier runs reported.
    Unusual,
}

impl AlertKind {
    /// All kinds, in the order of the documentation.
    pub const ALL: [Self; 14] = [
        Self::Failure,
        Self::Late,
        Self::Missed,
        Self::NeverFinished,
        Self::TooFast,
        Self::TooSlow,
        Self::ValueOutOfBounds,
        Self::DiskNearlyFull,
        Self::NodeDown,
        Self::NodeUnwell,
        Self::LedgerGap,
        Self::LoopStuck,
        Self::ChannelDown,
        Self::Unusual,
    ];

    /// The word in job files, the API, the CLI and the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Failure => "failure",
            Self::Late => "late",
            Self::Missed => "missed",
            Self::NeverFinished => "never_finished",
            Self::TooFast => "too_fast",
            Self::TooSlow => "too_slow",
            Self::ValueOutOfBounds => "value_out_of_bounds",
            Self::DiskNearlyFull => "disk_nearly_full",
            Self::NodeDown => "node_down",
            Self::NodeUnwell => "node_unwell",
            Self::LedgerGap => "ledger_gap",
            Self::LoopStuck => "loop_stuck",
            Self::ChannelDown => "channel_down",
            Self::Unusual => "unusual",
        }
    }

    /// The kind of a [`word`](Self::word).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// An alert's id: `a` and a number that counts up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertId(pub u64);

/// A text that is no alert's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an alert's id is `a` and a number, such as `a17`")]
pub struct AlertIdError;

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("a{}", self.0))
    }
}

impl FromStr for AlertId {
    type Err = AlertIdError;

    fn from_str(text: &str) -> Result<Self, AlertIdError> {
        let number = text.strip_prefix('a').ok_or(AlertIdError)?;
        let is_plain = number.bytes().all(|byte| byte.is_ascii_digit());
        match number.parse() {
            Ok(number) if is_plain && i64::try_from(number).is_ok() => Ok(Self(number)),
            _ => Err(AlertIdError),
        }
    }
}

/// Whom or what an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Subject {
    /// A job: its owner sees the alert.
    Job(JobId),
    /// A node: admins see the alert.
    Node(NodeId),
    /// The whole cluster: admins see the alert.
    Cluster,
}

/// What makes two findings the same alert while the first is not resolved.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// What it is about.
    pub kind: AlertKind,
    /// Whom it is about.
    pub subject: Subject,
    /// Tells apart what the kind and the subject do not, such as the name of a value, a loop or a channel. Empty:
    /// there is one. At most [`TEXT_BYTES_MAX`] bytes count.
    pub detail: String,
}

impl AlertKey {
    /// The key of an alert that kind and subject tell apart.
    #[must_use]
    pub fn new(kind: AlertKind, subject: Subject) -> Self {
        Self {
            kind,
            subject,
            detail: String::new(),
        }
    }

    /// The same with a detail.
    #[must_use]
    pub fn detailed(kind: AlertKind, subject: Subject, detail: &str) -> Self {
        Self {
            kind,
            subject,
            detail: cut(detail),
        }
    }
}

/// The first [`TEXT_BYTES_MAX`] bytes of a text, cut between characters and with a mark.
#[must_use]
pub fn cut(text: &str) -> String {
    if text.len() <= TEXT_BYTES_MAX {
        return text.to_owned();
    }
    const MARK: &str = "…";
    let mut end = TEXT_BYTES_MAX - MARK.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", &text[..end])
}

/// Where an alert stands. That it is silenced is a matter of the silences in force, not of the alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AlertState {
    /// Nobody has answered it.
    Open,
    /// Somebody knows: repeats are counted and not sent.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl AlertState {
    /// All states.
    pub const ALL: [Self; 3] = [Self::Open, Self::Acknowledged, Self::Resolved];

    /// The word in the API, the CLI and the store.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        }
    }

    /// The state of a [`word`](Self::word).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// Who acknowledged an alert, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// The user's name.
    pub by: String,
    /// When: the leader's wall clock.
    pub at: Timestamp,
    /// Why, in their words.
    pub reason: String,
}

/// An alert as the replicated state holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// What it is about.
    pub key: AlertKey,
    /// The job's owner. `None`: it is about no job.
    pub owner: Option<Owner>,
    /// The name that its job or node had last. `None`: it is about neither.
    pub subject_name: Option<String>,
    /// The run that showed it last. `None`: none did.
    pub run: Option<RunId>,
    /// When it showed first.
    pub opened_at: Timestamp,
    /// When it showed last.
    pub last_at: Timestamp,
    /// How often it showed.
    pub count: u64,
    /// Where it stands.
    pub state: AlertState,
    /// Who acknowledged it. `None`: nobody.
    pub acknowledged: Option<Acknowledgement>,
    /// When it was over. `None`: it is not.
    pub resolved_at: Option<Timestamp>,
    /// What happened last, in words.
    pub text: String,
}

/// What a message to a channel tells of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// It is new.
    Opened,
    /// It is still there, and shows again.
    Repeated,
    /// It is over.
    Resolved,
    /// Somebody tries the channel.
    Test,
}

impl EventKind {
    /// The word in messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
            Self::Test => "test",
        }
    }
}

/// One line of a message: what was known of an alert when it was made, so that a message is the same however often it
/// is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertEvent {
    /// Of which alert. 0 in a test.
    pub alert: AlertId,
    /// What the alert is about.
    pub kind: AlertKind,
    /// What happened to it.
    pub event: EventKind,
    /// When.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
    /// The job with its name then. `None`: it is about no job.
    pub job: Option<(JobId, JobName)>,
    /// The job's owner's user name. `None`: it is about no job.
    pub owner: Option<String>,
    /// The node's name. `None`: it is about no node.
    pub node: Option<String>,
    /// The run that showed it. `None`: none did.
    pub run: Option<RunId>,
    /// How often it has shown.
    pub count: u64,
    /// In words.
    pub text: String,
}

/// An alert that something else than the end of a run gave rise to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Raised {
    /// What it is about. One about a job that is not there is passed over.
    pub key: AlertKey,
    /// The run that showed it. `None`: none did.
    pub run: Option<RunId>,
    /// In words, a whole sentence; at most [`TEXT_BYTES_MAX`] bytes are kept.
    pub text: String,
}

/// What a run is watched for while it is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Watch {
    /// [`AlertKind::Late`].
    Late,
    /// [`AlertKind::TooSlow`].
    TooSlow,
    /// [`AlertKind::NeverFinished`].
    NeverFinished,
}

impl Watch {
    /// The alert that it gives rise to.
    #[must_use]
    pub fn kind(self) -> AlertKind {
        match self {
            Self::Late => AlertKind::Late,
            Self::TooSlow => AlertKind::TooSlow,
            Self::NeverFinished => AlertKind::NeverFinished,
        }
    }
}

/// A change of the alerts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AlertChange {
    /// The leader found that what runs are watched for has happened. A watch that is gone, or whose instant is after
    /// `at`, is left alone: that compare-and-set makes each of them an alert once.
    Overdue {
        /// At most [`ALERTS_IN_COMMAND_MAX`].
        watches: Vec<(RunId, Watch)>,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A server found these; those that are there already are counted.
    Raise {
        /// At most [`ALERTS_IN_COMMAND_MAX`].
        alerts: Vec<Raised>,
        /// Its wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A server found that these are over; those that are not there are passed over.
    Resolve {
        /// At most [`ALERTS_IN_COMMAND_MAX`].
        keys: Vec<AlertKey>,
        /// What it found, in words.
        text: String,
        /// Its wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A person knows of an alert.
    Acknowledge {
        /// Who.
        by: Principal,
        /// Which.
        alert: AlertId,
        /// Why nobody need be told again.
        reason: String,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A person wants no word of some alerts for a while.
    Silence {
        /// Who.
        by: Principal,
        /// Of which.
        scope: SilenceScope,
        /// Why.
        reason: String,
        /// Until when.
        #[serde(with = "crate::instant")]
        until: Timestamp,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// That ends before its time.
    Unsilence {
        /// Who.
        by: Principal,
        /// Which silence.
        silence: u64,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
}

/// Why a change of alerts, silences or channels, or a job that names a channel, was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum AlertRefusal {
    /// No such alert, or not one that the asker may see.
    #[error("there is no alert {0}")]
    NoSuchAlert(AlertId),
    /// It is over.
    #[error("alert {0} is resolved already")]
    AlertOver(AlertId),
    /// The reason is empty or too long.
    #[error("a reason has 1 to {max} bytes", max = TEXT_BYTES_MAX)]
    BadReason,
    /// A silence that begins when it ends, or that is too long.
    #[error("a silence lasts from a second to {days} days", days = crate::silence::SILENCE_DAYS_MAX)]
    BadSilence,
    /// As many silences as there may be.
    #[error("{count} silences are in force, and no more may be made")]
    TooManySilences {
        /// How many there are.
        count: u64,
    },
    /// No such silence, or not one that the asker may see.
    #[error("there is no silence {0}")]
    NoSuchSilence(u64),
    /// No such channel.
    #[error("there is no channel `{0}`")]
    NoSuchChannel(ChannelName),
    /// As many channels as there may be.
    #[error("there are {count} channels, and no more may be made")]
    TooManyChannels {
        /// How many there are.
        count: u64,
    },
    /// Jobs send word to it.
    #[error("{jobs} jobs send word to the channel `{name}`")]
    ChannelInUse {
        /// The channel.
        name: ChannelName,
        /// How many jobs.
        jobs: u64,
    },
    /// A job names a channel that is not there.
    #[error("there is no channel `{name}`{}", known(channels))]
    UnknownChannel {
        /// What it names.
        name: ChannelName,
        /// The channels that there are: the first ten by name.
        channels: Vec<ChannelName>,
    },
}

fn known(channels: &[ChannelName]) -> String {
    let names: Vec<String> = channels.iter().map(|name| format!("`{name}`")).collect();
    match names.is_empty() {
        true => "; none was set up yet".to_owned(),
        false => format!("; there are {}", names.join(", ")),
    }
}

impl AlertRefusal {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchAlert(_) => "alert/not-found",
            Self::AlertOver(_) => "alert/over",
            Self::BadReason => "alert/bad-reason",
            Self::BadSilence => "silence/bad-time",
            Self::TooManySilences { .. } => "silence/too-many",
            Self::NoSuchSilence(_) => "silence/not-found",
            Self::NoSuchChannel(_) => "channel/not-found",
            Self::TooManyChannels { .. } => "channel/too-many",
            Self::ChannelInUse { .. } => "channel/in-use",
            Self::UnknownChannel { .. } => "job/no-such-channel",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_as_it_is_written_and_nothing_else_does() {
        assert_eq!("a17".parse(), Ok(AlertId(17)));
        assert_eq!(AlertId(17).to_string(), "a17");
        for text in ["", "a", "17", "a-1", "a+1", "a1x", "a9223372036854775808"] {
            assert_eq!(text.parse::<AlertId>(), Err(AlertIdError), "{text:?}");
        }
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        for kind in AlertKind::ALL {
            assert_eq!(AlertKind::from_word(kind.word()), Some(kind));
        }
        assert_eq!(AlertKind::from_word("recovered"), None);
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = cut(&"ä".repeat(600));
        assert!(
            long.len() <= TEXT_BYTES_MAX && long.ends_with("ä…"),
            "{long}"
        );
    }
}
