//! Sinks: where values, the ends of runs and metrics go besides Odin's own history. Set up by admins, for the whole
//! cluster.
//!
//! Values and ends of runs stand in one *feed*, in the order of the log; each sink has a cursor in it that moves once the
//! receiver has taken what is before. Metrics are what they are now: they have no place in the feed.

use std::fmt;
use std::ops::RangeInclusive;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AttemptNumber, JobId, RunId};
use crate::owner::{Owner, Principal};
use crate::secret::SecretName;
use crate::value::ValueKind;

/// How many sinks there may be.
pub const SINKS_MAX: usize = 20;
/// How many jobs a sink may name.
pub const JOBS_OF_SINK_MAX: usize = 1_000;
/// How many entries the feed keeps for the sink that is furthest behind. Beyond it the oldest go, counted.
pub const FEED_MAX: u64 = 1_000_000;
/// Every how many seconds metrics go to a sink unless it says so itself.
pub const METRICS_EVERY_SECONDS_DEFAULT: u32 = 60;
/// Every how many seconds metrics may go to a sink.
pub const METRICS_EVERY_SECONDS: RangeInclusive<u32> = 5..=86_400;
/// The longest error that is kept of a sink, in bytes.
pub const SINK_ERROR_BYTES_MAX: usize = 1024;

/// A sink's name: 1 to [`SinkName::BYTES_MAX`] bytes, lower-case letters, digits, `-`, `_` and `.`, a letter or digit
/// first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SinkName(String);

/// A text that is not a sink's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a sink's name has 1 to {} lower-case letters, digits, `-`, `_` and `.`, a letter or digit first",
    SinkName::BYTES_MAX
)]
pub struct SinkNameError;

impl SinkName {
    /// The longest name.
    pub const BYTES_MAX: usize = 64;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or holds what a name cannot.
    pub fn parse(text: &str) -> Result<Self, SinkNameError> {
        let fits = |(place, c): (usize, char)| {
            let is_plain = c.is_ascii_lowercase() || c.is_ascii_digit();
            is_plain || (place > 0 && matches!(c, '-' | '_' | '.'))
        };
        let is_long = text.len() > Self::BYTES_MAX;
        match !text.is_empty() && !is_long && text.char_indices().all(fits) {
            true => Ok(Self(text.to_owned())),
            false => Err(SinkNameError),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for SinkName {
    type Error = SinkNameError;

    fn try_from(text: String) -> Result<Self, SinkNameError> {
        Self::parse(&text)
    }
}

impl From<SinkName> for String {
    fn from(name: SinkName) -> Self {
        name.0
    }
}

/// What receives, and in which form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SinkTarget {
    /// InfluxDB by its v2 write API, line protocol.
    InfluxV2 {
        /// The server: `http` or `https`, without the API's path.
        url: String,
        /// The organisation.
        org: String,
        /// The bucket.
        bucket: String,
    },
    /// InfluxDB by its v3 write API, line protocol.
    InfluxV3 {
        /// The server: `http` or `https`, without the API's path.
        url: String,
        /// The database.
        database: String,
    },
    /// Prometheus remote write 1.0.
    RemoteWrite {
        /// The whole address.
        url: String,
        /// The user of HTTP's basic authentication; the secret is the password. `None`: the secret, if any, is a
        /// bearer token.
        user: Option<String>,
    },
    /// OpenTelemetry: OTLP over HTTP, protobuf.
    Otlp {
        /// The receiver, without `/v1/traces`.
        url: String,
        /// The header that carries the secret. `None`: `Authorization: Bearer`.
        header: Option<String>,
    },
    /// PostgreSQL, TimescaleDB among it.
    Postgres {
        /// `postgres://user@host:port/database`.
        url: String,
    },
    /// A file of JSON lines on the node that leads.
    File {
        /// An absolute path.
        path: String,
        /// At which size another file begins, in bytes.
        rotate_bytes: u64,
        /// How many full files are kept besides the one that is written.
        keep: u32,
    },
}

impl SinkTarget {
    /// The word in the API and the CLI.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::InfluxV2 { .. } => "influxdb-v2",
            Self::InfluxV3 { .. } => "influxdb-v3",
            Self::RemoteWrite { .. } => "remote-write",
            Self::Otlp { .. } => "otlp",
            Self::Postgres { .. } => "postgres",
            Self::File { .. } => "file",
        }
    }

    /// Where it is: a URL or a path.
    #[must_use]
    pub fn place(&self) -> &str {
        match self {
            Self::InfluxV2 { url, .. }
            | Self::InfluxV3 { url, .. }
            | Self::RemoteWrite { url, .. }
            | Self::Otlp { url, .. }
            | Self::Postgres { url } => url,
            Self::File { path, .. } => path,
        }
    }
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SinkSpec {
    /// Where it goes.
    pub target: SinkTarget,
    /// The secret that it needs, one of the user's who set the sink up. `None`: it needs none.
    pub secret: Option<SecretName>,
    /// Whether values go there.
    pub values: bool,
    /// Whether the ends of runs go there.
    pub runs: bool,
    /// Every how many seconds what the leader counts and measures goes there, one of [`METRICS_EVERY_SECONDS`]. `None`: it
    /// does not.
    pub metrics_every_seconds: Option<u32>,
    /// The kinds of values that do; empty: all.
    pub kinds: Vec<ValueKind>,
    /// The jobs whose records do, at most [`JOBS_OF_SINK_MAX`]; empty: all.
    pub jobs: Vec<JobId>,
}

impl SinkSpec {
    /// Takes everything.
    #[must_use]
    pub fn new(target: SinkTarget) -> Self {
        Self {
            target,
            secret: None,
            values: true,
            runs: true,
            metrics_every_seconds: Some(METRICS_EVERY_SECONDS_DEFAULT),
            kinds: Vec::new(),
            jobs: Vec::new(),
        }
    }

