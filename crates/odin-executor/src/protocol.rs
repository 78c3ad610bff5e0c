//! What the server and the executor say to each other on the control socket.
//!
//! Messages are [`frame`](crate::frame)s of postcard behind a version byte. A server opens with
//! [`Request::Hello`]; an executor of another [`PROTOCOL`] answers [`Report::Incompatible`] and closes. The server then
//! says hello in the executor's protocol, and tells it to go when its last process has ended.
//!
//! So some messages must read the same in every protocol: `Hello`, `Lease`, `Cancel`, `Ack`, `Peek`, `List` and `Drain`;
//! `Welcome`, `Incompatible`, `Events`, `Refused`, `Output`, `Attempts` and `Draining`. A test holds their bytes. The
//! others may change, with the number. Enum variants are written by position: add new ones at the end.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use odin_model::attempt::AttemptEvent;
use odin_model::output::OutputChunk;
use odin_model::{
    AttemptNumber, Boottime, BundleHash, Children, JobId, Limits, OnCancel, Owner, RunId,
    SecretDelivery, SecretName, SecretValue, Timeouts, Unleased, VersionNumber,
};
use serde::{Deserialize, Serialize};

/// The version of the messages. Launches are taken from a server of the same one only.
pub const PROTOCOL: u16 = 3;

/// The version of the program that this is. An executor of another one is replaced, in its own time.
pub const BUILD: &str = env!("CARGO_PKG_VERSION");

/// One process of one run: what journals, sockets and files name it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AttemptKey {
    /// The run.
    pub run: RunId,
    /// Which process of it.
    pub attempt: AttemptNumber,
}

impl std::fmt::Display for AttemptKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.run, self.attempt)
    }
}

impl AttemptKey {
    /// The key of a text that [`Display`](std::fmt::Display) made; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (run, attempt) = text.split_once('.')?;
        let key = Self {
            run: run.parse().ok()?,
            attempt: AttemptNumber(attempt.parse().ok()?),
        };
        (key.to_string() == text).then_some(key)
    }
}

/// What a server asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Request {
    /// The first message. Answered by [`Report::Welcome`], then by every event that was not acknowledged.
    Hello {
        /// The server's [`PROTOCOL`].
        protocol: u16,
    },
    /// Unpack a bundle for a version of a job. Answered by [`Report::Prepared`]; done once per version.
    Prepare(Prepare),
    /// Start a process at its time. Asking again for an attempt that is armed or runs is harmless.
    /// An attempt that cannot be taken is answered by [`Report::Refused`].
    Arm(Box<Launch>),
    /// Processes may be made until then. A later instant replaces an earlier one; an earlier one is ignored.
    Lease {
        /// On this machine's `CLOCK_BOOTTIME`.
        until: Boottime,
        /// What becomes of those that run when no other lease follows.
        then: AfterLease,
    },
    /// Stop an attempt. An attempt that this executor never had is recorded as cancelled, so that it can no
    /// longer be armed. One that is over is answered by [`Report::Refused`].
    Cancel {
        /// Which.
        key: AttemptKey,
        /// Who or what asks, in words; becomes the ending's reason.
        reason: String,
        /// What to do when its process exists already.
        scope: CancelScope,
    },
    /// The server has stored every event up to and with this number: they are not sent again.
    Ack {
        /// The number.
        up_to: u64,
    },
    /// What a running attempt has printed as long as that is not in a file. Answered by [`Report::Output`].
    Peek {
        /// Which.
        key: AttemptKey,
    },
    /// All attempts that are armed, running, or over and not acknowledged. Answered by [`Report::Attempts`].
    List,
    /// Take no new launches, forget those that are not recorded as starting, and exit when the last attempt is over
    /// and acknowledged. Answered by [`Report::Draining`].
    Drain,
}

/// What becomes of running attempts for which a lease has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum AfterLease {
    /// They go on: no other node can decide anything without this one.
    RunsGoOn,
    /// Those that say so in [`Launch::unleased`] are ended.
    RunsEnd,
}

/// Which attempts a cancel stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CancelScope {
    /// Only one whose process does not exist yet; a running one goes on.
    BeforeStart,
    /// A running one too: TERM to its whole tree, the kill grace, KILL.
    Always,
}

/// A bundle to unpack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prepare {
    /// The job.
    pub job: JobId,
    /// The version that the bundle belongs to.
    pub version: VersionNumber,
    /// The bundle's file, a zstd-compressed canonical tar. Opened by the executor, so the owner need not see it.
    pub bundle: PathBuf,
    /// What the uncompressed tar must hash to.
    pub hash: BundleHash,
    /// Who will own what is unpacked.
    pub owner: Owner,
}

/// One process to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// Which.
    pub key: AttemptKey,
    /// The job, for the working directory and the environment.
    pub job: JobId,
    /// The job's name, for the environment.
    pub job_name: String,
    /// The job's version, for the working directory.
    pub version: VersionNumber,
    /// Whom it runs as.
    pub owner: Owner,
    /// The occurrence, or the instant at which a run without one became ready; for the environment.
    #[serde(with = "odin_model::instant")]
    pub due_at: Timestamp,
    /// Since when it waits to be started: from when its `queue` timeout counts.
    pub ready_at: Boottime,
    /// No process before this instant. Many of one instant start oldest first, then by run.
    pub not_before: Boottime,
    /// What it executes.
    pub program: LaunchProgram,
    /// The job file's `env`. What Odin sets by the names `ODIN_*` and `TRACEPARENT` wins over it.
    pub env: Vec<(String, String)>,
    /// The secrets in clear that its processes get, in the order of names; none has the name of a variable in `env`.
    /// They are masked in its output, and never written down.
    pub secrets: Vec<LaunchSecret>,
    /// How long its parts may take.
    pub timeouts: Timeouts,
    /// Between TERM and KILL.
    pub kill_grace: Duration,
    /// How much output is kept.
    pub output_bytes_max: u64,
    /// How much is kept of what it reports, in bytes.
    pub values_bytes_max: u64,
    /// How much of this machine it may use.
    pub limits: Limits,
    /// What becomes of what it leaves behind.
    pub children: Children,
    /// What runs before a cancel ends it.
    pub on_cancel: Option<OnCancel>,
    /// When it ends without a lease, where the lease says that runs do; `None` for a run that may overlap with others.
    pub unleased: Option<Unleased>,
    /// This node's name, for the environment.
    pub node: String,
}

