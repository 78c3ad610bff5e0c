//! What a run reports of itself while it goes on: values, each with a name, a kind and a type.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{AttemptNumber, RunId};

/// How long a value's text is kept, in bytes. A longer one is cut, and says so.
pub const VALUE_BYTES_MAX: usize = 4 * 1024;
/// How long a name is kept, in bytes. A longer one is cut, and says so.
pub const NAME_BYTES_MAX: usize = 256;
/// How many bytes of reports are kept of one attempt when the job file says nothing.
pub const VALUES_BYTES_MAX_DEFAULT: u64 = 10 << 20;
/// How many series a job has, at most: each is a name with a kind, and all results together are one. Values of further
/// names are kept as [`ValueKind::Unreadable`].
pub const SERIES_OF_JOB_MAX: u64 = 1_000;

/// What kind of report a value came with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ValueKind {
    /// Something that the job looks at.
    Watch,
    /// Whether something held.
    Condition,
    /// How the run went, in the job's own words.
    Result,
    /// How far the run is.
    Progress,
    /// A measurement with a unit.
    Metric,
    /// A file that the run made.
    Artifact,
    /// A part of the run, with its timing.
    Span,
    /// A line that is no report, or a part of one: what could be read of it.
    Unreadable,
    /// Reports that were not kept, as a number: all of the attempt until then.
    Dropped,
}

impl ValueKind {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Watch,
        Self::Condition,
        Self::Result,
        Self::Progress,
        Self::Metric,
        Self::Artifact,
        Self::Span,
        Self::Unreadable,
        Self::Dropped,
    ];

    /// The word for it in reports, in JSON and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Watch => "watch",
            Self::Condition => "condition",
            Self::Result => "result",
            Self::Progress => "progress",
            Self::Metric => "metric",
            Self::Artifact => "artifact",
            Self::Span => "span",
            Self::Unreadable => "unreadable",
            Self::Dropped => "dropped",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// The name of the series that a value of this kind and name is in. What a result is named by is a sentence about one
    /// run, so a job's results are one series, and have their names beside them.
    #[must_use]
    pub fn series_name(self, name: &str) -> &str {
        match self {
            Self::Result => "",
            Self::Watch
            | Self::Condition
            | Self::Progress
            | Self::Metric
            | Self::Artifact
            | Self::Span
            | Self::Unreadable
            | Self::Dropped => name,
        }
    }

    /// Whether a job may say it. The others are Odin's.
    #[must_use]
    pub fn is_reported(self) -> bool {
        !matches!(self, Self::Unreadable | Self::Dropped)
    }
}

/// A value with its type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ValueData {
    /// A number as JSON writes one, in the text that was given, so that no digit is lost; or `NaN`, `Infinity`,
    /// `-Infinity`.
    Number(String),
    /// True or false.
    Boolean(bool),
    /// Any text.
    Text(String),
    /// An array, an object or null, in the text that was given.
    Json(String),
}

impl ValueData {
    /// The word for the type.
    #[must_use]
    pub fn type_word(&self) -> &'static str {
        match self {
            Self::Number(_) => "number",
            Self::Boolean(_) => "boolean",
            Self::Text(_) => "text",
            Self::Json(_) => "json",
        }
    }

    /// As text: numbers as they were given, `true` or `false`, texts as they are, JSON.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::Number(text) | Self::Text(text) | Self::Json(text) => text,
            Self::Boolean(true) => "true",
            Self::Boolean(false) => "false",
        }
    }

    /// The number that it is ordered and drawn by: true is 1, false is 0. `None`: it has none, as text has not, or
    /// none that can be drawn, as NaN and the infinities have not.
    #[must_use]
    pub fn drawn(&self) -> Option<f64> {
        match self {
            Self::Number(text) => text.parse().ok().filter(|number: &f64| number.is_finite()),
            Self::Boolean(it) => Some(f64::from(u8::from(*it))),
            Self::Text(_) | Self::Json(_) => None,
        }
    }
}

