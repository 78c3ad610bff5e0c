//! What a refused or failed request answers: `application/problem+json`, RFC 9457.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::error_code;
use crate::exit::Exit;

/// Why a request did not succeed. The CLI prints the same with `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:odin:` and the code: names the kind of problem, as RFC 9457 asks. Never to be fetched.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in words, the same for every problem of a code.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable across releases: `docs/reference/errors.md` lists them.
    pub code: String,
    /// What was wrong this time.
    pub detail: String,
    /// The next step. Absent where there is none to give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// All mistakes of a file, in the order of their places. Absent for other problems.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Mistake>,
}

/// A mistake in a job file or a schedule, or a warning about one.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Mistake {
    /// Stable across releases, as [`Problem::code`].
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// The line, from 1. Absent where the mistake has no place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// The bytes of the text that are meant: the first, and the one after the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span: Option<[usize; 2]>,
    /// The next step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The line's text, for who has not got the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
}

impl Problem {
    /// A problem with the title, status and usual next step of its code.
    ///
    /// A code that the table does not know is our own mistake: it answers as `internal/error` would and keeps its
    /// name, so that a report leads to it.
    #[must_use]
    pub fn new(code: &str, detail: impl Into<String>) -> Self {
        let row = error_code::find(code);
        Self {
            kind: format!("urn:odin:{code}"),
            title: row.title.to_owned(),
            status: row.status,
            code: code.to_owned(),
            detail: detail.into(),
            help: (!row.help.is_empty()).then(|| row.help.to_owned()),
            errors: Vec::new(),
        }
    }

    /// The same with a next step for this very case.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same with the mistakes of a file.
    #[must_use]
    pub fn with_errors(mut self, errors: Vec<Mistake>) -> Self {
        self.errors = errors;
        self
    }

    /// The exit code of a command that ends with this problem.
    #[must_use]
    pub fn exit(&self) -> Exit {
        Exit::of_status(self.status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_problem_has_the_names_of_the_standard_and_leaves_out_what_it_has_not() {
        let problem = Problem::new("job/not-found", "there is no job a37b187f5930");
        expect![[r#"
            {
              "type": "urn:odin:job/not-found",
              "title": "No such job",
              "status": 404,
              "code": "job/not-found",
              "detail": "there is no job a37b187f5930",
              "help": "`odin list` shows your jobs."
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&problem).unwrap());
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(serde_json::from_str::<Problem>(&text).unwrap(), problem);
    }

    #[test]
    fn a_code_without_a_row_is_an_internal_error_that_keeps_its_name() {
        let problem = Problem::new("moon/full", "x");
        assert_eq!((problem.status, problem.code.as_str()), (500, "moon/full"));
        assert_eq!(problem.exit(), Exit::Failed);
    }
}
