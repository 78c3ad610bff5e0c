//! Which lines are results. It is asked of lines that there is no room for, since all others are kept unread.

use std::borrow::Cow;

use serde::Deserializer as _;
use serde::de::{IgnoredAny, MapAccess, Visitor};

use super::file::Kept;

/// Whether a line reports how the run went. Of a line that was cut, what there is of it says so.
pub(super) fn is_result(kept: &Kept) -> bool {
    let (line, must_be_whole) = match kept {
        Kept::Line(line) => (line, true),
        Kept::CutLine { start, .. } => (start, false),
        Kept::Dropped { .. } => return false,
    };
    let mut seen = Seen::default();
    let mut reader = serde_json::Deserializer::from_slice(line);
    // A line that is no JSON is kept as that, and says nothing of the run: it must not take a result's place.
    let is_whole = reader.deserialize_map(&mut seen).is_ok() && reader.end().is_ok();
    seen.is_result && seen.has_name && (is_whole || !must_be_whole)
}

#[derive(Default)]
struct Seen {
    is_result: bool,
    has_name: bool,
}

impl<'de> Visitor<'de> for &mut Seen {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(key) = members.next_key::<Cow<'de, str>>()? {
            match &*key {
                "kind" => {
                    let kind: serde_json::Value = members.next_value()?;
                    self.is_result = kind == "result";
                }
                "name" => {
                    let name: serde_json::Value = members.next_value()?;
                    self.has_name = name.is_string();
                }
                _ => _ = members.next_value::<IgnoredAny>()?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_told_from_every_other_line() {
        for (line, expected) in [
            (r#"{"kind":"result","name":"done"}"#, true),
            (
                r#" {"name":"done","value":[{"a":1}],"kind":"result"} "#,
                true,
            ),
            (
                r#"{"\u006bind":"re\u0073ult","name":"done","status":500}"#,
                true,
            ),
            (
                r#"{"kind":"watch","name":"result","value":"\"kind\":\"result\""}"#,
                false,
            ),
            (
                r#"{"kind":"watch","name":"n","value":{"kind":"result","name":"n"}}"#,
                false,
            ),
            (r#"{"kind":"result"}"#, false),
            (r#"{"kind":"result","name":7}"#, false),
            (r#"{"kind":["result"],"name":"done"}"#, false),
            (r#"{"kind":"result","name":"done","value":"#, false),
            (r#"{"kind":"result","name":"done"} {}"#, false),
            ("result", false),
            ("", false),
        ] {
            assert_eq!(is_result(&Kept::Line(line.into())), expected, "{line}");
        }
        for (start, expected) in [
            (r#"{"kind":"result","name":"done","value":"long"#, true),
            (r#"{"kind":"watch","name":"done","value":"long"#, false),
            (r#"{"kind":"result","name":"long"#, false),
        ] {
            let cut = Kept::CutLine {
                start: start.into(),
                bytes: 1 << 20,
            };
            assert_eq!(is_result(&cut), expected, "{start}");
        }
        assert!(!is_result(&Kept::Dropped { lines: 1, bytes: 2 }));
    }
}
