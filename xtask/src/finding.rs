//! One thing in the repository that breaks a rule.

use std::fmt;

/// Where, which rule, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, from the repository's root, with a line where there is one.
    pub(crate) place: String,
    /// The rule's short name.
    pub(crate) rule: &'static str,
    /// What is wrong, and the next step.
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn new(
        place: impl Into<String>,
        rule: &'static str,
        message: impl Into<String>,
    ) -> Self {
        Self {
            place: place.into(),
            rule,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({})", self.place, self.message, self.rule)
    }
}
