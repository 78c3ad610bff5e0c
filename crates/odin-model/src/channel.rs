//! Channels: where word of alerts goes. Set up by admins, named by jobs.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::alert::AlertKind;
use crate::on_cancel::HookCommand;
use crate::owner::{Owner, Principal};
use crate::secret::SecretName;

/// How many channels there may be.
pub const CHANNELS_MAX: usize = 200;
/// To how many addresses one channel writes.
pub const ADDRESSES_MAX: usize = 50;
/// How many channels a job may name.
pub const CHANNELS_OF_JOB_MAX: usize = 20;

/// A channel's name: 1 to [`ChannelName::BYTES_MAX`] bytes, lower-case letters, digits, `-`, `_` and `.`, a letter or
/// digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChannelName(String);

/// Why a text is not a channel's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChannelNameError {
    /// Nothing.
    #[error("a channel's name is empty")]
    Empty,
    /// Longer than [`ChannelName::BYTES_MAX`].
    #[error(
        "a channel's name has {bytes} bytes; at most {} are allowed",
        ChannelName::BYTES_MAX
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character that a name cannot hold, or not there.
    #[error(
        "a channel's name has lower-case letters, digits, `-`, `_` and `.`, a letter or digit first; not {character:?}"
    )]
    Character {
        /// The character.
        character: char,
    },
}

impl ChannelName {
    /// The longest name.
    pub const BYTES_MAX: usize = 64;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, or holds what a name cannot.
    pub fn parse(text: &str) -> Result<Self, ChannelNameError> {
        if text.is_empty() {
            return Err(ChannelNameError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(ChannelNameError::TooLong { bytes: text.len() });
        }
        let fits = |(place, c): (usize, char)| {
            let is_plain = c.is_ascii_lowercase() || c.is_ascii_digit();
            is_plain || (place > 0 && matches!(c, '-' | '_' | '.'))
        };
        match text.char_indices().find(|it| !fits(*it)) {
            Some((_, character)) => Err(ChannelNameError::Character { character }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for ChannelName {
    type Error = ChannelNameError;

    fn try_from(text: String) -> Result<Self, ChannelNameError> {
        Self::parse(&text)
    }
}

impl From<ChannelName> for String {
    fn from(name: ChannelName) -> Self {
        name.0
    }
}

/// How a channel takes word to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// By mail.
    Email(EmailTarget),
    /// By an HTTP request.
    Webhook(WebhookTarget),
    /// By a program, which runs as the owner of the job that the word is about; for what is about no job, as the
    /// user who set the channel up.
    Command(HookCommand),
}

impl Target {
    /// The word in the API and the CLI.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Email(_) => "email",
            Self::Webhook(_) => "webhook",
            Self::Command(_) => "command",
        }
    }

    /// The secret that it needs, one of the user's who set the channel up. `None`: it needs none.
    #[must_use]
    pub fn secret(&self) -> Option<&SecretName> {
        match self {
            Self::Email(email) => email.login.as_ref().map(|login| &login.password),
            Self::Webhook(webhook) => webhook.secret.as_ref(),
            Self::Command(_) => None,
        }
    }
}

/// Mail through one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EmailTarget {
    /// Who gets it: addresses, at most [`ADDRESSES_MAX`].
    pub to: Vec<String>,
    /// Whom it is from.
    pub from: String,
    /// The mail server's host name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub security: MailSecurity,
    /// How the server knows Odin. `None`: it does not ask.
    pub login: Option<MailLogin>,
}

/// How a connection to a mail server is secured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MailSecurity {
    /// TLS from the beginning: `smtps://`, port 465.
    Tls,
    /// STARTTLS, and nothing is sent without it: `smtp://`, port 587.
    StartTls,
    /// None, for a server on the same machine or in a network of its own: `smtp+plain://`, port 25.
    Plain,
}

impl MailSecurity {
    /// The scheme of its address.
    #[must_use]
    pub fn scheme(self) -> &'static str {
        match self {
            Self::Tls => "smtps",
            Self::StartTls => "smtp",
            Self::Plain => "smtp+plain",
        }
    }

    /// The port when the address has none.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::Tls => 465,
            Self::StartTls => 587,
            Self::Plain => 25,
        }
    }
}

/// A name and a password for a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailLogin {
    /// The name.
    pub user: String,
    /// The secret that holds the password.
    pub password: SecretName,
}

/// A POST to one address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookTarget {
    /// `http` or `https`.
    pub url: String,
    /// The secret that signs it. `None`: it is not signed.
    pub secret: Option<SecretName>,
}

/// The times of day in which a channel is quiet: word waits, and comes as one message at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuietHours {
    /// The minute of the day, 0 to 1439, at which they begin.
    pub from_minute: u16,
    /// The minute of the day at which they end; not the first. Before the first: on the day after.
    pub to_minute: u16,
    /// The IANA zone of both.
    pub timezone: String,
}

/// What a channel is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelSpec {
    /// Where word goes.
    pub target: Target,
    /// When it waits. `None`: never.
    pub quiet: Option<QuietHours>,
    /// The kinds that do not wait in quiet hours, in the order of [`AlertKind::ALL`].
    pub urgent: Vec<AlertKind>,
    /// For how long further alerts are gathered into the message that the first one began.
    pub gather: Duration,
    /// Whether it gets the alerts that are about no job: nodes, disks, the ledger.
    pub server_alerts: bool,
}

impl ChannelSpec {
    /// How long alerts are gathered unless the channel says otherwise.
    pub const GATHER_DEFAULT: Duration = Duration::from_secs(10);
    /// The longest that they may be gathered.
    pub const GATHER_MAX: Duration = Duration::from_secs(24 * 3600);

    /// A channel with every default.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self {
            target,
            quiet: None,
            urgent: Vec::new(),
            gather: Self::GATHER_DEFAULT,
            server_alerts: false,
        }
    }
}

/// A channel as the replicated state holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Channel {
    /// Its name.
    pub name: ChannelName,
    /// Who set it up last: the secrets that it names are theirs.
    pub owner: Owner,
    /// What it is.
    pub spec: ChannelSpec,
    /// Drawn when it was made: part of the ids of its messages, so that those of two clusters differ.
    pub token: u64,
    /// When it was set last.
    pub set_at: Timestamp,
}

/// A change of the channels. Takes an admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "the command that holds it has it in a box"
)]
pub enum ChannelChange {
    /// A channel is made or changed.
    Set {
        /// Who asks.
        by: Principal,
        /// Its name.
        name: ChannelName,
        /// What it is from now on; messages that wait go there.
        spec: ChannelSpec,
        /// Drawn by the handler; a channel that is there keeps its own.
        token: u64,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A channel goes, and with it what waits for it.
    Remove {
        /// Who asks.
        by: Principal,
        /// Its name.
        name: ChannelName,
        /// Whether it goes even while jobs name it.
        force: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_a_job_file_and_a_path_can_say() {
        use ChannelNameError as E;
        let long = "x".repeat(65);
        for (text, expected) in [
            ("", E::Empty),
            (long.as_str(), E::TooLong { bytes: 65 }),
            ("Ops", E::Character { character: 'O' }),
            ("a b", E::Character { character: ' ' }),
            ("a/b", E::Character { character: '/' }),
            ("-a", E::Character { character: '-' }),
            ("..", E::Character { character: '.' }),
        ] {
            assert_eq!(ChannelName::parse(text), Err(expected), "{text:?}");
        }
        for text in ["ops", "on-call.2", "7"] {
            assert_eq!(ChannelName::parse(text).unwrap().as_str(), text);
        }
    }
}
