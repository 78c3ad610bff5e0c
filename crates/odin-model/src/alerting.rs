//! What a job wants people to be told, and what it expects of its runs.

use std::cmp::Ordering;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::alert::AlertKind;
use crate::channel::ChannelName;
use crate::value::compare_numbers;

/// What a job sends word of. Stored by position: add new ones at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Notice {
    /// [`AlertKind::Failure`].
    Failure,
    /// A run ended well after an alert of failures.
    Recovered,
    /// [`AlertKind::Late`].
    Late,
    /// [`AlertKind::Missed`].
    Missed,
    /// [`AlertKind::NeverFinished`].
    NeverFinished,
    /// [`AlertKind::TooFast`].
    TooFast,
    /// [`AlertKind::TooSlow`].
    TooSlow,
    /// [`AlertKind::Unusual`].
    Unusual,
}

impl Notice {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Failure,
        Self::Recovered,
        Self::Late,
        Self::Missed,
        Self::NeverFinished,
        Self::TooFast,
        Self::TooSlow,
        Self::Unusual,
    ];

    /// The word in job files.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Failure => AlertKind::Failure.word(),
            Self::Late => AlertKind::Late.word(),
            Self::Missed => AlertKind::Missed.word(),
            Self::NeverFinished => AlertKind::NeverFinished.word(),
            Self::TooFast => AlertKind::TooFast.word(),
            Self::TooSlow => AlertKind::TooSlow.word(),
            Self::Unusual => AlertKind::Unusual.word(),
        }
    }

    /// The notice of a [`word`](Self::word).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|notice| notice.word() == word)
    }

    /// The notice that an alert of that kind is sent by. `None`: jobs do not choose it.
    #[must_use]
    pub fn of(kind: AlertKind) -> Option<Self> {
        match kind {
            AlertKind::Failure => Some(Self::Failure),
            AlertKind::Late => Some(Self::Late),
            AlertKind::Missed => Some(Self::Missed),
            AlertKind::NeverFinished => Some(Self::NeverFinished),
            AlertKind::TooFast => Some(Self::TooFast),
            AlertKind::TooSlow => Some(Self::TooSlow),
            AlertKind::Unusual => Some(Self::Unusual),
            AlertKind::ValueOutOfBounds
            | AlertKind::DiskNearlyFull
            | AlertKind::NodeDown
            | AlertKind::NodeUnwell
            | AlertKind::LedgerGap
            | AlertKind::LoopStuck
            | AlertKind::ChannelDown => None,
        }
    }
}

/// How many names of values one job file may bound.
pub const VALUE_BOUNDS_MAX: usize = 100;

/// What the numbers of one name should be, as the job file writes them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ValueBounds {
    /// The name that runs report.
    pub name: String,
    /// A finite number: at least this. `None`: however small.
    pub min: Option<String>,
    /// A finite number: at most this. `None`: however large.
    pub max: Option<String>,
}

impl ValueBounds {
    /// What a number should be instead, in words. `None`: it is within the bounds. NaN never is.
    #[must_use]
    pub fn broken_by(&self, number: &str) -> Option<String> {
        let is_kept = |bound: &Option<String>, is_kept: fn(Ordering) -> bool| {
            let Some(bound) = bound else { return true };
            compare_numbers(number, bound).is_some_and(is_kept)
        };
        if !is_kept(&self.min, Ordering::is_ge) {
            return self.min.as_ref().map(|min| format!("at least {min}"));
        }
        if !is_kept(&self.max, Ordering::is_le) {
            return self.max.as_ref().map(|max| format!("at most {max}"));
        }
        None
    }
}

/// The job file's `notify`, `late_after` and `expect`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Alerting {
    /// What is sent, in order and each once. Empty: the job has no `notify`.
    pub on: Vec<Notice>,
    /// Where to, in order and each once.
    pub to: Vec<ChannelName>,
    /// At how many failures in a row there is an alert; at least 1.
    pub failures: u32,
    /// How long an alert that goes on is not sent again.
    pub repeat: Duration,
    /// How long after its due time a run may be over. `None`: any time.
    pub late_after: Option<Duration>,
    /// What a run takes at least. `None`: what the job's own history says.
    pub min_duration: Option<Duration>,
    /// What a run takes at most. `None`: what the job's own history says.
    pub max_duration: Option<Duration>,
    /// What reported numbers should be, by name, each once.
    pub values: Vec<ValueBounds>,
}

impl Alerting {
    /// How long an alert that goes on is not sent again, unless the job says otherwise.
    pub const REPEAT_DEFAULT: Duration = Duration::from_secs(3600);
    /// The most failures in a row that may be asked for.
    pub const FAILURES_MAX: u32 = 1_000;

    /// Whether a finding of this kind is an alert: it is to be sent, or its bound is written in the file.
    #[must_use]
    pub fn raises(&self, kind: AlertKind) -> bool {
        let is_bounded = match kind {
            AlertKind::Late => self.late_after.is_some(),
            AlertKind::TooFast => self.min_duration.is_some(),
            AlertKind::TooSlow | AlertKind::NeverFinished => self.max_duration.is_some(),
            AlertKind::ValueOutOfBounds => !self.values.is_empty(),
            AlertKind::Failure
            | AlertKind::Missed
            | AlertKind::Unusual
            | AlertKind::DiskNearlyFull
            | AlertKind::NodeDown
            | AlertKind::NodeUnwell
            | AlertKind::LedgerGap
            | AlertKind::LoopStuck
            | AlertKind::ChannelDown => false,
        };
        is_bounded || self.sends(kind)
    }

    /// Whether word of an alert of this kind is sent. What jobs cannot choose is sent with their failures.
    #[must_use]
    pub fn sends(&self, kind: AlertKind) -> bool {
        self.on
            .contains(&Notice::of(kind).unwrap_or(Notice::Failure))
    }
}

impl Default for Alerting {
    fn default() -> Self {
        Self {
            on: Vec::new(),
            to: Vec::new(),
            failures: 1,
            repeat: Self::REPEAT_DEFAULT,
            late_after: None,
            min_duration: None,
            max_duration: None,
            values: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_held_to_the_bounds_that_are_written() {
        let bound = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        for (min, max, number, expected) in [
            ("1", "1000", "1", None),
            ("1", "1000", "1000.0", None),
            ("1", "1000", "0.999", Some("at least 1")),
            ("1", "1000", "1e4", Some("at most 1000")),
            (
                "",
                "9007199254740992",
                "9007199254740993",
                Some("at most 9007199254740992"),
            ),
            ("-1.5", "", "-1.6", Some("at least -1.5")),
            ("-1.5", "", "Infinity", None),
            ("", "7", "Infinity", Some("at most 7")),
            ("", "7", "NaN", Some("at most 7")),
            ("0", "", "NaN", Some("at least 0")),
        ] {
            let bounds = ValueBounds {
                name: "n".to_owned(),
                min: bound(min),
                max: bound(max),
            };
            assert_eq!(
                bounds.broken_by(number).as_deref(),
                expected,
                "{bounds:?} {number}"
            );
        }
    }
}
