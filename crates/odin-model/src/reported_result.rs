//! What a run says of how it went, and what that makes of how its process ended. The only code that knows.

use serde::{Deserialize, Serialize};

use crate::attempt::Ending;
use crate::run::Outcome;
use crate::value::{Value, ValueData, ValueKind};

/// How much of a result's text becomes part of the run's reason, in bytes.
pub const RESULT_TEXT_BYTES_MAX: usize = 1024;

/// What a status means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// 0, 200 to 299, or no status.
    Success,
    /// 400 to 499.
    Warning,
    /// Anything else.
    Failure,
}

impl Verdict {
    /// What a status means. `None` and an empty one are left out.
    #[must_use]
    pub fn of_status(status: Option<&str>) -> Self {
        match status.map(str::trim) {
            None | Some("") => Self::Success,
            Some(status) => match status.parse::<u16>() {
                Ok(0 | 200..=299) => Self::Success,
                Ok(400..=499) => Self::Warning,
                Ok(_) | Err(_) => Self::Failure,
            },
        }
    }
}

/// The result that an attempt reported: the latest, if it reported several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedResult {
    /// What it says, at most [`RESULT_TEXT_BYTES_MAX`] bytes.
    pub text: String,
    /// The status as it was given; `None` when it was left out.
    pub status: Option<String>,
    /// What the status means.
    pub verdict: Verdict,
}

impl ReportedResult {
    /// The result that a value reports; `None` for a value of another kind.
    ///
    /// The status is the report's `status`, or its value where that is a number or left to be one: the first
    /// libraries had `result(description, status)`.
    #[must_use]
    pub fn of(value: &Value) -> Option<Self> {
        if value.kind != ValueKind::Result {
            return None;
        }
        let (text, status) = match (&value.status, &value.data) {
            (Some(status), data) => (with_text(&value.name, data, status), Some(status.clone())),
            (None, ValueData::Number(number)) => (value.name.clone(), Some(number.clone())),
            (None, data) => (with_text(&value.name, data, ""), None),
        };
        Some(Self {
            text: cut(&text, RESULT_TEXT_BYTES_MAX),
            verdict: Verdict::of_status(status.as_deref()),
            status: status.map(|status| cut(&status, 64)),
        })
    }

    /// In words, for a reason.
    fn words(&self) -> String {
        let status = self.status.as_deref().unwrap_or_default();
        match (self.text.is_empty(), status.is_empty(), self.verdict) {
            (false, _, Verdict::Success) | (false, true, _) => self.text.clone(),
            (false, false, Verdict::Warning | Verdict::Failure) => {
                format!("{} (status {status})", self.text)
            }
            (true, false, _) => format!("status {status}"),
            (true, true, _) => String::new(),
        }
    }
}

/// The name, and the value where it says more.
fn with_text(name: &str, data: &ValueData, status: &str) -> String {
    match data {
        ValueData::Text(text) if !text.is_empty() && text != name && text != status => {
            match name.is_empty() {
                true => text.clone(),
                false => format!("{name}: {text}"),
            }
        }
        ValueData::Text(_) | ValueData::Number(_) | ValueData::Boolean(_) | ValueData::Json(_) => {
            name.to_owned()
        }
    }
}

