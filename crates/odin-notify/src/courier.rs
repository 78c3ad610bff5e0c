//! One attempt to send one message.

use std::time::Duration;

use jiff::Timestamp;
use odin_model::SecretValue;
use odin_model::channel::{EmailTarget, WebhookTarget};
use odin_model::delivery::Message;

use crate::{mail, webhook};

/// How long a connection may take to be there, TLS included.
pub(crate) const CONNECT_MAX: Duration = Duration::from_secs(10);
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

/// A message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct SendError {
    /// Whether it is worth trying again.
    pub trouble: Trouble,
    /// Why, in words. Names no secret.
    pub reason: String,
    /// What was done before, in order.
    pub steps: Vec<String>,
}

/// What went wrong, before it is known which steps came before.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) trouble: Trouble,
    pub(crate) reason: String,
}

impl Failed {
    pub(crate) fn for_now(reason: impl Into<String>) -> Self {
        Self {
            trouble: Trouble::ForNow,
            reason: reason.into(),
        }
    }

    pub(crate) fn for_good(reason: impl Into<String>) -> Self {
        Self {
            trouble: Trouble::ForGood,
            reason: reason.into(),
        }
    }
}

/// Sends messages for one node.
#[derive(Debug, Clone)]
pub struct Courier {
    /// The node's name, by which it presents itself.
    node: String,
}

impl Courier {
    /// Sends for the node of that name.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
        }
    }

    /// Makes one attempt. It takes as long as the receiver does: bound it from outside.
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
                mail::send(target, password, message, &self.node, &mut steps).await
            }
            Destination::Webhook { target, key } => {
                webhook::send(target, key, message, now, &mut steps).await
            }
        };
        match sent {
            Ok(answer) => Ok(Receipt {
                answer: shown(&answer),
                steps,
            }),
            Err(Failed { trouble, reason }) => Err(SendError {
                trouble,
                reason: shown(&reason),
                steps,
            }),
        }
    }
}

/// A receiver's words on one line, without what a terminal would obey.
pub(crate) fn shown(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = words.join(" ");
    let mut shown: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(ANSWER_CHARS_MAX)
        .collect();
    if line.chars().nth(ANSWER_CHARS_MAX).is_some() {
        shown.push('…');
    }
    shown
}
