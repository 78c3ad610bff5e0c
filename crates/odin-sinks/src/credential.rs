//! The secret of a sink, with what keeps it out of texts.

use std::fmt;
use std::sync::Arc;

use odin_model::SecretValue;

use crate::Unsent;

/// Gives a text without the secret, in whatever form a receiver repeats it.
pub type Masking = Arc<dyn Fn(&str) -> String + Send + Sync>;

/// The secret of a sink, opened, with what keeps it out of what its receiver is quoted with.
#[derive(Clone)]
pub struct Credential {
    value: SecretValue,
    masking: Masking,
}

impl Credential {
    /// A secret, and what leaves it out of a text.
    pub fn new(value: SecretValue, masking: Masking) -> Self {
        Self { value, masking }
    }

    pub(crate) fn value(&self) -> &SecretValue {
        &self.value
    }

    /// The same failure in words without the secret.
    pub(crate) fn masked(&self, unsent: Unsent) -> Unsent {
        unsent.in_words(|words| (self.masking)(words))
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}
