//! One attempt to send one message.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::SecretValue;
use odin_model::channel::{EmailTarget, WebhookTarget};
use odin_model::delivery::{Message, SettledRecipient};
use odin_outbound::{Bounds, OutboundError};

use crate::render::one_line;
use crate::{mail, webhook};

/// How much of a web server's answer is read: enough to show why it is a refusal.
const ANSWER_BYTES_MAX: usize = 4 * 1024;
/// How long is waited for the body of an answer whose head is there: its status counts, not its body.
const BODY_MAX: Duration = Duration::from_secs(2);
/// How much of a receiver's answer is kept to be shown.
const ANSWER_CHARS_MAX: usize = 300;

/// Where a message goes, with the secret that it takes.
#[derive(Debug)]
pub enum Destination<'a> {
    /// A mail server.
    Mail {
        /// Which, and whom it is for.
        target: &'a EmailTarget,
        /// The password, where the target has a login.
        password: Option<&'a SecretValue>,
    },
    /// A web server.
    Webhook {
        /// Its address.
        target: &'a WebhookTarget,
        /// The key that signs, where the target has one.
        key: Option<&'a SecretValue>,
    },
}

/// A message was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// What the receiver said.
    pub answer: String,
    /// What was done, in order, for people who look.
    pub steps: Vec<String>,
}

/// Whether it is worth trying again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// The receiver is not there, not well, or does not know us: that may change.
    ForNow,
    /// It refuses this message, and will again.
    ForGood,
}

/// A message was not taken, or not for all of its recipients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    /// Whether it is worth trying again.
    pub trouble: Trouble,
    /// Why, in words. Names no secret.
    pub reason: String,
    /// What was done before, in order.
    pub steps: Vec<String>,
    /// Whom the next attempt is to leave out: the recipients of a mail who have it, and those who never will. Empty where
    /// nobody got it.
    pub settled: Vec<SettledRecipient>,
}

/// What went wrong, before it is known which steps came before.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) trouble: Trouble,
    pub(crate) reason: String,
    /// As [`SendError::settled`].
    pub(crate) settled: Vec<SettledRecipient>,
}

impl Failed {
    pub(crate) fn for_now(reason: impl Into<String>) -> Self {
        Self {
            trouble: Trouble::ForNow,
            reason: reason.into(),
            settled: Vec::new(),
        }
    }

    pub(crate) fn for_good(reason: impl Into<String>) -> Self {
        Self {
            trouble: Trouble::ForGood,
            reason: reason.into(),
            settled: Vec::new(),
        }
    }
}

impl From<OutboundError> for Failed {
    /// Whatever keeps a receiver from answering may be mended.
    fn from(error: OutboundError) -> Self {
        Self::for_now(error.to_string())
    }
}

/// Sends messages for one node.
#[derive(Debug, Clone)]
pub struct Courier {
    /// The node's name, by which it presents itself.
    node: String,
    bounds: Bounds,
}

impl Courier {
    /// Sends for the node of that name: 10 s to connect and 30 s to an answer, of which 4 KiB are read.
    #[must_use]
    pub fn new(node: &str) -> Self {
        let bounds = Bounds {
            body: BODY_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
            ..Bounds::default()
        };
        Self::with_bounds(node, bounds)
    }

    /// Sends for the node of that name, and waits for receivers as long as `bounds` says.
    #[must_use]
    pub fn with_bounds(node: &str, bounds: Bounds) -> Self {
        Self {
            node: node.to_owned(),
            bounds,
        }
    }

    /// Makes one attempt.
    ///
    /// # Errors
    /// When the receiver did not say that it took the message. It may have taken it all the same, if it was gone
    /// before it could say so.
    pub async fn send(
        &self,
        to: Destination<'_>,
        message: &Message,
        now: Timestamp,
    ) -> Result<Receipt, SendError> {
        let mut steps = Vec::new();
        let sent = match to {
            Destination::Mail { target, password } => {
                let (node, bounds) = (&self.node, &self.bounds);
                mail::send(target, password, message, node, bounds, &mut steps).await
            }
            Destination::Webhook { target, key } => {
                webhook::send(target, key, message, now, self.bounds, &mut steps).await
            }
        };
        match sent {
            Ok(answer) => Ok(Receipt {
                answer: shown(&answer),
                steps,
            }),
            Err(Failed {
                trouble,
                reason,
                settled,
            }) => Err(SendError {
                trouble,
                reason: shown(&reason),
                steps,
                settled,
            }),
        }
    }
}

/// A receiver's words on one line, without what a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    let line = one_line(text);
    let mut shown: String = line.chars().take(ANSWER_CHARS_MAX).collect();
    if line.chars().nth(ANSWER_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
