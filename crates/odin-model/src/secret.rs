//! Values that jobs need and nobody may read: their names, their sealed form, how a job gets them.
//!
//! The log and the state hold [`SealedSecret`]s only. A [`SecretValue`] exists where it is sealed, and where a run
//! that needs it is armed.

use std::fmt::{self, Display};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::channel::ChannelName;
use crate::id::JobId;
use crate::job::JobName;
use crate::owner::{Owner, Principal};
use crate::sink::SinkName;

/// A secret's name, unique per owner, and the name of the environment variable by which a job gets it: a letter or
/// `_`, then letters, digits and `_`, at most [`SecretName::BYTES_MAX`] bytes, not beginning with `ODIN_`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SecretName(String);

/// Why a text is not a secret's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretNameError {
    /// Nothing.
    #[error("a secret's name is empty")]
    Empty,
    /// Longer than [`SecretName::BYTES_MAX`].
    #[error(
        "a secret's name has {bytes} bytes; at most {} are allowed",
        SecretName::BYTES_MAX
    )]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character that a name cannot hold, or not there.
    #[error(
        "a secret's name is that of a variable: letters, digits and `_`, no digit first; not {character:?}"
    )]
    Character {
        /// The character.
        character: char,
    },
    /// Odin sets such variables itself.
    #[error("names that begin with `ODIN_` are Odin's own")]
    Reserved,
}

impl SecretName {
    /// The longest name.
    pub const BYTES_MAX: usize = 128;

    /// Checks a name.
    ///
    /// # Errors
    /// When it is empty, too long, reserved, or not a variable's.
    pub fn parse(text: &str) -> Result<Self, SecretNameError> {
        if text.is_empty() {
            return Err(SecretNameError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(SecretNameError::TooLong { bytes: text.len() });
        }
        let fits = |(place, c): (usize, char)| {
            c == '_' || c.is_ascii_alphabetic() || (place > 0 && c.is_ascii_digit())
        };
        if let Some((_, character)) = text.char_indices().find(|it| !fits(*it)) {
            return Err(SecretNameError::Character { character });
        }
        if text.starts_with("ODIN_") {
            return Err(SecretNameError::Reserved);
        }
        Ok(Self(text.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl TryFrom<String> for SecretName {
    type Error = SecretNameError;

    fn try_from(text: String) -> Result<Self, SecretNameError> {
        Self::parse(&text)
    }
}

impl From<SecretName> for String {
    fn from(name: SecretName) -> Self {
        name.0
    }
}

/// How a job gets a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum SecretDelivery {
    /// As the environment variable of its name.
    #[default]
    Env,
    /// In a file that only the owner can read, on a memory file system; the variable of its name holds the path.
    File,
}

impl SecretDelivery {
    /// The word in job files and in JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::File => "file",
        }
    }
}

/// A secret that a job names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SecretUse {
    /// Which.
    pub name: SecretName,
    /// How its processes get it.
    pub delivery: SecretDelivery,
}

/// How many secrets a job may name.
pub const SECRETS_OF_JOB_MAX: usize = 64;
/// How long the secrets of one run may be together, in bytes: what has to be held and looked for in its output
/// grows with them.
pub const SECRETS_OF_RUN_BYTES_MAX: usize = 128 * 1024;
/// How many secrets an owner may have.
pub const SECRETS_OF_OWNER_MAX: usize = 1000;
/// The shortest value that is masked in output: a shorter one would hide half of what a program prints.
pub const MASKED_BYTES_MIN: usize = 6;

/// A secret in clear, 1 to [`SecretValue::BYTES_MAX`] bytes of any kind. Its memory is overwritten when it is dropped,
/// and it is never printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecretValue(Zeroizing<Vec<u8>>);

/// Why bytes are not a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a secret has 1 to {} bytes, not {bytes}", SecretValue::BYTES_MAX)]
pub struct SecretValueError {
    /// How many there are.
    pub bytes: usize,
}

impl SecretValue {
    /// The longest value.
    pub const BYTES_MAX: usize = 64 * 1024;

