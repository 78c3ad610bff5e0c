//! What a test shows beside what its job prints.

use std::io::Write;

use odin_model::reported_result::{ReportedResult, Verdict};
use odin_model::{AttemptNumber, RunId, Value};
use odin_wire::Outcome;

use crate::terminal;

/// A value as SDKs show it outside of a run, when they are asked to.
pub(super) fn show(value: &Value) {
    say(&line(value));
}

fn line(value: &Value) -> String {
    let name = serde_json::to_string(&value.name).expect("a text is JSON");
    let shown = odin_wire::Value::new(RunId::from_bits(0), AttemptNumber::FIRST, 0, value);
    let mut line = format!("odin: {} {name} = {}", value.kind.word(), shown.value.get());
    if let Some(unit) = &value.unit {
        line += &format!(" {unit}");
    }
    if let Some(result) = ReportedResult::of(value) {
        let word = match result.verdict {
            Verdict::Success => "success",
            Verdict::Warning => "warning",
            Verdict::Failure => "failure",
        };
        line += &format!(" ({word})");
    }
    match shown.note {
        Some(note) => format!("{line} [{note}]"),
        None => line,
    }
}

/// How it went, in one line.
pub(super) fn ending(job: &str, outcome: Outcome, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("odin: {job}: {}: {reason}", outcome.word()),
        None => format!("odin: {job}: {}", outcome.word()),
    }
}

/// Says a line on stderr, where a terminal obeys none of it. One that is closed hears nothing.
pub(super) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", terminal::visible(line));
}

/// The values in the form of the API, in the order in which they came.
pub(super) fn to_wire(values: &[Value]) -> Vec<odin_wire::Value> {
    (0..)
        .zip(values)
        .map(|(number, value)| {
            odin_wire::Value::new(RunId::from_bits(0), AttemptNumber::FIRST, number, value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_that_of_an_sdk_that_mocks() {
        for (report, expected) in [
            (
                r#"{"kind":"watch","name":"url fetched","value":"https://example.org/"}"#,
                r#"odin: watch "url fetched" = "https://example.org/""#,
            ),
            (
                r#"{"kind":"condition","name":"check","value":true}"#,
                r#"odin: condition "check" = true"#,
            ),
            (
                r#"{"kind":"metric","name":"rows","value":48213,"unit":"rows"}"#,
                r#"odin: metric "rows" = 48213 rows"#,
            ),
            (
                r#"{"kind":"result","name":"done","value":0,"status":"0"}"#,
                r#"odin: result "done" = 0 (success)"#,
            ),
            (
                r#"{"kind":"result","name":"none","value":404,"status":"404"}"#,
                r#"odin: result "none" = 404 (warning)"#,
            ),
        ] {
            let at = jiff::Timestamp::UNIX_EPOCH;
            let value = odin_wire::report_line::value_of_line(report.as_bytes(), at);
            assert_eq!(line(&value), expected);
        }
    }
}
