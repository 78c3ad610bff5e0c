//! What can be reported.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::json;

/// A value's text in UTF-8, or its JSON, at most. What is longer is cut and marked, never left out in silence.
pub const VALUE_BYTES_MAX: usize = 4 << 10;

/// A name's bytes in UTF-8, at most. What is longer is cut and ends with `…`.
pub const NAME_BYTES_MAX: usize = 256;

/// A value with its type. Most calls make one out of what they are given: numbers, booleans, text, bytes, and
/// [`Option`]s of them. JSON is made by [`Value::json`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value<'a> {
    /// Nothing: JSON's `null`.
    Null,
    /// A boolean.
    Boolean(bool),
    /// A whole number that is sent as it is, whatever its size.
    Integer(i128),
    /// A number. NaN and the infinities, which JSON has not, are sent as text that is marked as a number.
    Float(f64),
    /// A number as somebody wrote it, in JSON's form. What is not a number in that form is reported as text.
    Digits(Cow<'a, str>),
    /// Text.
    Text(Cow<'a, str>),
    /// JSON that is known to be JSON.
    Json(Json<'a>),
    /// Bytes: sent as text when they are UTF-8, and as `{"base64": …}` otherwise.
    Bytes(Cow<'a, [u8]>),
}

/// The text of an object, an array or a scalar that is JSON, and how deep it is nested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<'a> {
    text: Cow<'a, str>,
    depth: usize,
}

impl<'a> Value<'a> {
    /// A value that is JSON already, for example from `serde_json::to_string`. Text that is not JSON is reported as text.
    #[must_use]
    pub fn json(text: impl Into<Cow<'a, str>>) -> Self {
        let text = text.into();
        match json::depth(&text) {
            Some(depth) => Self::Json(Json { text, depth }),
            None => Self::Text(text),
        }
    }

    /// The value that a person means who writes it on a command line: a number, `true` or `false`, an array or an object in
    /// JSON, `NaN`, or else text.
    #[must_use]
    pub fn written(text: &'a str) -> Self {
        match text {
            "true" => return Self::Boolean(true),
            "false" => return Self::Boolean(false),
            "NaN" => return Self::Float(f64::NAN),
            "Infinity" | "inf" => return Self::Float(f64::INFINITY),
            "-Infinity" | "-inf" => return Self::Float(f64::NEG_INFINITY),
            _ => {}
        }
        if json::is_number(text) {
            return Self::Digits(text.into());
        }
        if text.starts_with(['{', '[']) {
            return Self::json(text);
        }
        Self::Text(text.into())
    }
}

/// A value as a report has it: its JSON, and what else the line must say of it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Encoded {
    /// What the text stands for, where JSON cannot say it: `number` or `json`.
    pub(crate) type_name: Option<&'static str>,
    /// How many bytes the whole would have had.
    pub(crate) cut_from: Option<usize>,
}

/// Appends a value's JSON.
pub(crate) fn encode(out: &mut Vec<u8>, value: &Value<'_>) -> Encoded {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Boolean(true) => out.extend_from_slice(b"true"),
        Value::Boolean(false) => out.extend_from_slice(b"false"),
        Value::Integer(number) => display(out, number),
        Value::Float(number) => return encode_float(out, *number),
        Value::Digits(digits) if digits.len() <= VALUE_BYTES_MAX && json::is_number(digits) => {
            out.extend_from_slice(digits.as_bytes());
        }
        Value::Digits(text) | Value::Text(text) => return encode_text(out, text, None),
        Value::Json(json) if json.text.len() > VALUE_BYTES_MAX || json.depth > json::DEPTH_MAX => {
            return encode_text(out, &json.text, Some("json"));
        }
        // A line ends with a line feed, and between its values JSON may have some.
        Value::Json(json) => out.extend(
            json.text
                .bytes()
                .map(|byte| if byte < b' ' { b' ' } else { byte }),
        ),
        Value::Bytes(bytes) => return encode_bytes(out, bytes),
    }
    Encoded::default()
}