    /// Takes bytes over.
    ///
    /// # Errors
    /// When there are none, or too many; they are overwritten then too.
    pub fn new(bytes: Vec<u8>) -> Result<Self, SecretValueError> {
        let value = Zeroizing::new(bytes);
        match value.len() {
            1..=Self::BYTES_MAX => Ok(Self(value)),
            bytes => Err(SecretValueError { bytes }),
        }
    }

    /// The bytes in clear.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Whether it is masked in output: white space around it does not count towards its length.
    #[must_use]
    pub fn is_masked(&self) -> bool {
        self.0.trim_ascii().len() >= MASKED_BYTES_MIN
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretValue(..)")
    }
}

/// Names the key that sealed a secret, and tells nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SealingKeyId(pub [u8; 8]);

impl fmt::Display for SealingKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A secret as the log and the state have it: readable by nodes that hold the key, and bound to its owner and name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedSecret {
    /// Which key opens it.
    pub key: SealingKeyId,
    /// Drawn at random for each sealing.
    pub nonce: [u8; 24],
    /// XChaCha20-Poly1305 of the value, with its tag.
    pub ciphertext: Vec<u8>,
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedSecret(key {})", self.key)
    }
}

/// A change of the secrets in the state. Who asks for somebody else's must be an admin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretChange {
    /// A secret gets a value, whether or not it had one. Whom it is shared with stays.
    Set {
        /// Who asks.
        by: Principal,
        /// Whose it is.
        owner: Owner,
        /// Its name.
        name: SecretName,
        /// The value.
        sealed: SealedSecret,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// A secret goes, and nobody shares it any more.
    Remove {
        /// Who asks.
        by: Principal,
        /// Whose it is.
        owner: Owner,
        /// Its name.
        name: SecretName,
        /// What to do about jobs that use it.
        users: SecretUsers,
    },
    /// An admin lets another user's jobs use a secret.
    Share {
        /// Who asks.
        by: Principal,
        /// Whose it is.
        owner: Owner,
        /// Its name.
        name: SecretName,
        /// Whose jobs may use it.
        with: Owner,
        /// The leader's wall clock.
        #[serde(with = "crate::instant")]
        at: Timestamp,
    },
    /// That ends.
    Unshare {
        /// Who asks.
        by: Principal,
        /// Whose it is.
        owner: Owner,
        /// Its name.
        name: SecretName,
        /// Whose jobs may no longer use it.
        with: Owner,
        /// What to do about jobs that use it.
        users: SecretUsers,
    },
}

/// What a change that takes a secret away does about jobs that use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SecretUsers {
    /// The change is refused while there is one.
    Protect,
    /// Jobs' next runs end as `not_startable`; what channels would send waits until the secret is there again.
    Ignore,
}

/// Why a change of the secrets, or a job that names one, was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum SecretRefusal {
    /// No such secret of that owner, or not one that the asker may see.
    #[error("{owner} has no secret `{name}`")]
    NotFound {
        /// The name.
        name: SecretName,
        /// The owner's user name.
        owner: String,
    },
    /// Jobs use it.
    #[error("the secret `{name}` is used by {}", shown(jobs, *count))]
    InUse {
        /// The name.
        name: SecretName,
        /// Some of the jobs, by name.
        jobs: Vec<(JobId, JobName)>,
        /// How many there are.
        count: u64,
    },
    /// The owner has as many as there may be.
    #[error("{owner} has {count} secrets; at most {SECRETS_OF_OWNER_MAX} are kept")]
    TooMany {
        /// The owner's user name.
        owner: String,
        /// How many there are.
        count: u64,
    },
    /// Somebody else's secret of that name is shared with the user already.
    #[error("`{name}` of {owner} is shared with {with} already")]
    ShareTaken {
        /// The name.
        name: SecretName,
        /// Whose secret that is.
        owner: String,
        /// The user.
        with: String,
    },
    /// A secret is its owner's anyway.
    #[error("`{name}` belongs to {owner} already")]
    OwnShare {
        /// The name.
        name: SecretName,
        /// The owner's user name.
        owner: String,
    },
    /// It is not shared with that user.
    #[error("the secret `{name}` is not shared with {with}")]
    NotShared {
        /// The name.
        name: SecretName,
        /// The user.
        with: String,
    },
    /// A job names a secret that its owner neither has nor shares.
    #[error("{owner} has no secret `{name}`")]
    NoSuchSecret {
        /// The name.
        name: SecretName,
        /// The job's owner.
        owner: String,
    },
    /// Channels use it.
    #[error("the secret `{name}` is used by {}", shown_senders("channel", channels, *count))]
    UsedByChannels {
        /// The name.
        name: SecretName,
        /// Some of the channels, by name.
        channels: Vec<ChannelName>,
        /// How many there are.
        count: u64,
    },
    /// Sinks use it.
    #[error("the secret `{name}` is used by {}", shown_senders("sink", sinks, *count))]
    UsedBySinks {
        /// The name.
        name: SecretName,
        /// Some of the sinks, by name.
        sinks: Vec<SinkName>,
        /// How many there are.
        count: u64,
    },
}

