//! Query strings and path segments.

use serde::Serialize;
use serde_json::Value;

/// `path?name=value&…`; fields that are `null` or left out do not appear.
///
/// # Panics
/// When `query` is not a flat struct of scalars: the queries of `odin-wire` are.
pub(crate) fn with_query(path: &str, query: &impl Serialize) -> String {
    let fields = match serde_json::to_value(query).expect("queries are plain data") {
        Value::Object(fields) => fields,
        other => unreachable!("a query is a struct, not {other}"),
    };
    let mut text = path.to_owned();
    let mut separator = '?';
    for (name, value) in &fields {
        let value = match value {
            Value::Null => continue,
            Value::String(value) => value.clone(),
            scalar => scalar.to_string(),
        };
        text.push(separator);
        text.push_str(name);
        text.push('=');
        encode(&mut text, &value);
        separator = '&';
    }
    text
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    encode(&mut out, text);
    out
}

/// Percent-encodes everything but the unreserved characters of RFC 3986.
fn encode(out: &mut String, value: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => {
                out.push('%');
                out.push(char::from(HEX[usize::from(byte >> 4)]));
                out.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use odin_wire::{DeployQuery, JobsQuery, RunsQuery};

    #[test]
    fn what_is_not_given_is_not_sent_and_the_rest_is_escaped() {
        let name = Some("a b&c=ä".to_owned());
        let jobs = JobsQuery {
            name,
            limit: Some(5),
            ..JobsQuery::default()
        };
        assert_eq!(
            with_query("/jobs", &jobs),
            "/jobs?limit=5&name=a%20b%26c%3D%C3%A4"
        );
        assert_eq!(with_query("/runs", &RunsQuery::default()), "/runs");
        let deploy = DeployQuery {
            file: "x.yml".into(),
            dry_run: true,
            ..DeployQuery::default()
        };
        assert_eq!(
            with_query("/jobs", &deploy),
            "/jobs?dry_run=true&file=x.yml&hidden=false"
        );
    }
}
