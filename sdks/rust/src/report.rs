//! One report as a line of the values socket.

use std::time::Duration;

use crate::clock;
use crate::json;
use crate::value::{self, Value};

/// What kind of thing is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Watch,
    Condition,
    Result,
    Progress,
    Metric,
    Artifact,
    Span,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Condition => "condition",
            Self::Result => "result",
            Self::Progress => "progress",
            Self::Metric => "metric",
            Self::Artifact => "artifact",
            Self::Span => "span",
        }
    }
}

/// What a program says once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report<'a> {
    pub(crate) kind: Kind,
    pub(crate) name: &'a str,
    pub(crate) value: &'a Value<'a>,
    /// Of a result.
    pub(crate) status: Option<&'a str>,
    /// Of a metric.
    pub(crate) unit: Option<&'a str>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(kind: Kind, name: &'a str, value: &'a Value<'a>) -> Self {
        Self {
            kind,
            name,
            value,
            status: None,
            unit: None,
        }
    }

    /// Its line, all but the beginning: [`begin_line`] has the number, which depends on the connection.
    pub(crate) fn rest_of_line(&self, at: Duration) -> Box<[u8]> {
        let mut line = Vec::with_capacity(160);
        line.extend_from_slice(b"\"at\":\"");
        clock::write_instant(&mut line, at);
        line.extend_from_slice(b"\",\"kind\":\"");
        line.extend_from_slice(self.kind.name().as_bytes());
        line.extend_from_slice(b"\",\"name\":");
        json::write_text(&mut line, &value::name_within_bound(self.name));
        line.extend_from_slice(b",\"value\":");
        let encoded = value::encode(&mut line, self.value);
        for (key, text) in [
            (&b",\"status\":"[..], self.status),
            (b",\"unit\":", self.unit),
            (b",\"type\":", encoded.type_name),
        ] {
            if let Some(text) = text {
                line.extend_from_slice(key);
                json::write_text(&mut line, &value::name_within_bound(text));
            }
        }
        if let Some(whole) = encoded.cut_from {
            value::display(&mut line, &format_args!(",\"cut\":{whole}"));
        }
        line.extend_from_slice(b"}\n");
        line.into()
    }
}

/// Appends what stands before [`Report::rest_of_line`].
pub(crate) fn begin_line(out: &mut Vec<u8>, seq: u64) {
    value::display(out, &format_args!("{{\"seq\":{seq},"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_what_its_report_has() {
        let mut line = Vec::new();
        begin_line(&mut line, 7);
        let value = Value::from(f64::NAN);
        let report = Report {
            unit: Some("ms"),
            ..Report::new(Kind::Metric, "load \"1\"", &value)
        };
        line.extend_from_slice(&report.rest_of_line(Duration::from_millis(1_500)));
        let expected = "{\"seq\":7,\"at\":\"1970-01-01T00:00:01.500000Z\",\"kind\":\"metric\",\
                        \"name\":\"load \\\"1\\\"\",\"value\":\"NaN\",\"unit\":\"ms\",\"type\":\"number\"}\n";
        assert_eq!(String::from_utf8(line).unwrap(), expected);
    }

    #[test]
    fn no_line_is_longer_than_the_socket_takes() {
        let worst = "\u{1}".repeat(1 << 20);
        let value = Value::from(&worst);
        let report = Report {
            status: Some(&worst),
            unit: Some(&worst),
            ..Report::new(Kind::Result, &worst, &value)
        };
        assert!(report.rest_of_line(Duration::ZERO).len() + 32 < 64 << 10);
    }
}
