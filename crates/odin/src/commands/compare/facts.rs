//! What Odin itself knows of two runs: numbers that it measured.

use jiff::Timestamp;
use odin_wire::Run;
use serde::Serialize;

use super::difference;

/// A number that Odin measured of both runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Measure {
    pub(crate) name: &'static str,
    /// `ms` or `bytes`.
    pub(crate) unit: Unit,
    /// `null`: it is not known.
    pub(crate) before: Option<i64>,
    /// `null`: it is not known.
    pub(crate) after: Option<i64>,
    /// `after` less `before`.
    pub(crate) difference: Option<i64>,
    /// The difference in per cent of `before`; `null` where that is 0.
    pub(crate) per_cent: Option<f64>,
}

/// What a measure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum Unit {
    #[serde(rename = "ms")]
    Milliseconds,
    #[serde(rename = "bytes")]
    Bytes,
    #[serde(rename = "count")]
    Count,
}

/// All of them, in the order in which they are shown.
pub(crate) fn measures(before: &Run, after: &Run) -> Vec<Measure> {
    use Unit::{Bytes, Count, Milliseconds};
    let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    // What a run prints is counted when it is over.
    let printed = |run: &Run, bytes: u64| run.outcome.map(|_| whole(bytes));
    let used = |run: &Run, number: u64| run.finished_at.and(run.started_at).map(|_| whole(number));
    let measure = |name, unit, of: &dyn Fn(&Run) -> Option<i64>| {
        let (before, after) = (of(before), of(after));
        let both = before.zip(after);
        Measure {
            name,
            unit,
            before,
            after,
            difference: both.map(|(before, after)| after.saturating_sub(before)),
            per_cent: both.and_then(|(before, after)| {
                difference::per_cent(&before.to_string(), &after.to_string())
            }),
        }
    };
    vec![
        measure("late by", Milliseconds, &late_by),
        measure("took", Milliseconds, &took),
        measure("processor", Milliseconds, &|run| used(run, run.cpu_user_ms)),
        measure("in the kernel", Milliseconds, &|run| {
            used(run, run.cpu_system_ms)
        }),
        measure("memory", Bytes, &|run| run.memory_max_bytes.map(whole)),
        measure("stdout", Bytes, &|run| printed(run, run.stdout_bytes)),
        measure("stderr", Bytes, &|run| printed(run, run.stderr_bytes)),
        measure("attempts", Count, &|run| run.attempt.map(i64::from)),
    ]
}

fn milliseconds(from: Timestamp, to: Timestamp) -> i64 {
    i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX)
}

fn took(run: &Run) -> Option<i64> {
    Some(milliseconds(run.started_at?, run.finished_at?))
}

/// How long after its due time, or after it was asked for, a run began.
fn late_by(run: &Run) -> Option<i64> {
    Some(milliseconds(
        run.due_at.unwrap_or(run.queued_at),
        run.started_at?,
    ))
}
