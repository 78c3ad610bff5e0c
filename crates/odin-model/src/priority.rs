//! Which of several runs that wait is first.

use serde::{Deserialize, Serialize};

/// A job's priority, -100 to 100; the higher one is first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
pub struct Priority(i8);

impl Priority {
    /// The lowest.
    pub const MIN: i8 = -100;
    /// The highest.
    pub const MAX: i8 = 100;

    /// The priority of a number. `None`: it is beyond the ends.
    #[must_use]
    pub fn new(number: i64) -> Option<Self> {
        let number = i8::try_from(number).ok()?;
        (Self::MIN..=Self::MAX)
            .contains(&number)
            .then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> i8 {
        self.0
    }
}

/// Whether a run makes up for the past.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash, Serialize, Deserialize,
)]
pub enum Lane {
    /// It answers what is due or asked for now.
    #[default]
    Live,
    /// It was missed, and makes up for it: after all live work, whatever its job's priority.
    CatchUp,
}
