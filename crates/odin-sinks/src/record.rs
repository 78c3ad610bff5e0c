//! What is sent: a value, or a run that is over, with everything that any receiver's form needs.

use std::sync::Arc;

use jiff::Timestamp;
use odin_model::{AttemptNumber, JobId, Outcome, RunId, Usage, Value, ValueData, VersionNumber};

/// A job, as records name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFacts {
    /// Its id.
    pub id: JobId,
    /// Its name now.
    pub name: String,
    /// Its owner's user name.
    pub owner: String,
}

/// The ids by which tracing knows a run (W3C Trace Context).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceIds {
    /// The trace: one for each run.
    pub trace: [u8; 16],
    /// The span of the run as a whole.
    pub run: [u8; 8],
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// The number of its entry in the feed, and its place in that. No two records of a cluster have the same.
    pub place: (u64, u32),
    /// Whose run it is of.
    pub job: Arc<JobFacts>,
    /// The run.
    pub run: RunId,
    /// By which ids tracing knows it.
    pub trace: TraceIds,
    /// What it says.
    pub body: Body,
}

/// What a record says.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// The run reported something.
    Value(ValueFacts),
    /// The run is over.
    Run(Box<RunFacts>),
}

/// A value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueFacts {
    /// Which process of the run.
    pub attempt: AttemptNumber,
    /// By which id tracing knows that.
    pub span: [u8; 8],
    /// Counts the attempt's values from 0.
    pub number: u64,
    /// What was reported.
    pub value: Value,
}

/// A run that is over.
#[derive(Debug, Clone, PartialEq)]
pub struct RunFacts {
    /// The job's version.
    pub version: VersionNumber,
    /// The word for why it was made.
    pub cause: &'static str,
    /// The occurrence that it answers.
    pub due_at: Option<Timestamp>,
    /// When it was decided.
    pub queued_at: Timestamp,
    /// When its first process was made.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit status of its last process.
    pub exit_code: Option<u8>,
    /// The signal that ended its last process.
    pub signal: Option<u8>,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// What it used.
    pub usage: Usage,
    /// The node of its last attempt.
    pub node: Option<String>,
    /// Its attempts, the first first.
    pub attempts: Vec<AttemptFacts>,
}

/// One process of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptFacts {
    /// Which.
    pub number: AttemptNumber,
    /// By which id tracing, and the process itself, knows it.
    pub span: [u8; 8],
    /// Where it ran.
    pub node: String,
    /// When it was made.
    pub started_at: Option<Timestamp>,
    /// When it was over.
    pub finished_at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// The exit status.
    pub exit_code: Option<u8>,
    /// The signal that ended it.
    pub signal: Option<u8>,
    /// Why it ended as it did.
    pub reason: Option<String>,
}

impl Record {
    /// How people find it: what is said of a record that a receiver refused.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.body {
            Body::Value(value) => format!(
                "value {:?} of run {} of {}",
                value.value.name, self.run, self.job.name
            ),
            Body::Run(_) => format!("the end of run {} of {}", self.run, self.job.name),
        }
    }
}

impl RunFacts {
    /// From the first process to the end, in seconds; `None` where no process was made.
    #[must_use]
    pub fn seconds(&self) -> Option<f64> {
        self.started_at.map(|from| between(from, self.finished_at))
    }

    /// From when it was to start to its first process, in seconds.
    #[must_use]
    pub fn waited_seconds(&self) -> Option<f64> {
        let from = self.due_at.unwrap_or(self.queued_at);
        self.started_at.map(|at| between(from, at))
    }
}

fn between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}

/// Nanoseconds since 1970; before that, and beyond 2262, the nearest that there is.
pub(crate) fn nanos(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at.as_second() < 0 { 0 } else { i64::MAX })
}

/// The value as a 64-bit integer, where it is written as one.
pub(crate) fn integer(data: &ValueData) -> Option<i64> {
    match data {
        ValueData::Number(text) => text.parse().ok(),
        ValueData::Boolean(_) | ValueData::Text(_) | ValueData::Json(_) => None,
    }
}

/// The value as a 64-bit float, NaN and infinities included, where it is a number.
pub(crate) fn number(data: &ValueData) -> Option<f64> {
    match data {
        ValueData::Number(text) => text.parse().ok(),
        ValueData::Boolean(_) | ValueData::Text(_) | ValueData::Json(_) => None,
    }
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |it: u8| char::from_digit(u32::from(it), 16).expect("below 16");
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use odin_model::ValueKind;

    use super::*;

    pub(crate) fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    pub(crate) fn record(index: u32, body: Body) -> Record {
        Record {
            place: (7, index),
            job: Arc::new(JobFacts {
                id: JobId::from_bits(0xab),
                name: "nightly, all".to_owned(),
                owner: "ann".to_owned(),
            }),
            run: RunId::new(0, 5, 0),
            trace: TraceIds {
                trace: [1; 16],
                run: [2; 8],
            },
            body,
        }
    }

    pub(crate) fn value(index: u32, name: &str, data: ValueData) -> Record {
        record(
            index,
            Body::Value(ValueFacts {
                attempt: AttemptNumber::FIRST,
                span: [3; 8],
                number: u64::from(index),
                value: Value {
                    at: at(1),
                    kind: ValueKind::Watch,
                    name: name.to_owned(),
                    data,
                    status: None,
                    unit: None,
                    flaw: None,
                },
            }),
        )
    }

    pub(crate) fn run(index: u32) -> Record {
        record(
            index,
            Body::Run(Box::new(RunFacts {
                version: VersionNumber::FIRST,
                cause: "schedule",
                due_at: Some(at(0)),
                queued_at: at(0),
                started_at: Some(at(2)),
                finished_at: at(5),
                outcome: Outcome::Failed,
                exit_code: Some(3),
                signal: None,
                reason: Some("exit code 3".to_owned()),
                usage: Usage::default(),
                node: Some("master-node".to_owned()),
                attempts: vec![AttemptFacts {
                    number: AttemptNumber::FIRST,
                    span: [3; 8],
                    node: "master-node".to_owned(),
                    started_at: Some(at(2)),
                    finished_at: at(5),
                    outcome: Outcome::Failed,
                    exit_code: Some(3),
                    signal: None,
                    reason: Some("exit code 3".to_owned()),
                }],
            })),
        )
    }
}
