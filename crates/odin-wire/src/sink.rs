//! Sinks: where values, the ends of runs and metrics go besides Odin's own history.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A sink, and how it gets on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Sink {
    /// Its name.
    #[schema(example = "metrics")]
    pub name: String,
    /// What receives.
    pub target: SinkTarget,
    /// The name of the secret that it needs.
    pub secret: Option<String>,
    /// What goes there, some of `values`, `runs` and `metrics`.
    pub records: Vec<String>,
    /// Every how many seconds metrics do. `null`: they do not.
    pub metrics_every_seconds: Option<u32>,
    /// The kinds of values that do; empty: all.
    pub kinds: Vec<String>,
    /// The ids of the jobs whose records do; empty: all.
    pub jobs: Vec<String>,
    /// Who set it up: the secret that it names is theirs.
    pub owner: String,
    /// When it was set up or changed.
    #[serde(with = "crate::as_text")]
    #[schema(value_type = String, format = DateTime)]
    pub set_at: Timestamp,
    /// `ok`, `behind` or `failing`.
    pub state: String,
    /// How many entries of the feed it has yet to send: each is the end of a run, or values that came together.
    pub behind: u64,
    /// How many values are in them, before its choice of kinds and jobs; 0 where values do not go there at all.
    pub behind_values: u64,
    /// How many ends of runs are among them, before its choice of jobs; 0 where these do not go there at all.
    pub behind_runs: u64,
    /// When the oldest of them happened, by the clock of the node where it did. `null`: there is none.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub behind_since: Option<Timestamp>,
    /// How many records the receiver has taken.
    pub sent: u64,
    /// How many records were passed over, because the receiver refused them for good.
    pub skipped: u64,
    /// The last of those, with the receiver's words.
    pub last_skipped: Option<String>,
    /// How many records were dropped because the sink was too far behind.
    pub dropped: u64,
    /// When the receiver last took something.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub sent_at: Option<Timestamp>,
    /// Since when no values and runs get there. `null`: the last try went well.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub failing_since: Option<Timestamp>,
    /// Why.
    pub error: Option<String>,
    /// Since when no metrics get there. `null`: the last try went well.
    #[serde(with = "crate::as_text::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub metrics_failing_since: Option<Timestamp>,
    /// Why.
    pub metrics_error: Option<String>,
}

/// What receives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum SinkTarget {
    /// InfluxDB by its v2 write API.
    #[serde(rename = "influxdb-v2")]
    InfluxdbV2 {
        /// The server, without the API's path.
        url: String,
        /// The organisation.
        org: String,
        /// The bucket.
        bucket: String,
    },
    /// InfluxDB by its v3 write API.
    #[serde(rename = "influxdb-v3")]
    InfluxdbV3 {
        /// The server, without the API's path.
        url: String,
        /// The database.
        database: String,
    },
    /// Prometheus remote write 1.0.
    RemoteWrite {
        /// The whole address.
        url: String,
        /// The user whose password the secret is. `null`: the secret is a bearer token.
        #[serde(default)]
        user: Option<String>,
    },
    /// OpenTelemetry: OTLP over HTTP, protobuf.
    Otlp {
        /// The receiver, without `/v1/traces`.
        url: String,
        /// The header that carries the secret. `null`: `Authorization: Bearer`.
        #[serde(default)]
        header: Option<String>,
    },
    /// PostgreSQL.
    Postgres {
        /// `postgres://user@host:port/database`; the secret is the password.
        url: String,
    },
    /// A file of JSON lines on the node that leads.
    File {
        /// An absolute path.
        path: String,
        /// At which size another file begins, in bytes.
        #[serde(default = "rotate_bytes_default")]
        rotate_bytes: u64,
        /// How many full files are kept.
        #[serde(default = "keep_default")]
        keep: u32,
    },
}

/// At which size a sink's file is full unless it says so itself: 64 MiB.
#[must_use]
pub fn rotate_bytes_default() -> u64 {
    64 << 20
}

/// How many full files are kept unless the sink says so itself.
#[must_use]
pub fn keep_default() -> u32 {
    5
}

/// What a sink is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetSink {
    /// What receives.
    pub target: SinkTarget,
    /// The secret of the asker's that it needs.
    #[serde(default)]
    pub secret: Option<String>,
    /// What goes there, some of `values`, `runs` and `metrics`; empty: all.
    #[serde(default)]
    pub records: Vec<String>,
    /// Every how many seconds metrics do, 5 to 86,400. `null`: every 60.
    #[serde(default)]
    pub metrics_every_seconds: Option<u32>,
    /// The kinds of values that do; empty: all.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// The ids of the jobs whose records do; empty: all.
    #[serde(default)]
    pub jobs: Vec<String>,
}

/// Sinks, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SinkList {
    /// The sinks.
    pub sinks: Vec<Sink>,
    /// Always `null`: there are few.
    pub next: Option<String>,
}

/// What came of a try of a sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SinkTest {
    /// Whether the receiver took the record.
    pub taken: bool,
    /// Why not.
    pub error: Option<String>,
}
