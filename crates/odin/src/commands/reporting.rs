//! `odin watch`, `odin condition` and `odin result`: the SDK for shell and any other language.

use clap::Args;
use odin_sdk::{Odin, Outcome, Status, Value};
use odin_wire::Exit;

/// `odin watch`.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Its name
    name: String,
    /// A number, `true` or `false`, JSON, or else text
    #[arg(allow_hyphen_values = true)]
    value: String,
}

/// `odin condition`.
#[derive(Debug, Args)]
pub(crate) struct ConditionArgs {
    /// Its name
    name: String,
    /// `true` or `false`; 0 and an empty text are false, anything else is true
    #[arg(allow_hyphen_values = true)]
    value: String,
}

/// `odin result`.
#[derive(Debug, Args)]
pub(crate) struct ResultArgs {
    /// What came of the run: the reason that is shown
    message: String,
    /// 0 and 200 to 299: success; 400 to 499: a warning; anything else: a failure
    #[arg(allow_hyphen_values = true, default_value = "0")]
    status: String,
}

/// Reports a value.
pub(crate) fn watch(args: &WatchArgs) -> Exit {
    // Dropped at the end: that waits for the acknowledgement, 5 seconds at most, and says on stderr what is missing.
    Odin::from_environment().watch(&args.name, Value::written(&args.value));
    Exit::Done
}

/// Reports whether something holds, and ends with 0 where it does, else with 1.
pub(crate) fn condition(args: &ConditionArgs) -> Exit {
    match Odin::from_environment().condition(&args.name, holds(&args.value)) {
        true => Exit::Done,
        false => Exit::Failed,
    }
}

/// Reports how the run went, and ends with 1 for a failure, else with 0.
pub(crate) fn result(args: &ResultArgs) -> Exit {
    let odin = Odin::from_environment();
    match odin.finish(&args.message, status(&args.status)).1 {
        Outcome::Success | Outcome::Warning => Exit::Done,
        Outcome::Failure => Exit::Failed,
    }
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
    !matches!(
        text.trim(),
        "" | "0" | "false" | "False" | "FALSE" | "no" | "off"
    )
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
            ("", false),
            (" \n", false),
        ] {
            assert_eq!(holds(text), expected, "{text:?}");
        }
    }
}
