//! The messages and error codes that leave a node: the compatibility promise.
//!
//! Names are those of the design's "JSON names": a list is `{"<plural>": [...], "next": ...}`, one thing is bare,
//! instants are RFC 3339 in UTC with `Z`. Fields may be added within `/api/v1`; none is renamed, removed or given
//! another meaning. Readers must pass over fields that they do not know.
//!
//! Types of `odin-model` are converted here by hand, so that a change there cannot change what users see.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod alert;
pub mod as_text;
pub mod attempt;
pub mod calendar;
pub mod catch_up;
pub mod channel;
pub mod error_code;
pub mod event;
mod exit;
mod flag;
pub mod health;
mod history;
pub mod job;
mod job_alerting;
pub mod ledger;
pub mod link;
pub mod node;
pub mod output;
pub mod problem;
pub mod proof;
pub mod report_line;
pub mod run;
mod run_list;
pub mod schedule;
pub mod secret;
pub mod sink;
pub mod statistics;
pub mod value;
pub mod value_filter;

pub use alert::{Acknowledge, Alert, AlertList, AlertsQuery, MakeSilence, Silence, SilenceList};
pub use attempt::{Attempt, LateReport};
pub use calendar::{
    Calendar, CalendarList, CalendarUser, MovedDue, MovedDueList, MovedDuesQuery,
    RemoveCalendarQuery, SetCalendar,
};
pub use catch_up::{CatchUpJob, CatchUpOccurrence, CatchUpState, CaughtUp};
pub use channel::{
    Channel, ChannelList, ChannelTest, DeliveriesQuery, Delivery, DeliveryList, Quiet,
    RemoveChannelQuery, SetChannel, Target,
};
pub use error_code::ErrorCode;
pub use event::{EventKind, EventsQuery, Lagged};
pub use exit::Exit;
pub use flag::{Flag, FlagOf};
pub use health::{Health, HealthStatus};
pub use history::{History, HistoryFault};
pub use job::{
    DeployQuery, Job, JobList, JobSettings, JobState, JobVersion, JobVersionList, JobsQuery,
    ModifyJob, Quarantined, RemovedJob, RollBack,
};
pub use ledger::{LedgerEntry, LedgerList, LedgerOutcome, LedgerQuery};
pub use link::{JobLink, Link, LinkList, LinkOn, LinkQuery, LinksQuery, MakeLink, Successor};
pub use node::{Node, NodeList, NodeRole, NodeState};
pub use output::{OutputChunk, OutputList, OutputQuery, Stream};
pub use problem::{Mistake, Problem};
pub use proof::{
    Finding, JobThen, NotDue, OutcomeCounts, Undetermined, Verified, VerifyQuery, Why, WhyQuery,
    WorstStart,
};
pub use run::{Cause, Chain, Outcome, Run, RunQuery, RunState, WaitsFor};
pub use run_list::{RunList, RunsAfter, RunsQuery};
pub use schedule::{ExplainQuery, Explanation, NextQuery, Occurrences};
pub use secret::{
    SECRET_CONTENT_TYPE, Secret, SecretList, SecretOwnerQuery, SecretUser, SecretsQuery,
    TakeSecretQuery,
};
pub use sink::{SetSink, Sink, SinkList, SinkTarget, SinkTest, keep_default, rotate_bytes_default};
pub use value::{
    Bucket, Drawing, NewValues, RunValuesQuery, Value, ValueKind, ValueList, ValueType, ValuesQuery,
};
pub use value_filter::{FilterError, ValueFilter};

pub use statistics::{Percentiles, RunOutcomeCounts, Statistics, StatisticsQuery};

/// The path under which every versioned endpoint lives.
pub const API_PREFIX: &str = "/api/v1";
/// The content type of a [`Problem`].
pub const PROBLEM_CONTENT_TYPE: &str = "application/problem+json";
/// The content type of a bundle: a canonical tar, compressed.
pub const BUNDLE_CONTENT_TYPE: &str = "application/zstd";
/// The request header with a key that makes a creation count once within a day.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// How many entries a list holds when the request names no limit.
pub const LIMIT_DEFAULT: u32 = 100;
/// The largest limit that a list takes; a larger one is refused.
pub const LIMIT_MAX: u32 = 1000;
