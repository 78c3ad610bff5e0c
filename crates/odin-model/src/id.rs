//! Ids, each a type of its own. Formats: DESIGN section 4.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A job's id has another form.
    #[error("`{0}` is not a job id: 12 hexadecimal digits, such as a37b187f5930")]
    Job(String),
    /// A run's id has another form.
    #[error("`{0}` is not a run id: `r` and 13 letters or digits, such as r0000000030000")]
    Run(String),
    /// A bundle's hash has another form.
    #[error("`{0}` is not a bundle's hash: 64 hexadecimal digits")]
    Bundle(String),
}

impl IdError {
    /// Stable across releases.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Job(_) => "job/bad-id",
            Self::Run(_) => "run/bad-id",
            Self::Bundle(_) => "bundle/bad-hash",
        }
    }
}

/// A job: 12 lower-case hexadecimal digits (48 bits), from `odin generate` or drawn by the server.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(u64);

impl JobId {
    const BITS: u32 = 48;

    /// The id of the low 48 bits of `bits`: how a random number becomes an id.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << Self::BITS) - 1))
    }

    /// The id as a number below 2^48, the form in which it is stored.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012x}", self.0)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for JobId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let digits = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        match u64::from_str_radix(text, 16) {
            Ok(bits) if digits && text.len() == 12 => Ok(Self(bits)),
            _ => Err(IdError::Job(shortened(text))),
        }
    }
}

/// A run: `r` and 13 characters of Crockford base32, of (generation, log index, position in the entry).
///
/// Made in apply, so every replica makes the same one; sorts by the order in which runs were decided.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RunId(u64);

/// Crockford's alphabet in lower case: no i, l, o, u.
const CROCKFORD: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RunId {
    const INDEX_BITS: u32 = 40;
    const POSITION_BITS: u32 = 16;
    /// How many runs one log entry can make.
    pub const POSITIONS_MAX: u32 = 1 << Self::POSITION_BITS;

    /// The id of the run made at `position` of the log entry `index` in `generation`.
    ///
    /// # Panics
    /// When the index is 2^40 or more: a log of a trillion entries, which takes 30 years at a thousand a second.
    #[must_use]
    pub fn new(generation: u8, index: u64, position: u16) -> Self {
        assert!(
            index < 1 << Self::INDEX_BITS,
            "log index {index} is beyond what a run id can hold"
        );
        let high = u64::from(generation) << (Self::INDEX_BITS + Self::POSITION_BITS);
        Self(high | index << Self::POSITION_BITS | u64::from(position))
    }

    /// The log entry that made the run.
    #[must_use]
    pub fn index(self) -> u64 {
        self.0 >> Self::POSITION_BITS & ((1 << Self::INDEX_BITS) - 1)
    }

    /// The number in which the id is stored.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The number in which the id is stored; orders as the id does.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = *b"r0000000000000";
        let mut rest = self.0;
        for place in text[1..].iter_mut().rev() {
            *place = CROCKFORD[usize::try_from(rest & 31).expect("five bits")];
            rest >>= 5;
        }
        f.pad(std::str::from_utf8(&text).expect("ASCII"))
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RunId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let parse = || {
            let digits = text.strip_prefix('r').filter(|digits| digits.len() == 13)?;
            digits.bytes().try_fold(0u64, |bits, byte| {
                let digit = CROCKFORD.iter().position(|&letter| letter == byte)?;
                bits.checked_mul(32)?
                    .checked_add(u64::try_from(digit).ok()?)
            })
        };
        parse()
            .map(Self)
            .ok_or_else(|| IdError::Run(shortened(text)))
    }
}

/// What an error repeats of a text that somebody typed: enough to recognise it.
fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

number! {
    /// A node. Comes from the log and is never used again after the node left; its name is data.
    NodeId(u64)
}
number! {
    /// Which life of a node this is: the log index of the `NodeUp` that began it.
    Epoch(u64)
}
number! {
    /// The log index of a job's last change. Two writers with one revision cannot both win.
    Revision(u64)
}
number! {
    /// Which deployment of a job, from 1.
    VersionNumber(u32)
}
number! {
    /// Which process of a run, from 1.
    AttemptNumber(u32)
}

impl AttemptNumber {
    /// The first process of a run.
    pub const FIRST: Self = Self(1);

    /// The attempt after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl VersionNumber {
    /// The first deployment.
    pub const FIRST: Self = Self(1);

    /// The version after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// The SHA-256 of a bundle's uncompressed canonical tar: the name of the bundle.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BundleHash(pub [u8; 32]);

impl fmt::Display for BundleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BundleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for BundleHash {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let refused = || IdError::Bundle(shortened(text));
        if text.len() != 64
            || !text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        {
            return Err(refused());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| refused())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| refused())?;
        }
        Ok(Self(hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_run_id_is_short_and_fixed_in_width() {
        assert_eq!(RunId::new(0, 48, 0).to_string(), "r0000000030000");
        assert_eq!(
            RunId::new(255, (1 << 40) - 1, u16::MAX).to_string(),
            "rfzzzzzzzzzzzz"
        );
        assert_eq!(
            JobId::from_bits(0xa37b_187f_5930).to_string(),
            "a37b187f5930"
        );
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
        for text in [
            "",
            "r",
            "r000000000000",
            "r00000000000000",
            "R0000000030000",
            "r000000003000i",
            "rzzzzzzzzzzzzz",
        ] {
            assert!(text.parse::<RunId>().is_err(), "{text}");
        }
        for text in [
            "",
            "a37b187f593",
            "a37b187f59300",
            "A37B187F5930",
            "+37b187f5930",
            "../../../../",
        ] {
            assert!(text.parse::<JobId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn run_ids_read_back_and_sort_as_they_were_decided(
            a in (any::<u8>(), 0u64..1 << 40, any::<u16>()),
            b in (any::<u8>(), 0u64..1 << 40, any::<u16>()),
        ) {
            let (x, y) = (RunId::new(a.0, a.1, a.2), RunId::new(b.0, b.1, b.2));
            prop_assert_eq!(x.to_string().parse::<RunId>().unwrap(), x);
            prop_assert_eq!(a.cmp(&b), x.to_string().cmp(&y.to_string()));
        }

        #[test]
        fn job_ids_read_back(bits: u64) {
            let id = JobId::from_bits(bits);
            prop_assert_eq!(id.to_string().parse::<JobId>().unwrap(), id);
        }
    }
}