/// How two numbers stand to each other, given as [`ValueData::Number`] has them. Whole ones are compared exactly, others as
/// 64-bit floats. `None`: one is NaN, or no number.
#[must_use]
pub fn compare_numbers(one: &str, other: &str) -> Option<Ordering> {
    // Floats would make neighbouring large integers equal.
    if let (Ok(one), Ok(other)) = (one.parse::<i128>(), other.parse::<i128>()) {
        return Some(one.cmp(&other));
    }
    one.parse::<f64>().ok()?.partial_cmp(&other.parse().ok()?)
}

/// What is not as it was reported.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Flaw {
    /// The value is longer than [`VALUE_BYTES_MAX`]: this is its beginning.
    #[error("cut: it had {bytes} bytes")]
    Cut {
        /// How long it was.
        bytes: u64,
    },
    /// The name is longer than [`NAME_BYTES_MAX`]: this is its beginning.
    #[error("its name is cut: it had {bytes} bytes")]
    NameCut {
        /// How long it was.
        bytes: u64,
    },
    /// The line was longer than a line may be: this is what its beginning says.
    #[error("its line is cut: it had {bytes} bytes")]
    LineCut {
        /// How long it was.
        bytes: u64,
    },
    /// The line is no JSON object.
    #[error("not a report: the line is not a JSON object")]
    NotAnObject,
    /// A member is missing, or not what it must be.
    #[error("not a report: `{member}` is missing or not what it must be")]
    BadMember {
        /// Which.
        member: String,
    },
    /// The job has reported [`SERIES_OF_JOB_MAX`] other names.
    #[error("not kept under its name: the job has {SERIES_OF_JOB_MAX} others")]
    TooManyNames,
    /// These were not kept: the run has reported as much as it may, or the disk is full.
    #[error("{lines} reports of {bytes} bytes were not kept")]
    Dropped {
        /// How many lines.
        lines: u64,
        /// Their bytes.
        bytes: u64,
    },
}

/// One value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Value {
    /// When the job saw it: its own clock, or the executor's where the report does not say.
    #[serde(with = "crate::instant")]
    pub at: Timestamp,
    /// What kind of report it came with.
    pub kind: ValueKind,
    /// Its name: any text of at most [`NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// The value.
    pub data: ValueData,
    /// What a result says of how the run went, as it was given.
    pub status: Option<String>,
    /// The unit of a metric.
    pub unit: Option<String>,
    /// What is not as it was reported; `None` when it is.
    pub flaw: Option<Flaw>,
}

impl Value {
    /// The name of the series that it is in.
    #[must_use]
    pub fn series_name(&self) -> &str {
        self.kind.series_name(&self.name)
    }
}

/// Values of many attempts, as they were read from the executing node's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportValues {
    /// One or more for an attempt, in order.
    pub parts: Vec<ValuesPart>,
}

/// A part of an attempt's values. It counts only if everything before `from` is applied and nothing after it: that
/// compare-and-set is what keeps values from being lost or doubled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValuesPart {
    /// Which run.
    pub run: RunId,
    /// Which process of it.
    pub attempt: AttemptNumber,
    /// Where in the attempt's file the part begins.
    pub from: u64,
    /// Where it ends: where the next one begins.
    pub to: u64,
    /// What is there, in order.
    pub values: Vec<Value>,
    /// When the node took the first of them, by its own clock: what a job says of the time may be anything.
    #[serde(with = "crate::instant")]
    pub taken_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_drawn_by_its_number_if_it_has_a_finite_one() {
        for (data, drawn) in [
            (ValueData::Number("-1.50".into()), Some(-1.5)),
            (
                ValueData::Number("9223372036854775808".into()),
                Some(9_223_372_036_854_775_808.0),
            ),
            (ValueData::Number("NaN".into()), None),
            (ValueData::Number("-Infinity".into()), None),
            (ValueData::Number("1e999".into()), None),
            (ValueData::Boolean(true), Some(1.0)),
            (ValueData::Boolean(false), Some(0.0)),
            (ValueData::Text("7".into()), None),
            (ValueData::Json("[7]".into()), None),
        ] {
            assert_eq!(data.drawn(), drawn, "{data:?}");
        }
    }

    #[test]
    fn every_kind_has_a_word_of_its_own() {
        for kind in ValueKind::ALL {
            assert_eq!(ValueKind::of_word(kind.word()), Some(kind));
        }
        assert_eq!(ValueKind::of_word("Watch"), None);
    }
}
