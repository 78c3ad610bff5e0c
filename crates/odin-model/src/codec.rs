//! How stored values are written: one version byte, then postcard.

use serde::{Serialize, de::DeserializeOwned};

/// The version this build writes. Older ones must stay readable; `tests` hold their bytes.
const VERSION: u8 = 2;

/// Why stored bytes cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Nothing was stored.
    #[error("a stored value is empty")]
    Empty,
    /// A newer Odin wrote it.
    #[error(
        "a stored value has format {found}; this Odin reads up to {VERSION}: start the newer version"
    )]
    Newer {
        /// The version byte found.
        found: u8,
    },
    /// A build from before the first release wrote it.
    #[error(
        "a stored value has format {found}, of a build before the first release; this Odin reads {VERSION}: deploy the jobs again into a new data directory"
    )]
    Older {
        /// The version byte found.
        found: u8,
    },
    /// The bytes are damaged.
    #[error("a stored value is damaged: {0}")]
    Damaged(String),
}

/// The bytes of `value`.
///
/// # Panics
/// When a type of this crate cannot be written, which is a bug in the type.
#[must_use]
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    postcard::to_extend(value, vec![VERSION]).expect("stored types have no maps of unknown length")
}

/// The value of bytes made by [`encode`].
///
/// # Errors
/// When the bytes are of a newer version or damaged.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (&found, rest) = bytes.split_first().ok_or(DecodeError::Empty)?;
    match found {
        VERSION => {}
        ..VERSION => return Err(DecodeError::Older { found }),
        _ => return Err(DecodeError::Newer { found }),
    }
    postcard::from_bytes(rest).map_err(|error| DecodeError::Damaged(error.to_string()))
}