fn encode_float(out: &mut Vec<u8>, number: f64) -> Encoded {
    let text = if number.is_nan() {
        "NaN"
    } else if number == f64::INFINITY {
        "Infinity"
    } else if number == f64::NEG_INFINITY {
        "-Infinity"
    } else {
        // The shortest text that reads as the same number, and always seen to be no whole one.
        display(out, &format_args!("{number:?}"));
        return Encoded::default();
    };
    json::write_text(out, text);
    Encoded {
        type_name: Some("number"),
        cut_from: None,
    }
}

fn encode_text(out: &mut Vec<u8>, text: &str, type_name: Option<&'static str>) -> Encoded {
    if text.len() <= VALUE_BYTES_MAX {
        json::write_text(out, text);
        return Encoded {
            type_name,
            cut_from: None,
        };
    }
    let mark = cut_mark(text.len());
    let mut kept = begin(text, VALUE_BYTES_MAX - mark.len()).to_owned();
    kept.push_str(&mark);
    json::write_text(out, &kept);
    Encoded {
        type_name,
        cut_from: Some(text.len()),
    }
}

fn encode_bytes(out: &mut Vec<u8>, bytes: &[u8]) -> Encoded {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return encode_text(out, text, None);
    }
    // Three bytes are four letters; `{"base64":""}` and the mark have room beside them.
    const KEPT_MAX: usize = (VALUE_BYTES_MAX - 64) / 4 * 3;
    let kept = &bytes[..bytes.len().min(KEPT_MAX)];
    out.extend_from_slice(b"{\"base64\":\"");
    write_base64(out, kept);
    out.push(b'"');
    let cut_from = (kept.len() < bytes.len()).then_some(bytes.len());
    if let Some(whole) = cut_from {
        display(out, &format_args!(",\"cut\":{whole}"));
    }
    out.push(b'}');
    Encoded {
        type_name: None,
        cut_from,
    }
}

/// What stands where text was cut.
fn cut_mark(whole_bytes: usize) -> String {
    format!("… [cut: {whole_bytes} bytes]")
}

/// The longest beginning of `text` that has at most `bytes_max` bytes and ends between characters.
pub(crate) fn begin(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// A name within its bound.
pub(crate) fn name_within_bound(name: &str) -> Cow<'_, str> {
    const MARK: &str = "…";
    if name.len() <= NAME_BYTES_MAX {
        return name.into();
    }
    format!("{}{MARK}", begin(name, NAME_BYTES_MAX - MARK.len())).into()
}

fn write_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() { letter } else { b'=' });
        }
    }
}

pub(crate) fn display(out: &mut Vec<u8>, what: &dyn std::fmt::Display) {
    struct Into<'a>(&'a mut Vec<u8>);
    impl std::fmt::Write for Into<'_> {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.extend_from_slice(text.as_bytes());
            Ok(())
        }
    }
    // Writing into memory never fails.
    let _ = write!(Into(out), "{what}");
}

macro_rules! from_integers {
    ($($integer:ty)*) => {$(
        impl From<$integer> for Value<'_> {
            fn from(number: $integer) -> Self {
                Self::Integer(number.into())
            }
        }
    )*};
}
from_integers!(i8 i16 i32 i64 i128 u8 u16 u32 u64);

macro_rules! from_sizes {
    ($($size:ty)*) => {$(
        impl From<$size> for Value<'_> {
            fn from(number: $size) -> Self {
                Self::Integer(i128::try_from(number).expect("no size has 127 bits"))
            }
        }
    )*};
}
from_sizes!(usize isize);

impl From<u128> for Value<'_> {
    fn from(number: u128) -> Self {
        i128::try_from(number)
            .map_or_else(|_| Self::Digits(number.to_string().into()), Self::Integer)
    }
}

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<f32> for Value<'_> {
    /// By its decimal text: 0.1 stays 0.1.
    fn from(number: f32) -> Self {
        if number.is_finite() {
            Self::Digits(format!("{number:?}").into())
        } else {
            Self::Float(number.into())
        }
    }
}

impl From<bool> for Value<'_> {
    fn from(truth: bool) -> Self {
        Self::Boolean(truth)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

impl<'a> From<Cow<'a, str>> for Value<'a> {
    fn from(text: Cow<'a, str>) -> Self {
        Self::Text(text)
    }
}

