//! What became of the reports.

use std::fmt;

/// What became of the reports made so far, as [`Odin::flush`](crate::Odin::flush) found it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Delivery {
    /// Reports that nobody has acknowledged: dropped at a bound, refused, or not answered in time. Some may have arrived.
    pub undelivered: u64,
    /// Why, when there are any.
    pub why: Option<Why>,
}

/// Why reports were not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// Odin did not acknowledge them in the time for it.
    NotAcknowledged,
    /// More were made than Odin took, and the queue was full.
    QueueFull,
    /// Odin refused this program.
    Refused {
        /// In words.
        error: String,
        /// The code, stable across releases; see Odin's page on the environment of a job.
        code: String,
    },
}

impl Delivery {
    /// Whether everything was acknowledged.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.undelivered == 0
    }
}

impl fmt::Display for Delivery {
    /// As it is said on stderr when a program ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.undelivered {
            0 => return f.write_str("all reports reached Odin"),
            1 => f.write_str("1 report was not delivered")?,
            many => write!(f, "{many} reports were not delivered")?,
        }
        match &self.why {
            None => Ok(()),
            Some(Why::NotAcknowledged) => f.write_str(": Odin did not acknowledge in time"),
            Some(Why::QueueFull) => f.write_str(": the queue was full"),
            Some(Why::Refused { error, code }) => write!(f, ": {error} ({code})"),
        }
    }
}
