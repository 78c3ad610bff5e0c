//! The first line of a connection, and what it is answered with.

use std::borrow::Cow;

use serde::Deserialize;

use super::token::RunToken;

/// The hello that this executor understands.
const VERSION: u64 = 1;
/// What a good hello is answered with.
pub(super) const WELCOME: &str = "{\"ok\":true}\n";

/// Why a connection is closed from this end. The codes are stable across releases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No whole line within the time for it.
    Late,
    /// The line is longer than a line may be.
    TooLong,
    /// The line is no hello.
    Invalid,
    /// A hello of another version of this language.
    Version,
    /// No running attempt of the peer's user has the token. Whether another user's has, is not said.
    NotPermitted,
    /// The run, or all of them together, have as many connections as they may.
    TooMany,
    /// What it said may not be on the disk.
    DiskFailed,
}

impl Refusal {
    /// The line that the peer gets.
    pub(super) fn line(self) -> String {
        let (error, code) = match self {
            Self::Late => ("no hello came within a second", "values/hello-late"),
            Self::TooLong => ("the line is longer than 64 KiB", "values/line-too-long"),
            Self::Invalid => (
                "the first line must be an object with hello, which is 1, and token, which is ODIN_RUN_TOKEN",
                "values/hello-invalid",
            ),
            Self::Version => ("this executor understands hello 1", "values/hello-version"),
            Self::NotPermitted => (
                "no running attempt of this user has this token",
                "values/not-permitted",
            ),
            Self::TooMany => (
                "there are too many connections to this socket",
                "values/too-many-connections",
            ),
            Self::DiskFailed => (
                "the disk failed: what was not acknowledged may be lost",
                "values/disk-failed",
            ),
        };
        // None of the texts has anything to escape.
        format!("{{\"error\":\"{error}\",\"code\":\"{code}\"}}\n")
    }
}

/// Members that it does not know are left for later versions.
#[derive(Deserialize)]
struct Hello<'a> {
    hello: u64,
    #[serde(borrow)]
    token: Cow<'a, str>,
}

/// The token that a hello shows.
pub(super) fn parse(line: &[u8]) -> Result<RunToken, Refusal> {
    let hello: Hello<'_> = serde_json::from_slice(line).map_err(|_| Refusal::Invalid)?;
    if hello.hello != VERSION {
        return Err(Refusal::Version);
    }
    // One that cannot be a token is a wrong token.
    RunToken::parse(&hello.token).ok_or(Refusal::NotPermitted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_shows_a_token_and_anything_else_is_told_what_it_is() {
        let good = "00112233445566778899aabbccddeeff";
        let with = |token: &str| format!("{{\"hello\":1,\"token\":\"{token}\"}}");
        let deep = "[".repeat(60_000);
        for (line, expected) in [
            (with(good), None),
            (
                format!(" {{\"sdk\":{{\"a\":[1]}},\"token\":\"{good}\",\"hello\":1}}\r"),
                None,
            ),
            (with("\\u0030\\u0030112233445566778899aabbccddeeff"), None),
            (with("x"), Some(Refusal::NotPermitted)),
            (with(""), Some(Refusal::NotPermitted)),
            (
                format!("{{\"hello\":2,\"token\":\"{good}\"}}"),
                Some(Refusal::Version),
            ),
            (
                format!("{{\"hello\":-1,\"token\":\"{good}\"}}"),
                Some(Refusal::Invalid),
            ),
            (
                format!("{{\"hello\":1,\"hello\":1,\"token\":\"{good}\"}}"),
                Some(Refusal::Invalid),
            ),
            ("{\"hello\":1}".into(), Some(Refusal::Invalid)),
            ("{\"hello\":1,\"token\":7}".into(), Some(Refusal::Invalid)),
            (String::new(), Some(Refusal::Invalid)),
            ("\0\x01\x02".into(), Some(Refusal::Invalid)),
            ("GET / HTTP/1.1".into(), Some(Refusal::Invalid)),
            (deep, Some(Refusal::Invalid)),
        ] {
            assert_eq!(parse(line.as_bytes()).err(), expected, "{line:.60}");
        }
        assert_eq!(
            parse(b"{\"hello\":1,\"token\":\"\xff\"}").err(),
            Some(Refusal::Invalid)
        );
    }

    #[test]
    fn every_answer_is_one_line_of_json_with_a_code() {
        for refusal in [
            Refusal::Late,
            Refusal::TooLong,
            Refusal::Invalid,
            Refusal::Version,
            Refusal::NotPermitted,
            Refusal::TooMany,
            Refusal::DiskFailed,
        ] {
            let line = refusal.line();
            let value: serde_json::Value = serde_json::from_str(&line).unwrap();
            assert!(value["code"].as_str().unwrap().starts_with("values/"));
            assert!(line.ends_with('\n') && line.matches('\n').count() == 1);
        }
    }
}