impl From<char> for Value<'_> {
    fn from(letter: char) -> Self {
        Self::Text(letter.to_string().into())
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<Vec<u8>> for Value<'_> {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<'a>(value: impl Into<Value<'a>>, expected: &str) {
        let mut out = Vec::new();
        let encoded = encode(&mut out, &value.into());
        let text = String::from_utf8(out).unwrap();
        let marks = match (encoded.type_name, encoded.cut_from) {
            (None, None) => String::new(),
            marks => format!(" {marks:?}"),
        };
        assert_eq!(format!("{text}{marks}"), expected);
    }

    #[test]
    fn types_are_kept_and_numbers_are_exact() {
        check(9_223_372_036_854_775_807_i64, "9223372036854775807");
        check(u64::MAX, "18446744073709551615");
        check(u128::MAX, "340282366920938463463374607431768211455");
        check(0.1, "0.1");
        check(0.1_f32, "0.1");
        check(5.0, "5.0");
        check(1e300, "1e300");
        check(f64::NAN, "\"NaN\" (Some(\"number\"), None)");
        check(f64::INFINITY, "\"Infinity\" (Some(\"number\"), None)");
        check(f32::NEG_INFINITY, "\"-Infinity\" (Some(\"number\"), None)");
        check(true, "true");
        check(None::<bool>, "null");
        check("a,b\n\"c\"😀", "\"a,b\\n\\\"c\\\"😀\"");
        check(Value::json("{\"a\":\n[1]}"), "{\"a\": [1]}");
        check(Value::json("{a}"), "\"{a}\"");
        check(&b"text"[..], "\"text\"");
        check(vec![0xff, 0xfe], "{\"base64\":\"//4=\"}");
        check(vec![0xff], "{\"base64\":\"/w==\"}");
        check(vec![0xff, 0, 0xff], "{\"base64\":\"/wD/\"}");
    }

    #[test]
    fn digits_that_are_no_number_are_text() {
        let digits = |text: &'static str| Value::Digits(text.into());
        check(digits("-1.50e+3"), "-1.50e+3");
        check(
            digits("5}\n{\"kind\":\"result\""),
            "\"5}\\n{\\\"kind\\\":\\\"result\\\"\"",
        );
        for text in ["", "5 ", "1_000", "0x10", "NaN", "007", "-", "٥"] {
            check(digits(text), &format!("\"{text}\""));
        }
    }

    #[test]
    fn what_a_person_writes_has_the_type_that_it_looks_like() {
        for (written, expected) in [
            ("5", Value::Digits("5".into())),
            ("1e9", Value::Digits("1e9".into())),
            ("true", Value::Boolean(true)),
            ("inf", Value::Float(f64::INFINITY)),
            ("007", Value::Text("007".into())),
            ("", Value::Text("".into())),
            ("\"5\"", Value::Text("\"5\"".into())),
            ("[1", Value::Text("[1".into())),
        ] {
            assert_eq!(Value::written(written), expected, "{written}");
        }
        assert!(matches!(Value::written("[1]"), Value::Json(_)));
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters_and_says_so() {
        let long = "é".repeat(1 << 20);
        let mut out = Vec::new();
        let encoded = encode(&mut out, &Value::from(&long));
        let text = String::from_utf8(out).unwrap();
        assert_eq!(encoded.cut_from, Some(2 << 20));
        assert!(text.ends_with("é… [cut: 2097152 bytes]\""), "{text}");
        assert!((VALUE_BYTES_MAX - 4..=VALUE_BYTES_MAX).contains(&(text.len() - 2)));

        let list = format!("[{}1]", "1,".repeat(4096));
        let mut out = Vec::new();
        let encoded = encode(&mut out, &Value::json(&list));
        assert_eq!(encoded.type_name, Some("json"));
        assert_eq!(encoded.cut_from, Some(list.len()));

        let mut out = Vec::new();
        let encoded = encode(&mut out, &Value::from(vec![0xff; 1 << 20]));
        assert_eq!(encoded.cut_from, Some(1 << 20));
        assert!(out.len() <= VALUE_BYTES_MAX);
        assert_eq!(name_within_bound(&long).len(), NAME_BYTES_MAX - 1);
    }

    #[test]
    fn json_that_is_nested_too_deep_is_sent_as_text() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        check(Value::json(nested(64)), &nested(64));
        check(
            Value::json(nested(65)),
            &format!("\"{}\" (Some(\"json\"), None)", nested(65)),
        );
    }
}
