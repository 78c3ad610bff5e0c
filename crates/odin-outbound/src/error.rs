//! Why a receiver gave no answer. The words say where, what, and what to do about it.

use std::io;
use std::time::Duration;

use jiff::Timestamp;

/// A receiver gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OutboundError {
    /// The name has no address.
    #[error(
        "cannot connect to {place}: the host is not found ({reason}); check its name, and this node's DNS"
    )]
    NotFound {
        /// Host and port.
        place: String,
        /// The resolver's words.
        reason: String,
    },
    /// No connection was made.
    #[error("cannot connect to {place}: {reason}{}", next_step(*kind))]
    NotConnected {
        /// Host and port.
        place: String,
        /// What kind of failure.
        kind: io::ErrorKind,
        /// The system's words.
        reason: String,
    },
    /// No connection was there in time.
    #[error("{place} did not connect within {}; check the port, and the firewalls on the way", seconds(*after))]
    NotConnectedInTime {
        /// Host and port.
        place: String,
        /// How long was waited.
        after: Duration,
    },
    /// This machine has no certificates to trust.
    #[error("this machine trusts no certificates: {reason}; install ca-certificates")]
    TrustsNobody {
        /// Why.
        reason: String,
    },
    /// The connection cannot be encrypted, or not with whom it should.
    #[error("no TLS with {place}: {flaw}")]
    Tls {
        /// Host and port.
        place: String,
        /// What is wrong.
        flaw: TlsFlaw,
    },
    /// What it said is not HTTP.
    #[error("{place} does not answer in HTTP ({reason}); check the port, and whether the address should be {}", other_scheme(*is_tls))]
    NotHttp {
        /// Host and port.
        place: String,
        /// What could not be read.
        reason: String,
        /// Whether it was spoken to over TLS.
        is_tls: bool,
    },
    /// The connection ended before the answer did.
    #[error("the connection to {place} broke: {reason}")]
    Broken {
        /// Host and port.
        place: String,
        /// How.
        reason: String,
    },
    /// No answer was there in time.
    #[error("{place} did not answer within {}", seconds(*after))]
    NoAnswer {
        /// Host and port.
        place: String,
        /// How long was waited.
        after: Duration,
    },
    /// A secret that no header can hold.
    #[error(
        "the secret holds what no HTTP header can, such as a line's end in its middle; set it anew"
    )]
    SecretUnfit,
    /// The address makes no request.
    #[error("no request can be made for {place}: {reason}")]
    BadRequest {
        /// Host and port.
        place: String,
        /// Why.
        reason: String,
    },
}

/// What keeps TLS from being spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsFlaw {
    /// Nobody that this machine trusts has signed the certificate.
    #[error(
        "nobody whom this machine trusts has signed its certificate; put the authority's certificate among the machine's (update-ca-certificates), or name it to the server with SSL_CERT_FILE"
    )]
    UnknownIssuer,
    /// The certificate is one that signs others, as `openssl req -x509` makes them, and no host's.
    #[error(
        "its certificate is an authority's, which no host may show as its own; make one for the host that this one signs (basicConstraints CA:FALSE)"
    )]
    Authority,
    /// The certificate's time is over.
    #[error("its certificate expired{}; the receiver needs a new one, or this machine's clock is wrong", on(*.0))]
    Expired(Option<Timestamp>),
    /// The certificate's time has not come.
    #[error("its certificate is not valid yet{}; check this machine's clock", on(*.0))]
    NotYetValid(Option<Timestamp>),
    /// The certificate is another host's.
    #[error("its certificate is for {}, not for {host}; use a name that it has", names(.presented))]
    OtherHost {
        /// Whom it should be for.
        host: String,
        /// Whom it is for.
        presented: Vec<String>,
    },
    /// It speaks something else.
    #[error("it does not speak TLS there; check the port, or use the address without TLS")]
    NotTls,
    /// Anything else, in the library's words.
    #[error("{0}")]
    Other(String),
}

/// An error with what caused it, for libraries whose own words name only the step.
#[must_use]
pub fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words.push_str(": ");
            words.push_str(&cause_words);
        }
        source = cause.source();
    }
    words
}

fn next_step(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::ConnectionRefused => {
            "; nothing listens there: check the port, and that the receiver runs"
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "; check this node's network and the firewalls on the way"
        }
        _ => "",
    }
}

fn other_scheme(is_tls: bool) -> &'static str {
    match is_tls {
        true => "http://",
        false => "https://",
    }
}

fn seconds(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

fn on(instant: Option<Timestamp>) -> String {
    instant.map_or_else(String::new, |it| format!(" at {it}"))
}

/// A few names are enough to see that it is another's.
fn names(presented: &[String]) -> String {
    const SHOWN_MAX: usize = 3;
    let shown: Vec<&str> = presented
        .iter()
        .take(SHOWN_MAX)
        .map(String::as_str)
        .collect();
    match (shown.as_slice(), presented.len() - shown.len()) {
        ([], _) => "no name".to_owned(),
        (shown, 0) => shown.join(", "),
        (shown, more) => format!("{} and {more} more", shown.join(", ")),
    }
}
