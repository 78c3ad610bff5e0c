//! How instants are stored: whole microseconds since 1970-01-01T00:00:00Z, as `i64`.
//!
//! jiff's own serde form is text, four times the size in a log that holds two instants a run. For use with
//! `#[serde(with = "...")]`.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// Microseconds since the epoch, rounded towards the past.
#[must_use]
pub fn to_micros(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond().div_euclid(1_000))
        .expect("jiff's range fits 64 bits of microseconds")
}

/// The instant of a number made by [`to_micros`]; a number outside jiff's range is clamped to it.
#[must_use]
pub fn from_micros(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 {
        Timestamp::MIN
    } else {
        Timestamp::MAX
    })
}

/// The same instant with what is below a microsecond cut off, as storing and reading it would.
#[must_use]
pub fn to_stored_precision(at: Timestamp) -> Timestamp {
    from_micros(to_micros(at))
}

fn checked<E: Error>(micros: i64) -> Result<Timestamp, E> {
    Timestamp::from_microsecond(micros).map_err(E::custom)
}

/// Writes one instant.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    to_micros(*at).serialize(serializer)
}

/// Reads one instant.
///
/// # Errors
/// The deserializer's, and a number outside jiff's range.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    checked(i64::deserialize(deserializer)?)
}

/// The same for `Option<Timestamp>`.
pub mod option {
    use super::{Deserialize, Deserializer, Serialize, Serializer, Timestamp, checked, to_micros};

    /// Writes an instant or nothing.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        at: &Option<Timestamp>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        at.map(to_micros).serialize(serializer)
    }

    /// Reads an instant or nothing.
    ///
    /// # Errors
    /// The deserializer's, and a number outside jiff's range.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Timestamp>, D::Error> {
        Option::<i64>::deserialize(deserializer)?
            .map(checked)
            .transpose()
    }
}

/// The same for `Vec<Timestamp>`.
pub mod list {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, checked, to_micros};

    /// Writes instants in order.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(
        instants: &[Timestamp],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(instants.iter().map(|&at| to_micros(at)))
    }

    /// Reads instants in order.
    ///
    /// # Errors
    /// The deserializer's, and a number outside jiff's range.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<Timestamp>, D::Error> {
        Vec::<i64>::deserialize(deserializer)?
            .into_iter()
            .map(checked)
            .collect()
    }
}