/// A secret on its way to a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaunchSecret {
    /// The variable's name.
    pub name: SecretName,
    /// The value.
    pub value: SecretValue,
    /// Whether the variable holds the value, or the path of a file with it.
    pub delivery: SecretDelivery,
}

/// What a process executes. Relative files are relative to the unpacked bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaunchProgram {
    /// `<interpreter> <file> <args>`.
    Interpreted {
        /// A name to look up, or an absolute path.
        interpreter: String,
        /// Where this node's settings say that the interpreter is; tried first. Absolute paths.
        configured: Vec<String>,
        /// The code.
        file: String,
        /// What follows the file.
        args: Vec<String>,
    },
    /// A program and its arguments. One without `/` is looked up as a shell would.
    Argv(Vec<String>),
    /// A line for `/bin/sh -c`, which sees the arguments as `$1` and so on.
    Shell {
        /// The line.
        line: String,
        /// Its arguments.
        args: Vec<String>,
    },
}

/// What the executor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The answer to [`Request::Hello`].
    Welcome(Welcome),
    /// The executor speaks another protocol. It closes the connection.
    Incompatible {
        /// The one it speaks.
        protocol: u16,
    },
    /// What happened, in the order of the numbers. Sent again on a new connection until acknowledged.
    Events(Vec<NumberedEvent>),
    /// The answer to [`Request::Prepare`].
    Prepared {
        /// The job.
        job: JobId,
        /// The version.
        version: VersionNumber,
        /// `None` when `jobs/<job>/<version>/` is there.
        failure: Option<PrepareFailure>,
    },
    /// An attempt was not armed, or not cancelled.
    Refused {
        /// Which.
        key: AttemptKey,
        /// Why.
        reason: RefusalReason,
    },
    /// The answer to [`Request::Peek`].
    Output {
        /// Which attempt.
        key: AttemptKey,
        /// Where the output is.
        output: PeekedOutput,
    },
    /// The answer to [`Request::List`].
    Attempts(Vec<ListedAttempt>),
    /// The answer to [`Request::Drain`].
    Draining {
        /// How many attempts it waits for.
        attempts: u64,
    },
}

/// Who the executor is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// Drawn when it started: another one means another process.
    pub executor: u64,
    /// Its process id.
    pub pid: u32,
    /// The kernel's boot id: another one means that the machine started again.
    pub boot_id: String,
    /// The messages it speaks.
    pub protocol: u16,
    /// Whether it can record, and so start, processes.
    pub journal: JournalHealth,
    /// Its [`BUILD`].
    pub build: String,
    /// Whether it was told to drain, and takes no launches.
    pub is_draining: bool,
}

/// Whether the executor can record, and so start, processes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JournalHealth {
    /// Yes.
    Writable,
    /// Too many results wait for the server's acknowledgement. Launches stay armed until it comes.
    Full,
    /// The disk refuses. Launches stay armed; writing is tried again every second.
    Failing {
        /// The system's words.
        error: String,
    },
}

/// An event and its number. Numbers grow for the life of a journal and are never used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberedEvent {
    /// For [`Request::Ack`].
    pub number: u64,
    /// What happened.
    pub event: AttemptEvent,
}

/// Why a bundle could not be unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrepareFailure {
    /// Stable across releases, such as `bundle/outside`.
    pub code: String,
    /// In words.
    pub message: String,
}

/// Why an attempt was not armed or not cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalReason {
    /// It started, and may be over: its events say how, unless they were acknowledged.
    AlreadyStarted,
    /// It was over, and acknowledged, not long ago.
    AlreadyOver,
    /// As many are armed as the executor holds. Arm it again later.
    Full,
    /// The executor is going. Arm it in the next one.
    Draining,
}

/// What an attempt has printed so far.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum PeekedOutput {
    /// All of it.
    Inline(Vec<OutputChunk>),
    /// It is in the attempt's file: see [`output::read`](crate::output::read).
    InFile,
    /// The attempt does not run here.
    NotRunning,
}

/// An attempt that the executor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListedAttempt {
    /// Which.
    pub key: AttemptKey,
    /// Where it stands.
    pub state: ListedState,
}

/// Where an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ListedState {
    /// It waits for its instant.
    Armed,
    /// Its instant has come, and there is no lease.
    WaitsForLease,
    /// It is recorded as starting; its process may exist.
    Starting,
    /// Its process exists, or what it left behind does.
    Running,
    /// It is over; its result is not acknowledged.
    Finished,
}

#[cfg(test)]
impl AttemptKey {
    /// A key for tests.
    pub(crate) fn of_bits(run: u64, attempt: u32) -> Self {
        Self {
            run: RunId::from_bits(run),
            attempt: AttemptNumber(attempt),
        }
    }
}
