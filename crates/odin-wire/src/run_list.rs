//! Lists of runs, and which runs they are asked for.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use odin_model::RunId;
use odin_model::id::IdError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::run::Run;

/// Runs, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct RunList {
    /// The runs. There may be fewer than asked for, and even none, while there is a next page.
    pub runs: Vec<Run>,
    /// What to send as `after` for older ones. `null`: this is all.
    pub next: Option<String>,
    /// Whether runs may be missing because a file of history cannot be read: the server's log and `odin doctor` name
    /// it.
    #[serde(default)]
    pub incomplete: bool,
}

/// What `/runs` and `/jobs/{id}/runs` take. A run must pass every filter that is given.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct RunsQuery {
    /// How many, 1 to 1000. Default: 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Only older runs: an earlier answer's `next`.
    #[serde(
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>)]
    pub after: Option<RunsAfter>,
    /// Only runs with one of these outcomes, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "failed,timed_out")]
    pub outcome: Option<String>,
    /// Only runs in one of these states, separated by commas. `finished` does not go together with others.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "queued,running")]
    pub state: Option<String>,
    /// Only runs that exist for one of these causes, separated by commas.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(example = "manual,catch_up")]
    pub cause: Option<String>,
    /// Only runs whose latest attempt was on the node of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Only runs due at this instant or later; one without a due time counts as due when it was asked for.
    #[serde(
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Only runs due before this instant.
    #[serde(
        with = "crate::as_text::option",
        skip_serializing_if = "Option::is_none"
    )]
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Only runs whose latest attempt printed this text, of 1 to 1000 bytes, case included. Output of which only the
    /// end is on this node is searched there. One answer looks at 200 runs and 16 MiB of output at most; `next` goes
    /// on after that, also inside a long output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Only runs whose latest reported values hold, such as `price > 100 and "has rows" = true`. What one answer looks at
    /// is bounded: it may hold fewer than asked for, and even none, while there is a next one.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    #[param(example = "price > 100")]
    pub values: Option<String>,
}

/// Where a page of runs begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RunsAfter {
    /// At runs before this one,
    pub run: RunId,
    /// or at this one again, whose output was searched for `text` up to this byte.
    pub output_from: Option<u64>,
}

impl From<RunId> for RunsAfter {
    fn from(run: RunId) -> Self {
        Self {
            run,
            output_from: None,
        }
    }
}

impl fmt::Display for RunsAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.output_from {
            None => self.run.fmt(f),
            Some(byte) => write!(f, "{}.{byte}", self.run),
        }
    }
}

impl FromStr for RunsAfter {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let (run, output_from) = match text.split_once('.') {
            None => (text, None),
            Some((run, byte)) => match byte.parse() {
                Ok(byte) => (run, Some(byte)),
                // The whole text is no run's id, which is what the error then says.
                Err(_) => (text, None),
            },
        };
        Ok(Self {
            run: run.parse()?,
            output_from,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_a_list_reads_back_and_others_are_refused() {
        let run = RunId::from_bits(0x30000);
        for output_from in [None, Some(0), Some(u64::MAX)] {
            let after = RunsAfter { run, output_from };
            assert_eq!(after.to_string().parse(), Ok(after));
        }
        assert_eq!(RunsAfter::from(run).to_string(), run.to_string());
        for text in ["", "r1", "r0000000030000.", "r0000000030000.-1", ".5"] {
            assert!(text.parse::<RunsAfter>().is_err(), "{text}");
        }
    }
}
