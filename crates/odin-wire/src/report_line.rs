//! The lines that jobs report on `ODIN_SOCKET`, after the hello: one JSON object each. Whatever a line holds, a value
//! comes of it: what cannot be read is kept as that, with the reason.

use jiff::{SignedDuration, Timestamp};
use odin_model::value::{Flaw, NAME_BYTES_MAX, VALUE_BYTES_MAX};
use odin_model::{Value, ValueData, ValueKind};
use serde::Deserialize;
use serde_json::value::RawValue;

/// How much later than it was read a report may say that it was made. Beyond that, the executor's clock counts.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(1);
/// How much of a status or a unit is kept, in bytes.
const WORD_BYTES_MAX: usize = 256;

/// Members that it does not know are left for later versions.
#[derive(Deserialize)]
struct Line<'a> {
    #[serde(borrow, default)]
    at: Option<&'a RawValue>,
    #[serde(borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    value: Option<&'a RawValue>,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    unit: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "type")]
    of_type: Option<&'a RawValue>,
    #[serde(borrow, default)]
    cut: Option<&'a RawValue>,
}

/// The value of a line that the executor read at that instant.
#[must_use]
pub fn value_of_line(line: &[u8], read_at: Timestamp) -> Value {
    read(line, read_at).unwrap_or_else(|flaw| unreadable(line, read_at, flaw))
}

/// The value of a line that was so long, `bytes` bytes, that only its beginning is there.
#[must_use]
pub fn value_of_cut_line(start: &[u8], bytes: u64, read_at: Timestamp) -> Value {
    let flaw = Flaw::LineCut { bytes };
    // A long text is most likely: it is closed where it was cut.
    match completed(start).and_then(|whole| read(&whole, read_at).ok()) {
        Some(value) if matches!(value.data, ValueData::Text(_)) => Value {
            flaw: Some(flaw),
            ..value
        },
        Some(_) | None => unreadable(start, read_at, flaw),
    }
}

/// What stands for lines that were not kept.
#[must_use]
pub fn value_of_dropped(lines: u64, bytes: u64, read_at: Timestamp) -> Value {
    Value {
        at: read_at,
        kind: ValueKind::Dropped,
        name: String::new(),
        data: ValueData::Number(lines.to_string()),
        status: None,
        unit: None,
        flaw: Some(Flaw::Dropped { lines, bytes }),
    }
}

fn unreadable(line: &[u8], read_at: Timestamp, flaw: Flaw) -> Value {
    let text = String::from_utf8_lossy(&line[..line.len().min(2 * VALUE_BYTES_MAX)]);
    let (text, _) = bounded(&text, VALUE_BYTES_MAX);
    Value {
        at: read_at,
        kind: ValueKind::Unreadable,
        name: String::new(),
        data: ValueData::Text(text),
        status: None,
        unit: None,
        flaw: Some(flaw),
    }
}

fn read(line: &[u8], read_at: Timestamp) -> Result<Value, Flaw> {
    if line.trim_ascii_start().first() != Some(&b'{') {
        return Err(Flaw::NotAnObject);
    }
    let line: Line<'_> = serde_json::from_slice(line).map_err(|_| Flaw::NotAnObject)?;
    let bad = |member: &str| Flaw::BadMember {
        member: member.to_owned(),
    };
    let kind = line.kind.and_then(text_of).ok_or_else(|| bad("kind"))?;
    let kind = ValueKind::of_word(&kind)
        .filter(|kind| kind.is_reported())
        .ok_or_else(|| bad("kind"))?;
    let name = line.name.and_then(text_of).ok_or_else(|| bad("name"))?;
    let (name, name_bytes) = bounded(&name, NAME_BYTES_MAX);
    let (data, data_bytes) = data_of(&line).ok_or_else(|| bad("value"))?;
    let cut = line.cut.and_then(|raw| raw.get().parse().ok());
    let flaw = match (cut.or(data_bytes), name_bytes) {
        (Some(bytes), _) => Some(Flaw::Cut { bytes }),
        (None, Some(bytes)) => Some(Flaw::NameCut { bytes }),
        (None, None) => None,
    };
    Ok(Value {
        at: at_of(line.at, read_at),
        kind,
        name,
        data,
        status: line.status.and_then(word_of),
        unit: line.unit.and_then(word_of),
        flaw,
    })
}