/// Channels or sinks in words.
fn shown_senders(noun: &str, senders: &[impl Display], count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    let each: Vec<String> = senders.iter().map(|name| format!("`{name}`")).collect();
    let named = u64::try_from(senders.len()).unwrap_or(u64::MAX);
    match count.saturating_sub(named) {
        0 => format!("the {noun}{plural} {}", each.join(", ")),
        more => format!("the {noun}{plural} {} and {more} more", each.join(", ")),
    }
}

/// Jobs in words.
fn shown(jobs: &[(JobId, JobName)], count: u64) -> String {
    let each: Vec<String> = jobs
        .iter()
        .map(|(id, name)| format!("`{name}` ({id})"))
        .collect();
    let more = count.saturating_sub(u64::try_from(jobs.len()).unwrap_or(u64::MAX));
    match more {
        more if jobs.is_empty() => format!("{more} jobs of others"),
        0 => each.join(", "),
        more => format!("{} and {more} more", each.join(", ")),
    }
}

impl SecretRefusal {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "secret/not-found",
            Self::InUse { .. } | Self::UsedByChannels { .. } | Self::UsedBySinks { .. } => {
                "secret/in-use"
            }
            Self::TooMany { .. } => "secret/too-many",
            Self::ShareTaken { .. } => "secret/share-taken",
            Self::OwnShare { .. } => "secret/own-share",
            Self::NotShared { .. } => "secret/not-shared",
            Self::NoSuchSecret { .. } => "job/no-such-secret",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_no_variable_can_have_is_refused() {
        use SecretNameError as E;
        let long = "x".repeat(129);
        for (text, expected) in [
            ("", E::Empty),
            (long.as_str(), E::TooLong { bytes: 129 }),
            ("1A", E::Character { character: '1' }),
            ("A-B", E::Character { character: '-' }),
            ("A=B", E::Character { character: '=' }),
            ("Ä", E::Character { character: 'Ä' }),
            ("A\n", E::Character { character: '\n' }),
            ("ODIN_TOKEN", E::Reserved),
        ] {
            assert_eq!(SecretName::parse(text), Err(expected), "{text:?}");
        }
        for text in ["A", "_a", "API_KEY", "k2"] {
            assert_eq!(SecretName::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_value_is_never_printed() {
        let value = SecretValue::new(b"correct horse".to_vec()).unwrap();
        assert_eq!(
            format!("{value:?} {value:#?}"),
            "SecretValue(..) SecretValue(..)"
        );
    }

    #[test]
    fn a_value_has_bounds_and_short_ones_are_not_masked() {
        let bytes = |count| SecretValue::new(vec![b'x'; count]);
        assert_eq!(bytes(0), Err(SecretValueError { bytes: 0 }));
        assert_eq!(bytes(65537), Err(SecretValueError { bytes: 65537 }));
        assert!(bytes(65536).unwrap().is_masked());
        for (text, expected) in [("12345", false), ("123456", true), (" 12345\n", false)] {
            let value = SecretValue::new(text.into()).unwrap();
            assert_eq!(value.is_masked(), expected, "{text:?}");
        }
    }
}
