//! What would be reported, said on stderr outside Odin when somebody asks for it.

use std::io::Write;

use crate::report::{Kind, Report};
use crate::status::Status;
use crate::{json, value};

/// A report as a line for people, all in printable characters.
pub(crate) fn line(report: &Report<'_>, status: Option<&Status<'_>>) -> String {
    let mut line = Vec::new();
    value::display(&mut line, &format_args!("odin: {} ", report.kind.name()));
    json::write_text(&mut line, &value::name_within_bound(report.name));
    line.extend_from_slice(b" = ");
    value::encode(&mut line, report.value);
    if let Some(unit) = report.unit {
        value::display(
            &mut line,
            &format_args!(" {}", value::name_within_bound(unit)),
        );
    }
    if report.kind == Kind::Result
        && let Some(status) = status
    {
        value::display(&mut line, &format_args!(" ({})", status.outcome().name()));
    }
    let line = String::from_utf8_lossy(&line);
    let mut shown = String::with_capacity(line.len() + 1);
    for letter in line.chars() {
        // JSON leaves some of the characters alone that terminals obey.
        if letter.is_control() {
            shown.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            shown.push(letter);
        }
    }
    shown
}

/// Says a line on stderr. One that is closed hears nothing.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Value;

    #[test]
    fn a_line_names_kind_name_and_value_and_no_terminal_obeys_it() {
        let status = Status::from(200);
        let value = status.value();
        let result = Report::new(Kind::Result, "done", &value);
        assert_eq!(
            line(&result, Some(&status)),
            "odin: result \"done\" = 200 (success)"
        );
        let value = Value::from("\u{1b}[31m\u{9b}é");
        let metric = Report {
            unit: Some("ms\n"),
            ..Report::new(Kind::Metric, "a\nb", &value)
        };
        let expected = "odin: metric \"a\\nb\" = \"\\u001b[31m\\u009bé\" ms\\u000a";
        assert_eq!(line(&metric, None), expected);
    }
}