/// When a report was made. The executor's clock counts where it does not say, or says what cannot be.
fn at_of(raw: Option<&RawValue>, read_at: Timestamp) -> Timestamp {
    let said: Option<Timestamp> = raw.and_then(text_of).and_then(|text| text.parse().ok());
    said.filter(|at| *at >= Timestamp::UNIX_EPOCH && at.duration_since(read_at) <= AHEAD_MAX)
        .unwrap_or(read_at)
}

/// The value with its type, and how long it was if it is cut.
fn data_of(line: &Line<'_>) -> Option<(ValueData, Option<u64>)> {
    let raw = line.value.map_or("null", RawValue::get);
    let data = match raw.as_bytes().first()? {
        b'"' => {
            let text = line.value.and_then(text_of)?;
            return Some(text_data(&text, line));
        }
        b't' => ValueData::Boolean(true),
        b'f' => ValueData::Boolean(false),
        b'-' | b'0'..=b'9' if raw.len() <= VALUE_BYTES_MAX => ValueData::Number(raw.to_owned()),
        b'{' | b'[' | b'n' if raw.len() <= VALUE_BYTES_MAX => ValueData::Json(raw.to_owned()),
        _ => {
            let (text, bytes) = bounded(raw, VALUE_BYTES_MAX);
            return Some((ValueData::Text(text), bytes));
        }
    };
    Some((data, None))
}

/// A text, or what JSON could not say but as one.
fn text_data(text: &str, line: &Line<'_>) -> (ValueData, Option<u64>) {
    let of_type = line.of_type.and_then(text_of);
    match of_type.as_deref() {
        Some("number") => match text.parse::<f64>() {
            Ok(number) if number.is_nan() => return (ValueData::Number("NaN".to_owned()), None),
            Ok(f64::INFINITY) => return (ValueData::Number("Infinity".to_owned()), None),
            Ok(f64::NEG_INFINITY) => return (ValueData::Number("-Infinity".to_owned()), None),
            Ok(_) | Err(_) => {}
        },
        Some("json") if text.len() <= VALUE_BYTES_MAX && line.cut.is_none() => {
            if serde_json::from_str::<&RawValue>(text).is_ok() {
                return (ValueData::Json(text.to_owned()), None);
            }
        }
        Some(_) | None => {}
    }
    let (text, bytes) = bounded(text, VALUE_BYTES_MAX);
    (ValueData::Text(text), bytes)
}

/// `None`: not a text, or not one of Unicode.
fn text_of(raw: &RawValue) -> Option<String> {
    serde_json::from_str(raw.get()).ok()
}

/// A text, or a number or boolean as it is written; `None` for null and the rest.
fn word_of(raw: &RawValue) -> Option<String> {
    let word = match raw.get().as_bytes().first()? {
        b'"' => text_of(raw)?,
        b'n' | b'{' | b'[' => return None,
        _ => raw.get().to_owned(),
    };
    Some(bounded(&word, WORD_BYTES_MAX).0)
}

/// The text, or its beginning with a mark and how long it was.
fn bounded(text: &str, bytes_max: usize) -> (String, Option<u64>) {
    if text.len() <= bytes_max {
        return (text.to_owned(), None);
    }
    let end = text.floor_char_boundary(bytes_max - '…'.len_utf8());
    (format!("{}…", &text[..end]), Some(text.len() as u64))
}