    /// Whether records of a job go there.
    #[must_use]
    pub fn takes_job(&self, job: JobId) -> bool {
        self.jobs.is_empty() || self.jobs.contains(&job)
    }

    /// Whether values of a kind go there.
    #[must_use]
    pub fn takes_kind(&self, kind: ValueKind) -> bool {
        self.values && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }
}

/// A sink as the replicated state holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name.
    pub name: SinkName,
    /// Who set it up last: the secret that it names is theirs.
    pub owner: Owner,
    /// What it is.
    pub spec: SinkSpec,
    /// Drawn when it was made: a sink that is removed and made again is another one.
    pub token: u64,
    /// When it was set last.
    pub set_at: Timestamp,
    /// The number of the last entry of the feed that it is done with.
    pub cursor: u64,
    /// What it is not done with yet.
    pub behind: Behind,
    /// How many records the receiver has taken.
    pub sent: u64,
    /// How many records the receiver refused for good, each passed over.
    pub skipped: u64,
    /// The last of those, with the receiver's words.
    pub last_skipped: Option<String>,
    /// How many records went before they could be sent: from a feed that was full, or with their runs.
    pub dropped: u64,
    /// When the receiver last took something.
    pub sent_at: Option<Timestamp>,
    /// Since when no values and runs get there, and why. `None`: the last try went well.
    pub failing: Option<(Timestamp, String)>,
    /// The same for metrics.
    pub metrics_failing: Option<(Timestamp, String)>,
}

/// How much of the feed a sink is not done with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behind {
    /// Entries.
    pub entries: u64,
    /// Values in them, before the sink's choice of kinds and jobs; 0 where values do not go there at all.
    pub values: u64,
    /// Ends of runs among them, before its choice of jobs; 0 where these do not go there at all.
    pub runs: u64,
    /// When what stands in the oldest entry happened, by the clock of the node where it did. `None`: there is none.
    pub since: Option<Timestamp>,
}

/// A part of the feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeedEntry {
    /// Its number: one more than that of the entry before it.
    pub number: u64,
    /// Of which run.
    pub run: RunId,
    /// What of it.
    pub what: FeedPart,
}

/// What an entry of the feed stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeedPart {
    /// Values of an attempt, one after the other.
    Values {
        /// Which attempt.
        attempt: AttemptNumber,
        /// The number of the first among the attempt's.
        first: u64,
        /// How many.
        count: u64,
    },
    /// The run is over.
    RunOver,
}

/// A change of the sinks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SinkChange {
    /// A sink is made or changed. Takes an admin. A new one begins with what comes after it.
    Set {
        /// Who asks.
        by: Principal,
        /// Its name.
        name: SinkName,
        /// What it is from now on.
        spec: SinkSpec,
        /// Drawn by the handler; a sink that is there keeps its own, its cursor and its counts.
        token: u64,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A sink goes. Takes an admin.
    Remove {
        /// Who asks.
        by: Principal,
        /// Its name.
        name: SinkName,
    },
    /// The receiver has taken what stands between two places of the feed; proposed by the leader. It counts only if
    /// the sink is still at the first.
    Advance {
        /// Its name.
        name: SinkName,
        /// Its token.
        token: u64,
        /// Where it was.
        from: u64,
        /// Where it is now.
        to: u64,
        /// How many records were taken.
        sent: u64,
        /// How many were refused for good.
        skipped: u64,
        /// The last of those.
        last_skipped: Option<String>,
        /// How many were gone from the state before they could be sent.
        dropped: u64,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// Nothing gets to the receiver; proposed by the leader, once for each reason.
    Failing {
        /// Its name.
        name: SinkName,
        /// Its token.
        token: u64,
        /// Why, at most [`SINK_ERROR_BYTES_MAX`] bytes.
        error: String,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// Metrics do not get there, or do again; proposed by the leader when that changes.
    Metrics {
        /// Its name.
        name: SinkName,
        /// Its token.
        token: u64,
        /// Why not, at most [`SINK_ERROR_BYTES_MAX`] bytes. `None`: they do.
        error: Option<String>,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
}

/// Why a change of the sinks was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SinkRefusal {
    /// No such sink.
    #[error("there is no sink `{0}`")]
    NoSuchSink(SinkName),
    /// As many sinks as there may be.
    #[error("there are {SINKS_MAX} sinks already, and no more may be made")]
    TooManySinks,
}

impl SinkRefusal {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoSuchSink(_) => "sink/not-found",
            Self::TooManySinks => "sink/too-many",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_path_can_say() {
        let long = "x".repeat(65);
        for text in ["", long.as_str(), "Ops", "a b", "a/b", "-a", ".."] {
            assert_eq!(SinkName::parse(text), Err(SinkNameError), "{text:?}");
        }
        for text in ["influx", "on-prem.2", "7"] {
            assert_eq!(SinkName::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_filter_lets_through_what_it_names() {
        let target = SinkTarget::Postgres { url: String::new() };
        let mut spec = SinkSpec::new(target);
        let (one, other) = (JobId::from_bits(1), JobId::from_bits(2));
        assert!(spec.takes_job(other) && spec.takes_kind(ValueKind::Watch));
        spec.jobs = vec![one];
        spec.kinds = vec![ValueKind::Metric];
        assert!(spec.takes_job(one) && !spec.takes_job(other));
        assert!(spec.takes_kind(ValueKind::Metric) && !spec.takes_kind(ValueKind::Watch));
        spec.values = false;
        assert!(!spec.takes_kind(ValueKind::Metric));
    }
}
