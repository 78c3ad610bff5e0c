//! The nouns of Odin: ids, jobs, policies, runs and their state machines, commands.
//!
//! Types here derive serde only for what the replicated log and the executor's journal store, in
//! [postcard](https://postcard.jamesmunns.com/wire-format); [`codec`] puts a version byte before each. Enum
//! variants are stored by position: add new ones at the end, never reorder, never add a field to a stored struct
//! without a new variant. What leaves a node over HTTP is declared in `odin-wire` and converted by hand.
//!
//! Nothing here reads a clock, draws a random number or does I/O.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod alert;
pub mod alerting;
pub mod attempt;
pub mod calendar;
pub mod channel;
pub mod children;
pub mod clock;
pub mod codec;
pub mod command;
pub mod concurrency;
mod daylight;
pub mod delivery;
pub mod flag;
pub mod id;
pub mod instant;
pub mod job;
pub mod job_change;
pub mod ledger;
pub mod limits;
pub mod link;
pub mod loss;
pub mod missed;
pub mod node;
pub mod on_cancel;
pub mod output;
pub mod owner;
pub mod priority;
pub mod quarantine;
pub mod refusal;
pub mod reported_result;
pub mod retention;
pub mod retries;
pub mod run;
pub mod secret;
pub mod silence;
pub mod sink;
pub mod statistics;
mod stored_spec;
pub mod timeouts;
pub mod usage;
pub mod value;

pub use alert::{AlertId, AlertKind};
pub use alerting::{Alerting, Notice, ValueBounds};
pub use channel::ChannelName;
pub use children::Children;
pub use clock::{Boottime, Clock};
pub use command::{Command, Reply};
pub use concurrency::{Concurrency, Overlap};
pub use flag::{FlagOf, RunFlag};
pub use id::{AttemptNumber, BundleHash, Epoch, JobId, NodeId, Revision, RunId, VersionNumber};
pub use job::{JobName, JobSpec, JobState, Program};
pub use ledger::{LedgerOutcome, LedgerRow};
pub use limits::Limits;
pub use link::{Link, LinkOn};
pub use loss::{Loss, OnLost, Unleased};
pub use missed::Missed;
pub use on_cancel::{HookCommand, OnCancel};
pub use owner::{Owner, Principal};
pub use priority::{Lane, Priority};
pub use refusal::Refusal;
pub use retention::Keep;
pub use retries::{Backoff, ExitCodes, Retries};
pub use run::{Outcome, RunState};
pub use secret::{SecretDelivery, SecretName, SecretUse, SecretValue};
pub use timeouts::{TimeoutKind, Timeouts};
pub use usage::Usage;
pub use value::{Value, ValueData, ValueKind};
