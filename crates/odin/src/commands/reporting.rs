//! `odin watch`, `odin condition` and `odin result`: the SDK for shell and any other language.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use clap::Args;
use odin_sdk::{Odin, Outcome, Status, Value};
use odin_wire::Exit;

/// `odin watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Its name
    name: OsString,
    /// A number, `true` or `false`, JSON, or else text
    #[arg(allow_hyphen_values = true)]
    value: OsString,
}

/// `odin condition`.
#[derive(Debug, Args)]
pub(crate) struct ConditionArgs {
    /// Its name
    name: OsString,
    /// `true` or `false`; 0, `no`, `off` and an empty text are false, anything else is true
    #[arg(allow_hyphen_values = true)]
    value: OsString,
}

/// `odin result`.
#[derive(Debug, Args)]
pub(crate) struct ResultArgs {
    /// What came of the run: the reason that is shown
    message: OsString,
    /// 0 and 200 to 299: success; 400 to 499: a warning; anything else: a failure
    #[arg(allow_hyphen_values = true, default_value = "0")]
    status: OsString,
}

/// The program's arguments, with `--` behind the name of a command that reports, where what follows can only be its
/// own: a script's names and texts are what they are, also with a hyphen in front or when an option is called so.
pub(crate) fn taken_as_they_are(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<_> = arguments.into_iter().collect();
    let [_, command, own @ ..] = arguments.as_slice() else {
        return arguments;
    };
    let is_whole = match command.to_str() {
        Some("watch" | "condition") => own.len() == 2,
        Some("result") => (1..=2).contains(&own.len()),
        _ => false,
    };
    let is_option = |own: &[OsString]| match own {
        [only] => only == "--help" || only == "-h",
        [first, ..] => first == "--",
        [] => false,
    };
    if is_whole && !is_option(own) {
        arguments.insert(2, "--".into());
    }
    arguments
}

/// Reports a value.
pub(crate) fn watch(args: &WatchArgs) -> Exit {
    // Dropped at the end: that waits for the acknowledgement, 5 seconds at most, and says on stderr what is missing.
    Odin::from_environment().watch(&readable(&args.name), written(&args.value));
    Exit::Done
}

/// Reports whether something holds, and ends with 0 where it does, else with 1.
pub(crate) fn condition(args: &ConditionArgs) -> Exit {
    let holds = args.value.to_str().is_none_or(holds);
    match Odin::from_environment().condition(&readable(&args.name), holds) {
        true => Exit::Done,
        false => Exit::Failed,
    }
}

/// Reports how the run went, and ends with 1 for a failure, else with 0.
pub(crate) fn result(args: &ResultArgs) -> Exit {
    let odin = Odin::from_environment();
    let (message, text) = (readable(&args.message), readable(&args.status));
    match odin.finish(&message, status(&text)).1 {
        Outcome::Success | Outcome::Warning => Exit::Done,
        Outcome::Failure => Exit::Failed,
    }
}

/// What is written; bytes that are no text as bytes, as the libraries of other languages send them.
fn written(value: &OsStr) -> Value<'_> {
    match value.to_str() {
        Some(text) => Value::written(text),
        None => Value::Bytes(value.as_bytes().into()),
    }
}

/// A name as it was given, with `\xff` in the place of each byte that is not of UTF-8: an argument may hold any.
fn readable(name: &OsStr) -> Cow<'_, str> {
    if let Some(name) = name.to_str() {
        return name.into();
    }
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    text.into()
}

/// A number where one is written, as the libraries of other languages send it.
fn status(text: &str) -> Status<'_> {
    let number = text.trim().parse::<i64>().ok();
    match number.filter(|number| number.to_string() == text.trim()) {
        Some(number) => number.into(),
        None => text.into(),
    }
}

fn holds(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    let is_zero = text.parse::<f64>().is_ok_and(|number| number == 0.0);
    !is_zero && !matches!(text.as_str(), "" | "false" | "no" | "off")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_number_where_one_is_written() {
        for text in ["0", "404", "-1", " 200\n"] {
            let number: i64 = text.trim().parse().unwrap();
            assert_eq!(status(text), number.into(), "{text:?}");
        }
        for text in ["", "007", "+5", "4.5", "ok", "99999999999999999999"] {
            assert_eq!(status(text), text.into(), "{text:?}");
        }
    }

    /// What the parser of arguments gets of these.
    #[track_caller]
    fn check(given: &[&str], expected: &[&str]) {
        let given = given.iter().map(OsString::from);
        assert_eq!(taken_as_they_are(given), expected);
    }

    #[test]
    fn names_and_texts_are_taken_as_they_are() {
        for own in [
            &["watch", "x", "--json"][..],
            &["watch", "--json", "x"],
            &["watch", "-n", "5"],
            &["watch", "x", "--"],
            &["condition", "c", "-h"],
            &["result", "--json", "500"],
            &["result", "- disk full", "500"],
            &["result", "-1 rows"],
        ] {
            let given = [&["odin"], own].concat();
            let expected = [&["odin", own[0], "--"], &own[1..]].concat();
            check(&given, &expected);
        }
        for others in [
            &["odin"][..],
            &["odin", "result", "--help"],
            &["odin", "result", "-h"],
            &["odin", "watch", "--help"],
            &["odin", "watch", "--", "x"],
            &["odin", "watch", "--", "x", "5"],
            &["odin", "watch", "x", "--", "-5"],
            &["odin", "watch", "--json", "x", "5"],
            &["odin", "--json", "watch", "x"],
            &["odin", "runs", "-i", "job"],
        ] {
            check(others, others);
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_and_names_show_them() {
        for (bytes, name, value) in [
            (&b"price"[..], "price", Value::Text("price".into())),
            ("é".as_bytes(), "é", Value::Text("é".into())),
            (b"12", "12", Value::Digits("12".into())),
            (
                b"a\xff\xc3 b\x80",
                r"a\xff\xc3 b\x80",
                Value::Bytes(b"a\xff\xc3 b\x80".into()),
            ),
        ] {
            let argument = OsStr::from_bytes(bytes);
            assert_eq!(readable(argument), name);
            assert_eq!(written(argument), value);
        }
    }

    #[test]
    fn what_languages_write_for_false_is_false() {
        for (text, expected) in [
            ("true", true),
            ("1", true),
            ("-1", true),
            ("yes", true),
            ("anything", true),
            ("false", false),
            ("False", false),
            ("0", false),
            ("-0.00", false),
            ("0.001", true),
            ("NaN", true),
            ("No", false),
            ("OFF", false),
            ("", false),
            (" \n", false),
        ] {
            assert_eq!(holds(text), expected, "{text:?}");
        }
    }
}