/// A line that was cut within a text, with the text and everything around it closed; `None` where it was cut elsewhere.
fn completed(start: &[u8]) -> Option<Vec<u8>> {
    let valid = match std::str::from_utf8(start) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&start[..error.valid_up_to()]).ok()?,
    };
    let (mut closers, mut in_text, mut escape_at) = (Vec::new(), false, None);
    let mut unicode_left = 0;
    for (place, byte) in valid.bytes().enumerate() {
        match (in_text, byte) {
            (true, _) if unicode_left > 0 => unicode_left -= 1,
            (true, b'u') if escape_at == Some(place - 1) => unicode_left = 4,
            (true, _) if escape_at == Some(place.wrapping_sub(1)) => {}
            (true, b'\\') => escape_at = Some(place),
            (true, b'"') => in_text = false,
            (true, _) => {}
            (false, b'"') => in_text = true,
            (false, b'{') => closers.push(b'}'),
            (false, b'[') => closers.push(b']'),
            (false, b'}' | b']') => _ = closers.pop()?,
            (false, _) => {}
        }
    }
    if !in_text {
        return None;
    }
    let is_escape_open = unicode_left > 0 || escape_at == Some(valid.len() - 1);
    let end = escape_at.filter(|_| is_escape_open).unwrap_or(valid.len());
    let mut whole = valid.as_bytes()[..end].to_vec();
    whole.push(b'"');
    whole.extend(closers.iter().rev());
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_at() -> Timestamp {
        "2026-11-22T05:00:00Z".parse().unwrap()
    }

    /// Kind, name, type and text of the value, and what is wrong with it.
    fn seen(line: &str) -> (String, String, String) {
        let value = value_of_line(line.as_bytes(), read_at());
        let what = format!("{} {}", value.kind.word(), value.name);
        let data = format!("{} {}", value.data.type_word(), value.data.text());
        let flaw = value.flaw.map_or(String::new(), |flaw| flaw.to_string());
        (what, data, flaw)
    }

    #[track_caller]
    fn check(value: &str, expected: &str) {
        let line = format!(r#"{{"seq":1,"kind":"watch","name":"n","value":{value}}}"#);
        let (what, data, flaw) = seen(&line);
        assert_eq!(
            (what.as_str(), data.as_str(), flaw.as_str()),
            ("watch n", expected, "")
        );
    }

    #[test]
    fn values_keep_their_type_and_every_digit() {
        check("7", "number 7");
        check("-0", "number -0");
        check("1.50", "number 1.50");
        check("1e400", "number 1e400");
        check("9223372036854775808", "number 9223372036854775808");
        check(
            "123456789012345678901234567890",
            "number 123456789012345678901234567890",
        );
        check("true", "boolean true");
        check("false", "boolean false");
        check("null", "json null");
        check(r#""a,b\n\"c\" 🙂""#, "text a,b\n\"c\" 🙂");
        check(r#""NaN""#, "text NaN");
        check(r#""NaN","type":"number""#, "number NaN");
        check(r#""-inf","type":"number""#, "number -Infinity");
        check(r#""Infinity","type":"number""#, "number Infinity");
        check(r#""1e5","type":"number""#, "text 1e5");
        check(r#""[1]","type":"json""#, "json [1]");
        check(r#""[1","type":"json""#, "text [1");
        check(r#"{"a": [1, {}]}"#, r#"json {"a": [1, {}]}"#);
        let deep = format!("{}{}", "[".repeat(2000), "]".repeat(2000));
        check(&deep, &format!("json {deep}"));
    }

    #[test]
    fn whatever_a_line_is_a_value_comes_of_it() {
        let long_name = "é".repeat(300);
        for (line, what, data, flaw) in [
            (
                "",
                "unreadable ",
                "text ",
                "not a report: the line is not a JSON object",
            ),
            (
                "hello",
                "unreadable ",
                "text hello",
                "not a report: the line is not a JSON object",
            ),
            (
                "[1]",
                "unreadable ",
                "text [1]",
                "not a report: the line is not a JSON object",
            ),
            (
                "{}",
                "unreadable ",
                "text {}",
                "not a report: `kind` is missing or not what it must be",
            ),
            (
                r#"{"kind":"dropped","name":"n"}"#,
                "unreadable ",
                r#"text {"kind":"dropped","name":"n"}"#,
                "not a report: `kind` is missing or not what it must be",
            ),
            (
                r#"{"kind":"watch","name":7}"#,
                "unreadable ",
                r#"text {"kind":"watch","name":7}"#,
                "not a report: `name` is missing or not what it must be",
            ),
            (
                r#"{"kind":"watch","name":"n","value":"\ud800"}"#,
                "unreadable ",
                r#"text {"kind":"watch","name":"n","value":"\ud800"}"#,
                "not a report: `value` is missing or not what it must be",
            ),
            (
                r#"{"kind":"result","name":"done"}"#,
                "result done",
                "json null",
                "",
            ),
            (
                r#"{"kind":"watch","name":"\u001b[2J\r\nx","value":1,"later":[{}]}"#,
                "watch \u{1b}[2J\r\nx",
                "number 1",
                "",
            ),
            (
                &format!(r#"{{"kind":"watch","name":"{long_name}","value":1}}"#),
                &format!("watch {}…", "é".repeat(126)),
                "number 1",
                "its name is cut: it had 600 bytes",
            ),
            (
                r#"{"kind":"watch","name":"n","value":"xx","cut":1048576}"#,
                "watch n",
                "text xx",
                "cut: it had 1048576 bytes",
            ),
        ] {
            let expected = (what.to_owned(), data.to_owned(), flaw.to_owned());
            assert_eq!(seen(line), expected, "{line}");
        }
        let not_text = value_of_line(b"{\"kind\":\"\xff\"}", read_at());
        assert_eq!(not_text.flaw, Some(Flaw::NotAnObject));
    }

    #[test]
    fn what_is_longer_than_a_value_may_be_is_cut_and_says_so() {
        for value in [
            format!("\"{}\"", "é".repeat(5000)),
            format!("[{}1]", "1,".repeat(5000)),
            "1".repeat(10_001),
        ] {
            let line = format!(r#"{{"kind":"watch","name":"n","value":{value}}}"#);
            let value = value_of_line(line.as_bytes(), read_at());
            assert!(
                matches!(value.flaw, Some(Flaw::Cut { bytes }) if bytes >= 10_000),
                "{:?}",
                value.flaw
            );
            let text = value.data.text();
            assert!(
                text.len() <= VALUE_BYTES_MAX && text.ends_with('…'),
                "{text}"
            );
        }
    }

    #[test]
    fn a_line_that_was_cut_within_a_text_has_the_beginning_of_it() {
        let whole = r#"{"kind":"watch","name":"n","value":"a\u00e9\\ é🙂 long"}"#;
        let from = whole.find("\"a").unwrap() + 1;
        for end in 0..whole.len() {
            let value = value_of_cut_line(&whole.as_bytes()[..end], 1 << 20, read_at());
            assert_eq!(value.flaw, Some(Flaw::LineCut { bytes: 1 << 20 }));
            if end < from || end > whole.len() - 2 {
                assert_eq!(value.kind, ValueKind::Unreadable, "{end}");
            } else {
                assert_eq!(
                    (value.kind, value.name.as_str()),
                    (ValueKind::Watch, "n"),
                    "{end}"
                );
                assert!("aé\\ é🙂 long".starts_with(value.data.text()), "{end}");
            }
        }
    }

    #[test]
    fn the_instant_is_the_reports_unless_it_cannot_be() {
        for (at, expected) in [
            (
                r#""2026-11-22T04:59:00.123456Z""#,
                "2026-11-22T04:59:00.123456Z",
            ),
            (r#""2026-11-22T06:00:30+01:00""#, "2026-11-22T05:00:30Z"),
            (r#""2031-01-01T00:00:00Z""#, "2026-11-22T05:00:00Z"),
            (r#""1969-01-01T00:00:00Z""#, "2026-11-22T05:00:00Z"),
            (r#""soon""#, "2026-11-22T05:00:00Z"),
            ("7", "2026-11-22T05:00:00Z"),
            ("null", "2026-11-22T05:00:00Z"),
        ] {
            let line = format!(
                r#"{{"at":{at},"kind":"metric","name":"n","value":1,"unit":"ms","status":404}}"#
            );
            let value = value_of_line(line.as_bytes(), read_at());
            assert_eq!(value.at.to_string(), expected, "{at}");
            assert_eq!(value.unit.as_deref(), Some("ms"));
            assert_eq!(value.status.as_deref(), Some("404"));
        }
    }
}
