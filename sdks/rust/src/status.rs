//! What a result's status means.

use std::borrow::Cow;

use crate::Value;

/// The status of a result: a number or a text, as its program gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status<'a>(StatusIs<'a>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum StatusIs<'a> {
    Number(i64),
    Text(Cow<'a, str>),
}

/// What a [`Status`] says of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 0, or 200 to 299.
    Success,
    /// 400 to 499.
    Warning,
    /// Anything else.
    Failure,
}

impl Outcome {
    /// What the program ends with: 1 for a failure, else 0.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Success | Self::Warning => 0,
            Self::Failure => 1,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

impl Status<'_> {
    /// What it says of the run.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let number = match &self.0 {
            StatusIs::Number(number) => Some(*number),
            StatusIs::Text(text) => text.trim().parse().ok(),
        };
        match number {
            Some(0 | 200..=299) => Outcome::Success,
            Some(400..=499) => Outcome::Warning,
            _ => Outcome::Failure,
        }
    }

    pub(crate) fn text(&self) -> Cow<'_, str> {
        match &self.0 {
            StatusIs::Number(number) => number.to_string().into(),
            StatusIs::Text(text) => crate::value::name_within_bound(text),
        }
    }

    pub(crate) fn value(&self) -> Value<'_> {
        match &self.0 {
            StatusIs::Number(number) => (*number).into(),
            StatusIs::Text(text) => text.as_ref().into(),
        }
    }
}

impl From<i32> for Status<'_> {
    fn from(number: i32) -> Self {
        Self(StatusIs::Number(number.into()))
    }
}

impl From<i64> for Status<'_> {
    fn from(number: i64) -> Self {
        Self(StatusIs::Number(number))
    }
}

impl<'a> From<&'a str> for Status<'a> {
    fn from(text: &'a str) -> Self {
        Self(StatusIs::Text(text.into()))
    }
}

impl From<String> for Status<'_> {
    fn from(text: String) -> Self {
        Self(StatusIs::Text(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_2xx_are_success_4xx_is_a_warning_and_all_else_failure() {
        use Outcome::{Failure, Success, Warning};
        for (number, expected) in [
            (0, Success),
            (200, Success),
            (299, Success),
            (400, Warning),
            (404, Warning),
            (499, Warning),
            (1, Failure),
            (-1, Failure),
            (2, Failure),
            (199, Failure),
            (300, Failure),
            (500, Failure),
        ] {
            assert_eq!(Status::from(number).outcome(), expected, "{number}");
            let text = number.to_string();
            assert_eq!(Status::from(text).outcome(), expected, "text {number}");
        }
        for text in ["", "ok", "2xx", "200.0", "true"] {
            assert_eq!(Status::from(text).outcome(), Failure, "{text}");
        }
    }
}
