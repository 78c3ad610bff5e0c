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
    /// 0, 200 to 299, or an empty text.
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
    /// What it says of the run. Text is read as Odin reads it: spaces around it mean nothing, no text is no status, and a
    /// number is at most 65535, in ASCII digits that may have a plus before them.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        // What is cut means what Odin sees of it.
        match self.text().trim() {
            "" => Outcome::Success,
            text => match text.parse::<u16>() {
                Ok(0 | 200..=299) => Outcome::Success,
                Ok(400..=499) => Outcome::Warning,
                Ok(_) | Err(_) => Outcome::Failure,
            },
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
        for (text, expected) in [
            ("", Success),
            (" \u{85}\u{3000}", Success),
            (" 204 ", Success),
            ("+200", Success),
            ("0200", Success),
            ("ok", Failure),
            ("2xx", Failure),
            ("200.0", Failure),
            ("true", Failure),
            ("2_00", Failure),
            ("٢٠٠", Failure),
            ("-0", Failure),
            ("65736", Failure),
        ] {
            assert_eq!(Status::from(text).outcome(), expected, "{text}");
        }
        let long = format!("{:0>300}", 200);
        assert_eq!(Status::from(long).outcome(), Failure);
    }
}
