//! Why a server could not be asked, or what it refused.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use odin_wire::{Exit, Problem};

/// Why a request has no answer, or a refusal as its answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no Odin server is running at {place}")]
    NotRunning {
        /// Where was looked.
        place: String,
    },
    /// The socket is there and this user may not use it.
    #[error("you may not use the socket {}", path.display())]
    SocketNotPermitted {
        /// The socket.
        path: PathBuf,
    },
    /// The socket that the node of a port named belongs to somebody else.
    #[error(
        "what listens on port {port} named the socket {}, which user {uid} holds: neither root nor you",
        path.display()
    )]
    StrangersSocket {
        /// The port that was asked.
        port: u16,
        /// The socket that it named.
        path: PathBuf,
        /// The uid of the process behind it.
        uid: u32,
    },
    /// The node of a port has no unix socket.
    #[error("the node on port {port} has no unix socket")]
    NoSocket {
        /// The port that was asked.
        port: u16,
    },
    /// A server is named by URL and there is no token.
    #[error("a token is needed to speak to {place} over TCP")]
    TokenMissing {
        /// The address.
        place: String,
    },
    /// Something answers that is not Odin.
    #[error("what answers at {place} is not an Odin server: {detail}")]
    NotOdin {
        /// Where.
        place: String,
        /// What is odd.
        detail: String,
    },
    /// The connection cannot be made for another reason.
    #[error("cannot connect to {place}: {source}")]
    Connect {
        /// Where.
        place: String,
        /// Why.
        source: io::Error,
    },
    /// The connection broke, and a repetition did not help or was not safe.
    #[error("the connection to {place} broke before the answer was complete: {detail}")]
    Lost {
        /// Where.
        place: String,
        /// What the transport says.
        detail: String,
        /// Whether the request may have been carried out.
        carried_out: CarriedOut,
    },
    /// The server took too long.
    #[error("{place} did not answer within {} s", after.as_secs())]
    TimedOut {
        /// Where.
        place: String,
        /// How long was waited.
        after: Duration,
        /// Whether the request may have been carried out.
        carried_out: CarriedOut,
    },
    /// More than a client takes.
    #[error("the answer of {place} is larger than {bytes_max} bytes")]
    TooLarge {
        /// Where.
        place: String,
        /// The most that is taken.
        bytes_max: usize,
    },
    /// A deletion's first reply was lost, and its repetition found nothing.
    #[error("it is gone")]
    #[doc(hidden)]
    GoneAfterLostReply,
    /// The server answered with a problem.
    #[error("{}", .0.detail)]
    Refused(Box<Problem>),
}

/// Whether a request without an answer may have changed something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarriedOut {
    /// It cannot: it changes nothing, or never left.
    No,
    /// Nobody can tell.
    Perhaps,
}

impl ClientError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::NotRunning { .. } => "client/not-running",
            Self::SocketNotPermitted { .. } => "client/socket-not-permitted",
            Self::StrangersSocket { .. } => "client/strangers-socket",
            Self::NoSocket { .. } => "client/no-socket",
            Self::TokenMissing { .. } => "client/token-missing",
            Self::NotOdin { .. } => "client/not-odin",
            Self::Connect { .. } => "client/cannot-connect",
            Self::Lost { .. } => "client/connection-lost",
            Self::TimedOut { .. } => "client/timeout",
            Self::TooLarge { .. } => "client/answer-too-large",
            Self::GoneAfterLostReply => "client/gone",
            Self::Refused(problem) => &problem.code,
        }
    }

    /// The exit code of a command that ends with this error.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::NotRunning { .. } | Self::Connect { .. } | Self::NoSocket { .. } => {
                Exit::Unavailable
            }
            Self::Lost { .. } | Self::TimedOut { .. } | Self::NotOdin { .. } => Exit::Unavailable,
            Self::SocketNotPermitted { .. }
            | Self::StrangersSocket { .. }
            | Self::TokenMissing { .. } => Exit::NotPermitted,
            Self::TooLarge { .. } => Exit::Failed,
            Self::GoneAfterLostReply => Exit::NotFound,
            Self::Refused(problem) => problem.exit(),
        }
    }

    /// The next thing to do, as one sentence.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NotRunning { .. } => {
                "Start one with `odin server`, or name another with `-p :PORT` or `--server`."
            }
            Self::SocketNotPermitted { .. } => {
                "Ask for membership in the server's group: `usermod -aG odin USER`, then log in again."
            }
            Self::StrangersSocket { .. } => {
                "Name the socket with `--server unix:PATH` if you trust that user."
            }
            Self::NoSocket { .. } => {
                "Name it with `--server http://127.0.0.1:PORT` and give a token."
            }
            Self::TokenMissing { .. } => {
                "Give one with --token or ODIN_TOKEN; the server's own user finds it in <data-dir>/local.token."
            }
            Self::NotOdin { .. } => "Check the port or the address.",
            Self::Connect { .. } => "Check the address, and whether the server is up.",
            Self::Lost { carried_out, .. } | Self::TimedOut { carried_out, .. } => {
                match carried_out {
                    CarriedOut::No => "Try again.",
                    CarriedOut::Perhaps => {
                        "It may have been carried out: look with `odin list` or `odin runs` before you repeat it."
                    }
                }
            }
            Self::TooLarge { .. } => "Ask for less at once.",
            Self::GoneAfterLostReply => return None,
            Self::Refused(problem) => return problem.help.clone(),
        };
        Some(help.to_owned())
    }

    /// The same as a problem, for who wants every error in one form.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        if let Self::Refused(problem) = self {
            return *problem;
        }
        let status = match self.exit() {
            Exit::Unavailable => 503,
            Exit::NotPermitted => 403,
            Exit::Done | Exit::Failed | Exit::Refused | Exit::NotFound | Exit::Conflict => 500,
        };
        let code = self.code();
        Problem {
            kind: format!("urn:odin:{code}"),
            title: "The server could not be asked".to_owned(),
            status,
            code: code.to_owned(),
            detail: self.to_string(),
            help: self.help(),
            errors: Vec::new(),
        }
    }
}