/// The text, or its beginning with a mark.
fn cut(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(bytes_max - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// The outcome and the reason of an attempt, of how its process ended and what it reported.
///
/// | process | no result, or success | warning | failure |
/// | --- | --- | --- | --- |
/// | exit code 0 | succeeded | warning | failed |
/// | another exit code | failed | failed | failed |
/// | anything else | as the process ended | the same | the same |
///
/// The reason is the result's text; where the process ended badly, the reason names both.
#[must_use]
pub fn judge(ending: &Ending, reported: Option<&ReportedResult>) -> (Outcome, Option<String>) {
    let reason = ending.reason();
    let Some(reported) = reported else {
        return (ending.outcome(), reason);
    };
    let words = reported.words();
    match (ending, reason) {
        (Ending::Exited { code: 0 }, _) | (_, None) => {
            let outcome = match reported.verdict {
                Verdict::Success => ending.outcome(),
                Verdict::Warning => Outcome::Warning,
                Verdict::Failure => Outcome::Failed,
            };
            let is_said = !words.is_empty();
            let unsaid = (outcome == Outcome::Failed).then(|| "its result is a failure".to_owned());
            (outcome, is_said.then_some(words).or(unsaid))
        }
        (_, Some(reason)) if words.is_empty() => (ending.outcome(), Some(reason)),
        // A library ends the program with exit code 1 after a failure: the code says nothing more.
        (Ending::Exited { .. }, Some(reason)) if reported.verdict == Verdict::Failure => {
            (ending.outcome(), Some(format!("{words}; {reason}")))
        }
        (_, Some(reason)) => (
            ending.outcome(),
            Some(format!("{reason}, after it had reported: {words}")),
        ),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn reported(name: &str, status: Option<&str>) -> ReportedResult {
        let value = Value {
            at: Timestamp::UNIX_EPOCH,
            kind: ValueKind::Result,
            name: name.to_owned(),
            data: ValueData::Json("null".to_owned()),
            status: status.map(str::to_owned),
            unit: None,
            flaw: None,
        };
        ReportedResult::of(&value).unwrap()
    }

    #[test]
    fn a_status_means_success_warning_or_failure() {
        use Verdict::{Failure, Success, Warning};
        for (status, expected) in [
            (None, Success),
            (Some(""), Success),
            (Some("0"), Success),
            (Some("200"), Success),
            (Some("299"), Success),
            (Some(" 204 "), Success),
            (Some("400"), Warning),
            (Some("499"), Warning),
            (Some("1"), Failure),
            (Some("199"), Failure),
            (Some("300"), Failure),
            (Some("500"), Failure),
            (Some("-1"), Failure),
            (Some("99999999999"), Failure),
            (Some("ok"), Failure),
            (Some("2xx"), Failure),
        ] {
            assert_eq!(Verdict::of_status(status), expected, "{status:?}");
        }
    }

    #[test]
    fn exit_and_result_make_the_outcome_and_the_reason_names_both() {
        let exited = |code| Ending::Exited { code };
        let lost = || Ending::Lost {
            reason: "the machine went down".to_owned(),
        };
        let (good, warning, bad) = (Some("0"), Some("404"), Some("500"));
        for (ending, status, outcome, reason) in [
            (exited(0), None, Outcome::Succeeded, Some("done")),
            (exited(0), good, Outcome::Succeeded, Some("done")),
            (
                exited(0),
                warning,
                Outcome::Warning,
                Some("done (status 404)"),
            ),
            (exited(0), bad, Outcome::Failed, Some("done (status 500)")),
            (
                exited(1),
                bad,
                Outcome::Failed,
                Some("done (status 500); exit code 1"),
            ),
            (
                exited(3),
                good,
                Outcome::Failed,
                Some("exit code 3, after it had reported: done"),
            ),
            (
                exited(3),
                warning,
                Outcome::Failed,
                Some("exit code 3, after it had reported: done (status 404)"),
            ),
            (
                Ending::Signalled {
                    signal: 9,
                    core: false,
                },
                good,
                Outcome::Signalled,
                Some("signal 9, after it had reported: done"),
            ),
            (
                lost(),
                bad,
                Outcome::Lost,
                Some("the machine went down, after it had reported: done (status 500)"),
            ),
        ] {
            let judged = judge(&ending, Some(&reported("done", status)));
            assert_eq!(
                judged,
                (outcome, reason.map(str::to_owned)),
                "{ending:?} {status:?}"
            );
        }
        for (ending, outcome, reason) in [
            (exited(0), Outcome::Succeeded, None),
            (exited(2), Outcome::Failed, Some("exit code 2")),
        ] {
            assert_eq!(judge(&ending, None), (outcome, reason.map(str::to_owned)));
        }
    }

    #[test]
    fn a_result_without_words_is_told_by_its_status() {
        let check = |code, status, expected: Option<&str>| {
            let judged = judge(&Ending::Exited { code }, Some(&reported("", status)));
            assert_eq!(judged.1.as_deref(), expected, "{code} {status:?}");
        };
        check(0, None, None);
        check(0, Some("500"), Some("status 500"));
        check(1, Some("500"), Some("status 500; exit code 1"));
        check(4, None, Some("exit code 4"));
    }

    #[test]
    fn a_result_is_read_in_every_form_that_libraries_send() {
        let mut value = Value {
            at: Timestamp::UNIX_EPOCH,
            kind: ValueKind::Result,
            name: "done".to_owned(),
            data: ValueData::Number("404".to_owned()),
            status: None,
            unit: None,
            flaw: None,
        };
        let seen = |value: &Value| {
            let it = ReportedResult::of(value).unwrap();
            (it.text, it.status, it.verdict)
        };
        let warned = ("done".to_owned(), Some("404".to_owned()), Verdict::Warning);
        assert_eq!(seen(&value), warned);
        value.status = Some("404".to_owned());
        assert_eq!(seen(&value), warned);
        value.data = ValueData::Text("3 files".to_owned());
        assert_eq!(seen(&value).0, "done: 3 files");
        value.name = "é".repeat(RESULT_TEXT_BYTES_MAX);
        let text = seen(&value).0;
        assert!(text.len() <= RESULT_TEXT_BYTES_MAX && text.ends_with('…'));
        value.kind = ValueKind::Watch;
        assert_eq!(ReportedResult::of(&value), None);
    }
}
